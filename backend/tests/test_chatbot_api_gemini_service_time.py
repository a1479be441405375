"""GeminiService and time: deadlines, second tries, a refused key held off, and an upstream let go when its reader leaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from time import monotonic, time
from typing import Any

import pytest

from chatbot_api.errors import DeadlineExceeded, ModelBusy, ModelEmpty, ModelMisconfigured
from chatbot_api.models.answer_models import Piece
from chatbot_api.reliability import Deadline
from chatbot_api.services.gemini_quota import day_quota_wait_s
from gemini_callers import PROMPT, WHOLE, Make, failure_of, services_of, written
from gemini_standin import GeminiStandin
from gemini_wire import Recorded


@pytest.fixture
async def make(gemini: GeminiStandin) -> AsyncIterator[Make]:
    async with services_of(gemini) as new:
        yield new


@pytest.mark.parametrize("verb", ["write", "embed"])
@pytest.mark.parametrize(("fault", "kw"), [("hang", {}), ("drip", {"size": 8, "seconds": 0.1}), ("slowhdr", {"seconds": 5})])
async def test_a_silent_or_dripping_upstream_is_given_up_at_the_deadline(
    gemini: GeminiStandin, make: Make, verb: str, fault: str, kw: dict[str, Any]
) -> None:
    gemini.fail(fault, on="both", **kw)
    service = make()
    call = written(service, budget_s=1) if verb == "write" else service.embed_query("hello", Deadline(1))
    error, took_s = await failure_of(call)
    assert type(error) is DeadlineExceeded
    assert 0.9 < took_s < 2
    assert len(gemini.requests) == 1
    assert await asyncio.to_thread(gemini.requests[0].closed.wait, 5)


async def test_a_deadline_that_is_over_ends_the_call_at_once(make: Make) -> None:
    service = make()
    for call in (written(service, budget_s=0), service.embed_query("hello", Deadline(0))):
        error, took_s = await failure_of(call)
        assert type(error) is DeadlineExceeded
        assert took_s < 0.1


async def test_the_first_text_has_a_limit_of_its_own_that_later_text_is_not_bound_by(gemini: GeminiStandin, make: Make) -> None:
    service = make(first_text_timeout_s=0.8)
    gemini.answer(["one ", "two ", "three"], chunk_delay_s=0.35)
    assert "".join(piece.text for piece in await written(service, budget_s=5)) == "one two three"
    gemini.answer(["one"], chunk_delay_s=4)
    error, took_s = await failure_of(written(service, budget_s=5))
    assert type(error) is DeadlineExceeded
    assert took_s < 3


@pytest.mark.parametrize(("fault", "seconds"), [("429ri", 0.4), ("429ra", 1)])
async def test_a_busy_upstream_is_asked_again_when_it_said_it_may_be(
    gemini: GeminiStandin, make: Make, fault: str, seconds: float
) -> None:
    gemini.fail(fault, times=1, seconds=seconds)
    started = monotonic()
    assert "".join(piece.text for piece in await written(make(), budget_s=4)) == WHOLE
    assert seconds <= monotonic() - started < seconds + 1
    assert gemini.calls("generate") == 2


@pytest.mark.parametrize(("fault", "seconds", "told_s"), [("429ri", 5, 5), ("429ra", 5, 5), ("429day", 0.1, None)])
async def test_a_busy_upstream_is_let_be_when_its_wait_does_not_fit(
    gemini: GeminiStandin, make: Make, fault: str, seconds: float, told_s: float | None
) -> None:
    gemini.fail(fault, seconds=seconds)
    error, took_s = await failure_of(written(make(), budget_s=2))
    assert (type(error), gemini.calls("generate")) == (ModelBusy, 1)
    assert error.retry_after_s == pytest.approx(told_s or day_quota_wait_s(time()), abs=2)
    assert took_s < 1.5


@pytest.mark.parametrize(("budget_s", "calls"), [(1.5, 1), (8.0, 2)])
async def test_a_failure_that_comes_when_half_of_the_time_is_gone_is_not_tried_again(
    gemini: GeminiStandin, make: Make, budget_s: float, calls: int
) -> None:
    gemini.answer(["", ""], chunk_delay_s=0.4)
    error, took_s = await failure_of(written(make(), budget_s=budget_s))
    assert (type(error), gemini.calls("generate")) == (ModelEmpty, calls)
    assert took_s < budget_s


@pytest.mark.parametrize("fault", ["400key", "401", "403", "404"])
async def test_a_refused_key_is_not_shown_to_the_upstream_again(gemini: GeminiStandin, make: Make, fault: str) -> None:
    service = make()
    gemini.fail(fault, on="both")
    for _ in range(3):
        assert type((await failure_of(written(service)))[0]) is ModelMisconfigured
        assert type((await failure_of(service.get_embedding("hello")))[0]) is ModelMisconfigured
    assert (gemini.calls("generate"), gemini.calls("embed")) == (1, 1)
    assert service.problems == ["generation: model-misconfigured", "embedding: model-misconfigured"]


async def test_a_refused_key_of_one_verb_leaves_the_other_alone(gemini: GeminiStandin, make: Make) -> None:
    service = make()
    gemini.fail("404")
    await failure_of(written(service))
    assert service.problems == ["generation: model-misconfigured"]
    assert len(await service.get_embedding("hello")) == 256


# --- letting go


async def left(recorded: Recorded, at: float) -> float:
    """Seconds from ``at`` until the stand-in saw its client leave."""
    assert await asyncio.to_thread(recorded.closed.wait, 2), "the upstream is still open"
    assert recorded.disconnected_at is not None
    return recorded.disconnected_at - at


async def test_a_reader_who_closes_a_slow_answer_closes_the_upstream(gemini: GeminiStandin, make: Make) -> None:
    gemini.answer(["one ", *["more "] * 40], chunk_delay_s=0.05)
    service = make()
    async with aclosing(service.write(PROMPT, Deadline(10))) as pieces:
        assert await anext(pieces) == Piece("one ")
        at = monotonic()
    assert await left(gemini.requests[0], at) < 1
    gemini.answer("Well again.")
    assert await service.generate_content("hi") == "Well again."


@pytest.mark.parametrize("fault", ["", "hang", "slowhdr", "ssehang"])
async def test_a_cancelled_task_closes_the_upstream(gemini: GeminiStandin, make: Make, fault: str) -> None:
    gemini.answer(["one ", *["more "] * 40], chunk_delay_s=0.05)
    if fault:
        gemini.fail(fault)
    service = make()
    task = asyncio.create_task(written(service, budget_s=10))
    await asyncio.sleep(0.3)
    at = monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert monotonic() - at < 1
    assert await left(gemini.requests[0], at) < 1
    gemini.heal()
    gemini.answer("Well again.")
    assert await service.generate_content("hi") == "Well again."


async def test_thirty_readers_leave_and_thirty_others_are_answered(gemini: GeminiStandin, make: Make) -> None:
    gemini.answer(["one ", "two"], chunk_delay_s=1)
    service = make()
    leavers = [asyncio.create_task(written(service, budget_s=15)) for _ in range(30)]
    stayers = [asyncio.create_task(written(service, budget_s=15)) for _ in range(30)]
    async with asyncio.timeout(20):
        while gemini.calls("generate") < 60:  # noqa: ASYNC110 - the stand-in has no event
            await asyncio.sleep(0.01)
    for task in leavers:
        task.cancel()
    assert all(isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*leavers, return_exceptions=True))
    answers = await asyncio.gather(*stayers)
    assert {"".join(piece.text for piece in pieces) for pieces in answers} == {"one two"}
    assert sum(recorded.disconnected_at is not None for recorded in gemini.requests) == 30


async def test_close_leaves_no_task_and_no_connection_behind(gemini: GeminiStandin, make: Make) -> None:
    service = make()
    gemini.fail("ssetrunc", times=1)
    await failure_of(written(service))
    await written(service)
    await service.get_embedding("hello")
    assert connections(gemini) > 0
    await service.close()
    for _ in range(100):
        if not connections(gemini):
            break
        await asyncio.sleep(0.01)
    assert connections(gemini) == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_closed_service_fails_at_once_instead_of_waiting(make: Make) -> None:
    service = make()
    await service.close()
    started = monotonic()
    with pytest.raises(RuntimeError, match="closed"):
        await written(service)
    assert monotonic() - started < 0.2


def connections(gemini: GeminiStandin) -> int:
    """Open connections as the stand-in counts them."""
    return len(gemini._server._connections)
