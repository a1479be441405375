"""Minutes of seeded chaos against the real service: ``python benchmarks/soak.py --minutes 30``.

Starts the service in a process of its own, with stand-ins for Gemini and Qdrant and a real PostgreSQL; readers ask, ask on,
leave, rate and send nonsense while the upstreams fail in turn. From the clients' log and the metrics alone it checks that

* every request ends once, within the deadline and half a second
* a 5xx has a slug of ours and comes only while something fails, or two seconds after it
* every turn that was acknowledged is readable in its order, once
* every link leads into the index
* requests in flight, open files and tasks come back, and the memory grows by less than 1 MiB in ten minutes

Prints the counts and ends with 1 when one of these is broken. Stops by itself.
"""

import argparse
import logging
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE.parent / "tests")]

from soak_readers import DEADLINE_S, Reader, Record  # noqa: E402

from conftest import BOOK, index_book, with_gemini  # noqa: E402
from gemini_standin import GeminiStandin, gemini_standin  # noqa: E402
from lantern import settings_in  # noqa: E402
from postgres_server import PostgresServer, bin_folder  # noqa: E402
from processes import environment  # noqa: E402
from qdrant_standin import QdrantStandin, qdrant_standin  # noqa: E402

READERS = 6
TOKEN = "soak-metrics-token"
GEMINI_FAULTS = ("503", "429ri", "500", "close", "ssetrunc", "sseerr", "badjson", "hang", "drip", "safety", "empty", "max")
QDRANT_FAULTS = ("503", "429", "reset", "hang", "trunc", "drip")
Upstreams = tuple[GeminiStandin, QdrantStandin, PostgresServer]


def chaos(record: Record, upstreams: Upstreams, seed: int, stop: threading.Event) -> None:
    """Fault after fault, with a pause between, until told to stop."""
    gemini, qdrant, postgres = upstreams
    chance = random.Random(seed)
    while not stop.wait(chance.uniform(4, 10)):
        kind = chance.choices(("gemini", "embed", "qdrant", "stop", "freeze"), (5, 2, 3, 1, 1))[0]
        begun = time.monotonic()
        with record.lock:
            record.faults.append((begun, begun + 3600))
        record.count(f"fault {kind}")
        if kind == "gemini":
            gemini.fail(chance.choice(GEMINI_FAULTS))
        elif kind == "embed":
            gemini.fail(chance.choice(("503", "hang", "nan", "close")), on="embed")
        elif kind == "qdrant":
            qdrant.fail(chance.choice(QDRANT_FAULTS))
        elif kind == "stop":
            postgres.stop(immediate=chance.random() < 0.5)
        else:
            postgres.freeze()
        stop.wait(chance.uniform(1.5, 5))
        gemini.heal()
        qdrant.heal()
        postgres.thaw()
        if kind == "stop":
            postgres.start()
        with record.lock:
            # Throttling lets an upstream back after a second and five calls; both count as the fault's own time.
            record.faults[-1] = (begun, time.monotonic() + 3)


def measured(client: httpx.Client) -> dict[str, float]:
    """Gauges of the process."""
    text = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    names = ("process_resident_memory_bytes", "process_open_fds", "askai_requests_in_flight")
    return {name: float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1]) for name in names}  # type: ignore[index]


def slope_mib(samples: list[tuple[float, float]]) -> float:
    """Growth in MiB per ten minutes, by least squares over the last two thirds."""
    kept = samples[len(samples) // 3 :]
    mean_t, mean_m = (sum(one[place] for one in kept) / len(kept) for place in (0, 1))
    spread = sum((t - mean_t) ** 2 for t, _ in kept) or 1.0
    return sum((t - mean_t) * (m - mean_m) for t, m in kept) / spread * 600 / 2**20


def soak(minutes: float, seed: int) -> int:
    """Run; the exit code."""
    binaries = bin_folder()
    if binaries is None:
        print("PostgreSQL is not installed")
        return 2
    with ExitStack() as stack, tempfile.TemporaryDirectory(dir="/tmp") as place:
        folder = Path(place)
        book = folder / "docs"
        book.mkdir()
        for name, text in BOOK.items():
            (book / name).write_text(text, encoding="utf-8")
        gemini, qdrant = stack.enter_context(gemini_standin()), stack.enter_context(qdrant_standin())
        (folder / "pg").mkdir()
        folder.chmod(0o711)
        postgres = PostgresServer(binaries, folder / "pg")
        postgres.start()
        stack.callback(postgres.stop, immediate=True)
        index_book(settings_in(folder, qdrant_host=qdrant.url, **with_gemini(gemini)), book)
        gemini.answer(["Run the ", "image [1]. ", "Then wait [2]."], chunk_delay_s=0.02)
        values = {**with_gemini(gemini), "qdrant_host": qdrant.url, "database_url": postgres.new_database()}
        values |= {"deadline_s": DEADLINE_S, "metrics_token": TOKEN, "data_dir": folder / "data", "port": 0, "log_level": "info"}
        values |= {"rate_limit_per_address": "none", "rate_limit_per_visitor": "none"}
        values |= {"first_text_timeout_s": 2, "store_timeout_s": 1, "search_timeout_s": 1}
        log = (folder / "log").open("w+", encoding="utf-8")
        server = subprocess.Popen(
            [sys.executable, "-m", "chatbot_api.server"],
            env=environment(**{name.upper(): str(value) for name, value in values.items()}),
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        stack.callback(server.wait, 15)
        stack.callback(server.terminate)
        url = _address(folder / "log", server)
        return _run(minutes, seed, url, (gemini, qdrant, postgres), folder / "log")


def _address(log: Path, server: "subprocess.Popen[bytes]") -> str:
    for _ in range(400):
        if match := re.search(r"http://127\.0\.0\.1:\d+", log.read_text(encoding="utf-8")):
            return match[0]
        assert server.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(0.05)
    raise AssertionError("the service did not start")


def _run(minutes: float, seed: int, url: str, upstreams: Upstreams, log: Path) -> int:
    record, stop = Record(), threading.Event()
    readers = [Reader(url, record, seed + number, stop) for number in range(READERS)]
    troubles = threading.Thread(target=chaos, args=(record, upstreams, seed, stop), daemon=True)
    samples: list[tuple[float, float]] = []
    with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
        base = measured(client)
        for one in (*readers, troubles):
            one.start()
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end:
            time.sleep(5)
            # They keep every request: a collection of such a heap would stop them, and us, for a second.
            for stand_in in upstreams[:2]:
                stand_in.requests.clear()
            with suppress(httpx.HTTPError):
                samples.append((time.monotonic(), measured(client)["process_resident_memory_bytes"]))
        stop.set()
        for one in (*readers, troubles):
            one.join(30)
        time.sleep(8)
        turns = sum(reader.check_turns() for reader in readers)
        for reader in readers:
            reader.close()
        time.sleep(7)
        last = measured(client)
    growth, logged = slope_mib(samples), log.read_text(encoding="utf-8")
    _judge(record, base, last, growth if minutes >= 20 else 0.0, logged)
    print(f"{turns} acknowledged turns read back; slowest request {record.slowest_s:.2f} s, deadline {DEADLINE_S:g} s")
    print(
        f"memory {base['process_resident_memory_bytes'] / 2**20:.0f} -> {last['process_resident_memory_bytes'] / 2**20:.0f} MiB,"
    )
    print(f"  {growth:+.2f} MiB in ten minutes; open files {base['process_open_fds']:g} -> {last['process_open_fds']:g}")
    _tell(record, logged)
    print(f"{len(record.broken)} broken invariants in {minutes:g} minutes, seed {seed}")
    return 1 if record.broken else 0


def _judge(record: Record, base: dict[str, float], last: dict[str, float], growth: float, logged: str) -> None:
    """What holds only over the whole time. ``growth``: MiB in ten minutes."""
    if last["askai_requests_in_flight"] != 1:
        record.fault(f"{last['askai_requests_in_flight'] - 1:g} requests are in flight for ever")
    if last["process_open_fds"] > base["process_open_fds"] + 30:
        record.fault(f"open files: {base['process_open_fds']:g} at first, {last['process_open_fds']:g} at last")
    if growth >= 1:
        record.fault(f"the memory grows by {growth:.2f} MiB in ten minutes")
    if unhandled := re.findall(r'"event": "(unhandled|answer_broke)"', logged):
        record.fault(f"{len(unhandled)} unhandled faults in the log")


def _tell(record: Record, logged: str) -> None:
    """What was counted, what is broken, and what the service's log says of that."""
    for what, count in sorted(record.counts.items()):
        print(f"{count:8d}  {what}")
    for line in record.broken[:20]:
        print("BROKEN", line)
    for line in logged.splitlines():
        if any(request in line for request in record.to_explain):
            print("LOG", line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # a stand-in that is left alone writes a page of it
    sys.exit(soak(chosen.minutes, chosen.seed))
