"""Searches a collection that another tool made: read by its detected shape, never written to, by meaning alone.

The words' arm is left out, because another tool's sparse vectors are not comparable with ours.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from re import fullmatch
from typing import Any, cast

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.conversions.common_types import PointId

from chatbot_api.errors import DeadlineExceeded, IndexMismatch, IndexMissing, SearchUnavailable
from chatbot_api.models.index_models import Hit, Passage, Scope
from chatbot_api.models.page_models import PassagePlace
from chatbot_api.reliability import Deadline, Guard
from chatbot_api.services.foreign_payload import ForeignKeys, ForeignShape, VectorShape, detect, passage_of
from chatbot_api.services.foreign_shape import FILTER_SETTING
from chatbot_api.services.qdrant_connection import asked, closed, named
from chatbot_api.services.qdrant_seats import Seats
from chatbot_api.services.ranking import CANDIDATES, ranked
from chatbot_api.services.stored_ids import kept, point_ids
from chatbot_api.telemetry import logger, upstream_log

log = logger(__name__)
SAMPLE = 12
"""Points looked at to find out how the collection is to be read."""
BATCH = 250
"""Points read at once, with all they hold: what an address is made of differs from tool to tool."""
NEARER_IS_SMALLER = ("Euclid", "Manhattan")


class ForeignIndex:
    """The same verbs as an index of ours; ``check`` finds the shape."""

    def __init__(
        self,
        client: AsyncQdrantClient,
        collection: str,
        keys: ForeignKeys,
        *,
        dimensions: int,
        embedding_model: str,
        timeout_s: float,
    ) -> None:
        """``keys``: what the settings say about the collection. ``dimensions``: of the question's vector."""
        self._client, self._collection, self._keys = client, collection, keys
        self._dimensions, self._embedding_model, self._timeout_s = dimensions, embedding_model, timeout_s
        self._shape: ForeignShape | None = None
        self._seats = Seats()
        self._searching, self._looking_up = Guard(upstream_log("search")), Guard(upstream_log("look-up"))

    @property
    def problems(self) -> list[str]:
        """Slug of what this upstream is left alone for at the moment."""
        return [f"search: {held.slug}" for guard in (self._searching, self._looking_up) if (held := guard.held)][:1]

    async def check(self, described: Mapping[str, Any]) -> int:
        """Find the shape, when it isn't known yet; the number of points. Raises IndexMismatch with what mends it.

        ``described``: the collection, as the server tells of it.
        """
        try:
            info = models.CollectionInfo.model_validate(described)
        except ValueError as error:
            raise named(error) from error
        vectors = vectors_of(info)
        if self._shape is None or vectors.get(self._shape.vector.name) != self._shape.vector:  # the latter: it was made anew
            sample = await self._sample()
            if not sample and self._keys.only and info.points_count:
                wanted = ",".join(f"{key}={value}" for key, value in self._keys.only)
                raise IndexMismatch(f"none of the {info.points_count} points has {wanted}: mend {FILTER_SETTING}")
            shape = detect(vectors, sparse_of(info), sample, self._keys)
            self._refuse_another_model(shape)
            self._shape = shape
            log.info("foreign_collection", maker=shape.maker, vector=shape.vector.name, dimensions=shape.vector.size)
        return info.points_count or 0

    async def _sample(self) -> list[Mapping[str, Any]]:
        """Payloads of a few points of the part that is to be read."""
        points, _ = await asked(
            lambda: self._client.scroll(
                self._collection, scroll_filter=_all_of(self._keys.only), limit=SAMPLE, with_payload=True, with_vectors=False
            )
        )
        return [point.payload or {} for point in points]

    def _refuse_another_model(self, shape: ForeignShape) -> None:
        if shape.vector.size != self._dimensions:
            raise IndexMismatch(
                f"dimensions: the collection has {shape.vector.size}, the settings say {self._dimensions} "
                f"({self._embedding_model}); set EMBEDDING_DIMENSIONS={shape.vector.size}, with the EMBEDDING_MODEL that made it "
                "and a GEMINI_API_KEY"
            )
        stamp = shape.embedding_model
        if stamp and _bare(stamp) != _bare(self._embedding_model):
            raise IndexMismatch(f"embedding_model: the collection says {stamp}, the settings say {self._embedding_model}")

    async def search(self, vector: Sequence[float] | None, text: str, scope: Scope, limit: int) -> list[Hit]:
        """The passages nearest to the question by meaning, each text once. Raises SearchError, also when there is no vector."""
        del text  # another tool's words are not comparable with ours
        shape = self._shape
        if shape is None:
            raise IndexMissing("the collection was not looked at yet")
        if vector is None:
            raise SearchUnavailable("a collection of another tool can't be searched by words alone")
        within = Deadline(self._timeout_s)
        try:
            async with self._seats.seat(within):
                points = await self._searching.call(lambda: self._nearest(list(vector), shape, scope), within)
        except DeadlineExceeded as error:
            raise SearchUnavailable("no reply in time") from error
        sign = -1 if shape.vector.distance in NEARER_IS_SMALLER else 1
        read = [(passage_of(str(point.id), point.payload, shape), sign * point.score) for point in points]
        once: dict[tuple[str, str], tuple[Passage | None, float]] = {}
        for passage, score in read:  # writers that make new ids at every run leave each text several times
            once.setdefault((passage.url, passage.content_hash) if passage else ("", str(len(once))), (passage, score))
        cosines = {passage.id: score for passage, score in once.values() if passage and shape.vector.distance == "Cosine"}
        return ranked(once.values(), cosines, None, limit)

    async def passages(self, ids: Sequence[str], site: str) -> list[Passage]:
        """The passages with these ids, of the part that is read, in their order; all are the site's. Raises SearchError."""
        del site  # what is read bears no site's name
        shape, wanted = self._shape, point_ids(ids)
        if shape is None or not wanted:
            return []
        conditions: list[models.Condition] = [models.HasIdCondition(has_id=[*wanted])]
        conditions += [_has(key, value) for key, value in shape.only]
        points, _ = await self._scrolled(models.Filter(must=conditions), len(wanted), None)
        read = [passage_of(str(point.id), point.payload, shape) for point in points]
        return kept(ids, read, next((passage.site for passage in read if passage), ""))

    async def places(self, site: str) -> AsyncGenerator[list[PassagePlace], None]:
        """Where the passages of the part that is read stand, all of them, a batch at a time, in no order. Raises SearchError."""
        del site  # what is read bears no site's name
        shape, after = self._shape, None
        if shape is None:
            raise IndexMissing("the collection was not looked at yet")
        while True:
            points, after = await self._scrolled(_all_of(shape.only), BATCH, after)
            read = (passage_of(str(point.id), point.payload, shape) for point in points)
            yield [PassagePlace.of(passage) for passage in read if passage]
            if after is None:
                return

    async def _scrolled(
        self, narrowed: models.Filter | None, limit: int, after: PointId | None
    ) -> tuple[list[models.Record], PointId | None]:
        try:
            return await self._looking_up.call(
                lambda: asked(
                    lambda: self._client.scroll(
                        self._collection,
                        scroll_filter=narrowed,
                        limit=limit,
                        offset=after,
                        with_payload=True,
                        with_vectors=False,
                    )
                ),
                Deadline(self._timeout_s),
            )
        except DeadlineExceeded as error:
            raise SearchUnavailable("no reply in time") from error

    async def close(self) -> None:
        """Close the client."""
        await closed(self._client)

    async def _nearest(self, vector: list[float], shape: ForeignShape, scope: Scope) -> list[models.ScoredPoint]:
        reply = await asked(
            lambda: self._client.query_points(
                self._collection,
                query=vector,
                using=shape.vector.name or None,
                query_filter=_filter(shape, scope),
                limit=CANDIDATES,  # not a few per hit: a text may be there as often as its writer was run
                with_payload=True,
            )
        )
        return reply.points


def vectors_of(info: models.CollectionInfo) -> dict[str, VectorShape]:
    """A collection's dense vectors by name; the unnamed one by the empty text."""
    params: Any = info.config.params.vectors
    named: Mapping[str, Any] = cast("dict[str, Any]", params) if isinstance(params, dict) else {"": params} if params else {}
    return {name: VectorShape(name, one.size, str(one.distance.value)) for name, one in named.items()}


def sparse_of(info: models.CollectionInfo) -> list[str]:
    """Names of a collection's sparse vectors."""
    return list(info.config.params.sparse_vectors or {})


def _filter(shape: ForeignShape, scope: Scope) -> models.Filter | None:
    wanted = [*shape.only]
    wanted += [(shape.version_key, scope.version)] if shape.version_key and scope.version else []
    wanted += [(shape.locale_key, scope.locale)] if shape.locale_key and scope.locale else []
    return _all_of(wanted)


def _all_of(wanted: Sequence[tuple[str, str]]) -> models.Filter | None:
    return models.Filter(must=[_has(key, value) for key, value in wanted]) if wanted else None


def _has(key: str, value: str) -> models.Condition:
    """A point's value, as text or as the number it may have been written as: a server tells 7 from "7"."""
    as_written = models.FieldCondition(key=key, match=models.MatchValue(value=value))
    if not fullmatch(r"0|-?[1-9][0-9]{0,17}", value):
        return as_written
    return models.Filter(should=[as_written, models.FieldCondition(key=key, match=models.MatchValue(value=int(value)))])


def _bare(model: str) -> str:
    """A model's name without its maker's, its case and its number format, all of which tools write differently."""
    return model.rpartition("/")[2].lower().removesuffix("-int8")
