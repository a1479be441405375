"""Makes the runs of the index on a Qdrant server: a new collection beside the live one, complete before the alias moves to it.

Two aliases say which runs count: NAME the live one, NAME__previous the one that was live before it. A collection of a run that
neither names was left unfinished: the next run takes its vectors over.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from qdrant_client import AsyncQdrantClient, models

from chatbot_api.errors import IndexMismatch, IndexMissing, SearchMisconfigured, SearchUnavailable
from chatbot_api.models.index_models import KEYWORDS, IndexMarker, Passage, StoredPassage, passage_from_payload
from chatbot_api.services.qdrant_connection import asked, closed
from chatbot_api.services.sparse_encoder import SparseEncoder
from chatbot_api.services.writer_lock import WriterLock

WRITE_TIMEOUT_S = 60.0
_SCROLL_PAGE = 256
_INDEXED = {
    **dict.fromkeys(KEYWORDS, models.PayloadSchemaType.KEYWORD),
}
"""What readers filter by: in strict mode a server refuses to filter by what it has no index for."""


class QdrantIndexWriter:
    """Makes a new collection beside the live one and moves the alias to it when it is complete."""

    def __init__(
        self,
        client: AsyncQdrantClient,
        collection: str,
        marker: IndexMarker,
        sparse: SparseEncoder,
        lock_folder: Path | None = None,
    ) -> None:
        """``collection``: the alias readers use. ``marker``: how this run is made.

        ``lock_folder``: writers that share it keep each other out. Of writers that don't, the one that began last goes on: the
        others' runs are taken over and dropped, and they end in SearchUnavailable.
        """
        self.marker = marker
        self._client, self._alias, self._sparse = client, collection, sparse
        self._previous_alias = f"{collection}__previous"
        self._run = f"{collection}__{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{token_hex(3)}"
        self._lock = WriterLock(lock_folder / f".{collection}.lock") if lock_folder else None
        self._begun = self._holds_passages = False

    async def lock(self) -> None:
        """Keep the writers of the same lock folder out until close. Raises SearchUnavailable when one is at work."""
        if self._lock:
            self._lock.take()

    async def live(self) -> tuple[str, IndexMarker | None, int] | None:
        """Name, marker and passages of the collection that readers search; None when there is none. Raises SearchError."""
        try:
            info = await asked(lambda: self._client.get_collection(self._alias))
        except IndexMissing:
            return None
        name = (await self._aliased())[0] or self._alias
        return name, IndexMarker.read(dict(info.config.metadata or {})), info.points_count or 0

    async def stored(self, vectors: bool = True) -> AsyncGenerator[StoredPassage, None]:
        """What the live collection holds, of every site. With vectors: nothing when it was made otherwise."""
        live = await self.live()
        if live is None or live[1] is None or (vectors and live[1] != self.marker):
            return
        async for one in self._passages(live[0], vectors=vectors):
            yield one

    async def unfinished(self) -> AsyncGenerator[StoredPassage, None]:
        """What runs that were broken off hold, the newest first."""
        for name in await self._unfinished():
            info = await asked(lambda: self._client.get_collection(name))  # noqa: B023 - called at once
            if IndexMarker.read(dict(info.config.metadata or {})) == self.marker:
                async for one in self._passages(name, vectors=True):
                    yield one

    async def drop_unfinished(self) -> None:
        """Delete the runs that were broken off, once this one holds all that was taken over from them."""
        for name in await self._unfinished():
            await asked(lambda: self._client.delete_collection(name))  # noqa: B023 - called at once

    async def begin(self) -> None:
        """Make the new collection. Raises SearchError; SearchMisconfigured when a collection has the alias' name."""
        await self.lock()
        if self._alias in await self._collections():
            raise SearchMisconfigured(
                f"a collection is named {self._alias}, which is to be an alias: set another QDRANT_COLLECTION_NAME or delete it"
            )
        dense = {"dense": models.VectorParams(size=self.marker.dimensions, distance=models.Distance.COSINE)}
        await asked(
            lambda: self._client.create_collection(
                self._run,
                vectors_config=dense if self.marker.dimensions else {},
                sparse_vectors_config={"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
                metadata={**self.marker.as_dict(), "run": self._run},
            )
        )
        self._begun = True
        for key, kind in _INDEXED.items():
            await asked(lambda: self._client.create_payload_index(self._run, key, kind))  # noqa: B023 - called at once

    async def add(self, passages: Sequence[Passage], vectors: Sequence[Sequence[float]] | None) -> None:
        """Add passages with their vectors, in step; None in a lexical index."""
        points: list[models.PointStruct] = []
        for position, passage in enumerate(passages):
            words = self._sparse.document(passage.embedded_text)
            vector: dict[str, Any] = {"bm25": models.SparseVector(indices=words.indices, values=words.values)}
            if vectors is not None:
                vector["dense"] = list(vectors[position])
            points.append(models.PointStruct(id=passage.id, vector=vector, payload=passage.payload()))
        try:
            await asked(lambda: self._client.upsert(self._run, points, wait=True))
        except IndexMissing as error:
            raise SearchUnavailable(f"the run {self._run} was dropped: another process writes this index") from error
        self._holds_passages = True

    async def publish(self) -> None:
        """Move the alias to the new collection in one step; drop all runs but this one and the one that was live."""
        await self._point(self._run, (await self._aliased())[0])
        self._begun = False
        await self.drop_unfinished()

    async def rollback(self) -> str:
        """Make the run that was live before this one live again, and give its name; once more goes back to the newer one.

        Raises IndexMissing when there is none, IndexMismatch when it was made with other settings: readers would refuse it.
        """
        await self.lock()
        live, previous = await self._aliased()
        if not previous:
            raise IndexMissing(f"the server holds no run of {self._alias} from before the live one to go back to")
        info = await asked(lambda: self._client.get_collection(previous))
        marker = IndexMarker.read(dict(info.config.metadata or {}))
        if marker is None:
            raise IndexMismatch(f"the run {previous} bears no marker of ours")
        if differences := self.marker.differences(marker):
            raise IndexMismatch(f"the run {previous} was made with other settings: {'; '.join(differences)}")
        await self._point(previous, live)
        return previous

    async def close(self) -> None:
        """Close the client. A run that was begun and not published is kept to be resumed, unless it is empty."""
        try:
            if self._begun and not self._holds_passages:
                await asked(lambda: self._client.delete_collection(self._run))
        finally:
            await closed(self._client)
            if self._lock:
                self._lock.release()

    async def _point(self, live: str, previous: str) -> None:
        wanted = {self._alias: live, self._previous_alias: previous}
        held = dict(zip(wanted, await self._aliased(), strict=True))
        deleted = [name for name, target in held.items() if target]
        changes: list[Any] = [models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name)) for name in deleted]
        for name, target in wanted.items():
            if target:
                create = models.CreateAlias(collection_name=target, alias_name=name)
                changes.append(models.CreateAliasOperation(create_alias=create))
        await asked(lambda: self._client.update_collection_aliases(changes))

    async def _aliased(self) -> tuple[str, str]:
        """The collections of the live run and of the one before it; empty for one that isn't there."""
        aliases = {one.alias_name: one.collection_name for one in (await asked(self._client.get_aliases)).aliases}
        return aliases.get(self._alias, ""), aliases.get(self._previous_alias, "")

    async def _collections(self) -> list[str]:
        return [collection.name for collection in (await asked(self._client.get_collections)).collections]

    async def _unfinished(self) -> list[str]:
        # The whole name is compared: an alias may begin with another one's name.
        run = re.compile(re.escape(self._alias) + r"__\d{8}T\d+-[0-9a-f]{6}")
        pointed = {*await self._aliased(), self._run}
        return sorted((name for name in await self._collections() if run.fullmatch(name) and name not in pointed), reverse=True)

    async def _passages(self, collection: str, *, vectors: bool) -> AsyncGenerator[StoredPassage, None]:
        offset: Any = None
        while True:
            points, offset = await asked(
                lambda: self._client.scroll(
                    collection,
                    limit=_SCROLL_PAGE,
                    offset=offset,  # noqa: B023 - called at once
                    with_payload=True,
                    with_vectors=["dense"] if vectors and self.marker.dimensions else False,
                )
            )
            for point in points:
                if passage := passage_from_payload(str(point.id), point.payload):
                    vector: Any = point.vector.get("dense") if isinstance(point.vector, dict) else None
                    yield StoredPassage(passage, vector)
            if offset is None:
                return
