"""HTTP/1.1 for the stand-ins: raw protocol, bytes made beforehand, delays and counters that are set and read over HTTP.

``POST /_delays`` with ``{"embed": 0.08}`` sets seconds, ``GET /_counts`` gives the requests of each kind since ``POST /_reset``.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import orjson
from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent, and when."""

    pieces: tuple[bytes, ...]
    """As they stand on the wire, head included."""
    before_s: float = 0.0
    """Wait before the first."""
    between_s: float = 0.0
    """Wait before each of the others."""


class StandIn:
    """The state of one stand-in: its delays, and what it was asked."""

    def __init__(self, delays: dict[str, float], answer: "Answer") -> None:
        """``delays``: seconds by name, all of them to begin with. ``answer``: request to reply."""
        self.delays, self.counts = dict(delays), Counter[str]()
        self._answer = answer

    def replied(self, path: str, body: bytes) -> Reply:
        """The reply to a request; the paths that begin with an underscore are the stand-in's own."""
        if path == "/_delays":
            self.delays.update(cast("dict[str, float]", orjson.loads(body)))
        elif path == "/_reset":
            self.counts.clear()
        elif path != "/_counts":
            return self._answer(self, path, body)
        return Reply((json_reply(orjson.dumps(self.counts)),))


Answer = Callable[[StandIn, str, bytes], Reply]


def json_reply(body: bytes, status: bytes = b"200 OK") -> bytes:
    """Head and body of a JSON reply."""
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


class Wire(asyncio.Protocol):
    """One connection: one request after the other."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._unread = b""
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer:
            self._timer.cancel()

    @override
    def data_received(self, data: bytes) -> None:
        self._unread = self._unread + data if self._unread else data
        head, found, rest = self._unread.partition(b"\r\n\r\n")
        if not found:
            return
        length = _content_length(head)
        if len(rest) < length:
            return
        self._unread = rest[length:]
        path = head[: head.index(b"\r\n")].split(b" ")[1].decode("latin-1")
        reply = self._stand_in.replied(path, rest[:length])
        if reply.before_s or reply.between_s:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(reply.before_s, self._send, reply, 0, loop.time() + reply.before_s)
        elif self._transport:
            self._transport.write(b"".join(reply.pieces))

    def _send(self, reply: Reply, at: int, due: float) -> None:
        """``due``: when this piece was to be sent, by which the next one is timed: the loop rounds waits to milliseconds."""
        if self._transport is None:
            return
        if not reply.between_s:
            self._transport.write(b"".join(reply.pieces))
            return
        self._transport.write(reply.pieces[at])
        if at + 1 < len(reply.pieces):
            loop, due = asyncio.get_running_loop(), due + reply.between_s
            self._timer = loop.call_later(max(0.0, due - loop.time()), self._send, reply, at + 1, due)


def _content_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    return int(lower[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
