"""The arithmetic of Throttle, with a clock and dice of our own: what counts, for how long, what is refused, what ends it."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chatbot_api.throttle import (
    FEWEST_FAILURES,
    FEWEST_RETRIES,
    PATIENT_EVERY_S,
    PROBE_EVERY_S,
    PROBE_S,
    RATIO,
    RETRY_SHARE,
    SLOTS,
    WELL_AFTER,
    WINDOW_S,
    Counts,
    Throttle,
)


class World:
    """A throttle, its clock, and the next throw of its dice."""

    def __init__(self, at: float = 1000.0) -> None:
        self.now, self.throw = at, 0.0
        self.limit_s: float | None = None
        self.throttle = Throttle(lambda: self.now, lambda: self.throw)

    def call(self, well: bool) -> bool:
        """One call that ends at once; whether it was let through."""
        passed = self.throttle.begin()
        if passed is None:
            return False
        self.limit_s = passed.limit_s
        (self.throttle.accepted if well else self.throttle.failed)(passed.number)
        return True

    def kill(self) -> None:
        """As many failures as it takes."""
        for _ in range(FEWEST_FAILURES):
            assert self.call(well=False)


def test_the_odds_are_those_of_the_book() -> None:
    assert Counts(accepted=50, failed=50).odds == 0
    assert Counts(accepted=30, failed=70).odds == pytest.approx(40 / 101)
    assert Counts(accepted=0, failed=100).odds == pytest.approx(100 / 101)
    assert Counts(accepted=0, failed=100, refused=900).odds == pytest.approx(1000 / 1001)


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_odds_are_a_probability_and_grow_with_failures(accepted: int, failed: int, refused: int) -> None:
    odds = Counts(accepted=accepted, failed=failed, refused=refused).odds
    assert 0 <= odds < 1
    assert Counts(accepted=accepted, failed=failed + 1, refused=refused).odds >= odds
    assert Counts(accepted=accepted + 1, failed=failed, refused=refused).odds <= odds
    if accepted >= failed + refused:
        assert odds == 0, f"half of the calls are accepted, and K is {RATIO}"


def test_a_few_failures_refuse_nothing() -> None:
    world = World()
    for _ in range(FEWEST_FAILURES - 1):
        assert world.call(well=False)
    assert world.throttle.odds == 0
    assert world.call(well=False)
    assert world.throttle.odds == pytest.approx(FEWEST_FAILURES / (FEWEST_FAILURES + 1))
    assert not world.call(well=False)


def test_a_throw_below_the_odds_is_refused_and_one_above_goes_through() -> None:
    world = World()
    world.kill()
    odds = world.throttle.odds
    world.throw = odds
    assert world.call(well=False)
    world.throw = world.throttle.odds - 1e-9
    assert not world.call(well=False)


def test_failures_are_forgotten_when_the_window_has_passed() -> None:
    world = World(at=0.0)
    world.kill()
    world.now += WINDOW_S - WINDOW_S / SLOTS
    assert world.throttle.odds > 0
    world.now += WINDOW_S / SLOTS
    assert world.throttle.odds == 0
    assert world.throttle.counts == Counts()


def test_one_call_a_second_is_let_through_to_a_dead_upstream() -> None:
    world = World()
    world.kill()
    let: list[float] = []
    for _ in range(600):  # 20 a second for 30 s
        world.now += 0.05
        if world.call(well=False):
            let.append(world.now)
    assert len(let) == pytest.approx(30 / PROBE_EVERY_S, abs=2)
    assert all(later - earlier >= PROBE_EVERY_S for earlier, later in pairwise(let))


def test_who_is_let_through_to_a_dead_upstream_is_soon_released_but_now_and_then_has_all_the_time() -> None:
    world = World()
    world.kill()
    assert world.limit_s is None
    limits: list[float | None] = []
    for _ in range(60):
        world.now += PROBE_EVERY_S
        assert world.call(well=False)
        limits.append(world.limit_s)
    assert limits.count(None) == 60 / PATIENT_EVERY_S
    assert set(limits) == {None, PROBE_S}
    world.now += PATIENT_EVERY_S
    assert world.call(well=True)
    assert world.call(well=True)
    assert world.limit_s is None, "after an accepted call nobody is hurried"


def test_an_upstream_that_returns_is_well_after_one_probe_and_a_few_calls() -> None:
    world = World()
    world.kill()
    for _ in range(500):
        world.call(well=False)
    world.now += PROBE_EVERY_S
    for done in range(WELL_AFTER):
        assert world.throttle.odds > 0, done
        assert world.call(well=True), "after an accepted call nothing is refused"
    assert world.throttle.odds == 0
    assert world.call(well=True)


def test_a_failure_on_the_way_back_shuts_the_door_again() -> None:
    world = World()
    world.kill()
    world.now += PROBE_EVERY_S
    for _ in range(WELL_AFTER - 1):
        assert world.call(well=True)
    assert world.call(well=False)
    assert not world.call(well=True)


def test_a_failure_of_a_call_from_before_the_return_does_not_undo_it() -> None:
    world = World()
    world.kill()
    world.now += PROBE_EVERY_S
    old = world.throttle.begin()
    assert old is not None
    world.now += PROBE_EVERY_S
    assert world.call(well=True)
    world.throttle.failed(old.number)
    for _ in range(WELL_AFTER - 1):
        assert world.call(well=True)
    assert world.throttle.odds == 0
    late = world.throttle.counts
    world.throttle.failed(old.number)
    assert world.throttle.counts == late


def test_what_neither_failed_nor_was_accepted_does_not_count() -> None:
    world = World()
    for _ in range(1000):
        assert world.throttle.begin() is not None
    assert world.throttle.odds == 0


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.01, 0.5, 3.0, 40.0]), min_size=1, max_size=400))
def test_retries_are_a_tenth_of_the_calls_at_most_beyond_the_few_that_a_window_allows(pauses_s: list[float]) -> None:
    world = World()
    begun: list[float] = []
    retried: list[float] = []
    for pause_s in pauses_s:
        world.now += pause_s
        assert world.throttle.begin() is not None
        begun.append(world.now)
        if world.throttle.take_retry():
            retried.append(world.now)
            since = world.now - WINDOW_S
            assert sum(at > since + WINDOW_S / SLOTS for at in retried) <= max(
                FEWEST_RETRIES, RETRY_SHARE * sum(at > since for at in begun)
            )
    assert len(retried) >= min(len(pauses_s), FEWEST_RETRIES)
    if sum(pauses_s) == 0:
        assert len(retried) == min(len(begun), max(FEWEST_RETRIES, len(begun) // 10))


def test_a_throttled_upstream_is_asked_nothing_twice() -> None:
    world = World()
    world.kill()
    assert not world.throttle.take_retry()


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 1, 1), (0.4, 0.95, 1), (0.8, 0.05, 0.25), (1.0, 0.04, 0.08)])
def test_a_share_of_failures_is_met_with_as_much_refusing_as_it_needs(share: float, least: float, most: float) -> None:
    """20 calls a second for two minutes: the share that is sent. Fewer than half accepted, and there are probes, hardly more."""
    random = Random(7)
    world = World()
    let = 0
    for _ in range(2400):
        world.now += 0.05
        world.throw = random.random()
        let += world.call(well=random.random() >= share)
    assert least <= let / 2400 <= most


class AsIfCountedByHand(RuleBasedStateMachine):
    """The ring of slots against a list of every event."""

    @initialize(at=st.floats(0, 1e6))
    def begin(self, at: float) -> None:
        self.world = World(at)
        self.events: list[tuple[int, str]] = []

    def _note(self, kind: str) -> None:
        self.events.append((int(self.world.now // (WINDOW_S / SLOTS)), kind))

    @rule(seconds=st.floats(0, 300))
    def wait(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(throw=st.floats(0, 1, exclude_max=True))
    def fail(self, throw: float) -> None:
        self.world.throw = throw
        if self.world.call(well=False):
            self._note("sent")
            self._note("failed")
        else:
            self._note("refused")

    @rule()
    def retry(self) -> None:
        if self.world.throttle.take_retry():
            self._note("retried")

    @invariant()
    def same_counts(self) -> None:
        if not hasattr(self, "world"):
            return
        step = int(self.world.now // (WINDOW_S / SLOTS))
        counts = self.world.throttle.counts
        for kind in ("sent", "failed", "refused", "retried"):
            assert getattr(counts, kind) == sum(at > step - SLOTS for at, what in self.events if what == kind), kind


TestAsIfCountedByHand = AsIfCountedByHand.TestCase
TestAsIfCountedByHand.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
