"""Two worker processes of the service on one address, and which of them answered what."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from loopback import listen
from rounds_of_shutdown import SERVER, started

PATIENCE_S = 60
UNLIMITED = {"RATE_LIMIT_PER_VISITOR": "none", "RATE_LIMIT_PER_ADDRESS": "none"}


def until(found: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < end, f"it did not happen: {what}"
        time.sleep(0.05)


class Workers:
    """Two workers over BOOK, on an address of their own."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path, metrics_port: int) -> None:
        self.process, self.url, self.log, self._metrics_port = process, url, log, metrics_port

    @property
    def pids(self) -> list[int]:
        """Of all that ever served."""
        return [int(pid) for pid in re.findall(r"Started server process \[(\d+)\]", self.log.read_text())]

    def asked_of_each(self, route: str) -> list[int]:
        """How many requests of a route each worker has counted; the ports of both answer, or this raises."""
        counts: list[int] = []
        for number in range(2):
            told = httpx.get(f"http://127.0.0.1:{self._metrics_port + number}/metrics", trust_env=False).text
            found = re.findall(rf'askai_requests_total{{[^}}]*route="{route}"[^}}]*}} (\d+)', told)
            counts.append(sum(int(number) for number in found))
        return counts

    def both_serve(self) -> bool:
        try:
            self.asked_of_each("/chat")
        except httpx.TransportError:
            return False
        return True


def two_free_ports() -> int:
    """The first of two ports beside each other that nobody has."""
    while True:
        with listen() as free:
            port = free.getsockname()[1]
        try:
            with listen(port), listen(port + 1):
                return port
        except OSError:
            continue


@contextmanager
def workers(folder: Path, **values: str) -> Iterator[Workers]:
    port = two_free_ports()
    settings = {"WEB_CONCURRENCY": "2", "METRICS_PORT": str(port), **UNLIMITED, **values}
    with started(SERVER, folder, **settings) as (process, url):
        running = Workers(process, url, folder / "server.log", port)
        until(running.both_serve, "both workers serve")
        yield running
