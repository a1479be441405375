"""Five hundred readers in the same moment: who is answered, how fast the rest is refused, and what the liveness probe sees."""

from collections.abc import Sequence

from speed.contestants import Arena, Contestant
from speed.latency import own
from speed.load import Answers, Load, percentile
from speed.probe import probed
from speed.results import Results
from speed.upstreams import USUAL

CROWD = 500
SEATS = 64
"""The default of MAX_ANSWERS_IN_FLIGHT."""
SECONDS = 12.0
PROBE_EVERY_S = 0.02


async def _at_once(port: int, seconds: float) -> tuple[Answers, list[float]]:
    """The crowd's answers, and what the probes took."""
    load = await Load(port, CROWD).opened()
    try:
        async with probed(port, PROBE_EVERY_S) as took_s:
            answers = await load.closed_loop(seconds=seconds, patient=True)
    finally:
        load.close()
    return answers, took_s


async def crowds(arena: Arena, who: Sequence[Contestant], results: Results, *, seconds: float = SECONDS) -> None:
    """One round of the ``crowd_...`` measurements. Who is refused comes back when Retry-After says so."""
    arena.upstreams.set(USUAL)
    names = ("over_p99_ms", "rate_share", "refused_p99_ms", "live_p99_ms", "other_5xx")
    for name in names:
        results.begin(f"crowd_{name}")
    for one in who:
        base_s = own(one, USUAL).whole_s
        async with arena.fresh(one, MAX_ANSWERS_IN_FLIGHT=str(SEATS)) as running:
            answers, probes = await _at_once(running.port, seconds)
        others = sum(count for status, count in answers.statuses.items() if status not in (200, 429, 503))
        values = (
            1000 * (percentile(answers.seconds, 0.99) - base_s),
            100 * answers.answered / answers.took_s / (SEATS / base_s),
            1000 * percentile(answers.refused_s, 0.99),
            1000 * percentile(probes, 0.99),
            others,
        )
        for name, value in zip(names, values, strict=True):
            results.put(f"crowd_{name}", one.name, value)
