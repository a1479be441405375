"""Makes the runs of the index on a Qdrant server: a new collection beside the live one, complete before the alias moves to it."""

import re
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from qdrant_client import AsyncQdrantClient, models

from chatbot_api.errors import IndexMissing, SearchMisconfigured
from chatbot_api.models.index_models import IndexMarker, Passage, StoredPassage, passage_from_payload
from chatbot_api.services.qdrant_connection import asked
from chatbot_api.services.sparse_encoder import SparseEncoder

WRITE_TIMEOUT_S = 60.0
_SCROLL_PAGE = 256
_KEYWORDS = ("site", "version", "locale", "page_id")


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
            info = await asked(lambda: self._client.get_collection(self._alias))
        except IndexMissing:
            return
        if IndexMarker.read(dict(info.config.metadata or {})) != self._marker:
            return
        offset: Any = None
        while True:
            points, offset = await asked(
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
        existing = await asked(self._client.get_collections)
        if any(collection.name == self._alias for collection in existing.collections):
            raise SearchMisconfigured(
                f"a collection is named {self._alias}, which is to be an alias: set another QDRANT_COLLECTION_NAME or delete it"
            )
        dense = {"dense": models.VectorParams(size=self._marker.dimensions, distance=models.Distance.COSINE)}
        await asked(
            lambda: self._client.create_collection(
                self._run,
                vectors_config=dense if self._marker.dimensions else {},
                sparse_vectors_config={"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
                metadata=self._marker.as_dict(),
            )
        )
        self._begun = True
        for key in _KEYWORDS:
            await asked(
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
        await asked(lambda: self._client.upsert(self._run, points, wait=True))

    async def publish(self) -> None:
        """Move the alias to the new collection in one step; drop the runs older than the one that was live."""
        aliases = (await asked(self._client.get_aliases)).aliases
        before = next((alias.collection_name for alias in aliases if alias.alias_name == self._alias), "")
        moved = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._alias))
        changes: list[Any] = [moved] if before else []
        create = models.CreateAlias(collection_name=self._run, alias_name=self._alias)
        changes.append(models.CreateAliasOperation(create_alias=create))
        await asked(lambda: self._client.update_collection_aliases(changes))
        self._begun = False
        names = [collection.name for collection in (await asked(self._client.get_collections)).collections]
        # The whole name is compared: an alias may begin with another one's name.
        runs = [name for name in names if re.fullmatch(re.escape(self._alias) + r"__\d{8}T\d+-[0-9a-f]{6}", name)]
        for old in runs:
            if old < before and old != self._run:
                await asked(lambda: self._client.delete_collection(old))  # noqa: B023 - called at once

    async def close(self) -> None:
        """Drop a run that was begun and not published; close the client."""
        try:
            if self._begun:
                await asked(lambda: self._client.delete_collection(self._run))
        finally:
            await self._client.close()
