"""Searches over TLS: the server is trusted when its authority is, over REST and over gRPC alike, and hears the key only then."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from qdrant_client import grpc as messages

from chatbot_api.errors import SearchUnavailable
from chatbot_api.services.qdrant_grpc import GrpcSearch
from chatbot_api.services.qdrant_rest import RestSearch
from chatbot_api.services.qdrant_search import Search
from chatbot_api.services.qdrant_wire import QdrantWire
from chatbot_api.services.sparse_encoder import SparseVector
from tls_server import certificate_in

KEY = "qdrant-canary-0123456789"
SEARCH = Search(None, SparseVector([7], [1.0]), [], {}, 5)
POINTS = b'{"result":[{"points":[]},{"points":[{"id":3,"version":0,"score":2.5}]}]}'


@asynccontextmanager
async def rest_over_tls(certificate: Path, keys: list[str]) -> AsyncIterator[int]:
    """The port of a server that notes keys and finds point 3."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
        await reader.readexactly(int(fields["Content-Length"]))
        keys.append(fields["api-key"])
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(POINTS), POINTS))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def grpc_over_tls(certificate: Path, keys: list[str]) -> AsyncIterator[int]:
    """The same over gRPC."""

    async def answer(_batch: Any, context: Any) -> Any:
        keys.append(dict(context.invocation_metadata())["api-key"])
        point = messages.ScoredPoint(id=messages.PointId(num=3), score=2.5)
        return messages.QueryBatchResponse(result=[messages.BatchResult(), messages.BatchResult(result=[point])])

    handler: Any = grpc.unary_unary_rpc_method_handler(
        answer, messages.QueryBatchPoints.FromString, messages.QueryBatchResponse.SerializeToString
    )
    both = certificate.read_bytes()  # noqa: ASYNC240 - a test's own file
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("qdrant.Points", {"QueryBatch": handler}),))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(both, both)]))
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


def wire_to(port: int, *, by_grpc: bool) -> RestSearch | GrpcSearch:
    if by_grpc:
        return GrpcSearch("https://localhost:1", port, KEY, "docs", rrf_k=5)
    return RestSearch(QdrantWire(f"https://localhost:{port}", KEY), "docs", rrf_k=5)


@pytest.mark.parametrize("by_grpc", [False, True], ids=["REST", "gRPC"])
async def test_a_server_is_searched_only_when_its_authority_is_trusted(
    by_grpc: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, keys = certificate_in(tmp_path), list[str]()
    async with (grpc_over_tls if by_grpc else rest_over_tls)(certificate, keys) as port:
        stranger = wire_to(port, by_grpc=by_grpc)
        with pytest.raises(SearchUnavailable):
            await stranger.found(SEARCH)
        await stranger.close()
        assert keys == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        friend = wire_to(port, by_grpc=by_grpc)
        assert (await friend.found(SEARCH)).by_words == {"3": 2.5}
        await friend.close()
        assert keys == [KEY]
