"""Scores retrieval on labelled questions: how high the right page stands, and what the gate declines.

Pages are told apart by address; a page stands at the rank of its first passage. Of several right pages the first found counts.
"""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

from chatbot_api.models.index_models import Hit, Passage

DEPTHS = (1, 3, 5, 10)
HITS = 40
"""Passages to search for a question: enough that ten pages are among them."""
_DEEPEST = max(DEPTHS)
_HEADING_DEPTH = 5
_KEPT = 0.95
"""Share of the answerable questions that a gate may not decline."""


@dataclass(frozen=True, slots=True)
class Question:
    """A labelled question."""

    text: str
    kind: str
    answerable: bool
    addresses: frozenset[str]
    """Of the pages that answer it, raw: any one is right."""
    heading: str | None
    """Text of the heading that answers it; None where no heading is labelled."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question's result."""

    kind: str
    answerable: bool
    rank: int
    """Of the first right page, from 1; 0 when none was found."""
    heading: bool | None
    """Whether a passage below the right heading of a right page is among the first five; None without a labelled heading."""
    relevance: float | None
    """Value of the gate; None where only words were compared."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Over all questions. None: there was no question to measure it on."""

    recall: Mapping[int, float]
    """Depth -> share of the answerable questions with a right page among so many pages."""
    mrr: float
    ndcg: float
    heading: float | None
    auroc: float | None
    """Probability that an answerable question has a higher gate value than an unanswerable one."""
    refused: int | None
    """Unanswerable questions a gate that keeps 95 % of the answerable ones would decline."""
    answerable: int
    unanswerable: int
    by_kind: Mapping[str, tuple[int, int]]
    """Kind -> questions with a right page among the first five pages, and all answerable ones of that kind."""


def read_question(line: Mapping[str, Any], addresses_of: Mapping[str, str] | None) -> Question:
    """A question of a JSON line: ``question``, ``gold_urls`` or ``gold_files``, and optional ``kind``, ``gold_heading``,
    ``answerable``. ``addresses_of``: file -> address.

    Raises ValueError with what is wrong.
    """
    text, heading = line.get("question"), line.get("gold_heading")
    files, urls = _texts(line, "gold_files"), _texts(line, "gold_urls")
    answerable = line.get("answerable", bool(files or urls))
    if not isinstance(text, str) or not text.strip():
        raise ValueError("it has no question")
    if not isinstance(answerable, bool):
        raise ValueError("answerable is neither true nor false")
    if answerable and not (files or urls):
        raise ValueError("it has neither gold_urls nor gold_files")
    if answerable and files and not urls:
        if addresses_of is None:
            raise ValueError("it names files (gold_files): say by --permalinks which addresses they have")
        urls = [addresses_of[file] for file in files if file in addresses_of]
        if not urls:
            raise ValueError(f"{files[0]} has no address in the file of permalinks")
    return Question(text, str(line.get("kind") or "question"), answerable, frozenset(urls), heading or None)


def judged(question: Question, hits: Sequence[Hit], relevance: float | None) -> Asked:
    """The question's result. ``hits``: best first, HITS of them. ``relevance``: value of the gate for them."""
    pages = list(dict.fromkeys(hit.passage.url for hit in hits))
    rank = next((place for place, url in enumerate(pages, start=1) if url in question.addresses), 0)
    under = [hit.passage for hit in hits[:_HEADING_DEPTH] if hit.passage.url in question.addresses]
    wanted = question.heading
    heading = None if not wanted else any(_plain(wanted) in _headings(passage) for passage in under)
    return Asked(question.kind, question.answerable, rank, heading, relevance)


def scores_of(asked: Sequence[Asked]) -> Scores:
    """The scores of these results. Raises ValueError when none of the questions is answerable."""
    answerable = [one for one in asked if one.answerable]
    if not answerable:
        raise ValueError("none of the questions is answerable")
    ranks = [one.rank for one in answerable]
    within = [rank for rank in ranks if 0 < rank <= _DEEPEST]
    headings = [one.heading for one in answerable if one.heading is not None]
    kept = [one.relevance for one in answerable if one.relevance is not None]
    others = [one.relevance for one in asked if not one.answerable and one.relevance is not None]
    return Scores(
        recall={depth: sum(0 < rank <= depth for rank in ranks) / len(ranks) for depth in DEPTHS},
        mrr=sum(1 / rank for rank in within) / len(ranks),
        ndcg=sum(1 / log2(rank + 1) for rank in within) / len(ranks),
        heading=sum(headings) / len(headings) if headings else None,
        auroc=_auroc(kept, others) if kept and others else None,
        refused=_refused(kept, others) if kept and others else None,
        answerable=len(answerable),
        unanswerable=len(asked) - len(answerable),
        by_kind=_by_kind(answerable),
    )


def _auroc(answerable: Sequence[float], unanswerable: Sequence[float]) -> float:
    pairs = [(high > low) + 0.5 * (high == low) for high in answerable for low in unanswerable]
    return sum(pairs) / len(pairs)


def _refused(answerable: Sequence[float], unanswerable: Sequence[float]) -> int:
    gate = sorted(answerable, reverse=True)[ceil(_KEPT * len(answerable)) - 1]
    return sum(value < gate for value in unanswerable)


def _by_kind(answerable: Sequence[Asked]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for one in answerable:
        right, everything = found.get(one.kind, (0, 0))
        found[one.kind] = (right + (0 < one.rank <= 5), everything + 1)
    return found


def _texts(line: Mapping[str, Any], key: str) -> list[str]:
    values: Any = line.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):  # pyright: ignore[reportUnknownVariableType]
        raise ValueError(f"{key} is no list of texts")
    return values  # pyright: ignore[reportUnknownVariableType]


def _headings(passage: Passage) -> list[str]:
    return [_plain(heading) for heading in (passage.title, *passage.heading_path)]


def _plain(text: str) -> str:
    """A heading as source and index both have it: without Markdown's marks, link targets and entities."""
    return re.sub(r"[`\\*]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", html.unescape(text))).strip().lower()
