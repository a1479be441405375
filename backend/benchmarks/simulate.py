"""How many processes a load needs, and what they answer, refuse and cost: ``python benchmarks/simulate.py``.

A fleet of processes as the service is built: each has its own core, a Gate with so many seats and no queue, and takes its turn;
limits are counted by the service's own windows, by all together or, without a Redis server, by each alone with half of a quota.
Arrivals are random (Poisson) at the busiest minute's rate. Times of the model are log-normal, processor times constant.

Its figures are those of theory where there is one (Erlang's loss formula, the wait in an M/D/1 queue), and where limits count
those of the running fleet of tests/test_chatbot_api_fleet.py: tests/test_benchmarks_simulate.py holds it to both.
"""

import argparse
import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random

from chatbot_api.hit_windows import MemoryWindows, Window
from chatbot_api.models.quotas import Quota, quotas_of

PEAK = 3.0
"""Questions in the busiest minute, over those of the mean minute: an assumption about readers, to be replaced by your own."""
CPU_S = 0.004
"""Processor time of an answer: twice what benchmarks/speed measures, for streams and for a machine that others use too."""
MODEL_S, SPREAD = 1.5, 0.5
"""Median seconds that a seat is held, and sigma of their logarithm: nineteen of twenty within 3.4 s."""
SEATS = 64
LOST = 0.001
"""Share of questions that may find no seat in the busiest minute."""
BUSY = 0.7
"""Of a core, above which queues grow long."""
TOKENS_IN, TOKENS_OUT, TOKENS_QUESTION = 2500, 300, 20
USD_IN, USD_OUT, USD_EMBEDDING = 0.30, 2.50, 0.15
"""Dollars for a million tokens: gemini-3.5-flash-lite and gemini-embedding-001, November 2026."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is simulated."""

    processes: int = 1
    seats: int = SEATS
    cpu_s: float = CPU_S
    model_s: float = MODEL_S
    spread: float = SPREAD
    limit: Quota | None = None
    """Of each visitor."""
    counts_together: bool = True


@dataclass
class Outcome:
    """What became of the questions."""

    answered: int = 0
    limited: int = 0
    overloaded: int = 0
    waited_s: list[float] = field(default_factory=list[float])
    """For the processor, of those answered."""
    took_s: list[float] = field(default_factory=list[float])
    by_process: list[int] = field(default_factory=list[int])
    """Answers of each."""

    @property
    def asked(self) -> int:
        return self.answered + self.limited + self.overloaded

    def percentile_s(self, share: float) -> float:
        return sorted(self.took_s)[min(len(self.took_s) - 1, int(len(self.took_s) * share))]


class _Process:
    """One of them: a core that works through what it gets, and seats that are given back when an answer ends."""

    def __init__(self) -> None:
        self.free_at = 0.0
        self.ends: list[float] = []

    def taken(self, now: float) -> int:
        while self.ends and self.ends[0] <= now:
            heapq.heappop(self.ends)
        return len(self.ends)


class _Limits:
    """The service's windows, by the simulation's clock."""

    def __init__(self, fleet: Fleet) -> None:
        self.now = 0.0
        self._together = fleet.counts_together
        many = 1 if fleet.counts_together else fleet.processes
        self._windows = [MemoryWindows(lambda: self.now) for _ in range(many)]
        self._quota = fleet.limit and (fleet.limit if fleet.counts_together else fleet.limit.halved)

    def lets_in(self, now: float, visitor: str, process: int) -> bool:
        if self._quota is None:
            return True
        self.now = now
        windows = self._windows[0 if self._together else process]
        return not windows.hit([Window("visitor", visitor, self._quota)])[0].refused


def simulate(fleet: Fleet, arrivals: Iterable[tuple[float, str]], seed: int = 1) -> Outcome:
    """What becomes of these questions: when each comes, in seconds, in order, and whose it is."""
    random, outcome, limits = Random(seed), Outcome(by_process=[0] * fleet.processes), _Limits(fleet)
    processes = [_Process() for _ in range(fleet.processes)]
    for number, (now, visitor) in enumerate(arrivals):
        turn = number % fleet.processes
        process = processes[turn]
        if not limits.lets_in(now, visitor, turn):
            outcome.limited += 1
        elif process.taken(now) >= fleet.seats:
            outcome.overloaded += 1
        else:
            begins = max(now, process.free_at)
            process.free_at = begins + fleet.cpu_s
            model_s = fleet.model_s * math.exp(random.gauss(0, fleet.spread)) if fleet.model_s else 0.0
            heapq.heappush(process.ends, process.free_at + model_s)
            outcome.answered += 1
            outcome.by_process[turn] += 1
            outcome.waited_s.append(begins - now)
            outcome.took_s.append(process.free_at + model_s - now)
    return outcome


def poisson(per_s: float, questions: int, visitors: int = 1000, seed: int = 1) -> Iterator[tuple[float, str]]:
    """So many questions at this rate, each of a visitor taken by chance."""
    random, now = Random(seed), 0.0
    for _ in range(questions):
        now += random.expovariate(per_s)
        yield now, f"v{random.randrange(visitors)}"


# --- arithmetic


def erlang_b(seats: int, offered: float) -> float:
    """Share of arrivals that find all seats taken. ``offered``: arrivals a second x seconds each stays."""
    lost = 1.0
    for taken in range(1, seats + 1):
        lost = offered * lost / (taken + offered * lost)
    return lost


def mean_s(fleet: Fleet) -> float:
    """How long an answer holds its seat, on average."""
    return fleet.cpu_s + fleet.model_s * math.exp(fleet.spread**2 / 2)


def processes_for(per_hour: float, fleet: Fleet | None = None) -> int:
    """The fewest processes whose seats suffice for the busiest minute, and whose cores are not too busy in it."""
    one, peak_per_s = fleet or Fleet(), per_hour * PEAK / 3600
    for processes in count(1):
        share = peak_per_s / processes
        if share * one.cpu_s <= BUSY and erlang_b(one.seats, share * mean_s(one)) <= LOST:
            return processes
    raise AssertionError("count() does not end")


def usd_per_thousand() -> tuple[float, float]:
    """Dollars for a thousand generated answers: the model's, and those for embedding the questions."""
    model = (TOKENS_IN * USD_IN + TOKENS_OUT * USD_OUT) / 1e6
    return 1000 * model, 1000 * TOKENS_QUESTION * USD_EMBEDDING / 1e6


def row(per_hour: int, processes: int = 0, limit: Quota | None = None) -> list[str]:
    """A line of the table: load, processes, their seats and cores in use, what is refused, how long it takes, dollars an hour."""
    many = processes or processes_for(per_hour)
    peak_per_s = per_hour * PEAK / 3600
    fleet = Fleet(processes=many, limit=limit)
    # A visitor asks about once a minute; so a limit refuses only those who are asked for by chance again and again.
    seen = simulate(fleet, poisson(peak_per_s, 20_000, visitors=max(1, round(60 * peak_per_s))))
    dollars = sum(usd_per_thousand()) * per_hour / 1000
    return [
        f"{per_hour:,}",
        f"{peak_per_s:.3g}",
        str(many),
        f"{peak_per_s * mean_s(fleet) / many:.3g} of {fleet.seats}",
        f"{peak_per_s * fleet.cpu_s / many:.1%}",
        f"{seen.overloaded / seen.asked:.2%}",
        f"{seen.limited / seen.asked:.2%}",
        f"{seen.percentile_s(0.5):.1f} s, {seen.percentile_s(0.95):.1f} s",
        f"{dollars:.2f}",
    ]


HEADINGS = (
    "Questions an hour",
    "in the busiest second",
    "Processes",
    "Seats taken",
    "Core used",
    "Refused: no seat",
    "Refused: limit",
    "Time, p50 and p95",
    "Dollars an hour",
)


def main() -> int:
    """Print the table, for the loads of the documentation or for yours."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--per-hour", type=int, action="append", help="questions in a mean hour; may be repeated")
    arguments.add_argument("--processes", type=int, default=0, help="as many, instead of the fewest that suffice")
    arguments.add_argument("--limit", default="20/minute", help="of a visitor, such as 20/minute, or none")
    given = arguments.parse_args()
    limit = next(iter(quotas_of(given.limit)), None)
    print(f"| {' | '.join(HEADINGS)} |\n|{' --- |' * len(HEADINGS)}")
    for per_hour in given.per_hour or (10, 1_000, 100_000):
        print(f"| {' | '.join(row(per_hour, given.processes, limit))} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
