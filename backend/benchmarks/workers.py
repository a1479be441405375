"""What two worker processes answer against one: ``python benchmarks/workers.py``, also ``make workers``. Linux.

No upstream waits: the service is offline, on the embedded index and a SQLite file, so an answer is processor time, nothing else.
Limits are off. One and two workers are measured in turn, round after round; every question is another one. Printed is

* answers a second, and their ratio in each round; the client shares the machine
* processor milliseconds of the workers for an answer: if they were in each other's way, two would take more of it than one
* the share of the processor that the client took

and the medians over the rounds, also of the ratio that workers alone would have: 2 x the first's milliseconds / the second's.
Exit code 1 when two workers answer less than ``--least`` times as much.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from socket import socket

SOURCE = Path(__file__).resolve().parents[1] / "src"
PAGES = 50
CONNECTIONS = 16
TICKS_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of one service."""

    answers: int
    seconds: float
    workers_cpu_s: float
    client_cpu_s: float

    @property
    def per_s(self) -> float:
        return self.answers / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Of the workers, for an answer."""
        return 1000 * self.workers_cpu_s / self.answers


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def cpu_s(pids: list[int]) -> float:
    """Processor seconds of these processes till now."""
    ticks = 0
    for pid in pids:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / TICKS_S


@contextmanager
def service(folder: Path, workers: int) -> Iterator[tuple[int, int]]:
    """A running service with so many workers, all of them serving: its port and its process id."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = settings_of(folder) | {"PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    process = subprocess.Popen([sys.executable, "-m", "chatbot_api.server"], env=environment, stdout=subprocess.DEVNULL)
    try:
        asyncio.run(until_ready(port))
        while workers > 1 and len(family(process.pid)) <= workers:
            time.sleep(0.05)
        asyncio.run(asked_for(port, 1.0, CONNECTIONS))  # what is imported and opened at the first question
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def settings_of(folder: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
        "PYTHONPATH": str(SOURCE),
        "DATA_DIR": str(folder / "data"),
        "LOCAL_EMBEDDER": "false",
        "ANSWER_CACHE_TTL_S": "0",
        "RATE_LIMIT_PER_VISITOR": "none",
        "RATE_LIMIT_PER_ADDRESS": "none",
        "DEMO_PAGE": "false",
        "LOG_LEVEL": "error",
    }


def index(folder: Path) -> None:
    """Fifty pages, so that a search has something to do."""
    (folder / "docs").mkdir()
    for number in range(PAGES):
        text = f"---\ntitle: Lamp {number}\n---\n\n## Pair lamp {number}\n\nHold button {number} for three seconds to pair it.\n"
        (folder / "docs" / f"lamp{number}.md").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "qdrant_indexer", "index", str(folder / "docs")]
    subprocess.run(command, env=settings_of(folder), check=True, stdout=subprocess.DEVNULL)


# --- the client: as little as possible


async def until_ready(port: int) -> None:
    for _ in range(600):
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health/ready HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
            said = await reader.read()
            writer.close()
            if said.startswith(b"HTTP/1.1 200"):
                return
        await asyncio.sleep(0.05)
    raise SystemExit("the service did not become ready")


def question() -> bytes:
    body = json.dumps({"query": f"How do I pair lamp {next(_NUMBERS) % PAGES}? Question {next(_NUMBERS)}"}).encode()
    return (b"POST /chat HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)) + body


async def asked_for(port: int, seconds: float, connections: int) -> int:
    """How many answers came in so many seconds, on so many connections that each ask again at once. Raises on any other."""
    end = time.monotonic() + seconds

    async def ask() -> int:
        answered = 0
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            writer.write(question())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"not answered: {head[:200]!r}")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
            answered += 1
        writer.close()
        return answered

    return sum(await asyncio.gather(*(ask() for _ in range(connections))))


def measured(port: int, pid: int, seconds: float) -> Measured:
    """One round."""
    pids, began = family(pid), time.monotonic()
    workers_before, client_before = cpu_s(pids), time.process_time()
    answers = asyncio.run(asked_for(port, seconds, CONNECTIONS))
    took = time.monotonic() - began
    return Measured(answers, took, cpu_s(pids) - workers_before, time.process_time() - client_before)


def main() -> int:
    """Measure, print, judge."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=4.0, help="of each service in a round")
    arguments.add_argument("--least", type=float, default=1.7, help="ratio of the answers")
    given = arguments.parse_args()
    measures: list[tuple[Measured, Measured]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index(folder)
        with service(folder, 1) as one, service(folder, 2) as two:
            for number in range(given.rounds):
                pair = measured(*one, given.seconds), measured(*two, given.seconds)
                measures.append(pair)
                shown = [
                    f"{part.per_s:.0f}/s, {part.cpu_ms:.2f} ms, client {part.client_cpu_s / part.seconds:.0%}" for part in pair
                ]
                print(f"round {number + 1}: one {shown[0]}; two {shown[1]}; ratio {pair[1].per_s / pair[0].per_s:.2f}")
    raw = statistics.median(two.per_s / one.per_s for one, two in measures)
    alone = statistics.median(2 * one.cpu_ms / two.cpu_ms for one, two in measures)
    print(f"two workers against one: {raw:.2f} x with client and all on {os.cpu_count()} cores, {alone:.2f} x by their own time")
    return 0 if raw >= given.least else 1


if __name__ == "__main__":
    sys.exit(main())
