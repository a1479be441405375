"""The index on a Qdrant server: the collection's shape, hybrid search in one round trip, and runs that go live by an alias.

``QDRANT_COLLECTION_NAME`` is an alias; each run of the indexer is a collection of its own, ``<name>__<run>``. The service only
reads. Needs server >= 1.15.4 (reciprocal rank fusion with an explicit constant). Wiring imports this module only when a server
is set: the client costs 0.7 s of CPU and 87 MiB.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from math import ceil
from secrets import token_hex
from typing import Any, TypeVar

import httpx
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.conversions.common_types import QueryResponse

from chatbot_api.errors import (
    DeadlineExceeded,
    IndexMismatch,
    IndexMissing,
    SearchBadResponse,
    SearchMisconfigured,
    SearchUnavailable,
)
from chatbot_api.models.index_models import Hit, IndexMarker, Passage, Scope, StoredPassage, passage_from_payload
from chatbot_api.reliability import Deadline, Guard
from chatbot_api.services.qdrant_errors import CLIENT_ERRORS, named
from chatbot_api.services.ranking import CANDIDATES, fused_limit, ranked
from chatbot_api.services.sparse_encoder import SparseEncoder, SparseVector

T = TypeVar("T")
CONNECTIONS = 16
"""All kept open, with a semaphore before them: the client's own waiting queue is quadratic and its idle polling linear."""
WRITE_TIMEOUT_S = 60.0
_SCROLL_PAGE = 256
_KEYWORDS = ("site", "version", "locale", "page_id")


def client_of(url: str, api_key: str, timeout_s: float) -> AsyncQdrantClient:
    """A client with the pool the service wants; its own time-outs are whole seconds, so deadlines are kept outside of it."""
    return AsyncQdrantClient(
        url=url,
        api_key=api_key or None,
        timeout=ceil(timeout_s),
        check_compatibility=False,
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=60),
    )


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
        rrf_k: int,
        timeout_s: float,
    ) -> None:
        """``collection``: or its alias. ``marker``: what the settings ask for. ``timeout_s``: of one search, retry included."""
        self._client, self._collection, self._marker, self._sparse = client, collection, marker, sparse
        self._fusion = models.RrfQuery(rrf=models.Rrf(k=rrf_k))
        self._timeout_s = timeout_s
        self._seats = asyncio.Semaphore(CONNECTIONS)
        self._guard = Guard()

    @property
    def problems(self) -> list[str]:
        """Slug of what this upstream is left alone for at the moment."""
        return [f"search: {self._guard.held.slug}"] if self._guard.held else []

    async def check(self) -> int:
        """Compare the collection's marker with the settings, count its passages. Raises SearchError, DeadlineExceeded."""
        deadline = Deadline(max(self._timeout_s, 5.0))
        info = await deadline.wait(_asked(lambda: self._client.get_collection(self._collection)))
        live = IndexMarker.read(dict(info.config.metadata or {}))
        if live is None:
            raise IndexMismatch(f"the collection {self._collection} was not made by this indexer")
        if differences := self._marker.differences(live):
            raise IndexMismatch("; ".join(differences))
        return info.points_count or 0

    async def search_documents(self, query_vector: list[float], top_k: int) -> list[Hit]:
        """The nearest passages by meaning alone, of any site, version and language."""
        return await self.search(query_vector, "", Scope(), top_k)

    async def search(self, vector: Sequence[float] | None, text: str, scope: Scope, limit: int) -> list[Hit]:
        """The passages nearest to the question by both arms, fused; without a vector by words alone.

        Raises SearchError; a search that takes longer than its time-out is SearchUnavailable, whatever the server is doing.
        """
        words = self._sparse.query(text)
        if vector is None and not words.indices:
            return []
        requests = self._requests(vector, words, scope, limit)
        within = Deadline(self._timeout_s)
        try:
            async with self._seats:
                if within.remaining_s < self._timeout_s / 20:  # spent on waiting: what is begun now can only be cut
                    raise DeadlineExceeded
                responses = await self._guard.call(lambda: self._queried(requests), within)
        except DeadlineExceeded as error:
            raise SearchUnavailable("no reply in time") from error
        if len(responses) != len(requests):
            raise SearchBadResponse(f"asked {len(requests)} queries, got {len(responses)} lists")
        fused = ((passage_from_payload(str(point.id), point.payload), point.score) for point in responses[0].points)
        cosines = {str(point.id): point.score for response in responses[1:] for point in response.points}
        return ranked(fused, cosines, limit)

    async def _queried(self, requests: list[models.QueryRequest]) -> Sequence[QueryResponse]:
        return await _asked(lambda: self._client.query_batch_points(self._collection, requests))

    def _requests(
        self, vector: Sequence[float] | None, words: SparseVector, scope: Scope, limit: int
    ) -> list[models.QueryRequest]:
        narrowed = self._filter(scope)
        arms: list[models.Prefetch] = []
        if words.indices:
            query = models.SparseVector(indices=words.indices, values=words.values)
            arms.append(models.Prefetch(query=query, using="bm25", filter=narrowed, limit=CANDIDATES))
        dense = [] if vector is None else [models.Prefetch(query=list(vector), using="dense", filter=narrowed, limit=CANDIDATES)]
        fused = models.QueryRequest(prefetch=[*dense, *arms], query=self._fusion, limit=fused_limit(limit), with_payload=True)
        if vector is None:
            return [fused]
        # Fusion hides the arms' scores; the gate needs the raw cosine of what either arm found.
        nearest = models.NearestQuery(nearest=list(vector))
        of_dense = models.QueryRequest(query=nearest, using="dense", filter=narrowed, limit=CANDIDATES)
        of_words = [models.QueryRequest(prefetch=arms, query=nearest, using="dense", limit=CANDIDATES)] if arms else []
        return [fused, of_dense, *of_words]

    def _filter(self, scope: Scope) -> models.Filter | None:
        conditions = [
            models.FieldCondition(key=key, match=models.MatchValue(value=value)) for key, value in scope.conditions().items()
        ]
        return models.Filter(must=list(conditions)) if conditions else None

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()


class QdrantIndexWriter:
    """Makes a new collection beside the live one and moves the alias to it when it is complete."""

    def __init__(self, client: AsyncQdrantClient, collection: str, marker: IndexMarker, sparse: SparseEncoder) -> None:
        """``collection``: the alias readers use. ``marker``: how this run is made."""
        self._client, self._alias, self._marker, self._sparse = client, collection, marker, sparse
        self._run = f"{collection}__{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{token_hex(3)}"
        self._begun = False

    async def stored(self) -> AsyncGenerator[StoredPassage, None]:
        """What the live collection holds, of every site; nothing when there is none or it was made otherwise."""
        try:
            info = await _asked(lambda: self._client.get_collection(self._alias))
        except IndexMissing:
            return
        if IndexMarker.read(dict(info.config.metadata or {})) != self._marker:
            return
        offset: Any = None
        while True:
            points, offset = await _asked(
                lambda: self._client.scroll(self._alias, limit=_SCROLL_PAGE, offset=offset, with_payload=True, with_vectors=True)  # noqa: B023 - called at once
            )
            for point in points:
                if passage := passage_from_payload(str(point.id), point.payload):
                    vector: Any = point.vector.get("dense") if isinstance(point.vector, dict) else None
                    yield StoredPassage(passage, vector)
            if offset is None:
                return

    async def begin(self) -> None:
        """Make the new collection. Raises SearchError; SearchMisconfigured when a collection has the alias' name."""
        existing = await _asked(self._client.get_collections)
        if any(collection.name == self._alias for collection in existing.collections):
            raise SearchMisconfigured(
                f"a collection is named {self._alias}, which is to be an alias: set another QDRANT_COLLECTION_NAME or delete it"
            )
        dense = {"dense": models.VectorParams(size=self._marker.dimensions, distance=models.Distance.COSINE)}
        await _asked(
            lambda: self._client.create_collection(
                self._run,
                vectors_config=dense if self._marker.dimensions else {},
                sparse_vectors_config={"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
                metadata=self._marker.as_dict(),
            )
        )
        self._begun = True
        for key in _KEYWORDS:
            await _asked(
                lambda: self._client.create_payload_index(self._run, key, models.PayloadSchemaType.KEYWORD)  # noqa: B023 - called at once
            )

    async def add(self, passages: Sequence[Passage], vectors: Sequence[Sequence[float]] | None) -> None:
        """Add passages with their vectors, in step; None in a lexical index."""
        points: list[models.PointStruct] = []
        for position, passage in enumerate(passages):
            words = self._sparse.document(passage.embedded_text)
            vector: dict[str, Any] = {"bm25": models.SparseVector(indices=words.indices, values=words.values)}
            if vectors is not None:
                vector["dense"] = list(vectors[position])
            points.append(models.PointStruct(id=passage.id, vector=vector, payload=passage.payload()))
        await _asked(lambda: self._client.upsert(self._run, points, wait=True))

    async def publish(self) -> None:
        """Move the alias to the new collection in one step; drop the runs older than the one that was live."""
        aliases = (await _asked(self._client.get_aliases)).aliases
        before = next((alias.collection_name for alias in aliases if alias.alias_name == self._alias), "")
        moved = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._alias))
        changes: list[Any] = [moved] if before else []
        create = models.CreateAlias(collection_name=self._run, alias_name=self._alias)
        changes.append(models.CreateAliasOperation(create_alias=create))
        await _asked(lambda: self._client.update_collection_aliases(changes))
        self._begun = False
        names = [collection.name for collection in (await _asked(self._client.get_collections)).collections]
        # The whole name is compared: an alias may begin with another one's name.
        runs = [name for name in names if re.fullmatch(re.escape(self._alias) + r"__\d{8}T\d+-[0-9a-f]{6}", name)]
        for old in runs:
            if old < before and old != self._run:
                await _asked(lambda: self._client.delete_collection(old))  # noqa: B023 - called at once

    async def close(self) -> None:
        """Drop a run that was begun and not published; close the client."""
        try:
            if self._begun:
                await _asked(lambda: self._client.delete_collection(self._run))
        finally:
            await self._client.close()


async def _asked(call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except CLIENT_ERRORS as error:
        raise named(error) from error
