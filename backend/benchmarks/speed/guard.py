"""The guard of CI: a few rows in about a minute, and a failure only where one is far beyond what it must be."""

from dataclasses import replace

from speed import cpu, latency
from speed.contestants import EMBEDDED, FLOOR, Arena
from speed.goals import GOALS
from speed.results import Results

ROUNDS = 2
MOST_ROUNDS = 4
"""A row that is beyond its bound gets more rounds before it fails: whoever used the machine may be gone."""
SECONDS = 1.5
SLACK = 1.3
"""A machine that others use moves ratios by a tenth, and a bad round by more."""

HELD = {"CPU of a cached answer": 1.6}
"""Rows that do not reach what they must: what they do reach, which they may not leave without anybody noticing."""


async def measure(arena: Arena) -> Results:
    """Ratios to the floor of the same round, and what identical questions cost."""
    results = Results()
    await latency.identical(arena, EMBEDDED, results)
    for number in range(MOST_ROUNDS):
        if number >= ROUNDS and not broken(results):
            break
        await cpu.chats(arena, (FLOOR, EMBEDDED), results, seconds=SECONDS)
        await cpu.cached(arena, (EMBEDDED,), results, seconds=SECONDS)
        results.put("cached_cpu_ms", FLOOR.name, results.rounds["chat_cpu_ms"][-1][FLOOR.name])
    return results


def broken(results: Results) -> list[str]:
    """The rows that were measured and are beyond what they must be, with the slack that a busy machine needs."""
    told: list[str] = []
    for named in GOALS:
        goal = replace(named, must=HELD.get(named.row, named.must), goal=None)
        value = goal.value(results)
        slack = SLACK if goal.unit else 1.0  # counts are exact on any machine
        if goal.verdict(value, slack) == "missed":
            told.append(f"{goal.row}: {value:.2f} {goal.unit}, which must be {goal.must}; allowed here: {slack} times that")
    return told
