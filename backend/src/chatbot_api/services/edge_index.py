"""The index embedded in the process, on qdrant-edge: one folder a run, a pointer file to the live one.

    <index folder>/current          name of the live run, replaced atomically
    <index folder>/<run>/shard      the engine's own files, finished, flushed and closed before the pointer moves
    <index folder>/<run>/marker.json

Runs are made without a write-ahead log, so that several processes may open a finished one. The engine holds the interpreter's
lock: a query of a few thousand passages takes about a millisecond and is made on the event loop, where a thread would not help.
"""

import json
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, ClassVar, TypeVar, cast

import qdrant_edge as edge

from chatbot_api.errors import IndexMismatch, IndexMissing, SearchError, SearchUnavailable
from chatbot_api.models.index_models import Hit, IndexMarker, Passage, Scope, StoredPassage, passage_from_payload
from chatbot_api.services.ranking import CANDIDATES, fused_limit, ranked
from chatbot_api.services.sparse_encoder import SparseEncoder, SparseVector

T = TypeVar("T")
_SCROLL_PAGE = 500
_KEYWORDS = ("site", "version", "locale")


class EdgeIndex:
    """Searches the live run. Opens it read-only; a newer run is taken up by ``check``."""

    def __init__(self, folder: Path, marker: IndexMarker, sparse: SparseEncoder, *, rrf_k: int) -> None:
        """``folder``: of the runs. ``marker``: what the settings ask for. ``rrf_k``: constant of the fusion."""
        self._folder, self._marker, self._sparse = folder, marker, sparse
        self._fusion = cast("edge.Fusion", edge.Fusion.Rrf(k=rrf_k))  # the package's types call it no Fusion
        self._shard: edge.EdgeShard | None = None
        self._run = ""

    place = "embedded"
    problems: ClassVar[list[str]] = []
    """An embedded engine is there or it is not; see ``check``."""

    async def check(self) -> int:
        """Open the live run, when it isn't yet, and count its passages. Raises IndexMissing, IndexMismatch, SearchUnavailable."""
        run = live_run(self._folder)
        if not run:
            raise IndexMissing(f"no index in {self._folder}")
        if run != self._run or self._shard is None:
            self._take_up(run)
        return _engine(self._opened().count, edge.CountRequest(exact=True))

    def _take_up(self, run: str) -> None:
        live, published = read_marker(self._folder / run)
        if live is None:
            raise IndexMismatch(f"the index {run} bears no marker of ours")
        if differences := self._marker.differences(live):
            raise IndexMismatch("; ".join(differences))
        shard = _engine(edge.EdgeShard.load, str(self._folder / run / "shard"))
        held = _engine(shard.count, edge.CountRequest(exact=True))
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
        request, cosine_requests = self._requests(vector, words, scope, limit)
        fused, *cosine_lists = _engine(self._opened().query_batch, edge.QueryBatchRequest([request, *cosine_requests]))
        passages = ((passage_from_payload(str(point.id), point.payload), point.score) for point in fused)
        cosines = {str(point.id): point.score for points in cosine_lists for point in points}
        return ranked(passages, cosines, limit)

    def _requests(
        self, vector: Sequence[float] | None, words: SparseVector, scope: Scope, limit: int
    ) -> tuple[edge.QueryRequest, list[edge.QueryRequest]]:
        narrowed = _filter(scope)
        arms: list[edge.Prefetch] = []
        if words.indices:
            nearest_words = edge.Query.Nearest(edge.SparseVector(words.indices, words.values), "bm25")
            arms.append(edge.Prefetch(limit=CANDIDATES, query=nearest_words, filter=narrowed))
        if vector is None:
            only_words = edge.QueryRequest(limit=fused_limit(limit), query=self._fusion, with_payload=True, prefetches=arms)
            return only_words, []
        nearest = edge.Query.Nearest(list(vector), "dense")
        dense = edge.Prefetch(limit=CANDIDATES, query=nearest, filter=narrowed)
        fused = edge.QueryRequest(limit=fused_limit(limit), query=self._fusion, with_payload=True, prefetches=[dense, *arms])
        # Fusion hides the arms' scores; the gate needs the raw cosine of what either arm found.
        of_dense = edge.QueryRequest(limit=CANDIDATES, query=nearest, filter=narrowed)
        of_words = [edge.QueryRequest(limit=CANDIDATES, query=nearest, prefetches=arms)] if arms else []
        return fused, [of_dense, *of_words]

    async def close(self) -> None:
        """Close the shard."""
        shard, self._shard = self._shard, None
        if shard is not None:
            shard.close()

    def _opened(self) -> edge.EdgeShard:
        if self._shard is None:
            raise IndexMissing("no index is open")
        return self._shard


class EdgeIndexWriter:
    """Makes a new run beside the live one and moves the pointer to it when it is complete."""

    def __init__(self, folder: Path, marker: IndexMarker, sparse: SparseEncoder) -> None:
        """``folder``: of the runs. ``marker``: how this run is made."""
        self._folder, self._marker, self._sparse = folder, marker, sparse
        self._run = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{token_hex(3)}"
        self._shard: edge.EdgeShard | None = None
        self._published = False

    async def stored(self) -> AsyncGenerator[StoredPassage, None]:
        """What the live run holds, of every site; nothing when there is none or it was made otherwise."""
        run = live_run(self._folder)
        if not run or read_marker(self._folder / run)[0] != self._marker:
            return
        shard = _engine(edge.EdgeShard.load, str(self._folder / run / "shard"))
        try:
            offset = None
            while True:
                request = edge.ScrollRequest(offset=offset, limit=_SCROLL_PAGE, with_payload=True, with_vector=True)
                points, offset = _engine(shard.scroll, request)
                for point in points:
                    if passage := passage_from_payload(str(point.id), point.payload):
                        yield StoredPassage(passage, _dense(point.vector))
                if offset is None:
                    return
        finally:
            shard.close()

    async def begin(self) -> None:
        """Make the new run's folder and empty shard. Raises SearchUnavailable when the folder can't be written."""
        dense = {"dense": edge.EdgeVectorParams(size=self._marker.dimensions, distance=edge.Distance.Cosine)}
        config = edge.EdgeConfig(
            vectors=dense if self._marker.dimensions else {},
            sparse_vectors={"bm25": edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
            wal_enabled=False,
        )
        path = self._folder / self._run / "shard"
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise SearchUnavailable(f"{path} can't be written: {error.strerror}") from error
        self._shard = _engine(edge.EdgeShard.create, str(path), config)
        for key in _KEYWORDS:
            _engine(self._shard.update, edge.UpdateOperation.create_field_index(key, edge.PayloadSchemaType.Keyword))

    async def add(self, passages: Sequence[Passage], vectors: Sequence[Sequence[float]] | None) -> None:
        """Add passages with their vectors, in step; None in a lexical index."""
        points: list[edge.Point] = []
        for position, passage in enumerate(passages):
            words = self._sparse.document(passage.embedded_text)
            vector = {"bm25": edge.SparseVector(words.indices, words.values)}
            dense = {} if vectors is None else {"dense": list(vectors[position])}
            points.append(edge.Point(passage.id, {**dense, **vector}, passage.payload()))
        _engine(self._begun().update, edge.UpdateOperation.upsert_points(points))

    async def publish(self) -> None:
        """Flush and close the run, point readers to it, drop the runs older than the one that was live.

        Raises SearchUnavailable when it can't be written in whole; readers keep the run they have then.
        """
        shard = self._begun()
        passages = _engine(shard.count, edge.CountRequest(exact=True))
        _engine(shard.flush)
        shard.close()
        self._shard = None
        before = live_run(self._folder)
        pointer = self._folder / f".current-{self._run}"
        marker = json.dumps({**self._marker.as_dict(), "passages": passages}, indent=1)
        try:
            (self._folder / self._run / "marker.json").write_text(marker, encoding="utf-8")
            pointer.write_text(self._run, encoding="utf-8")
            os.replace(pointer, self._folder / "current")
        except OSError as error:
            raise SearchUnavailable(f"{self._folder} can't be written: {error.strerror}") from error
        self._published = True
        for old in self._folder.iterdir():
            if old.is_dir() and old.name < before and old.name != self._run:
                shutil.rmtree(old, ignore_errors=True)

    async def close(self) -> None:
        """Drop a run that was not published."""
        shard, self._shard = self._shard, None
        if shard is not None:
            shard.close()
        if not self._published:
            shutil.rmtree(self._folder / self._run, ignore_errors=True)

    def _begun(self) -> edge.EdgeShard:
        if self._shard is None:
            raise SearchUnavailable("the run was not begun")
        return self._shard


def live_run(folder: Path) -> str:
    """Name of the run that readers are to open; empty when nothing was ever published."""
    try:
        name = (folder / "current").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SearchUnavailable(f"{folder / 'current'} can't be read: {error}") from error
    return name if (folder / name).is_dir() else ""


def read_marker(run: Path) -> tuple[IndexMarker | None, int | None]:
    """The marker of a run, None when it has none of ours; and how many passages the run was published with."""
    try:
        values: Any = json.loads((run / "marker.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None, None
    if not isinstance(values, dict):
        return None, None
    marker = cast("dict[str, Any]", values)
    passages = marker.pop("passages", None)
    return IndexMarker.read(marker), passages


def _filter(scope: Scope) -> edge.Filter | None:
    conditions = [edge.FieldCondition(key, match=edge.MatchValue(value)) for key, value in scope.conditions().items()]
    return edge.Filter(must=list(conditions)) if conditions else None


def _dense(vector: object) -> list[float] | None:
    values = vector.get("dense") if isinstance(vector, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return [float(value) for value in values] if isinstance(values, list) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _engine(call: Callable[..., T], *arguments: object) -> T:
    try:
        return call(*arguments)
    except BaseException as error:
        # Over damaged files the engine may panic, which is no Exception and belongs to no module that could be imported.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise _named(error) from error
        raise


def _named(error: BaseException) -> SearchError:
    text = " ".join(str(error).split())
    if "dimension" in text or "Not existing vector name" in text:
        return IndexMismatch(text)
    return SearchUnavailable(text)
