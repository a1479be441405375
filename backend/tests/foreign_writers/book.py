"""What every writer indexes: the Markdown files of a folder, with the vectors that the Gemini stand-in makes of their texts."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from gemini_standin import bag_of_words

SIZE = 128


def vector_of(text: str) -> list[float]:
    """The same text gives the same vector here and in the service that is to read the collection."""
    return bag_of_words(text, SIZE)


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
