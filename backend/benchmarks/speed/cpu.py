"""Processor time of an answer: whole answers without latencies, streams of twenty pieces at 64 readers, cached answers."""

from collections.abc import Callable, Sequence

from speed.contestants import CACHES, Arena, Contestant
from speed.load import Load, request
from speed.processes import Running
from speed.results import Results
from speed.upstreams import USUAL, Delays

CONNECTIONS = 16
STREAMS = 64
WARM_UP = 200
AT_LEAST = 300
"""Answers a figure: the system counts processor time in steps of 10 ms."""
ALIKE = "How do I set the option that everybody asks for?"


def new() -> bytes:
    """A question that nobody asked before."""
    return request("/chat")


def streamed() -> bytes:
    """A question that is answered piece by piece."""
    return request("/chat/stream")


def alike() -> bytes:
    """The question that everybody asks."""
    return request("/chat", ALIKE)


async def _cpu_ms(
    arena: Arena,
    running: Running,
    connections: int,
    results: Results,
    what: str,
    *,
    seconds: float,
    asked: Callable[[], bytes],
    at_least: int = AT_LEAST,
) -> float:
    load = await Load(running.port, connections).opened()
    try:
        await load.closed_loop(at_least=min(WARM_UP, at_least), asked=asked)
        arena.upstreams.reset()
        before = running.cpu_ms()
        answers = await load.closed_loop(seconds=seconds, at_least=at_least, asked=asked)
        used = running.cpu_ms() - before
    finally:
        load.close()
    results.note_others(what, answers)
    if asked is not alike:
        results.note_calls(what, answers, arena.upstreams.counts())
    return used / max(1, answers.answered)


async def chats(arena: Arena, who: Sequence[Contestant], results: Results, *, seconds: float, at_least: int = AT_LEAST) -> None:
    """One round of ``chat_cpu_ms``."""
    arena.upstreams.set(Delays())
    results.begin("chat_cpu_ms")
    for one in who:
        async with arena.fresh(one) as running:
            value = await _cpu_ms(
                arena, running, CONNECTIONS, results, f"/chat of {one.name}", seconds=seconds, asked=new, at_least=at_least
            )
        results.put("chat_cpu_ms", one.name, value)


async def streams(arena: Arena, who: Sequence[Contestant], results: Results, *, seconds: float) -> None:
    """One round of ``stream_cpu_ms``: at the usual latencies, for a stream that comes at once is none."""
    arena.upstreams.set(USUAL)
    results.begin("stream_cpu_ms")
    for one in who:
        async with arena.fresh(one) as running:
            value = await _cpu_ms(arena, running, STREAMS, results, f"streams of {one.name}", seconds=seconds, asked=streamed)
        results.put("stream_cpu_ms", one.name, value)


async def cached(arena: Arena, who: Sequence[Contestant], results: Results, *, seconds: float) -> None:
    """One round of ``cached_cpu_ms``: many readers' same first question to ours, questions of their own to the others."""
    arena.upstreams.set(Delays())
    results.begin("cached_cpu_ms")
    for one in who:
        asked = alike if one.is_ours else new
        async with arena.fresh(one, **(CACHES if one.is_ours else {})) as running:
            value = await _cpu_ms(arena, running, CONNECTIONS, results, f"cached: {one.name}", seconds=seconds, asked=asked)
        results.put("cached_cpu_ms", one.name, value)
