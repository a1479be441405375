"""What every engine does with a search's raw lists: cosines joined, lists of changes put back, no page crowding out others."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from chatbot_api.errors import SearchBadResponse
from chatbot_api.models.index_models import Hit, Passage

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


def fused(arms: Sequence[Mapping[str, float]], rrf_k: int, limit: int) -> dict[str, float]:
    """Id -> score by reciprocal ranks, the best ``limit`` of them, best first, as a Qdrant server does it.

    ``arms``: id -> score, best first. Cormack, Clarke and Buettcher, SIGIR 2009; the server counts ranks from 0.
    """
    scores: dict[str, float] = defaultdict(float)
    for arm in arms:
        for rank, id in enumerate(arm):
            scores[id] += 1.0 / (rrf_k + rank)
    return dict(sorted(scores.items(), key=lambda one: -one[1])[:limit])


def ranked(
    fused: Iterable[tuple[Passage | None, float]],
    cosines: Mapping[str, float],
    words: Mapping[str, float] | None,
    limit: int,
    question: str | None = None,
) -> list[Hit]:
    """The best ``limit`` hits, at most MOST_OF_ONE_PAGE of a page, each with its cosine where one is known.

    ``words``: id -> score by words, per word of the question; 0 for one that has none of them. None: they can't be compared.
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
    hits: list[Hit] = []
    for passage, score in read:
        of_page[passage.page_id] += 1
        if of_page[passage.page_id] <= MOST_OF_ONE_PAGE:
            by_words = None if words is None else words.get(passage.id, 0.0)
            hits.append(Hit(passage, score, cosines.get(passage.id), by_words, None if words is None else 0.0))
        if len(hits) == limit:
            break
    return hits


def lists_changes(passage: Passage) -> bool:
    """Whether its page's title or address says that it lists what changed from version to version."""
    return any(_LISTS_CHANGES.search(name) for name in (passage.title, passage.url.rstrip("/").rpartition("/")[2]))
