"""The index on a Qdrant server: the collection's shape, hybrid search in one round trip, and runs that go live by an alias.

``QDRANT_COLLECTION_NAME`` is an alias; each run of the indexer is a collection of its own, ``<name>__<run>``. The service only
reads. Needs server >= 1.15.4 (reciprocal rank fusion with an explicit constant). Wiring imports this module only when a server
is set: the client costs 0.7 s of CPU and 87 MiB.
"""

import asyncio
from collections.abc import Sequence

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.conversions.common_types import QueryResponse

from chatbot_api.errors import (
    DeadlineExceeded,
    IndexMismatch,
    SearchBadResponse,
    SearchUnavailable,
)
from chatbot_api.models.index_models import Hit, IndexMarker, Scope, passage_from_payload
from chatbot_api.reliability import Deadline, Guard
from chatbot_api.services.qdrant_connection import CONNECTIONS, asked
from chatbot_api.services.ranking import CANDIDATES, fused_limit, ranked
from chatbot_api.services.sparse_encoder import SparseEncoder, SparseVector


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
        info = await deadline.wait(asked(lambda: self._client.get_collection(self._collection)))
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
        return await asked(lambda: self._client.query_batch_points(self._collection, requests))

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
