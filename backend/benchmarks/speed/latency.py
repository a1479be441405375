"""What an answer takes beyond the upstreams' own time, alone and in a crowd, whole and to the first piece."""

from collections.abc import Sequence
from math import nan
from statistics import mean

from speed.contestants import CACHES, Arena, Contestant
from speed.load import Answers, Load, percentile, request
from speed.processes import Running
from speed.results import Results
from speed.upstreams import USUAL, Delays

CROWDS = (1, 16, 64, 256)
STREAMS = 64
AT_LEAST = 1000
"""Answers of a crowd, so that a 99th percentile is not one of the slowest few."""
SMALL = 64
FEW = 8
"""Answers of each reader in a crowd below SMALL: a reader alone would take a quarter of an hour to a thousand."""
IDENTICAL = 50
PUBLISHED = Delays(embed=0.1, query=0.01, first=0.9, generate=2.0)
"""What is told of gemini-3.5-flash-lite with short prompts: about two seconds an answer; weak sources, and not measured here."""
READERS = 50
SECONDS = 8.0


def own(contestant: Contestant, delays: Delays) -> Delays:
    """The delays as this contestant meets them: the embedded index asks no server."""
    return delays if contestant.searches_remotely else Delays(delays.embed, 0.0, delays.first, delays.generate)


async def _asked(
    arena: Arena, running: Running, results: Results, what: str, *, path: str = "/chat", readers: int, at_least: int
) -> Answers:
    """Readers who ask again at once; those of the first seconds are for nothing."""
    load = await Load(running.port, readers).opened()
    arena.upstreams.reset()
    try:
        answers = await load.closed_loop(seconds=SECONDS, at_least=at_least, asked=lambda: request(path), steady=True)
    finally:
        load.close()
    results.note_others(what, answers)
    results.note_calls(what, answers, arena.upstreams.counts())
    return answers


async def overheads(arena: Arena, who: Sequence[Contestant], results: Results, *, crowds: Sequence[int] = CROWDS) -> None:
    """One round of ``overhead_p50_ms_at_N``, ``overhead_p99_ms_at_N`` and ``rate_share_at_N``, N readers each."""
    arena.upstreams.set(USUAL)
    for readers in crowds:
        for name in (f"overhead_p50_ms_at_{readers}", f"overhead_p99_ms_at_{readers}", f"rate_share_at_{readers}"):
            results.begin(name)
    for one in who:
        base_s = own(one, USUAL).whole_s
        async with arena.fresh(one) as running:
            for readers in crowds:
                enough = AT_LEAST if readers >= SMALL else readers * FEW
                what = f"{readers} readers of {one.name}"
                answers = await _asked(arena, running, results, what, readers=readers, at_least=enough)
                results.put(f"overhead_p50_ms_at_{readers}", one.name, 1000 * (percentile(answers.seconds, 0.5) - base_s))
                results.put(f"overhead_p99_ms_at_{readers}", one.name, 1000 * (percentile(answers.seconds, 0.99) - base_s))
                # Who asks again at once asks once in the mean of these times (Little's law).
                results.put(f"rate_share_at_{readers}", one.name, 100 * base_s / mean(answers.seconds or [nan]))


async def first_pieces(arena: Arena, who: Sequence[Contestant], results: Results) -> None:
    """One round of ``first_piece_p50_ms`` and ``first_piece_p95_ms``, 64 streams at once."""
    arena.upstreams.set(USUAL)
    results.begin("first_piece_p50_ms")
    results.begin("first_piece_p95_ms")
    for one in who:
        base_s = own(one, USUAL).first_s
        async with arena.fresh(one) as running:
            what = f"streams of {one.name}"
            answers = await _asked(arena, running, results, what, path="/chat/stream", readers=STREAMS, at_least=STREAMS * FEW)
        results.put("first_piece_p50_ms", one.name, 1000 * (percentile(answers.first_piece_s, 0.5) - base_s))
        results.put("first_piece_p95_ms", one.name, 1000 * (percentile(answers.first_piece_s, 0.95) - base_s))


async def published(arena: Arena, who: Sequence[Contestant], results: Results) -> None:
    """One round of ``published_whole_p95_ms`` and ``published_first_p95_ms``: what a reader waits, 50 asking at once."""
    arena.upstreams.set(PUBLISHED)
    results.begin("published_whole_p95_ms")
    results.begin("published_first_p95_ms")
    for one in who:
        async with arena.fresh(one) as running:
            what, enough = f"{READERS} readers of {one.name}", READERS * FEW
            whole = await _asked(arena, running, results, what, readers=READERS, at_least=enough)
            streamed = await _asked(arena, running, results, what, path="/chat/stream", readers=READERS, at_least=enough)
        results.put("published_whole_p95_ms", one.name, 1000 * percentile(whole.seconds, 0.95))
        results.put("published_first_p95_ms", one.name, 1000 * percentile(streamed.first_piece_s, 0.95))


async def identical(arena: Arena, ours: Contestant, results: Results) -> None:
    """One round of ``identical_calls``: what so many readers with the same first question cost upstream."""
    arena.upstreams.set(USUAL)
    results.begin("identical_embeddings")
    results.begin("identical_generations")
    async with arena.fresh(ours, **CACHES) as running:
        load = await Load(running.port, IDENTICAL).opened()
        try:
            arena.upstreams.reset()
            answers = await load.at_once(lambda: request("/chat", "What do all of them want to know?"))
        finally:
            load.close()
        counts = arena.upstreams.counts()
    results.note_others("identical first questions", answers)
    results.put("identical_embeddings", ours.name, counts.get("embedContent", 0) + counts.get("batchEmbedContents", 0))
    results.put("identical_generations", ours.name, counts.get("generateContent", 0) + counts.get("streamGenerateContent", 0))
