"""The index on a Qdrant server: the collection's shape, hybrid search in one round trip, and runs that go live by an alias.

``QDRANT_COLLECTION_NAME`` is an alias; each run of the indexer is a collection of its own, ``<name>__<run>``. The service only
reads. Needs server >= 1.15.4 (reciprocal rank fusion with an explicit constant).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from chatbot_api.errors import (
    DeadlineExceeded,
    IndexMismatch,
    IndexMissing,
    SearchError,
    SearchUnavailable,
)
from chatbot_api.models.index_models import Hit, IndexMarker, Passage, Scope, passage_from_payload
from chatbot_api.models.page_models import PLACE_KEYS, PassagePlace, place_from_payload
from chatbot_api.reliability import Deadline, Guard
from chatbot_api.services.coverage import MOST_WORDS, covered
from chatbot_api.services.qdrant_reads import Match, Point, PointId, QdrantReads
from chatbot_api.services.qdrant_search import Found, Search, Wire
from chatbot_api.services.qdrant_seats import Seats
from chatbot_api.services.ranking import chosen, fused_limit, hit_of
from chatbot_api.services.sparse_encoder import SparseEncoder
from chatbot_api.services.stored_ids import kept, point_ids
from chatbot_api.telemetry import tally, upstream_log


class Foreign(Protocol):
    """Who reads collections of other tools."""

    @property
    def problems(self) -> list[str]: ...  # noqa: D102
    async def check(self, described: Mapping[str, Any]) -> int: ...  # noqa: D102
    async def search(self, vector: Sequence[float] | None, text: str, scope: Scope, limit: int) -> list[Hit]: ...  # noqa: D102
    async def passages(self, ids: Sequence[str], site: str) -> list[Passage]: ...  # noqa: D102
    def places(self, site: str) -> AsyncGenerator[list[PassagePlace], None]: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102


BATCH = 500
"""Points read at once: less than a server in strict mode refuses."""


class QdrantService:
    """Searches the live collection."""

    place = "qdrant"

    def __init__(
        self,
        reads: QdrantReads,
        marker: IndexMarker,
        sparse: SparseEncoder,
        *,
        wire: Wire,
        timeout_s: float,
        foreign: Callable[[], Awaitable[Foreign]] | None = None,
        weigh_words: bool = True,
    ) -> None:
        """``reads``: the rest, of the same collection. ``marker``: what the settings ask for. ``wire``: what searches go by.
        ``timeout_s``: of one search, retry included. ``weigh_words``: whether hits say which words of the question they cover,
        as some models' gates want to know.

        ``foreign``: makes who reads the collection when it bears no marker of ours, which may take a second; without it such a
        collection is refused.
        """
        self._weigh_words = weigh_words
        self._new_foreign, self._making_foreign = foreign, asyncio.Lock()
        self._foreign: Foreign | None = None
        self._is_foreign = False
        self.run = ""
        """What is searched at the moment, as ``check`` found it."""
        self._reads, self._wire, self._marker, self._sparse = reads, wire, marker, sparse
        self._timeout_s = timeout_s
        self._seats = Seats()
        self._searching, self._looking_up = Guard(upstream_log("search")), Guard(upstream_log("look-up"))

    @property
    def problems(self) -> list[str]:
        """Slug of what this upstream is left alone for at the moment."""
        if self._is_foreign and self._foreign:
            return self._foreign.problems
        return [f"search: {held.slug}" for guard in (self._searching, self._looking_up) if (held := guard.held)][:1]

    @property
    def is_foreign(self) -> bool:
        """Whether the collection was found to be another tool's."""
        return self._is_foreign

    async def check(self) -> int:
        """Compare the collection's marker with the settings, count its passages. Raises SearchError, DeadlineExceeded."""
        check_s = max(self._timeout_s, 5.0)
        deadline = Deadline(check_s)
        try:
            found = await deadline.wait(self._reads.described())
        except IndexMissing as missing:
            there = await deadline.wait(self._collections())
            raise IndexMissing(f"no collection {self._reads.collection}; there are: {there}") from missing
        live = IndexMarker.read(found.metadata)
        if live is None:
            await self._make_foreign()
        self._is_foreign = live is None and self._foreign is not None
        # Collections made by others, and by older versions, have no name of a run: their size has to do.
        self.run = str(found.metadata.get("run") or found.points)
        if self._is_foreign and self._foreign:
            return await Deadline(check_s).wait(self._foreign.check(found.whole))
        if live is None:
            raise IndexMismatch(f"the collection {self._reads.collection} was not made by this indexer")
        if differences := self._marker.differences(live):
            raise IndexMismatch("; ".join(differences))
        return found.points or 0

    async def _make_foreign(self) -> None:
        """Make the reader of other tools' collections, once."""
        async with self._making_foreign:
            if self._foreign is None and self._new_foreign:
                self._foreign = await self._new_foreign()

    async def _collections(self) -> str:
        """Names of the collections there, for the log; a key for one collection alone may not ask for them."""
        try:
            names = await self._reads.collections()
        except SearchError as error:
            return f"not told ({error.slug})"
        return ", ".join(sorted(names)[:20]) or "none"

    async def search_documents(self, query_vector: list[float], top_k: int) -> list[Hit]:
        """The nearest passages by meaning alone, of any site, version and language."""
        return await self.search(query_vector, "", Scope(), top_k)

    async def search(self, vector: Sequence[float] | None, text: str, scope: Scope, limit: int) -> list[Hit]:
        """The passages nearest to the question by both arms, fused; without a vector by words alone.

        Raises SearchError; a search that takes longer than its time-out is SearchUnavailable, whatever the server is doing.
        """
        if self._is_foreign and self._foreign:
            return await self._foreign.search(vector, text, scope, limit)
        words = self._sparse.query(text)
        if vector is None and not words.indices:
            return []
        alone = words.indices[:MOST_WORDS] if self._weigh_words else []
        search = Search(vector, words, alone, scope.conditions(), fused_limit(limit))
        within = Deadline(self._timeout_s)
        try:
            async with self._seats.seat(within):
                if within.remaining_s < self._timeout_s / 20:  # spent on waiting: what is begun now can only be cut
                    raise DeadlineExceeded
                found = await self._searching.call(lambda: self._found(search), within)
        except DeadlineExceeded as error:
            raise SearchUnavailable("no reply in time") from error
        shares = {id: score / len(words.indices) for id, score in found.by_words.items()}
        best = chosen(found.fused, found.cosines, limit, text or None)
        hits = [hit_of(found.passage(one), score, found.cosines, shares) for one, score in best]
        return covered(hits, text, words, found.best, self._sparse) if self._weigh_words else hits

    async def _found(self, search: Search) -> Found:
        tally("search_attempts")
        return await self._wire.found(search)

    async def page(self, urls: Sequence[str], site: str) -> Passage | None:
        """A passage of the page with one of these addresses; None when there is none. Raises SearchError."""
        return next(iter(await self.of_page(urls, site, 1)), None)

    async def of_page(self, urls: Sequence[str], site: str, limit: int) -> list[Passage]:
        """The passages of the pages with one of these addresses, at most ``limit``, in no order. Raises SearchError.

        None of another tool's collection: its addresses are found out point by point.
        """
        if self._is_foreign:
            return []
        read: list[Passage] = []
        after = None
        while True:
            points, after = await self._scrolled({"site": site, "url": urls}, min(limit - len(read), BATCH), after)
            read += [passage for point in points if (passage := passage_from_payload(point.id, point.payload))]
            if after is None or len(read) >= limit:
                return read

    async def places(self, site: str) -> AsyncGenerator[list[PassagePlace], None]:
        """Where the site's passages stand, all of them, a batch at a time, in no order. Raises SearchError."""
        if self._is_foreign and self._foreign:
            async with aclosing(self._foreign.places(site)) as batches:
                async for batch in batches:
                    yield batch
            return
        after = None
        while True:
            points, after = await self._scrolled(Scope(site).conditions(), BATCH, after, PLACE_KEYS)
            yield [place for point in points if (place := place_from_payload(point.id, point.payload))]
            if after is None:
                return

    async def _scrolled(
        self, conditions: Mapping[str, Match], limit: int, after: PointId | None, keys: Sequence[str] | None = None
    ) -> tuple[list[Point], PointId | None]:
        try:
            return await self._looking_up.call(
                lambda: self._reads.scrolled(conditions, limit, after, keys), Deadline(self._timeout_s)
            )
        except DeadlineExceeded as error:
            raise SearchUnavailable("no reply in time") from error

    async def passages(self, ids: Sequence[str], site: str) -> list[Passage]:
        """The site's passages with these ids, in their order; one that is there no more is left out. Raises SearchError."""
        if self._is_foreign and self._foreign:
            return await self._foreign.passages(ids, site)
        wanted = point_ids(ids)
        if not wanted:
            return []
        try:
            points = await self._looking_up.call(lambda: self._reads.points(wanted), Deadline(self._timeout_s))
        except DeadlineExceeded as error:
            raise SearchUnavailable("no reply in time") from error
        return kept(ids, (passage_from_payload(point.id, point.payload) for point in points), site)

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()
        await self._reads.close()
        if self._foreign:
            await self._foreign.close()
