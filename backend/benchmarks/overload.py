"""What the limits and the Gate do under load, over real sockets: ``python benchmarks/overload.py``.

Starts the service in a process of its own, one worker, and a stand-in for Gemini in another, whose first text takes 300 ms.
Prints, and ends with 1 when one of the bounds is broken:

* 100 chats at once and 200 streams at once: no errors
* twice what a full Gate answers, for ``--seconds``: answered and refused, goodput, recovery
* a burst from one address with the default limits: statuses, growth of the memory, and how another address fares meanwhile

/health/live is asked all the while. Bounded: some 40 seconds with the defaults. What 100 chats that come in the same instant make
it wait for is processor time, which no limit gives back; its bound holds for the other two.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socket

MODEL_S = 0.3
DEADLINE_S = 10.0
DIMENSIONS = 128
QUESTION = json.dumps({"query": "How do I pair a lamp?"}).encode()
SOURCE = Path(__file__).resolve().parents[1] / "src"
PAGE = "---\ntitle: Lamps\n---\n\n## Pair a lamp\n\nHold the button for three seconds to pair a lamp.\n"
CHUNKS = ["Hold the button ", "for three seconds ", "[1]."]


# --- the stand-in


def _embedded(body: bytes) -> bytes:
    wanted = len(json.loads(body).get("requests", [0]))
    vector = {"values": [1.0] + [0.0] * (DIMENSIONS - 1)}
    return json.dumps({"embeddings": [vector] * wanted}).encode()


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            body = await reader.readexactly(length)
            if b"mbedContent" in head.split(b"\r\n")[0]:
                said = _embedded(body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n" % len(said) + said)
                continue
            await asyncio.sleep(MODEL_S)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number, text in enumerate(CHUNKS):
                finish = {"finishReason": "STOP"} if number == len(CHUNKS) - 1 else {}
                candidate = {"content": {"role": "model", "parts": [{"text": text}]}, **finish}
                usage = {"promptTokenCount": 900, "candidatesTokenCount": 4 * (number + 1)}
                event = b"data: %s\r\n\r\n" % json.dumps({"candidates": [candidate], "usageMetadata": usage}).encode()
                writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            writer.write(b"0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _stand_in(told: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(_say, "127.0.0.1", 0, backlog=1024)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


# --- the service


@asynccontextmanager
async def service(model_port: int, folder: Path, **settings: str) -> AsyncIterator[tuple[int, int]]:
    """A running service: its port and its process id."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "GEMINI_API_KEY": "stand-in-key",
        "GEMINI_BASE_URL": f"http://127.0.0.1:{model_port}",
        "EMBEDDING_DIMENSIONS": str(DIMENSIONS),
        "DATA_DIR": str(folder / "data"),
        "PORT": str(port),
        "LOG_LEVEL": "error",
        "TRUSTED_PROXY_HOPS": "1",
        "DEMO_PAGE": "false",
        **settings,
    }
    process = _started(folder / "docs", environment)
    try:
        for _ in range(400):
            await asyncio.sleep(0.05)
            try:
                if (await asked(port, "GET", "/health/ready")).status == 200:
                    break
            except OSError:
                continue
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(15)


def _started(docs: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """The service's process; the first time the page is indexed."""
    if not docs.exists():
        docs.mkdir()
        (docs / "lamps.md").write_text(PAGE, encoding="utf-8")
        command = [sys.executable, "-m", "qdrant_indexer", "index", str(docs)]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return subprocess.Popen([sys.executable, "-m", "chatbot_api.server"], env=environment, stdout=subprocess.DEVNULL)


def rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


# --- a client


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
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        top = await reader.readuntil(b"\r\n\r\n")
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


@asynccontextmanager
async def probed(port: int) -> AsyncIterator[list[float]]:
    """Seconds that /health/live took, asked every 50 ms."""
    took: list[float] = []
    wire = Wire(port)

    async def probe() -> None:
        while True:
            took.append((await wire.asked("GET", "/health/live")).seconds)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(probe())
    try:
        yield took
    finally:
        task.cancel()
        await asyncio.wait([task])
        wire.close()


class Report:
    """Prints figures, and remembers which bound was broken."""

    def __init__(self) -> None:
        self.broken = False

    def figure(self, name: str, value: float, unit: str, bound: Callable[[float], bool] | None = None, words: str = "") -> None:
        verdict = "" if bound is None else f"  ({words}: {'kept' if bound(value) else 'BROKEN'})"
        self.broken = self.broken or (bound is not None and not bound(value))
        print(f"  {name:<44}{value:>10.1f} {unit}{verdict}")


# --- what is measured


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


async def crowd(port: int, report: Report) -> None:
    wire = Wire(port)
    async with probed(port) as took:
        await at_once(wire, "/chat", 20, 1)
        started = time.perf_counter()
        chats = await at_once(wire, "/chat", 100, 5)
        seconds = time.perf_counter() - started
        streams = await at_once(wire, "/chat/stream", 200, 2)
    wire.close()
    print("\n100 chats at once, 5 times; 200 streams at once, twice")
    report.figure("errors of chats", sum(reply.status != 200 for reply in chats), "", lambda value: value == 0, "0")
    report.figure("chats a second", len(chats) / seconds, "/s")
    report.figure("chat p95", percentile([reply.seconds for reply in chats], 0.95), "ms")
    broken = sum(reply.status != 200 or not reply.complete for reply in streams)
    report.figure("errors of streams", broken, "", lambda value: value == 0, "0")
    report.figure("first byte of a stream p95", percentile([reply.first_byte_s for reply in streams], 0.95), "ms")
    report.figure("/health/live p99", percentile(took, 0.99), "ms")


async def overload(port: int, gate: int, seconds: float, report: Report) -> None:
    wire = Wire(port)

    async def ask() -> Reply:
        return await wire.asked("POST", "/chat")

    await for_seconds(1, gate, ask)
    full = await for_seconds(3, gate, ask)
    capacity = sum(reply.status == 200 for reply in full) / 3
    async with probed(port) as took:
        replies = await at_rate(seconds, 2 * capacity, ask)
        over = time.perf_counter()
        for _ in range(1000):
            if (await ask()).status == 200:
                break
        recovered_s = time.perf_counter() - over
    wire.close()
    accepted = [reply.seconds for reply in replies if reply.status == 200]
    shed = [reply.seconds for reply in replies if reply.status == 503]
    print(f"\nGate of {gate}, full: {capacity:.0f} answers a second; twice that asked for {seconds:.0f} s")
    report.figure("answered", len(accepted), "")
    report.figure("refused with 503", len(shed), "")
    report.figure("anything else", len(replies) - len(accepted) - len(shed), "", lambda value: value == 0, "0")
    within = DEADLINE_S * 1000
    report.figure("answered p99", percentile(accepted, 0.99), "ms", lambda value: value < within, "within the deadline")
    report.figure("refused p50", percentile(shed, 0.5), "ms")
    report.figure("refused p99", percentile(shed, 0.99), "ms", lambda value: value < 50, "< 50 ms")
    goodput = 100 * len(accepted) / seconds / capacity
    report.figure("goodput", goodput, "%", lambda value: value >= 90, ">= 90 %")
    report.figure("answered again after", recovered_s * 1000, "ms", lambda value: value < 2000, "< 2 s")
    report.figure("/health/live p99", percentile(took, 0.99), "ms", lambda value: value < 100, "< 100 ms")


async def burst(port: int, pid: int, many: int, connections: int, report: Report) -> None:
    wire, other = Wire(port), Wire(port)
    others: list[Reply] = []
    asking = iter(range(many))
    statuses: Counter[int] = Counter()
    took: list[float] = []

    async def client() -> None:
        for _ in asking:
            reply = await wire.asked("POST", "/chat")
            statuses[reply.status] += 1
            took.append(reply.seconds)

    async def neighbour() -> None:
        number = 0
        while True:
            number += 1
            others.append(await other.asked("POST", "/search", f"198.51.100.{number % 200}"))
            await asyncio.sleep(0.1)

    await at_once(other, "/search", 5, 1)
    before, started = rss_mib(pid), time.perf_counter()
    async with probed(port) as probes:
        beside = asyncio.create_task(neighbour())
        await asyncio.gather(*(client() for _ in range(connections)))
        beside.cancel()
        await asyncio.wait([beside])
    seconds = time.perf_counter() - started
    wire.close()
    other.close()
    print(f"\n{many} requests from one address on {connections} connections, default limits: {dict(statuses)}")
    strange = sum(count for status, count in statuses.items() if status not in (200, 429, 503))
    report.figure("other statuses than 200, 429, 503", strange, "", lambda value: value == 0, "0")
    report.figure("requests a second", many / seconds, "/s")
    report.figure("p99", percentile(took, 0.99), "ms")
    report.figure("growth of the memory", rss_mib(pid) - before, "MiB", lambda value: value < 64, "< 64 MiB")
    served = 100 * sum(reply.status == 200 for reply in others) / max(1, len(others))
    report.figure("another address is served", served, "%", lambda value: value >= 99, ">= 99 %")
    report.figure("/health/live p99", percentile(probes, 0.99), "ms", lambda value: value < 100, "< 100 ms")


async def measure(model_port: int, folder: Path, options: argparse.Namespace) -> bool:
    report = Report()
    unlimited = {"RATE_LIMIT_PER_VISITOR": "none", "RATE_LIMIT_PER_ADDRESS": "none"}
    async with service(model_port, folder, MAX_ANSWERS_IN_FLIGHT="1000", **unlimited) as (port, _):
        await crowd(port, report)
    async with service(model_port, folder, MAX_ANSWERS_IN_FLIGHT=str(options.gate), **unlimited) as (port, _):
        await overload(port, options.gate, options.seconds, report)
    async with service(model_port, folder) as (port, pid):
        await burst(port, pid, options.burst, options.connections, report)
    return report.broken


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="of overload (default: 10)")
    parser.add_argument("--gate", type=int, default=16, help="answers at once in the overload (default: 16)")
    parser.add_argument("--burst", type=int, default=20_000, help="requests of the burst (default: 20000)")
    parser.add_argument("--connections", type=int, default=50, help="of the burst (default: 50)")
    options = parser.parse_args()
    told, telling = multiprocessing.Pipe(duplex=False)
    model = multiprocessing.get_context("spawn").Process(target=_stand_in, args=(telling,), daemon=True)
    model.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            return int(asyncio.run(measure(told.recv(), Path(folder), options)))
    finally:
        model.terminate()


if __name__ == "__main__":
    sys.exit(main())
