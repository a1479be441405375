"""Many slow clients at once, held against a server's process, while an honest one asks how it is."""

import http.client
import os
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from urllib.parse import urlsplit

from wire_client import asking, request

STARTS = {
    "headers": b"GET /health/live HTTP/1.1\r\nHost: h\r\nX-A: ",
    "body": asking(b" " * 1_000)[:-999],
}

OPENED_EVERY_S = 0.003
"""Not all at once: that many long answers at once are load, and this is about patience."""
LARGE_TIMES = 6
"""More than the system's buffers take of the long answer."""


@dataclass
class Held:
    """What was seen."""

    opened: Counter[str] = field(default_factory=Counter)
    gone_after_s: dict[str, float] = field(default_factory=dict)
    """The longest that a connection of a kind was borne."""
    live_ms: list[float] = field(default_factory=list)
    """How long the honest client's questions took, while connections were held."""
    not_answered: int = 0
    rss_before_mib: float = 0.0
    rss_most_mib: float = 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.live_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def hold(url: str, pid: int, number: Mapping[str, int], large: str, probe: str, limit_s: float) -> Held:
    """Open so many connections of each kind (headers, body, readers), drip and stall until all are gone or ``limit_s`` is over.

    ``large``: an address with a long answer, which readers ask for many times and never read. ``probe``: asked meanwhile.
    """
    seen = Held(rss_before_mib=rss_mib(pid))
    over = threading.Event()
    asked = threading.Thread(target=_probe, args=(url, probe, seen, over, pid))
    address = urlsplit(url)
    with ExitStack() as stack:
        held: dict[int, tuple[str, socket.socket]] = {}
        poller = select.poll()
        asked.start()
        stack.callback(asked.join)
        stack.callback(over.set)
        began: dict[int, float] = {}
        in_turn = chain.from_iterable(zip_longest(*([kind] * many for kind, many in number.items())))
        for kind in filter(None, in_turn):
            connection = stack.enter_context(socket.socket())
            if kind == "readers":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.connect((address.hostname, address.port))
            connection.sendall(STARTS.get(kind) or request("GET", large) * LARGE_TIMES)
            connection.setblocking(False)
            held[connection.fileno()] = (kind, connection)
            poller.register(connection, 0 if kind == "readers" else select.POLLIN)
            seen.opened[kind] += 1
            time.sleep(OPENED_EVERY_S)
            began[connection.fileno()] = time.monotonic()
        end = time.monotonic() + limit_s
        while held and time.monotonic() < end:
            dripped_at = time.monotonic()
            while held and time.monotonic() - dripped_at < 1:
                for file, _ in poller.poll(20):
                    kind, connection = held[file]
                    if _is_over(connection):
                        poller.unregister(file)
                        del held[file]
                        seen.gone_after_s[kind] = max(seen.gone_after_s.get(kind, 0.0), time.monotonic() - began[file])
            for kind, connection in held.values():
                if kind != "readers":
                    _drip(connection)
        for kind, _ in held.values():
            seen.gone_after_s[kind] = float("inf")
    return seen


def _is_over(connection: socket.socket) -> bool:
    try:
        return not connection.recv(65_536)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def _drip(connection: socket.socket) -> None:
    with suppress(BlockingIOError, ConnectionError):
        connection.send(b" ")


def _probe(url: str, path: str, seen: Held, over: threading.Event, pid: int) -> None:
    address = urlsplit(url)
    while not over.wait(0.02):
        began = time.monotonic()
        honest = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
        try:
            honest.request("GET", path)
            seen.not_answered += honest.getresponse().status != 200
        except OSError:
            seen.not_answered += 1
        finally:
            honest.close()
        seen.live_ms.append((time.monotonic() - began) * 1000)
        seen.rss_most_mib = max(seen.rss_most_mib, rss_mib(pid))


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
