"""Guard: one second try within its budget, holds that say how long, a dead upstream left alone and found again."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import pytest

from chatbot_api.errors import (
    DeadlineExceeded,
    IndexMissing,
    ModelBusy,
    ModelMisconfigured,
    ModelRejected,
    ModelUnavailable,
    SearchMisconfigured,
    SearchUnavailable,
    ServiceError,
)
from chatbot_api.reliability import FAIR_CHANCE_S, LONGEST_HOLD_S, MISCONFIGURED_HOLD_S, Deadline, Guard
from chatbot_api.throttle import FEWEST_FAILURES, FEWEST_RETRIES, PATIENT_EVERY_S, PROBE_EVERY_S, PROBE_S, WELL_AFTER, WINDOW_S


class Clock:
    """Seconds that go on when the test says so."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


class Upstream:
    """Answers as many calls as there are outcomes, the last of them for ever, and counts them."""

    def __init__(self, *outcomes: ServiceError | str | float) -> None:
        self.outcomes, self.calls = list(outcomes), 0

    async def __call__(self) -> str:
        self.calls += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, ServiceError):
            raise outcome
        if isinstance(outcome, float):
            await asyncio.sleep(outcome)
        return str(outcome)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> Guard:
    """Refuses whatever it may: its dice always show 0."""
    return Guard(clock=clock, dice=lambda: 0.0)


async def outcome_of(call: Awaitable[str]) -> ServiceError | str:
    try:
        return await call
    except ServiceError as error:
        return error


async def kill(guard: Guard, error: ServiceError) -> None:
    for _ in range(FEWEST_FAILURES):
        assert await outcome_of(guard.call(Upstream(error), Deadline(1), again=False)) is error


# --- second tries


async def test_a_transient_failure_is_tried_once_more_and_no_more(guard: Guard) -> None:
    upstream = Upstream(ModelUnavailable("first"), "well")
    assert await guard.call(upstream, Deadline(2)) == "well"
    assert upstream.calls == 2
    upstream = Upstream(ModelUnavailable("again"))
    assert isinstance(await outcome_of(guard.call(upstream, Deadline(2))), ModelUnavailable)
    assert upstream.calls == 2


@pytest.mark.parametrize("error", [ModelRejected(), ModelMisconfigured(), IndexMissing()])
async def test_what_a_second_try_would_not_mend_is_tried_once(guard: Guard, error: ServiceError) -> None:
    upstream = Upstream(error)
    assert await outcome_of(guard.call(upstream, Deadline(2))) is error
    assert upstream.calls == 1


async def test_who_asks_for_one_try_gets_one(guard: Guard) -> None:
    upstream = Upstream(ModelUnavailable(), "well")
    assert isinstance(await outcome_of(guard.call(upstream, Deadline(2), again=False)), ModelUnavailable)
    assert upstream.calls == 1


async def test_a_second_try_comes_neither_before_the_time_the_upstream_named_nor_at_once() -> None:
    for dice, least_s in ((0.0, 0.3), (0.99, 0.39)):
        guard, started = Guard(dice=lambda throw=dice: throw), monotonic()
        assert await guard.call(Upstream(SearchUnavailable(retry_after_s=0.3), "well"), Deadline(3)) == "well"
        assert least_s <= monotonic() - started < least_s + 0.15
    guard, started = Guard(), monotonic()
    assert await guard.call(Upstream(SearchUnavailable(), "well"), Deadline(3)) == "well"
    assert 0.04 <= monotonic() - started < 0.3


async def test_a_hundred_who_fail_together_may_retry_ten_times_in_all(guard: Guard) -> None:
    async def failing() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.05)
        raise ModelUnavailable

    calls = 0
    await asyncio.gather(*(outcome_of(guard.call(failing, Deadline(5))) for _ in range(100)))
    assert calls <= 110
    assert calls > 100, "the budget is there to be used"


async def test_a_quiet_service_may_retry_though_it_asked_hardly_anything(guard: Guard, clock: Clock) -> None:
    retried = 0
    for _ in range(FEWEST_RETRIES + 2):
        upstream = Upstream(ModelUnavailable(), "well")
        await outcome_of(guard.call(upstream, Deadline(2)))
        retried += upstream.calls - 1
    assert retried == FEWEST_RETRIES
    clock.now += WINDOW_S
    assert await guard.call(Upstream(ModelUnavailable(), "well"), Deadline(2)) == "well"


# --- holds


@pytest.mark.parametrize("error", [ModelMisconfigured("refused key"), SearchMisconfigured("refused key")])
async def test_a_refused_key_is_held_off_for_a_minute(guard: Guard, clock: Clock, error: ServiceError) -> None:
    upstream = Upstream(error)
    await outcome_of(guard.call(upstream, Deadline(1)))
    assert guard.held is error
    clock.now += MISCONFIGURED_HOLD_S - 0.1
    refused = await outcome_of(guard.call(upstream, Deadline(1)))
    assert (type(refused), upstream.calls) == (type(error), 1)
    assert isinstance(refused, ServiceError)
    assert "refused key" in refused.cause
    assert refused.retry_after_s is None, "waiting does not mend a key"
    clock.now += 0.2
    assert guard.held is None
    assert await guard.call(Upstream("well"), Deadline(1)) == "well"


async def test_a_quota_is_held_until_the_time_the_upstream_named_and_the_reader_is_told_what_is_left(
    guard: Guard, clock: Clock
) -> None:
    upstream = Upstream(ModelBusy("per minute", retry_after_s=40))
    await outcome_of(guard.call(upstream, Deadline(10)))
    assert upstream.calls == 1
    clock.now += 15
    refused = await outcome_of(guard.call(upstream, Deadline(10)))
    assert isinstance(refused, ModelBusy)
    assert refused.retry_after_s == pytest.approx(25)
    assert isinstance(guard.held, ModelBusy)
    clock.now += 25
    assert guard.held is None
    assert await guard.call(Upstream("well"), Deadline(1)) == "well"
    assert upstream.calls == 1


async def test_the_longer_of_two_holds_stands_and_none_is_longer_than_a_day(guard: Guard, clock: Clock) -> None:
    day, minute = ModelBusy("day", retry_after_s=1e9), ModelBusy("minute", retry_after_s=30)
    gate = asyncio.Event()

    async def late() -> str:
        await gate.wait()
        raise minute

    under_way = asyncio.create_task(outcome_of(guard.call(late, Deadline(5))))
    await asyncio.sleep(0)
    await outcome_of(guard.call(Upstream(day), Deadline(1)))
    gate.set()
    assert await under_way is minute
    clock.now += LONGEST_HOLD_S - 1
    assert guard.held is day
    clock.now += 1
    assert guard.held is None


async def test_a_busy_search_server_is_not_held_for_those_whose_search_costs_less(guard: Guard) -> None:
    await outcome_of(guard.call(Upstream(SearchUnavailable(retry_after_s=40)), Deadline(1)))
    assert guard.held is None
    assert await guard.call(Upstream("well"), Deadline(1)) == "well"


# --- a dead upstream


async def test_a_dead_upstream_is_left_alone_with_the_last_failure_as_the_reason(guard: Guard) -> None:
    await kill(guard, ModelUnavailable("no route to 10.0.0.1"))
    upstream, started = Upstream("well"), monotonic()
    refused = [await outcome_of(guard.call(upstream, Deadline(5))) for _ in range(50)]
    assert monotonic() - started < 0.2
    assert {type(one) for one in refused} == {ModelUnavailable}
    assert isinstance(refused[0], ServiceError)
    assert "not asked" in refused[0].cause
    assert "no route" in refused[0].cause
    assert upstream.calls == 0
    assert guard.held is not None
    assert guard.held.slug == "model-unavailable"


async def test_probes_find_its_return_and_then_everybody_is_served(guard: Guard, clock: Clock) -> None:
    await kill(guard, SearchUnavailable())
    clock.now += PROBE_EVERY_S
    upstream = Upstream("well")
    for _ in range(WELL_AFTER + 20):
        assert await guard.call(upstream, Deadline(1)) == "well"
    assert guard.held is None


async def test_a_reader_whose_call_is_a_probe_does_not_wait_long_and_a_slow_return_is_found_all_the_same(
    guard: Guard, clock: Clock
) -> None:
    await kill(guard, SearchUnavailable())
    slow = Upstream(PROBE_S + 0.2)
    clock.now += PROBE_EVERY_S
    started = monotonic()
    assert isinstance(await outcome_of(guard.call(slow, Deadline(5))), DeadlineExceeded)
    assert monotonic() - started < PROBE_S + 0.15
    clock.now += PATIENT_EVERY_S
    for _ in range(WELL_AFTER):
        assert await guard.call(slow, Deadline(5)) == str(PROBE_S + 0.2)
    assert guard.held is None


async def test_a_probe_whose_reader_left_is_followed_by_another(guard: Guard, clock: Clock) -> None:
    await kill(guard, SearchUnavailable())
    clock.now += PROBE_EVERY_S
    probe = asyncio.create_task(guard.call(Upstream(30.0), Deadline(60)))
    await asyncio.sleep(0.01)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    clock.now += PROBE_EVERY_S
    assert await guard.call(Upstream("well"), Deadline(1)) == "well"


async def test_time_outs_count_and_those_that_had_no_fair_chance_do_not() -> None:
    for budget_s, held in ((FAIR_CHANCE_S + 0.05, True), (FAIR_CHANCE_S - 0.05, False)):
        guard = Guard()
        calls = (outcome_of(guard.call(Upstream(30.0), Deadline(budget_s))) for _ in range(FEWEST_FAILURES))
        assert {type(one) for one in await asyncio.gather(*calls)} == {DeadlineExceeded}
        assert (guard.held is not None) is held


async def test_a_deadline_that_is_over_asks_nobody_and_spends_no_probe(guard: Guard, clock: Clock) -> None:
    await kill(guard, SearchUnavailable())
    clock.now += PROBE_EVERY_S
    upstream = Upstream("well")
    assert isinstance(await outcome_of(guard.call(upstream, Deadline(0))), DeadlineExceeded)
    assert upstream.calls == 0
    assert await guard.call(upstream, Deadline(1)) == "well"


@pytest.mark.parametrize("error", [ModelRejected(), IndexMissing()])
async def test_an_upstream_that_refuses_requests_is_alive(guard: Guard, error: ServiceError) -> None:
    upstream = Upstream(error)
    for _ in range(100):
        assert await outcome_of(guard.call(upstream, Deadline(1))) is error
    assert upstream.calls == 100


@pytest.mark.parametrize("outcomes", [("well",), (ModelUnavailable(), "well")])
async def test_two_guards_share_nothing(outcomes: tuple[ServiceError | str, ...]) -> None:
    one, other = Guard(), Guard()
    await kill(one, ModelUnavailable())
    make: Callable[[], Upstream] = lambda: Upstream(*outcomes)  # noqa: E731
    assert await other.call(make(), Deadline(2)) == "well"
