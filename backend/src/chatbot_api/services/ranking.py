"""What every engine does with a search's raw lists: cosines joined, lists of changes put back, no page crowding out others."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Protocol, TypeVar

from chatbot_api.errors import SearchBadResponse
from chatbot_api.models.index_models import Hit, Passage

K = TypeVar("K")
CANDIDATES = 50
"""Passages each arm of the search contributes to the fusion."""
MOST_OF_ONE_PAGE = 3
"""Passages of one page among the hits: a long page must not hide the second-best one."""
OVERFETCH = 4
"""Fused hits asked for per hit wanted, so that enough are left after the limit per page."""
CHANGES_WEIGHT = 0.5
"""Of passages that list changes: they name every feature and explain none. Measured in website/docs/retrieval-quality.md."""
_LISTS_CHANGES = re.compile(r"release[\W_]?notes|change[\W_]?log|what.{0,2}s[\W_]new|^releases$", re.IGNORECASE)
"""In a page's title or at the end of its address."""
_ASKS_FOR_CHANGES = re.compile(
    r"\b(versions?|releases?|released|changed|change[\W_]?log|what.{0,2}s new|new in|since|upgrad\w*|deprecat\w*|removed)\b",
    re.IGNORECASE,
)


def fused_limit(limit: int) -> int:
    """How many fused hits to ask an engine for."""
    return min(CANDIDATES * 2, limit * OVERFETCH)


def fused(arms: Sequence[Mapping[K, float]], rrf_k: int, limit: int) -> dict[K, float]:
    """Id -> score by reciprocal ranks, the best ``limit`` of them, best first, as a Qdrant server does it.

    ``arms``: id -> score, best first. Cormack, Clarke and Buettcher, SIGIR 2009; the server counts ranks from 0.
    """
    scores: dict[K, float] = defaultdict(float)
    for arm in arms:
        for rank, id in enumerate(arm):
            scores[id] += 1.0 / (rrf_k + rank)
    return dict(sorted(scores.items(), key=itemgetter(1), reverse=True)[:limit])


class Candidate(Protocol):
    """What hits are chosen by; a Passage is one."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def page_id(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def url(self) -> str: ...  # noqa: D102


C = TypeVar("C", bound=Candidate)


def ranked(
    fused: Iterable[tuple[Passage | None, float]],
    cosines: Mapping[str, float],
    words: Mapping[str, float] | None,
    limit: int,
    question: str | None = None,
) -> list[Hit]:
    """The chosen passages, each with its cosine where one is known.

    ``words``: id -> score by words, per word of the question; 0 for one that has none of them. None: they can't be compared.
    The rest: see ``chosen``. Raises SearchBadResponse.
    """
    return [hit_of(passage, score, cosines, words) for passage, score in chosen(fused, cosines, limit, question)]


def hit_of(passage: Passage, score: float, cosines: Mapping[str, float], words: Mapping[str, float] | None) -> Hit:
    """A passage with how well it was found. ``words``: see ``ranked``."""
    by_words = None if words is None else words.get(passage.id, 0.0)
    return Hit(passage, score, cosines.get(passage.id), by_words, None if words is None else 0.0)


def chosen(
    fused: Iterable[tuple[C | None, float]], cosines: Mapping[str, float], limit: int, question: str | None = None
) -> list[tuple[C, float]]:
    """The best ``limit``, best first, at most MOST_OF_ONE_PAGE of a page.

    ``question``: what was asked, when the scores are ranks fused and lists of changes may be put back; None keeps the order.

    A point without a passage (None) is passed over. Raises SearchBadResponse when there are points and none bears a passage:
    nothing to read is not nothing found.
    """
    found = list(fused)
    read = [(passage, score) for passage, score in found if passage]
    if found and not read:
        raise SearchBadResponse(f"{len(found)} points, none with a text")
    changes_count = question is None or bool(_ASKS_FOR_CHANGES.search(question))
    weighed = {one.id: score * (1.0 if changes_count or not lists_changes(one) else CHANGES_WEIGHT) for one, score in read}
    # Ranks tie often, and engines give out ties in an order that differs from call to call.
    read.sort(key=lambda one: (-round(weighed[one[0].id], 6), -cosines.get(one[0].id, -1.0), one[0].id))
    of_page: Counter[str] = Counter()
    best: list[tuple[C, float]] = []
    for one, score in read:
        of_page[one.page_id] += 1
        if of_page[one.page_id] <= MOST_OF_ONE_PAGE:
            best.append((one, score))
        if len(best) == limit:
            break
    return best


def lists_changes(passage: Candidate) -> bool:
    """Whether its page's title or address says that it lists what changed from version to version."""
    return _names_changes(passage.title, passage.url)


@lru_cache(4096)
def _names_changes(title: str, url: str) -> bool:
    return any(_LISTS_CHANGES.search(name) for name in (title, url.rstrip("/").rpartition("/")[2]))
