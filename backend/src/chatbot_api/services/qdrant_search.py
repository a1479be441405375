"""What one search asks a Qdrant server for, and what it found: one round trip, whichever way it goes.

The batch: the arms fused, with payloads; the words' arm by itself, for its scores, which fusion hides; the fused passages by
their cosines; and each weighed word alone, for its best score. The server fuses: payloads of the best could not come in the same
round trip otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chatbot_api.errors import SearchBadResponse
from chatbot_api.models.index_models import Passage
from chatbot_api.services.ranking import CANDIDATES, Candidate
from chatbot_api.services.sparse_encoder import SparseVector

PAYLOAD = (
    *("text", "url", "anchor", "title", "heading_path", "page_id", "ordinal"),
    *("site", "version", "locale", "last_version", "kind"),
)
"""Keys that a passage is read from."""
MOST_RESCORED = CANDIDATES * 2
"""Cosines asked for. Each shard rescores its own fused hits, so that there may be more of them than fused hits."""


@dataclass(frozen=True, slots=True)
class Search:
    """At least one arm is there: ``vector``, or ``words`` with indices."""

    vector: Sequence[float] | None
    words: SparseVector
    alone: Sequence[int]
    """Words of the question whose best scores are asked for."""
    conditions: Mapping[str, str]
    """Payload key -> the value it must have."""
    limit: int
    """Fused hits asked for."""

    @property
    def lists(self) -> int:
        """How many lists of points the reply has."""
        return 1 + (self.vector is not None) + bool(self.words.indices) + len(self.alone)


def _itself(passage: Passage) -> Passage:
    return passage


@dataclass(frozen=True, slots=True)
class Found:
    """The lists of one search, read."""

    fused: Sequence[tuple[Candidate | None, float]]
    """Best first, with the fused score; None for a point without a passage."""
    passage: Callable[[Any], Passage]
    """One of those, read whole: only what is chosen needs to be."""
    cosines: dict[str, float]
    """Id -> cosine, of the fused hits; empty without a vector."""
    by_words: dict[str, float]
    """Id -> BM25 score, of the words' arm."""
    best: list[float | None]
    """The best score of each word in ``alone``; None where no passage bears it."""

    @classmethod
    def of(
        cls,
        search: Search,
        fused: Sequence[tuple[Candidate | None, float]],
        scored: Sequence[dict[str, float]],
        passage: Callable[[Any], Passage] = _itself,
    ) -> "Found":
        """``scored``: id -> score of each further list, in the batch's order. Raises SearchBadResponse when some are missing."""
        if len(scored) != search.lists - 1:
            raise SearchBadResponse(f"asked {search.lists} queries, got {len(scored) + 1} lists")
        lists = iter(scored)
        by_words = next(lists) if search.words.indices else {}
        cosines = {} if search.vector is None else next(lists)
        return cls(fused, passage, cosines, by_words, [next(iter(one.values()), None) for one in lists])


class Wire(Protocol):
    """One way to a server. Cancelled, a search ends on the wire too."""

    async def found(self, search: Search) -> Found:
        """Raises SearchError."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
