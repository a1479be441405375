"""The two stand-ins as the benchmark handles them: started once, told their delays, asked what they were asked."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from time import perf_counter

import orjson

from speed.processes import START_LIMIT_S, environment, free_port

HOST = "127.0.0.2"
"""Not 127.0.0.1: there qdrant-client turns keep-alive off, which no deployment would see."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Of the upstreams, in seconds; none to measure processor time."""

    embed: float = 0.0
    query: float = 0.0
    first: float = 0.0
    generate: float = 0.0

    @property
    def whole_s(self) -> float:
        """Until the last byte of an answer."""
        return self.embed + self.query + self.generate

    @property
    def first_s(self) -> float:
        """Until the first piece of an answer."""
        return self.embed + self.query + self.first


USUAL = Delays(embed=0.08, query=0.01, first=0.3, generate=0.8)


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Where the stand-ins are."""

    gemini_port: int
    qdrant_port: int
    qdrant_grpc_port: int

    @property
    def gemini_url(self) -> str:
        """Without a prefix."""
        return f"http://{HOST}:{self.gemini_port}"

    @property
    def qdrant_url(self) -> str:
        """Of the REST interface."""
        return f"http://{HOST}:{self.qdrant_port}"

    def set(self, delays: Delays) -> None:
        """From now on."""
        gemini = {"embed": delays.embed, "first": delays.first, "generate": delays.generate}
        _asked(self.gemini_port, "/_delays", gemini)
        _asked(self.qdrant_port, "/_delays", {"query": delays.query})

    def reset(self) -> None:
        """Count anew."""
        for port in (self.gemini_port, self.qdrant_port):
            _asked(port, "/_reset", {})

    def counts(self) -> dict[str, int]:
        """Requests of each kind since the last reset: the API's verbs, and ``query``."""
        return {**_asked(self.gemini_port, "/_counts"), **_asked(self.qdrant_port, "/_counts")}


def _asked(port: int, path: str, body: dict[str, float] | None = None) -> dict[str, int]:
    connection = HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET" if body is None else "POST", path, None if body is None else orjson.dumps(body))
        return orjson.loads(connection.getresponse().read())
    finally:
        connection.close()


@asynccontextmanager
async def upstreams() -> AsyncGenerator[Upstreams, None]:
    """Both stand-ins, on the cores of this process."""
    ports = {"gemini": [free_port(HOST)], "qdrant": [free_port(HOST), free_port(HOST)]}
    processes = [_begun(kind, *of_kind) for kind, of_kind in ports.items()]
    try:
        for port, *_ in ports.values():
            await _until_answering(port)
        yield Upstreams(*ports["gemini"], *ports["qdrant"])
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _begun(kind: str, *ports: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "speed.standins", kind, HOST, *map(str, ports)], env=environment())


async def _until_answering(port: int) -> None:
    limit = perf_counter() + START_LIMIT_S
    while True:
        try:
            _asked(port, "/_counts")
        except OSError:
            if perf_counter() > limit:
                raise
            await asyncio.sleep(0.02)
        else:
            return
