"""Makes the runs of the embedded index: a new one beside the live one, complete before the pointer moves to it."""

import json
import os
import shutil
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import qdrant_edge as edge

from chatbot_api.errors import SearchUnavailable
from chatbot_api.models.index_models import IndexMarker, Passage, StoredPassage, passage_from_payload
from chatbot_api.services.edge_runs import engine, live_run, read_marker
from chatbot_api.services.sparse_encoder import SparseEncoder

_SCROLL_PAGE = 500
_KEYWORDS = ("site", "version", "locale")


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
        shard = engine(edge.EdgeShard.load, str(self._folder / run / "shard"))
        try:
            offset = None
            while True:
                request = edge.ScrollRequest(offset=offset, limit=_SCROLL_PAGE, with_payload=True, with_vector=True)
                points, offset = engine(shard.scroll, request)
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
        self._shard = engine(edge.EdgeShard.create, str(path), config)
        for key in _KEYWORDS:
            engine(self._shard.update, edge.UpdateOperation.create_field_index(key, edge.PayloadSchemaType.Keyword))

    async def add(self, passages: Sequence[Passage], vectors: Sequence[Sequence[float]] | None) -> None:
        """Add passages with their vectors, in step; None in a lexical index."""
        points: list[edge.Point] = []
        for position, passage in enumerate(passages):
            words = self._sparse.document(passage.embedded_text)
            vector = {"bm25": edge.SparseVector(words.indices, words.values)}
            dense = {} if vectors is None else {"dense": list(vectors[position])}
            points.append(edge.Point(passage.id, {**dense, **vector}, passage.payload()))
        engine(self._begun().update, edge.UpdateOperation.upsert_points(points))

    async def publish(self) -> None:
        """Flush and close the run, point readers to it, drop the runs older than the one that was live.

        Raises SearchUnavailable when it can't be written in whole; readers keep the run they have then.
        """
        shard = self._begun()
        passages = engine(shard.count, edge.CountRequest(exact=True))
        engine(shard.flush)
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


def _dense(vector: object) -> list[float] | None:
    values = vector.get("dense") if isinstance(vector, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return [float(value) for value in values] if isinstance(values, list) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
