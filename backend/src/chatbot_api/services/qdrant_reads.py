"""What a Qdrant server is asked beside searches: how a collection was made, and points by their place or their ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from pydantic_core import from_json, to_json

from chatbot_api.services.qdrant_wire import UNREADABLE, QdrantWire, unread

PointId = str | int
Match = str | Sequence[str]
"""The value that a payload's key must have, or some that it may have."""


class Point(NamedTuple):
    """A stored point."""

    id: str
    payload: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Described:
    """A collection, as the server tells of it."""

    metadata: dict[str, Any]
    """What its maker wrote down; empty for most makers."""
    points: int | None
    """How many there are, about."""
    whole: Mapping[str, Any]
    """All that was told."""


class QdrantReads:
    """The look-ups of one collection; each is one request."""

    def __init__(self, wire: QdrantWire, collection: str, *, silence_s: float) -> None:
        """``collection``: or its alias. ``silence_s``: a server that says nothing for so long is unavailable."""
        self.collection = collection
        self._wire, self._silence_s = wire, silence_s
        self._all = wire.address("/collections")
        self._its = wire.address(f"/collections/{collection}")
        self._scroll = wire.address(f"/collections/{collection}/points/scroll")
        self._points = wire.address(f"/collections/{collection}/points")

    async def described(self) -> Described:
        """The collection. Raises SearchError; IndexMissing when it isn't there."""
        said = await self._wire.get(self._its, self._silence_s)
        try:
            whole = _mapping(from_json(said)["result"])
            metadata = _mapping(whole["config"]).get("metadata")
            points = whole.get("points_count")
            if points is not None and not _is_number(points):
                raise TypeError(f"points_count is {type(points).__name__}")
            return Described({} if metadata is None else _mapping(metadata), points, whole)
        except UNREADABLE as error:
            raise unread(error) from error

    async def collections(self) -> list[str]:
        """Names of all collections. Raises SearchError; a key for one collection alone may not ask for them."""
        said = await self._wire.get(self._all, self._silence_s)
        try:
            return [_text(_mapping(one)["name"]) for one in _items(from_json(said)["result"]["collections"])]
        except UNREADABLE as error:
            raise unread(error) from error

    async def scrolled(
        self, conditions: Mapping[str, Match], limit: int, after: PointId | None, keys: Sequence[str] | None = None
    ) -> tuple[list[Point], PointId | None]:
        """Points that meet all conditions, in the order of ids, and where the next ones begin; None: there are no more.

        ``after``: what the last call gave. ``keys``: of the payload that is read; None: all. Raises SearchError.
        """
        asked: dict[str, Any] = {"limit": limit, "with_payload": True if keys is None else keys, "with_vector": False}
        if conditions:
            asked["filter"] = {"must": [{"key": key, "match": _match(value)} for key, value in conditions.items()]}
        if after is not None:
            asked["offset"] = after
        said = await self._wire.post(self._scroll, to_json(asked), self._silence_s)
        try:
            result = from_json(said)["result"]
            following = result.get("next_page_offset")
            return [_point(one) for one in _items(result["points"])], None if following is None else _id(following)
        except UNREADABLE as error:
            raise unread(error) from error

    async def points(self, ids: Sequence[PointId]) -> list[Point]:
        """Those of the points that are there, in no order. Raises SearchError."""
        asked = to_json({"ids": ids, "with_payload": True, "with_vector": False})
        said = await self._wire.post(self._points, asked, self._silence_s)
        try:
            return [_point(one) for one in _items(from_json(said)["result"])]
        except UNREADABLE as error:
            raise unread(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()


def _match(value: Match) -> dict[str, Any]:
    return {"value": value} if isinstance(value, str) else {"any": value}


def _point(one: Any) -> Point:
    payload = one.get("payload")
    return Point(str(_id(one["id"])), None if payload is None else _mapping(payload))


def _id(value: Any) -> PointId:
    if isinstance(value, str) or _is_number(value):
        return value
    raise TypeError(f"an id is {type(value).__name__}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(f"a name is {type(value).__name__}")


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    raise TypeError(f"an object is {type(value).__name__}")


def _items(value: Any) -> list[Any]:
    if isinstance(value, list):
        return cast("list[Any]", value)
    raise TypeError(f"a list is {type(value).__name__}")
