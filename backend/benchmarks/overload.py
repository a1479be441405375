"""What the limits and the Gate do under load, over real sockets: ``python benchmarks/overload.py``.

Starts the service in a process of its own, one worker, and a stand-in for Gemini in another, whose first text takes 300 ms.
Prints, and ends with 1 when one of the bounds is broken:

* 100 chats at once and 200 streams at once: no errors
* twice what a full Gate answers, for ``--seconds``: answered and refused, goodput, recovery
* a burst from one address with the default limits: statuses, growth of the memory, and how another address fares meanwhile

/health/live is asked all the while, by another process. Bounded: some 40 seconds with the defaults.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from overload_readers import Reply, Wire, at_once, at_rate, for_seconds, percentile
from overload_service import model, rss_mib, service
from speed.probe import probed

DEADLINE_S = 10.0
PROBE_EVERY_S = 0.05


class Report:
    """Prints figures, and remembers which bound was broken."""

    def __init__(self) -> None:
        self.broken = False

    def figure(self, name: str, value: float, unit: str, bound: Callable[[float], bool] | None = None, words: str = "") -> None:
        verdict = "" if bound is None else f"  ({words}: {'kept' if bound(value) else 'BROKEN'})"
        self.broken = self.broken or (bound is not None and not bound(value))
        print(f"  {name:<44}{value:>10.1f} {unit}{verdict}")


async def crowd(port: int, report: Report) -> None:
    wire = Wire(port)
    async with probed(port, PROBE_EVERY_S) as took:
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
    report.figure("/health/live p99", percentile(took, 0.99), "ms", lambda value: value < 100, "< 100 ms")


async def overload(port: int, gate: int, seconds: float, report: Report) -> None:
    wire = Wire(port)

    async def ask() -> Reply:
        return await wire.asked("POST", "/chat")

    await for_seconds(1, gate, ask)
    full = await for_seconds(3, gate, ask)
    capacity = sum(reply.status == 200 for reply in full) / 3
    async with probed(port, PROBE_EVERY_S) as took:
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
    async with probed(port, PROBE_EVERY_S) as probes:
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
    with model() as model_port, tempfile.TemporaryDirectory() as folder:
        return int(asyncio.run(measure(model_port, Path(folder), options)))


if __name__ == "__main__":
    sys.exit(main())
