"""What every writer indexes: the Markdown files of a folder, with vectors that are made of letters and need no model."""

import sys
from pathlib import Path

SIZE = 8


def vector_of(text: str) -> list[float]:
    """Letters counted in eight bins: the same text gives the same vector on every machine."""
    bins = [1.0] * SIZE
    for sign in text:
        bins[ord(sign) % SIZE] += 1.0
    return bins


def words_of(text: str) -> tuple[list[int], list[float]]:
    """A sparse vector: one index a word length."""
    lengths = sorted({len(word) for word in text.split()} or {0})
    return lengths, [1.0] * len(lengths)


def arguments() -> tuple[str, Path]:
    """The Qdrant server's URL and the folder, as the test gives them."""
    return sys.argv[1], Path(sys.argv[2])


def files(folder: Path) -> list[Path]:
    """The folder's Markdown files, in order."""
    return sorted(folder.rglob("*.md"))
