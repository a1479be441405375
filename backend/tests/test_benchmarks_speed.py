"""The speed benchmark works: a few requests of each kind, the stand-ins' counters, the table. No time is judged here."""

import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from speed import cpu, crowd, guard, latency
from speed.contestants import EMBEDDED, FLOOR, GRPC, REMOTE, Arena, Contestant, service_settings
from speed.corpus import indexed
from speed.gemini_replies import vectors
from speed.goals import GOALS, Goal
from speed.load import WARM_UP_S, Load, percentile, request
from speed.processes import NotStarted
from speed.results import Results
from speed.table import BEGIN, END, PAGE, measured, number, verdicts, write_page
from speed.upstreams import Delays, upstreams

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc, which is Linux's")
PASSAGES = 40
ASKED = 8
PATIENT = {"EMBED_TIMEOUT_S": "30", "SEARCH_TIMEOUT_S": "30", "FIRST_TEXT_TIMEOUT_S": "60", "DEADLINE_S": "100"}
"""A busy machine must not make the service ask twice, or answer without the model."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started_once(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Arena]:
    """The stand-ins' processes and the index: the file's own. Each contestant copies the index and begins with an empty store."""
    async with upstreams() as running:
        yield Arena(running, {EMBEDDED.name: indexed(tmp_path_factory.mktemp("arena"), service_settings(running), PASSAGES)})


@pytest.fixture
def arena(started_once: Arena) -> Arena:
    """The same, without delays, and asked nothing yet."""
    started_once.upstreams.set(Delays())
    started_once.upstreams.reset()
    return started_once


@pytest.mark.parametrize(
    ("contestant", "path", "embedding", "writing", "searches"),
    [
        (FLOOR, "/chat", "embedContent", "generateContent", ASKED),
        (FLOOR, "/chat/stream", "embedContent", "streamGenerateContent", ASKED),
        (EMBEDDED, "/chat", "batchEmbedContents", None, 0),
        (REMOTE, "/chat/stream", "batchEmbedContents", "streamGenerateContent", ASKED),
        (GRPC, "/chat", "batchEmbedContents", None, ASKED),
    ],
    ids=["the floor", "the floor streaming", "ours", "ours on a Qdrant server, streaming", "ours on a Qdrant server, by gRPC"],
)
async def test_every_answer_costs_one_call_of_each_upstream(
    arena: Arena, contestant: Contestant, path: str, embedding: str, writing: str | None, searches: int
) -> None:
    async with arena.fresh(contestant, **PATIENT) as running:
        load = await Load(running.port, 4).opened()
        arena.upstreams.reset()
        answers = await load.closed_loop(at_least=ASKED - 3, asked=lambda: request(path))
        load.close()
        assert running.cpu_ms() > 0
        assert running.rss_mb() > 10
    counts = Counter(arena.upstreams.counts())
    assert answers.statuses == {200: ASKED}
    assert (counts["query"], counts[embedding]) == (searches, ASKED)
    written = ("generateContent", "streamGenerateContent") if writing is None else (writing,)
    assert sum(counts[verb] for verb in written) == ASKED
    assert len(answers.first_piece_s) == (ASKED if "stream" in path else 0)


async def test_an_answer_takes_as_long_as_its_upstreams_and_its_first_piece_less(arena: Arena) -> None:
    delays = Delays(embed=0.05, query=0.05, first=0.1, generate=0.5)
    arena.upstreams.set(delays)
    async with arena.fresh(FLOOR) as running:
        load = await Load(running.port, 2).opened()
        whole, streamed = await load.at_once(), await load.at_once(lambda: request("/chat/stream"))
        load.close()
    assert min(whole.seconds) >= delays.whole_s
    assert min(streamed.seconds) >= delays.whole_s - 0.01
    assert min(streamed.first_piece_s) >= delays.first_s
    assert max(first - last for first, last in zip(streamed.first_piece_s, streamed.seconds, strict=True)) < -0.2


async def test_a_steady_loop_counts_neither_its_beginning_nor_what_comes_after_the_first_reader_stopped(arena: Arena) -> None:
    delays = Delays(generate=0.2)
    arena.upstreams.set(delays)
    async with arena.fresh(FLOOR) as running:
        load = await Load(running.port, 3).opened()
        answers = await load.closed_loop(at_least=9, asked=lambda: request("/chat"), steady=True)
        load.close()
    before = 3 * (WARM_UP_S - 1) / delays.whole_s / 2
    assert len(answers.seconds) < answers.answered - before
    assert len(answers.seconds) >= 9
    assert min(answers.seconds) >= delays.whole_s


async def test_a_round_of_processor_time_and_of_identical_questions_is_put_into_the_table(arena: Arena) -> None:
    results = Results()
    await cpu.chats(arena, (FLOOR, EMBEDDED), results, seconds=0.1, at_least=20)
    await latency.identical(arena, EMBEDDED, results)
    ratio = results.ratio("chat_cpu_ms", "embedded", "floor")
    assert ratio is not None
    assert f"| CPU of an answer, embedded index | x floor | {number(ratio)} | <= 6 | <= 4.8 |" in verdicts(results)
    assert "| embedded | " in measured(results)
    assert results.notes == []


async def test_a_crowd_is_counted_by_who_is_answered_and_who_is_not(arena: Arena) -> None:
    results = Results()
    await crowd.crowds(arena, (EMBEDDED,), results, seconds=0.1)
    assert results.of("crowd_other_5xx", "embedded") == 0
    assert results.of("crowd_refused_p99_ms", "embedded") is not None
    assert results.of("crowd_live_p99_ms", "embedded") is not None


async def test_a_contestant_that_does_not_start_is_told_with_its_output(arena: Arena) -> None:
    with pytest.raises(NotStarted, match="No module named"):
        async with arena.fresh(Contestant("none", "speed.there_is_none")):
            pass


def test_made_up_vectors_are_of_unit_length_and_near_each_other() -> None:
    one, other = vectors(2, seed=7)
    assert sum(value * value for value in one) == pytest.approx(1, abs=1e-4)
    assert 0.6 < sum(a * b for a, b in zip(one, other, strict=True)) < 0.8


def test_a_ratio_is_the_median_of_the_ratios_within_the_rounds() -> None:
    results = Results({"cpu": [{"a": 2, "b": 1}, {"a": 30, "b": 10}, {"a": 10, "b": 1}]})
    assert results.ratio("cpu", "a", "b") == 3
    assert results.of("cpu", "a") == 10
    assert results.ratio("cpu", "a", "c") is None
    assert results.of("memory", "a") is None


@pytest.mark.parametrize(
    ("must", "goal", "at_least", "value", "verdict"),
    [
        (6, 4, False, 4, "goal"),
        (6, 4, False, 5, "must"),
        (6, 4, False, 6.1, "missed"),
        (6, None, False, 6, "goal"),
        (None, 4, False, 5, "not yet"),
        (75, 90, True, 91, "goal"),
        (75, 90, True, 80, "must"),
        (75, 90, True, 70, "missed"),
        (6, 4, False, None, "not measured"),
    ],
)
def test_a_row_is_judged_by_what_it_must_reach_and_what_it_is_meant_to(
    must: float | None, goal: float | None, at_least: bool, value: float | None, verdict: str
) -> None:
    assert Goal("row", "ms", lambda _results: value, must, goal, at_least=at_least).verdict(value) == verdict


def test_the_guard_fails_only_far_beyond_a_bound_and_at_once_for_counts() -> None:
    within = {"chat_cpu_ms": [{"floor": 1.0, "embedded": 7.5}], "identical_embeddings": [{"embedded": 1}]}
    beyond = {"chat_cpu_ms": [{"floor": 1.0, "embedded": 8.0}], "identical_embeddings": [{"embedded": 2}]}
    assert guard.broken(Results(within)) == []
    assert len(guard.broken(Results(beyond))) == 2


def test_figures_are_put_between_the_markers_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"Before.\n{BEGIN}\nold\n{END}\nAfter.\n", encoding="utf-8")
    write_page("new", page)
    assert page.read_text(encoding="utf-8") == f"Before.\n{BEGIN}\n\nnew\n\n{END}\nAfter.\n"
    page.write_text("No markers.", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the markers"):
        write_page("new", page)


def test_the_page_of_the_documentation_has_every_row() -> None:
    told = PAGE.read_text(encoding="utf-8")
    assert [goal.row for goal in GOALS if f"| {goal.row} |" not in told] == []


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert percentile([], 0.5) != percentile([], 0.5)  # nan
