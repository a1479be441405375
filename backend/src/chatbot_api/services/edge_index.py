"""The index embedded in the process, on qdrant-edge: searches the live run, opened read-only.

Runs are made without a write-ahead log, so that several processes may open a finished one. The engine holds the interpreter's
lock: a search of a few thousand passages takes a few milliseconds and is made on the event loop, where a thread would not help.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import qdrant_edge as edge

from chatbot_api.errors import IndexMismatch, IndexMissing, SearchUnavailable
from chatbot_api.models.index_models import Hit, IndexMarker, Passage, Scope, passage_from_payload
from chatbot_api.models.page_models import PLACE_KEYS, PassagePlace, place_from_payload
from chatbot_api.services.coverage import covered, weighed
from chatbot_api.services.edge_runs import engine, live_run, read_marker
from chatbot_api.services.ranking import CANDIDATES, fused, fused_limit, ranked
from chatbot_api.services.sparse_encoder import SparseEncoder, SparseVector
from chatbot_api.services.stored_ids import kept, point_ids

_OF_FEW_VALUES = ("site", "last_version")
"""Keys whose conditions may hold for all that a run has; the other keys' values come from readers."""
MOST_KEPT = 4096
"""Passages in memory, some 2 kB each."""
BATCH = 500
"""Passages read at once; some milliseconds, in which the event loop waits."""

Key = int
"""A point's id as a number: an engine's UUID takes ten times as long to be written out as to be compared."""


class EdgeIndex:
    """Searches the live run. Opens it read-only; a newer run is taken up by ``check``."""

    def __init__(self, folder: Path, marker: IndexMarker, sparse: SparseEncoder, *, rrf_k: int, weigh_words: bool = True) -> None:
        """``folder``: of the runs. ``marker``: what the settings ask for. ``rrf_k``: constant of the fusion. ``weigh_words``:
        whether hits say which words of the question they cover, as some models' gates want to know.
        """
        self._folder, self._marker, self._sparse, self._weigh_words = folder, marker, sparse, weigh_words
        self._rrf_k = rrf_k
        self._shard: edge.EdgeShard | None = None
        self._run, self._held = "", 0
        self._everywhere: dict[tuple[str, str], bool] = {}
        self._kept: dict[Key, Passage | None] = {}

    @property
    def run(self) -> str:
        """What is searched at the moment."""
        return self._run

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
        self._held, self._everywhere, self._kept = held, {}, {}
        if old is not None:
            old.close()

    async def search(self, vector: Sequence[float] | None, text: str, scope: Scope, limit: int) -> list[Hit]:
        """The passages nearest to the question by both arms, fused; without a vector by words alone. Raises SearchError."""
        words = self._sparse.query(text)
        if vector is None and not words.indices:
            return []
        narrowed = self._narrowed(scope)
        nearest = None if vector is None else edge.Query.Nearest(list(vector), "dense")
        by_words, by_vector, best = self._arms(nearest, words, narrowed)
        scores = fused((by_vector, by_words), self._rrf_k, fused_limit(limit))
        found = self._read(scores)
        cosines = by_vector if nearest is None else by_vector | self._cosines(nearest, scores.keys() - by_vector.keys())
        ids = {key: passage.id for key, passage in found.items() if passage}
        hits = ranked(
            ((passage, scores[key]) for key, passage in found.items()),
            {id: cosines[key] for key, id in ids.items() if key in cosines},
            {id: by_words[key] / len(words.indices) for key, id in ids.items() if key in by_words},
            limit,
            text or None,
        )
        return covered(hits, text, words, best, self._sparse) if self._weigh_words else hits

    def _arms(
        self, nearest: edge.Query | None, words: SparseVector, narrowed: edge.Filter | None
    ) -> tuple[dict[Key, float], dict[Key, float], list[float | None]]:
        """Key -> score by words and by cosine, the best CANDIDATES in their order; and the best score of each weighed word.

        In one batch, and fused here: the engine would search both arms once more to fuse them, and hide their scores.
        """
        arms: list[tuple[edge.Query, int]] = []
        if words.indices:
            arms.append((_nearest_by(words), CANDIDATES))
        if nearest is not None:
            arms.append((nearest, CANDIDATES))
        both = len(arms)
        arms += [(_nearest_by(word), 1) for word in weighed(words)] if self._weigh_words else []
        requests = [edge.QueryRequest(limit=limit, query=query, filter=narrowed) for query, limit in arms]
        lists = engine(self._opened().query_batch, edge.QueryBatchRequest(requests))
        scored = [{_key(point.id): point.score for point in points} for points in lists[:both]]
        by_words = scored[0] if words.indices else {}
        by_vector = {} if nearest is None else scored[-1]
        return by_words, by_vector, [points[0].score if points else None for points in lists[both:]]

    def _cosines(self, nearest: edge.Query, keys: Set[Key]) -> dict[Key, float]:
        """Of passages that were found by words alone."""
        if not keys:
            return {}
        those = edge.Filter(must=[edge.HasIdCondition({_id(key) for key in keys})])
        request = edge.QueryRequest(limit=len(keys), query=nearest, filter=those)
        return {_key(point.id): point.score for point in engine(self._opened().query, request)}

    def _read(self, keys: Iterable[Key]) -> dict[Key, Passage | None]:
        """The passages of these keys. Those asked for often are kept: reading twenty takes half of a search."""
        missing = [_id(key) for key in keys if key not in self._kept]
        for point in engine(self._opened().retrieve, missing, True, False) if missing else ():
            self._kept[_key(point.id)] = passage_from_payload(str(point.id), point.payload)
        found = {key: self._kept[key] for key in keys if key in self._kept}
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return found

    def _narrowed(self, scope: Scope) -> edge.Filter | None:
        """The scope's conditions but for those that all passages of the run meet: these would cost as much as the search."""
        return _filter({key: value for key, value in scope.conditions().items() if not self._holds_everywhere(key, value)})

    def _holds_everywhere(self, key: str, value: str) -> bool:
        if key not in _OF_FEW_VALUES:
            return False
        if (key, value) not in self._everywhere:
            meeting = engine(self._opened().count, edge.CountRequest(filter=_filter({key: value}), exact=True))
            self._everywhere[key, value] = meeting == self._held
        return self._everywhere[key, value]

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
            request = edge.ScrollRequest(
                offset=after, limit=BATCH, filter=_filter(Scope(site).conditions()), with_payload=list(PLACE_KEYS)
            )
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


def _filter(conditions: Mapping[str, str]) -> edge.Filter | None:
    fields = [edge.FieldCondition(key, match=edge.MatchValue(value)) for key, value in conditions.items()]
    return edge.Filter(must=list(fields)) if fields else None


def _key(id: UUID | int | str) -> Key:
    return (id if isinstance(id, UUID) else UUID(str(id))).int


def _id(key: Key) -> UUID:
    return UUID(int=key)


def _nearest_by(words: SparseVector) -> edge.Query:
    return edge.Query.Nearest(edge.SparseVector(words.indices, words.values), "bm25")
