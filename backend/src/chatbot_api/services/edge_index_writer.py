"""Makes the runs of the embedded index: a new one beside the live one, complete before the pointer moves to it."""

import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from time import monotonic

import qdrant_edge as edge

from chatbot_api.errors import IndexMismatch, IndexMissing, SearchError, SearchUnavailable
from chatbot_api.models.index_models import KEYWORDS, IndexMarker, Passage, StoredPassage
from chatbot_api.services.edge_run_reading import intact_passages_of_run, passages_held, passages_of_run
from chatbot_api.services.edge_runs import engine, live_run, point, pointed_runs, read_marker, unfinished_runs, write_marker
from chatbot_api.services.sparse_encoder import SparseEncoder
from chatbot_api.services.writer_lock import WriterLock

_INDEXED = dict.fromkeys((key for key in KEYWORDS if key != "page_id"), edge.PayloadSchemaType.Keyword)
"""What readers filter by here; each takes 5 MiB of memory."""
_FLUSH_EVERY_S = 0.25
"""A flush takes about 20 ms; what was added since the last one is embedded again after a kill."""


class EdgeIndexWriter:
    """Makes a new run beside the live one and moves the pointer to it when it is complete. One at a time for a folder."""

    def __init__(self, folder: Path, marker: IndexMarker, sparse: SparseEncoder) -> None:
        """``folder``: of the runs. ``marker``: how this run is made."""
        self.marker = marker
        self._folder, self._sparse = folder, sparse
        self._run = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{token_hex(3)}"
        self._lock = WriterLock(folder / ".lock")
        self._shard: edge.EdgeShard | None = None
        self._begun = self._holds_passages = False
        self._flushed_at = 0.0

    async def lock(self) -> None:
        """Keep every other writer out until the run is published or closed. Raises SearchUnavailable when one is at work."""
        self._lock.take()

    async def live(self) -> tuple[str, IndexMarker | None, int] | None:
        """Name, marker and passages of the run that readers open; None when there is none. Raises SearchUnavailable."""
        name = live_run(self._folder)
        return (name, read_marker(self._folder / name)[0], passages_held(self._folder / name)) if name else None

    async def stored(self, vectors: bool = True) -> AsyncGenerator[StoredPassage, None]:
        """What the live run holds, of every site. With vectors: nothing when it was made otherwise, they could not be used."""
        run = live_run(self._folder)
        marker = read_marker(self._folder / run)[0] if run else None
        if marker is None or (vectors and marker != self.marker):
            return
        with closing(passages_of_run(self._folder / run, vectors=vectors)) as passages:
            for one in passages:
                yield one

    async def unfinished(self) -> AsyncGenerator[StoredPassage, None]:
        """What runs that were broken off hold, the newest first; one that can't be read is deleted."""
        for name in self._unfinished():
            run = self._folder / name
            if read_marker(run)[0] != self.marker:
                continue
            try:
                with closing(intact_passages_of_run(run)) as passages:
                    for one in passages:
                        yield one
            except SearchError:
                shutil.rmtree(run, ignore_errors=True)

    async def drop_unfinished(self) -> None:
        """Delete the runs that were broken off, once this one is safe with all that was taken over from them."""
        self._flush()
        for name in self._unfinished():
            shutil.rmtree(self._folder / name, ignore_errors=True)

    async def begin(self) -> None:
        """Make the new run's folder and empty shard. Raises SearchUnavailable when the folder can't be written."""
        await self.lock()
        # Cold: the engine keeps vectors in files of 32 MiB, and would read all of one into memory however few are in it.
        memory = edge.Memory.Cold
        dense = {"dense": edge.EdgeVectorParams(size=self.marker.dimensions, distance=edge.Distance.Cosine, memory=memory)}
        config = edge.EdgeConfig(
            vectors=dense if self.marker.dimensions else {},
            sparse_vectors={"bm25": edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
            wal_enabled=False,
            max_search_threads=1,  # a run is one segment: more threads only wake each other, for a third of a search's CPU
        )
        path = self._folder / self._run / "shard"
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise SearchUnavailable(f"{path} can't be written: {error.strerror}") from error
        self._begun = True
        self._shard = engine(edge.EdgeShard.create, str(path), config)
        for key, kind in _INDEXED.items():
            engine(self._shard.update, edge.UpdateOperation.create_field_index(key, kind))
        write_marker(self._folder / self._run, self.marker, None)
        self._flushed_at = monotonic()

    async def add(self, passages: Sequence[Passage], vectors: Sequence[Sequence[float]] | None) -> None:
        """Add passages with their vectors, in step; None in a lexical index."""
        points: list[edge.Point] = []
        for position, passage in enumerate(passages):
            words = self._sparse.document(passage.embedded_text)
            vector = {"bm25": edge.SparseVector(words.indices, words.values)}
            dense = {} if vectors is None else {"dense": list(vectors[position])}
            points.append(edge.Point(passage.id, {**dense, **vector}, passage.payload()))
        engine(self._opened().update, edge.UpdateOperation.upsert_points(points))
        self._holds_passages = True
        if monotonic() - self._flushed_at > _FLUSH_EVERY_S:
            self._flush()

    async def publish(self) -> None:
        """Flush and close the run, point readers to it, drop all runs but this one and the one that was live.

        Raises SearchUnavailable when it can't be written in whole; readers keep the run they have then.
        """
        shard = self._opened()
        passages = engine(shard.count, edge.CountRequest(exact=True))
        self._flush()
        shard.close()
        self._shard = None
        before = live_run(self._folder)
        write_marker(self._folder / self._run, self.marker, passages)
        point(self._folder, self._run, before)
        self._begun = False
        for name in self._unfinished():
            shutil.rmtree(self._folder / name, ignore_errors=True)
        self._lock.release()

    async def rollback(self) -> str:
        """Make the run that was live before this one live again, and give its name; once more goes back to the newer one.

        Raises IndexMissing when there is none, IndexMismatch when it was made with other settings: readers would refuse it.
        """
        await self.lock()
        try:
            live, previous = pointed_runs(self._folder)
            if not previous:
                raise IndexMissing(f"{self._folder} holds no run from before the live one to go back to")
            marker = read_marker(self._folder / previous)[0]
            if marker is None:
                raise IndexMismatch(f"the run {previous} bears no marker of ours")
            if differences := self.marker.differences(marker):
                raise IndexMismatch(f"the run {previous} was made with other settings: {'; '.join(differences)}")
            point(self._folder, previous, live)
            return previous
        finally:
            self._lock.release()

    async def close(self) -> None:
        """Let the next writer in. A run that was begun and not published is kept to be resumed, unless it is empty or lost."""
        shard, self._shard = self._shard, None
        kept = self._holds_passages
        if shard is not None:
            try:
                engine(shard.flush)
            except SearchError:
                kept = False
            shard.close()
        if self._begun and not kept:
            shutil.rmtree(self._folder / self._run, ignore_errors=True)
        self._begun = False
        self._lock.release()

    def _unfinished(self) -> list[str]:
        return [name for name in unfinished_runs(self._folder) if name != self._run]

    def _flush(self) -> None:
        engine(self._opened().flush)
        self._flushed_at = monotonic()

    def _opened(self) -> edge.EdgeShard:
        if self._shard is None:
            raise SearchUnavailable("the run was not begun")
        return self._shard
