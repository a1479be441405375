"""The index on a Qdrant server: the collection's shape, hybrid search in one round trip, and runs that go live by an alias.

``QDRANT_COLLECTION_NAME`` is an alias; each run of the indexer is a collection of its own, ``<name>__<run>``. The service only
reads. Needs server >= 1.15.4 (reciprocal rank fusion with an explicit constant). Wiring imports this module only when a server
is set: the client costs 0.7 s of CPU and 87 MiB.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.conversions.common_types import PointId

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
from chatbot_api.services.qdrant_connection import Seats, asked, closed
from chatbot_api.services.qdrant_search import Found, Search, Wire
from chatbot_api.services.ranking import chosen, fused_limit, hit_of
from chatbot_api.services.sparse_encoder import SparseEncoder
from chatbot_api.services.stored_ids import kept, point_ids
from chatbot_api.telemetry import tally, upstream_log


class Foreign(Protocol):
    """Who reads collections of other tools."""

    @property
    def problems(self) -> list[str]: ...  # noqa: D102
    async def check(self, info: models.CollectionInfo) -> int: ...  # noqa: D102
    async def search(self, vector: Sequence[float] | None, text: str, scope: Scope, limit: int) -> list[Hit]: ...  # noqa: D102
    async def passages(self, ids: Sequence[str], site: str) -> list[Passage]: ...  # noqa: D102
    def places(self, site: str) -> AsyncGenerator[list[PassagePlace], None]: ...  # noqa: D102


BATCH = 500
"""Points read at once: less than a server in strict mode refuses."""


class QdrantService:
    """Searches the live collection."""

    place = "qdrant"

    def __init__(
        self,
        client: AsyncQdrantClient,
        collection: str,
        marker: IndexMarker,
        sparse: SparseEncoder,
        *,
        wire: Wire,
        timeout_s: float,
        foreign: Foreign | None = None,
        weigh_words: bool = True,
    ) -> None:
        """``collection``: or its alias. ``marker``: what the settings ask for. ``wire``: what searches go by; the rest goes by
        the client. ``timeout_s``: of one search, retry included. ``weigh_words``: whether hits say which words of the question
        they cover, as some models' gates want to know.

        ``foreign``: who reads the collection when it bears no marker of ours; without one it is refused.
        """
        self._weigh_words = weigh_words
        self._foreign, self._is_foreign = foreign, False
        self.run = ""
        """What is searched at the moment, as ``check`` found it."""
        self._client, self._collection, self._marker, self._sparse = client, collection, marker, sparse
        self._wire = wire
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
        deadline = Deadline(max(self._timeout_s, 5.0))
        try:
            info = await deadline.wait(asked(lambda: self._client.get_collection(self._collection)))
        except IndexMissing as missing:
            there = await deadline.wait(self._collections())
            raise IndexMissing(f"no collection {self._collection}; there are: {there}") from missing
        live = IndexMarker.read(dict(info.config.metadata or {}))
        self._is_foreign = live is None and self._foreign is not None
        # Collections made by others, and by older versions, have no name of a run: their size has to do.
        self.run = str((info.config.metadata or {}).get("run") or info.points_count)
        if self._is_foreign and self._foreign:
            return await deadline.wait(self._foreign.check(info))
        if live is None:
            raise IndexMismatch(f"the collection {self._collection} was not made by this indexer")
        if differences := self._marker.differences(live):
            raise IndexMismatch("; ".join(differences))
        return info.points_count or 0

    async def _collections(self) -> str:
        """Names of the collections there, for the log; a key for one collection alone may not ask for them."""
        try:
            names = (await asked(self._client.get_collections)).collections
        except SearchError as error:
            return f"not told ({error.slug})"
        return ", ".join(sorted(one.name for one in names)[:20]) or "none"

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
        there = models.Filter(
            must=[
                models.FieldCondition(key="site", match=models.MatchValue(value=site)),
                models.FieldCondition(key="url", match=models.MatchAny(any=list(urls))),
            ]
        )
        read: list[Passage] = []
        after = None
        while True:
            points, after = await self._scrolled(there, min(limit - len(read), BATCH), after, with_payload=True)
            read += [passage for point in points if (passage := passage_from_payload(str(point.id), point.payload))]
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
            points, after = await self._scrolled(self._filter(Scope(site)), BATCH, after, with_payload=list(PLACE_KEYS))
            yield [place for point in points if (place := place_from_payload(str(point.id), point.payload))]
            if after is None:
                return

    async def _scrolled(
        self, narrowed: models.Filter | None, limit: int, after: PointId | None, *, with_payload: bool | list[str]
    ) -> tuple[list[models.Record], PointId | None]:
        try:
            return await self._looking_up.call(
                lambda: asked(
                    lambda: self._client.scroll(
                        self._collection, scroll_filter=narrowed, limit=limit, offset=after, with_payload=with_payload
                    )
                ),
                Deadline(self._timeout_s),
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
            points = await self._looking_up.call(
                lambda: asked(lambda: self._client.retrieve(self._collection, wanted, with_payload=True)),
                Deadline(self._timeout_s),
            )
        except DeadlineExceeded as error:
            raise SearchUnavailable("no reply in time") from error
        return kept(ids, (passage_from_payload(str(point.id), point.payload) for point in points), site)

    def _filter(self, scope: Scope) -> models.Filter | None:
        conditions = [
            models.FieldCondition(key=key, match=models.MatchValue(value=value)) for key, value in scope.conditions().items()
        ]
        return models.Filter(must=list(conditions)) if conditions else None

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()
        await closed(self._client)
