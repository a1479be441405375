"""Searches a Qdrant server over REST: the batch as JSON, the vector written once for its three places (ADR 0021)."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from chatbot_api.models.index_models import passage_from_payload
from chatbot_api.services.qdrant_search import MOST_RESCORED, PAYLOAD, Found, Search
from chatbot_api.services.qdrant_wire import UNREADABLE, QdrantWire, unread
from chatbot_api.services.ranking import CANDIDATES

_PAYLOAD = to_json(PAYLOAD).decode()


class RestSearch:
    """The searches of one collection."""

    def __init__(self, wire: QdrantWire, collection: str, *, rrf_k: int) -> None:
        """``collection``: or its alias. ``rrf_k``: constant of the fusion."""
        self._wire, self._address = wire, wire.address(f"/collections/{collection}/points/query/batch")
        self._fusion = f'{{"rrf":{{"k":{rrf_k}}}}}'

    async def found(self, search: Search) -> Found:
        """What the server found. Raises SearchError."""
        return _read(search, await self._wire.post(self._address, _body(search, self._fusion)))

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()


def _body(search: Search, fusion: str) -> bytes:
    """The batch; the vector, which it bears three times, is written once."""
    must = [{"key": key, "match": {"value": value}} for key, value in search.conditions.items()]
    narrowed = f',"filter":{to_json({"must": must}).decode()}' if must else ""
    arms: list[str] = []
    rest: list[str] = []
    nearest = ""
    if search.vector is not None:
        nearest = f'"query":{{"nearest":{to_json(search.vector).decode()}}},"using":"dense"'
        arms.append(f'{{{nearest}{narrowed},"limit":{CANDIDATES}}}')
    if search.words.indices:
        of_words = f'{{{_sparse(search.words.indices, search.words.values)}{narrowed},"limit":{CANDIDATES}}}'
        arms.append(of_words)
        rest.append(of_words)
    fused = f'"prefetch":[{",".join(arms)}],"query":{fusion},"limit":{search.limit}'
    if nearest:
        rest.append(f'{{"prefetch":[{{{fused}}}],{nearest},"limit":{MOST_RESCORED}}}')
    rest += [f'{{{_sparse([word], [1.0])}{narrowed},"limit":1}}' for word in search.alone]
    return f'{{"searches":[{{{fused},"with_payload":{_PAYLOAD}}},{",".join(rest)}]}}'.encode()


def _sparse(indices: Sequence[int], values: Sequence[float]) -> str:
    return f'"query":{to_json({"indices": indices, "values": values}).decode()},"using":"bm25"'


def _read(search: Search, said: bytes) -> Found:
    try:
        lists: list[list[Mapping[str, Any]]] = [one["points"] for one in from_json(said)["result"]]
        fused = [(passage_from_payload(str(point["id"]), point.get("payload")), float(point["score"])) for point in lists[0]]
        scored = [{str(point["id"]): float(point["score"]) for point in points} for points in lists[1:]]
    except UNREADABLE as error:
        raise unread(error) from error
    return Found.of(search, fused, scored)
