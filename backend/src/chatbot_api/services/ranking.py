"""What every engine does with a search's raw lists: cosines joined, ties settled, and no page crowding out the others."""

from collections import Counter
from collections.abc import Iterable, Mapping

from chatbot_api.errors import SearchBadResponse
from chatbot_api.models.index_models import Hit, Passage

CANDIDATES = 50
"""Passages each arm of the search contributes to the fusion."""
MOST_OF_ONE_PAGE = 3
"""Passages of one page among the hits: a long page must not hide the second-best one."""
OVERFETCH = 4
"""Fused hits asked for per hit wanted, so that enough are left after the limit per page."""


def fused_limit(limit: int) -> int:
    """How many fused hits to ask an engine for."""
    return min(CANDIDATES * 2, limit * OVERFETCH)


def ranked(
    fused: Iterable[tuple[Passage | None, float]], cosines: Mapping[str, float], words: Mapping[str, float] | None, limit: int
) -> list[Hit]:
    """The best ``limit`` hits in fused order, at most MOST_OF_ONE_PAGE of a page, each with its cosine where one is known.

    ``words``: id -> score by words, per word of the question; 0 for one that has none of them. None: they can't be compared.

    A point without a passage (None) is passed over. Raises SearchBadResponse when there are points and none bears a passage:
    nothing to read is not nothing found.
    """
    found = list(fused)
    read = [(passage, score) for passage, score in found if passage]
    if found and not read:
        raise SearchBadResponse(f"{len(found)} points, none with a text")
    # Ranks tie often, and engines give out ties in an order that differs from call to call.
    read.sort(key=lambda one: (-round(one[1], 6), -cosines.get(one[0].id, -1.0), one[0].id))
    of_page: Counter[str] = Counter()
    hits: list[Hit] = []
    for passage, score in read:
        of_page[passage.page_id] += 1
        if of_page[passage.page_id] <= MOST_OF_ONE_PAGE:
            hits.append(Hit(passage, score, cosines.get(passage.id), None if words is None else words.get(passage.id, 0.0)))
        if len(hits) == limit:
            break
    return hits
