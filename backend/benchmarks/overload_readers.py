"""Readers on raw sockets: many at once, each after its answer, or at a rate."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

QUESTION = json.dumps({"query": "How do I pair a lamp?"}).encode()


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    seconds: float
    first_byte_s: float
    complete: bool = True


class Wire:
    """Connections that are kept, as many as are needed at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def asked(self, method: str, path: str, address: str = "203.0.113.1") -> Reply:
        body = QUESTION if method == "POST" else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\nContent-Length: {len(body)}\r\n"
        started = time.perf_counter()
        reader, writer, top = await self._sent(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        first_byte_s = time.perf_counter() - started
        lower = top.lower()
        said = b""
        if b"transfer-encoding: chunked" in lower:
            while size := int(await reader.readline(), 16):
                said += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            said = await reader.readexactly(int(lower.partition(b"content-length:")[2].split(b"\r\n")[0] or 0))
        if b"connection: close" in lower:
            writer.close()
        else:
            self._idle.append((reader, writer))
        complete = b"event: done" in said or path != "/chat/stream"
        return Reply(int(top.split()[1]), time.perf_counter() - started, first_byte_s, complete)

    async def _sent(self, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """The connection, and the head of the reply. A kept connection may just have been closed: then on a new one."""
        while self._idle:
            reader, writer = self._idle.pop()
            try:
                writer.write(request)
                return reader, writer, await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError) as closed:
                if getattr(closed, "partial", b""):
                    raise
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(request)
        return reader, writer, await reader.readuntil(b"\r\n\r\n")

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


async def asked(port: int, method: str, path: str) -> Reply:
    wire = Wire(port)
    reply = await wire.asked(method, path)
    wire.close()
    return reply


def percentile(values: list[float], share: float) -> float:
    """In ms; of nothing, 0."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000 if values else 0.0


async def at_once(wire: Wire, path: str, many: int, rounds: int) -> list[Reply]:
    replies: list[Reply] = []
    for _ in range(rounds):
        replies += await asyncio.gather(*(wire.asked("POST", path) for _ in range(many)))
    return replies


async def for_seconds(seconds: float, clients: int, ask: Callable[[], Awaitable[Reply]]) -> list[Reply]:
    """So many clients, each asking again when it is answered."""
    until, replies = time.perf_counter() + seconds, list[Reply]()

    async def client() -> None:
        while time.perf_counter() < until:
            replies.append(await ask())

    await asyncio.gather(*(client() for _ in range(clients)))
    return replies


async def at_rate(seconds: float, per_s: float, ask: Callable[[], Awaitable[Reply]]) -> list[Reply]:
    """So many requests a second, whether or not the ones before were answered."""
    started, tasks = time.perf_counter(), list[asyncio.Task[Reply]]()
    while (passed := time.perf_counter() - started) < seconds:
        while len(tasks) < passed * per_s:
            tasks.append(asyncio.ensure_future(ask()))
        await asyncio.sleep(0.005)
    return list(await asyncio.gather(*tasks))
