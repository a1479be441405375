"""The load client: raw sockets kept open, every question different, as little work an answer as can be.

Of a reply it reads the status, the Content-Length or the last chunk, and the moment the marker of a first piece came. A stream
that ends without a piece, or that bears an error, counts as BROKEN, whatever its status.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter
from typing import cast

from typing_extensions import override

LAST_CHUNK = b"\r\n0\r\n\r\n"
FIRST_PIECE = b"event: delta"
FAILED = b"event: error"
BROKEN = 0
"""The status of a reply that was cut off or failed after its head."""
LIMIT_S = 300.0
WARM_UP_S = 5.0
"""Until those who began in the same moment have spread: some five answers of each."""
_number = count()


def request(path: str, query: str | None = None, *, method: str = "POST") -> bytes:
    """A request as a browser on another origin sends it. ``query``: of the body; None: a question nobody asked before."""
    if method == "GET":
        return b"GET %b HTTP/1.1\r\nHost: bench\r\n\r\n" % path.encode()
    asked = query or f"How do I set the option number {next(_number)} of the service?"
    body = b'{"query":"%b"}' % asked.encode()
    origin = b"Origin: http://localhost:3000\r\nContent-Type: application/json"
    return b"POST %b HTTP/1.1\r\nHost: bench\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), origin, len(body), body)


@dataclass(slots=True)
class Answers:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    """Of all of them; what follows is of those that count."""
    seconds: list[float] = field(default_factory=list[float])
    """Of the 200s, from the request's last byte to the answer's last."""
    first_piece_s: list[float] = field(default_factory=list[float])
    """Of the 200s that bear the marker of a piece."""
    refused_s: list[float] = field(default_factory=list[float])
    """Of all others."""
    took_s: float = 0.0
    """From the moment since which they count to the last 200."""

    @property
    def answered(self) -> int:
        """The 200s."""
        return self.statuses[200]

    @property
    def counted(self) -> int:
        """Of any status."""
        return len(self.seconds) + len(self.refused_s)


class Connection(asyncio.Protocol):
    """One connection, one request at a time; ``done`` is called with each answer's status and times."""

    def __init__(self, done: "Callable[[Connection, int, float, float | None], None]") -> None:
        self.retry_after_s = 0.0
        """What the last answer asked for; 0 when it did not."""
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._begun()

    def _begun(self) -> None:
        self._sent_at, self._first_at = perf_counter(), 0.0
        self._head, self._status, self._left, self._tail, self._chunked = b"", 0, 0, b"", False
        self._has_failed = False

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self._transport is not None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._sent_at:
            self._done(self, BROKEN, perf_counter() - self._sent_at, None)

    def ask(self, asked: bytes) -> None:
        """Send a request; the answer before must be whole."""
        self._begun()
        if self._transport:
            self._transport.write(asked)

    def close(self) -> None:
        """Leave."""
        self._sent_at = 0.0
        if self._transport:
            self._transport.close()

    @override
    def data_received(self, data: bytes) -> None:
        if not self._status:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._read_head(head)
        if not self._first_at and FIRST_PIECE in data:
            self._first_at = perf_counter()
        if self._chunked:
            self._has_failed = self._has_failed or FAILED in data
            self._tail = (self._tail + data)[-len(LAST_CHUNK) :]
            is_whole = self._tail == LAST_CHUNK
        else:
            self._left -= len(data)
            is_whole = self._left <= 0
        if is_whole:
            now, sent_at = perf_counter(), self._sent_at
            status = BROKEN if self._chunked and (self._has_failed or not self._first_at) else self._status
            first_s = self._first_at - sent_at if self._first_at else None
            self._sent_at = 0.0
            self._done(self, status, now - sent_at, first_s)

    def _read_head(self, head: bytes) -> None:
        self._status, lower = int(head[9:12]), head.lower()
        self._chunked = b"transfer-encoding: chunked" in lower
        self.retry_after_s = 0.0 if self._status == 200 else float(_header(lower, b"retry-after"))
        if not self._chunked:
            self._left = int(_header(lower, b"content-length"))


def _header(head: bytes, name: bytes) -> bytes:
    """A header's value in a head in lower case; 0 where there is none."""
    return head.partition(b"\r\n%b:" % name)[2].split(b"\r\n", 1)[0].strip() or b"0"


class Load:
    """Some connections to one service."""

    def __init__(self, port: int, connections: int) -> None:
        """Opened by ``opened``."""
        self._port, self._wanted = port, connections
        self._connections: list[Connection] = []
        self._answers, self._more = Answers(), bool
        self._under_way, self._begun_at, self._is_patient = 0, 0.0, False
        self._is_steady = False
        self._quiet = asyncio.Event()
        self._asked: Callable[[], bytes] = lambda: request("/chat")

    async def opened(self) -> "Load":
        """With all connections open."""
        loop = asyncio.get_running_loop()
        for _ in range(self._wanted):
            _, connection = await loop.create_connection(lambda: Connection(self._done), "127.0.0.1", self._port)
            self._connections.append(connection)
        return self

    async def closed_loop(
        self,
        *,
        seconds: float = 0.0,
        at_least: int = 0,
        asked: Callable[[], bytes] | None = None,
        patient: bool = False,
        steady: bool = False,
    ) -> Answers:
        """Each connection asks again when it is answered, for so long and until so many count.

        ``patient``: who is refused waits as long as Retry-After says. ``steady``: what counts begins WARM_UP_S later and ends
        when the first asks no more: all connections begin in the same moment, as readers never do.
        """
        from_s = perf_counter() + (WARM_UP_S if steady else 0.0)
        until, self._is_patient = from_s + seconds, patient
        return await self._run(lambda: perf_counter() < until or self._answers.counted < at_least, asked, from_s, steady=steady)

    async def at_once(self, asked: Callable[[], bytes] | None = None) -> Answers:
        """Every connection asks once, in the same moment."""
        return await self._run(lambda: False, asked, perf_counter())

    async def _run(
        self, more: Callable[[], bool], asked: Callable[[], bytes] | None, from_s: float, *, steady: bool = False
    ) -> Answers:
        self._answers, self._more, self._asked = Answers(), more, asked or (lambda: request("/chat"))
        self._under_way = len(self._connections)
        self._is_steady, self._begun_at = steady, from_s
        self._quiet.clear()
        for connection in self._connections:
            connection.ask(self._asked())
        async with asyncio.timeout(LIMIT_S):
            await self._quiet.wait()
        return self._answers

    def _done(self, connection: Connection, status: int, took_s: float, first_s: float | None) -> None:
        self._answers.statuses[status] += 1
        is_over = self._is_steady and self._under_way < len(self._connections)
        if perf_counter() >= self._begun_at and not is_over:
            self._count(status, took_s, first_s)
        if self._is_patient and connection.retry_after_s:
            asyncio.get_running_loop().call_later(connection.retry_after_s, self._go_on, connection)
        else:
            self._go_on(connection)

    def _count(self, status: int, took_s: float, first_s: float | None) -> None:
        answers = self._answers
        if status != 200:
            answers.refused_s.append(took_s)
            return
        answers.took_s = perf_counter() - self._begun_at
        answers.seconds.append(took_s)
        if first_s is not None:
            answers.first_piece_s.append(first_s)

    def _go_on(self, connection: Connection) -> None:
        if connection.is_open and self._more():
            connection.ask(self._asked())
            return
        self._under_way -= 1
        if not self._under_way:
            self._quiet.set()

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.close()


def percentile(values: list[float], share: float) -> float:
    """The value below which so much of them lies; nan of none."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
