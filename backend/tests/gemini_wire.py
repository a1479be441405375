"""HTTP/1.1 on a raw socket, in a thread of its own: replies may be slow, cut short or missing; a leaving client is noticed."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from loopback import listen

HEAD_LIMIT = 2**16


@dataclass
class Recorded:
    """One request as it came in, and whether its client waited for the answer."""

    method: str
    path: str
    """With the query string."""
    headers: dict[str, str]
    """Names in lower case."""
    body: Any
    """Parsed JSON; None for an empty body or one that is no JSON."""
    kind: str = ""
    """generate | embed | info, set by the stand-in."""
    received_at: float = field(default_factory=time.monotonic)
    disconnected_at: float | None = None
    """``time.monotonic()`` at which the client left before its answer was complete; None when it did not."""
    closed: threading.Event = field(default_factory=threading.Event)
    """Set together with ``disconnected_at``: ``closed.wait(1)`` is True when the client left an unfinished answer."""


@dataclass
class Reply:
    """An answer as bytes, and how they are let go."""

    head: bytes
    parts: list[bytes]
    """The body as it stands on the wire, in the pieces in which it is sent."""
    before_s: float = 0.0
    """Wait before the head."""
    between_s: float = 0.0
    """Wait before each part."""
    end: Literal["keep", "close", "hang"] = "keep"
    """Afterwards: keep the connection, close it, or wait in silence until the client leaves."""


def whole(
    status: int, body: bytes, content_type: str = "application/json; charset=UTF-8", headers: dict[str, str] | None = None
) -> Reply:
    """A reply with its Content-Length."""
    return Reply(_head(status, {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}), [body])


def chunked(pieces: list[bytes], content_type: str) -> Reply:
    """A 200 in chunked encoding, one chunk a piece; its last part is the terminator."""
    parts = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return Reply(_head(200, {"Content-Type": content_type, "Transfer-Encoding": "chunked"}), [*parts, b"0\r\n\r\n"])


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class _Reader(asyncio.StreamReader):
    """Says at once that the client is gone, while the answer is still under way (StreamReader alone only tells who reads)."""

    on_gone: Callable[[], object] | None = None
    gone = False

    def feed_eof(self) -> None:
        super().feed_eof()
        self._left()

    def set_exception(self, exc: BaseException) -> None:  # type: ignore[override]
        super().set_exception(exc)
        self._left()

    def _left(self) -> None:
        self.gone = True
        if self.on_gone is not None:
            self.on_gone()


class WireServer:
    """Answers every request with what ``handle`` returns; ``handle`` runs on the server's loop and must not block."""

    def __init__(self, handle: Callable[[Recorded], Reply]) -> None:
        self.requests: list[Recorded] = []
        self.port = 0
        self._handle = handle
        self._thread: threading.Thread | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen; after a stop, on the same port as before."""
        listener = listen(self.port)
        self.port = listener.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listener, ready)), name="gemini-standin")
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(self._protocol, sock=listener)
        ready.set()
        await self._stopping.wait()
        server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # lets the aborted transports close their sockets

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(_Reader(limit=HEAD_LIMIT), self._connected)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        assert isinstance(reader, _Reader)
        self._connections.add(connection)
        try:
            # Cancelled only by a stop; a task that ends cancelled would be reported on stderr by asyncio.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            self._connections.discard(connection)
            if self._stopping.is_set():
                writer.transport.abort()
            else:
                writer.close()

    async def _exchange(self, reader: _Reader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether another may follow."""
        recorded = await _read_request(reader)
        self.requests.append(recorded)
        reply = self._handle(recorded)
        answering = asyncio.create_task(_send(writer, reply))
        reader.on_gone = answering.cancel
        if reader.gone:
            answering.cancel()
        try:
            await asyncio.wait({answering})
        finally:
            reader.on_gone = None
            answering.cancel()
        if answering.cancelled() or answering.exception() is not None:
            recorded.disconnected_at = time.monotonic()
            recorded.closed.set()
            return False
        return reply.end == "keep"


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    if reply.before_s:
        await asyncio.sleep(reply.before_s)
    if not reply.between_s:
        writer.write(b"".join((reply.head, *reply.parts)))
    else:
        writer.write(reply.head)
        for part in reply.parts:
            await asyncio.sleep(reply.between_s)
            writer.write(part)
            await writer.drain()
    await writer.drain()
    if reply.end == "hang":
        await asyncio.Event().wait()


async def _read_request(reader: asyncio.StreamReader) -> Recorded:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "chunked" in headers.get("transfer-encoding", ""):
        raw = await _read_chunks(reader)
    else:
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    return Recorded(method, path, headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body
