"""Generated requests against the real service: made from its description by schemathesis, and beyond it by hypothesis.

    python benchmarks/generated_requests.py [--cases 10000] [--seed 1]

Half of the cases are of either kind. Prints replies by route and status, the seconds and the slowest reply, and ends with 1 when
one of them was a fault of ours, late, or an echo of what was sent, or was not what the description says.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("src", "tests")]

from conftest import BOOK, Service  # noqa: E402
from generated_bodies import ROUTES, send_generated  # noqa: E402
from generated_by_schema import GeneratedBySchema  # noqa: E402
from generated_replies import Tally  # noqa: E402
from guarded_service import guarded_lantern  # noqa: E402

EXAMPLES = 100
"""Of a run of schemathesis, for each operation in each phase; runs follow each other with seeds of their own."""
BODIES = 500
"""Of a run of hypothesis."""
SHOWN = 20


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    """The service behind its guard, over a small book, answered by the Gemini stand-in, without limits."""
    book = folder / "docs"
    book.mkdir()
    for name, text in BOOK.items():
        (book / name).write_text(text, encoding="utf-8")
    with guarded_lantern(folder, book) as service:
        yield service


def by_schema(service: Service, tally: Tally, cases: int, seed: int) -> list[str]:
    """Take at least so many replies; what schemathesis found wrong."""
    generated = GeneratedBySchema(service.url, tally.description)
    until = tally.cases + cases
    for number in count(seed):
        for reply in generated.replies(number, EXAMPLES):
            tally.take(reply)
        if tally.cases >= until:
            return generated.failures
    return generated.failures


def beyond_schema(service: Service, tally: Tally, cases: int, seed: int) -> None:
    """Take at least so many replies, as many of each route."""
    for route in ROUTES:
        for number in range(-(-cases // len(ROUTES) // BODIES)):
            requests = min(BODIES, -(-cases // len(ROUTES)))
            send_generated(service.url, route, tally.take, requests=requests, start=seed + number, shrink=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000, help="at least (default: 10000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same requests (default: 1)")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as service:
        tally = Tally(service.client.get("/openapi.json").json())
        failures = by_schema(service, tally, options.cases // 2, options.seed)
        made = tally.cases
        beyond_schema(service, tally, options.cases - made, options.seed)
        is_well = service.client.get("/health/ready").status_code == 200 and bool(service.ask().json()["sources"])
    seconds = time.monotonic() - started
    for (name, status), number in sorted(tally.counts.items()):
        print(f"  {name:<40}{status:>5}{number:>8}")
    print(f"{tally.cases} cases ({made} by schemathesis, {tally.cases - made} by hypothesis) in {seconds:.0f} s")
    print(f"slowest: {tally.slowest[0] * 1000:.0f} ms, {tally.slowest[1]}")
    faults, hangs, echoes = (tally.kinds[kind] for kind in ("5xx", "hang", "echo"))
    print(f"{faults} unintended 5xx, {hangs} hangs, {echoes} echoed")
    others = tally.kinds.total() - faults - hangs - echoes
    print(f"{others} lost, undeclared or of another shape, {len(failures)} failures of schemathesis; well at the end: {is_well}")
    print("\n".join((*failures, *tally.faults)[:SHOWN]))
    return int(bool(failures or tally.faults or not is_well))


if __name__ == "__main__":
    sys.exit(main())
