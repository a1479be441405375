"""A stand-in for a Qdrant server: REST, and gRPC for searches, over an engine in memory; it fails and goes down on demand."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from qdrant_client import QdrantClient
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from loopback import listen
from qdrant_engine import Engine, engine_app
from qdrant_faults import FAULTS, Fault, WireProtocol, play
from qdrant_grpc_side import GrpcSide

OPEN_PATHS = ("/", "/healthz", "/livez", "/readyz")
QUERY_ENDS = ("/points/query", "/points/query/batch", "/points/query/groups")
START_LIMIT_S = 10.0


class _Server(uvicorn.Server):
    """Goes down at once, with every connection: a server that is gone, not one that says goodbye."""

    def __init__(self, config: uvicorn.Config, grpc: GrpcSide) -> None:
        super().__init__(config)
        self._grpc = grpc
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        if self._grpc.port:
            await self._grpc.start()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        while not self.should_exit:  # noqa: ASYNC110 - the flag is uvicorn's, and set by another thread
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._grpc.stop()
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks)


class QdrantStandin:
    """One stand-in; its methods may be called from any thread."""

    def __init__(self, api_key: str | None = None) -> None:
        self.requests: list[tuple[str, str]] = []
        """Method, GRPC for those of that side, and path of every request, in the order received."""
        self.api_key = api_key
        """When set, every request but the health checks must bear it (header api-key, or Authorization: Bearer)."""
        self.client = QdrantClient(":memory:")
        """The engine behind, for setting up. Not thread-safe: use it only while no request is under way."""
        engine = Engine(self.client)
        self._app, self._grpc = engine_app(engine), GrpcSide(engine, self._came_by_grpc, self._key_refusal)
        self._fault = Fault()
        self._port = 0
        self._server: _Server | None = None
        self._thread = threading.Thread()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def grpc_port(self) -> int:
        """On 127.0.0.1, from when this is first asked; 0 while the stand-in is not started.

        Not before it is wanted: beside gRPC's threads, processes that are started may hang or end at once.
        """
        if not self._grpc.port and self._server and self._server.loop:
            asyncio.run_coroutine_threadsafe(self._grpc.start(), self._server.loop).result(START_LIMIT_S)
        return self._grpc.port

    @property
    def grpc_calls(self) -> int:
        """How many are under way by gRPC."""
        return self._grpc.calls

    def fail(self, fault: str, *, on: str = "query", times: int | None = None, **kw: Any) -> None:
        """Fail from now on as qdrant_faults lists it. ``on``: query | all. ``times``: for so many requests, None for ever.

        ``kw``: seconds, size, expected, got.
        """
        if fault not in FAULTS or on not in ("query", "all"):
            raise ValueError(f"no fault {fault!r} on {on!r}")
        self._fault = Fault(fault, on, float("inf") if times is None else times, kw)

    def heal(self) -> None:
        """Answer well again; answers under way stay as they are."""
        self._fault = Fault()

    def start(self) -> None:
        """Up; after a stop, at the same address with the same data."""
        listener = listen(self._port)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._answer,
            http=WireProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=60,
        )
        self._server = _Server(config, self._grpc)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="qdrant-standin")
        self._thread.start()
        limit = time.monotonic() + START_LIMIT_S
        while not self._server.started:
            if time.monotonic() > limit or not self._thread.is_alive():
                raise RuntimeError("the Qdrant stand-in did not start")
            time.sleep(0.002)

    def stop(self) -> None:
        """Cut every connection and refuse new ones: the server is down, its data is kept."""
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append((scope["method"], scope["path"]))
        fault = self._take(scope["path"])
        if fault.name:
            await play(fault.name, fault.kw, self._app, scope, receive, send)
        elif refused := self._refusal(scope):
            await PlainTextResponse(refused, 401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _came_by_grpc(self, path: str) -> Fault:
        self.requests.append(("GRPC", path))
        return self._take(QUERY_ENDS[1])

    def _take(self, path: str) -> Fault:
        fault = self._fault
        if fault.left <= 0 or (fault.on == "query" and not path.endswith(QUERY_ENDS)):
            return Fault()
        fault.left -= 1
        return fault

    def _refusal(self, scope: Scope) -> str | None:
        return None if scope["path"] in OPEN_PATHS else self._key_refusal(dict(scope["headers"]))

    def _key_refusal(self, headers: dict[bytes, bytes]) -> str | None:
        """Why the key is refused, in the server's words."""
        if self.api_key is None:
            return None
        given = headers.get(b"api-key", b"") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        if not given:
            return "Must provide an API key or an Authorization bearer token"
        return None if given.decode("latin-1") == self.api_key else "Invalid API key or JWT"


@contextmanager
def qdrant_standin(api_key: str | None = None) -> Iterator[QdrantStandin]:
    """A running stand-in, stopped afterwards with every connection; its engine is closed."""
    standin = QdrantStandin(api_key)
    try:
        standin.start()
        yield standin
    finally:
        standin.stop()
        standin.client.close()
