"""The made-up site: so many passages, indexed by our own indexer against the stand-in."""

import random
import subprocess
import sys
from functools import cache
from itertools import accumulate
from pathlib import Path

from speed.processes import environment

SECTIONS = 20
"""Of a page, a passage each."""
PASSAGES = 2000
VOCABULARY = 5000
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]


@cache
def _vocabulary() -> tuple[list[str], list[float]]:
    """Made-up words, and how often each is used up to it: the n-th is used 1/n as often as the first, as in real texts."""
    dice = random.Random(3)
    words = ["".join(dice.choices(_SYLLABLES, k=2 + at % 3)) + str(at) for at in range(VOCABULARY)]
    return words, list(accumulate(1 / (at + 1) for at in range(VOCABULARY)))


def text(dice: random.Random, words: int) -> str:
    """So many words in sentences of nine."""
    vocabulary, weights = _vocabulary()
    drawn = dice.choices(vocabulary, cum_weights=weights, k=words)
    return " ".join(" ".join(drawn[at : at + 9]).capitalize() + "." for at in range(0, words, 9))


def written(folder: Path, passages: int = PASSAGES) -> Path:
    """A folder of Markdown with so many passages of some 600 characters."""
    docs = folder / "docs"
    docs.mkdir(parents=True)
    for page in range(-(-passages // SECTIONS)):
        sections = "\n".join(_section(page, at) for at in range(min(SECTIONS, passages - page * SECTIONS)))
        (docs / f"page-{page}.md").write_text(f"---\ntitle: Page {page}\n---\n\n{sections}", encoding="utf-8")
    return docs


def _section(page: int, at: int) -> str:
    number = page * SECTIONS + at
    return f"## Option {number} of the service\n\n{text(random.Random(number), 90)}\n"


def indexed(folder: Path, settings: dict[str, str], passages: int = PASSAGES) -> Path:
    """A DATA_DIR with the site's index, made with these settings."""
    data = folder / "indexed"
    command = [sys.executable, "-m", "qdrant_indexer", "index", str(written(folder, passages))]
    surroundings = environment(**settings, DATA_DIR=str(data))
    subprocess.run(command, env=surroundings, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return data
