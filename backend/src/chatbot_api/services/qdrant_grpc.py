"""Searches a Qdrant server over gRPC: the batch as protobuf, by the client's own messages, on one HTTP/2 connection.

The client's own way turns pydantic models into messages and replies into models: tests have it as the oracle (ADR 0021). Imported
only when a port is set.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import DecodeError
from qdrant_client import grpc as messages

from chatbot_api.errors import (
    IndexMismatch,
    IndexMissing,
    SearchBadResponse,
    SearchError,
    SearchMisconfigured,
    SearchUnavailable,
)
from chatbot_api.models.index_models import Passage, passage_from_payload
from chatbot_api.services.qdrant_errors import LONGEST_CAUSE, seconds_of
from chatbot_api.services.qdrant_search import MOST_RESCORED, PAYLOAD, Found, Search
from chatbot_api.services.ranking import CANDIDATES

_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", -1),
    # A server that is back is asked again at once, not when two minutes of growing pauses are over. gRPC takes no less.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),
    # One connection carries all: one that died without a word is given up within half a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),
]
_TEXTS = [key for key in PAYLOAD if key not in ("ordinal", "heading_path")]
_NAMED: Mapping[grpc.StatusCode, type[SearchError]] = {
    **dict.fromkeys((grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED), SearchMisconfigured),
    grpc.StatusCode.NOT_FOUND: IndexMissing,
    grpc.StatusCode.INVALID_ARGUMENT: IndexMismatch,
    **dict.fromkeys(
        (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.INTERNAL,
            grpc.StatusCode.ABORTED,
            grpc.StatusCode.UNKNOWN,
        ),
        SearchUnavailable,
    ),
}
"""As the same failures are named over REST; of all other codes the reply can't be read."""


class GrpcSearch:
    """The searches of one collection. Needs a running event loop; close it at the end."""

    def __init__(self, url: str, port: int, api_key: str, collection: str, *, rrf_k: int) -> None:
        """``url``: of the server's REST interface, for its host, and for TLS when it is https. ``port``: of gRPC.

        ``collection``: or its alias. ``rrf_k``: constant of the fusion.
        """
        address = urlsplit(url)
        host = address.hostname or ""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        trusted = grpc.ssl_channel_credentials(_roots()) if address.scheme == "https" else None
        self._channel: Any = (  # the package has no types
            grpc.aio.secure_channel(target, trusted, _OPTIONS) if trusted else grpc.aio.insecure_channel(target, _OPTIONS)
        )
        # Replies are parsed here: one that can't be is handed over as None.
        self._asked = self._channel.unary_unary("/qdrant.Points/QueryBatch", messages.QueryBatchPoints.SerializeToString)
        self._metadata = (("api-key", api_key),) if api_key else ()
        self._collection, self._fusion = collection, messages.Query(rrf=messages.Rrf(k=rrf_k))

    async def found(self, search: Search) -> Found:
        """What the server found. Raises SearchError."""
        batch = messages.QueryBatchPoints(collection_name=self._collection, query_points=self._queries(search))
        try:
            said: bytes = await self._asked(batch, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise _named(error) from error
        try:
            lists: Any = messages.QueryBatchResponse.FromString(said).result
        except DecodeError as error:
            raise SearchBadResponse(f"{type(error).__name__}: {error}"[:LONGEST_CAUSE]) from error
        fused = [(_candidate(point), point.score) for one in lists[:1] for point in one.result]
        scored = [{_id(point.id): point.score for point in one.result} for one in lists[1:]]
        return Found.of(search, fused, scored, _passage)

    def _queries(self, search: Search) -> list[messages.QueryPoints]:
        """As qdrant_rest has them."""
        narrowed = _filter(search.conditions)
        nearest = None if search.vector is None else _dense(search.vector)
        words = _sparse(search.words.indices, search.words.values) if search.words.indices else None
        arms = [
            messages.PrefetchQuery(query=query, using=using, filter=narrowed, limit=CANDIDATES)
            for query, using in ((nearest, "dense"), (words, "bm25"))
            if query is not None
        ]
        fused: dict[str, Any] = {"query": self._fusion, "limit": search.limit}
        queries: list[dict[str, Any]] = [{"prefetch": arms, **fused, "with_payload": _WITH_PAYLOAD}]
        if words is not None:
            queries.append({"query": words, "using": "bm25", "filter": narrowed, "limit": CANDIDATES})
        if nearest is not None:
            those = [messages.PrefetchQuery(prefetch=arms, **fused)]
            queries.append({"prefetch": those, "query": nearest, "using": "dense", "limit": MOST_RESCORED})
        queries += [{"query": _sparse([word], [1.0]), "using": "bm25", "filter": narrowed, "limit": 1} for word in search.alone]
        return [messages.QueryPoints(collection_name=self._collection, **query) for query in queries]

    async def close(self) -> None:
        """Close the channel, and what is under way with it."""
        await self._channel.close()


_WITH_PAYLOAD = messages.WithPayloadSelector(include=messages.PayloadIncludeSelector(fields=PAYLOAD))


def _filter(conditions: Mapping[str, str]) -> messages.Filter | None:
    must = [
        messages.Condition(field=messages.FieldCondition(key=key, match=messages.Match(keyword=value)))
        for key, value in conditions.items()
    ]
    return messages.Filter(must=must) if must else None


def _dense(values: Sequence[float]) -> messages.Query:
    return messages.Query(nearest=messages.VectorInput(dense=messages.DenseVector(data=values)))


def _sparse(indices: Sequence[int], values: Sequence[float]) -> messages.Query:
    vector = messages.SparseVector(indices=indices, values=values)
    return messages.Query(nearest=messages.VectorInput(sparse=vector))


def _id(point_id: Any) -> str:
    return point_id.uuid or str(point_id.num)


@dataclass(slots=True)
class _Candidate:
    """What is read of every point. To read all its passage's values takes as long as the whole rest of a search."""

    id: str
    page_id: str
    title: str
    url: str
    stored: Any
    """The payload as it came."""


def _candidate(point: Any) -> _Candidate | None:
    """None for a point without a passage. Names that are missing are filled in as ``passage_from_payload`` does."""
    stored = point.payload
    url = stored["url"]
    if not (url.HasField("string_value") and stored["text"].HasField("string_value")):
        return None
    address: str = url.string_value
    page_id, title = stored["page_id"].string_value, stored["title"].string_value
    return _Candidate(_id(point.id), page_id or address, title or address, address, stored)


def _passage(one: _Candidate) -> Passage:
    """By the kinds that the keys' values have: to ask each value for its kind takes twice as long."""
    stored = one.stored
    payload: dict[str, Any] = {key: stored[key].string_value for key in _TEXTS}  # "" of what is missing or no string
    payload["ordinal"] = int(stored["ordinal"].integer_value)
    payload["heading_path"] = [part.string_value for part in stored["heading_path"].list_value.values]
    passage = passage_from_payload(one.id, payload)
    if passage is None:
        raise SearchBadResponse("a passage without a text")
    return passage


def _named(error: Any) -> SearchError:
    """Our name for a call that failed; the server's text stays in ``cause``, cut."""
    code = error.code()
    cause = " ".join(f"{code.name}: {error.details()}".split())[:LONGEST_CAUSE]
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        trailer: dict[str, Any] = dict(error.trailing_metadata() or ())
        return SearchUnavailable(cause, retry_after_s=seconds_of(str(trailer.get("retry-after", ""))))
    return _NAMED.get(code, SearchBadResponse)(cause)


def _roots() -> bytes | None:
    """Of SSL_CERT_FILE, as over REST; None: those that gRPC brings with it."""
    file = os.environ.get("SSL_CERT_FILE")
    return Path(file).read_bytes() if file else None
