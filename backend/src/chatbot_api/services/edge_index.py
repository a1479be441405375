"""The index embedded in the process, on qdrant-edge: searches the live run, opened read-only.

Runs are made without a write-ahead log, so that several processes may open a finished one. The engine holds the interpreter's
lock: a search of a few thousand passages takes a few milliseconds and is made on the event loop, where a thread would not help.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import ClassVar, cast

import qdrant_edge as edge

from chatbot_api.errors import IndexMismatch, IndexMissing, SearchUnavailable
from chatbot_api.models.index_models import Hit, IndexMarker, Passage, Scope, passage_from_payload
from chatbot_api.models.page_models import PLACE_KEYS, PassagePlace, place_from_payload
from chatbot_api.services.coverage import covered, weighed
from chatbot_api.services.edge_runs import engine, live_run, read_marker
from chatbot_api.services.ranking import CANDIDATES, fused_limit, ranked
from chatbot_api.services.sparse_encoder import SparseEncoder, SparseVector
from chatbot_api.services.stored_ids import kept, point_ids

BATCH = 500
"""Passages read at once; some milliseconds, in which the event loop waits."""


class EdgeIndex:
    """Searches the live run. Opens it read-only; a newer run is taken up by ``check``."""

    def __init__(self, folder: Path, marker: IndexMarker, sparse: SparseEncoder, *, rrf_k: int, weigh_words: bool = True) -> None:
        """``folder``: of the runs. ``marker``: what the settings ask for. ``rrf_k``: constant of the fusion. ``weigh_words``:
        whether hits say which words of the question they cover, as some models' gates want to know.
        """
        self._folder, self._marker, self._sparse, self._weigh_words = folder, marker, sparse, weigh_words
        self._fusion = cast("edge.Fusion", edge.Fusion.Rrf(k=rrf_k))  # the package's types call it no Fusion
        self._shard: edge.EdgeShard | None = None
        self._run = ""

    place = "embedded"
    is_foreign = False
    problems: ClassVar[list[str]] = []
    """An embedded engine is there or it is not; see ``check``."""

    async def check(self) -> int:
        """Open the live run, when it isn't yet, and count its passages. Raises IndexMissing, IndexMismatch, SearchUnavailable."""
        run = live_run(self._folder)
        if not run:
            raise IndexMissing(f"no index in {self._folder}")
        if run != self._run or self._shard is None:
            self._take_up(run)
        return engine(self._opened().count, edge.CountRequest(exact=True))

    def _take_up(self, run: str) -> None:
        live, published = read_marker(self._folder / run)
        if live is None:
            raise IndexMismatch(f"the index {run} bears no marker of ours")
        if differences := self._marker.differences(live):
            raise IndexMismatch("; ".join(differences))
        shard = engine(edge.EdgeShard.load, str(self._folder / run / "shard"))
        held = engine(shard.count, edge.CountRequest(exact=True))
        if published not in (None, held):  # the engine opens some damaged files without a word, and loses what they held
            shard.close()
            raise SearchUnavailable(f"the index {run} holds {held} of its {published} passages")
        old, self._shard, self._run = self._shard, shard, run
        if old is not None:
            old.close()

    async def search(self, vector: Sequence[float] | None, text: str, scope: Scope, limit: int) -> list[Hit]:
        """The passages nearest to the question by both arms, fused; without a vector by words alone. Raises SearchError."""
        words = self._sparse.query(text)
        if vector is None and not words.indices:
            return []
        requests = self._requests(vector, words, scope, limit)
        alone = [self._of_word(word, scope) for word in weighed(words)] if self._weigh_words else []
        lists = engine(self._opened().query_batch, edge.QueryBatchRequest([*requests, *alone]))
        lists, best = lists[: len(requests)], [points[0].score if points else None for points in lists[len(requests) :]]
        passages = ((passage_from_payload(str(point.id), point.payload), point.score) for point in lists[0])
        by_words = {str(point.id): point.score / len(words.indices) for point in (lists[1] if words.indices else ())}
        cosines = {str(point.id): point.score for points in lists[2 if words.indices else 1 :] for point in points}
        hits = ranked(passages, cosines, by_words, limit, text or None)
        return covered(hits, text, words, best, self._sparse) if self._weigh_words else hits

    @staticmethod
    def _of_word(word: SparseVector, scope: Scope) -> edge.QueryRequest:
        query = edge.Query.Nearest(edge.SparseVector(word.indices, word.values), "bm25")
        return edge.QueryRequest(limit=1, query=query, filter=_filter(scope))

    def _requests(self, vector: Sequence[float] | None, words: SparseVector, scope: Scope, limit: int) -> list[edge.QueryRequest]:
        """The fused search first, then the arms by themselves: fusion hides their scores, which the gate needs."""
        narrowed = _filter(scope)
        arms: list[edge.Prefetch] = []
        of_words: list[edge.QueryRequest] = []
        if words.indices:
            by_words = edge.Query.Nearest(edge.SparseVector(words.indices, words.values), "bm25")
            arms.append(edge.Prefetch(limit=CANDIDATES, query=by_words, filter=narrowed))
            of_words.append(edge.QueryRequest(limit=CANDIDATES, query=by_words, filter=narrowed))
        if vector is None:
            fused = edge.QueryRequest(limit=fused_limit(limit), query=self._fusion, with_payload=True, prefetches=arms)
            return [fused, *of_words]
        nearest = edge.Query.Nearest(list(vector), "dense")
        dense = edge.Prefetch(limit=CANDIDATES, query=nearest, filter=narrowed)
        fused = edge.QueryRequest(limit=fused_limit(limit), query=self._fusion, with_payload=True, prefetches=[dense, *arms])
        of_dense = edge.QueryRequest(limit=CANDIDATES, query=nearest, filter=narrowed)
        rescored = [edge.QueryRequest(limit=CANDIDATES, query=nearest, prefetches=arms)] if arms else []
        return [fused, *of_words, of_dense, *rescored]

    async def page(self, urls: Sequence[str], site: str) -> Passage | None:
        """A passage of the page with one of these addresses; None when there is none. Raises SearchError."""
        return next(iter(await self.of_page(urls, site, 1)), None)

    async def of_page(self, urls: Sequence[str], site: str, limit: int) -> list[Passage]:
        """The passages of the pages with one of these addresses, at most ``limit``, in no order. Raises SearchError."""
        there = edge.Filter(
            must=[
                edge.FieldCondition("site", match=edge.MatchValue(site)),
                edge.FieldCondition("url", match=edge.MatchAny(list(urls))),
            ]
        )
        points, _ = engine(self._opened().scroll, edge.ScrollRequest(limit=limit, filter=there, with_payload=True))
        return [passage for point in points if (passage := passage_from_payload(str(point.id), point.payload))]

    async def places(self, site: str) -> AsyncGenerator[list[PassagePlace], None]:
        """Where the site's passages stand, all of them, a batch at a time, in no order. Raises SearchError."""
        after = None
        while True:
            request = edge.ScrollRequest(offset=after, limit=BATCH, filter=_filter(Scope(site)), with_payload=list(PLACE_KEYS))
            points, after = engine(self._opened().scroll, request)
            yield [place for point in points if (place := place_from_payload(str(point.id), point.payload))]
            if after is None:
                return
            await asyncio.sleep(0)

    async def passages(self, ids: Sequence[str], site: str) -> list[Passage]:
        """The site's passages with these ids, in their order; one that is there no more is left out. Raises SearchError."""
        points = engine(self._opened().retrieve, [*point_ids(ids)], True, False)
        return kept(ids, (passage_from_payload(str(point.id), point.payload) for point in points), site)

    async def close(self) -> None:
        """Close the shard."""
        shard, self._shard = self._shard, None
        if shard is not None:
            shard.close()

    def _opened(self) -> edge.EdgeShard:
        if self._shard is None:
            raise IndexMissing("no index is open")
        return self._shard


def _filter(scope: Scope) -> edge.Filter | None:
    conditions = [edge.FieldCondition(key, match=edge.MatchValue(value)) for key, value in scope.conditions().items()]
    return edge.Filter(must=list(conditions)) if conditions else None
