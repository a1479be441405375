"""Time and second chances: a request's Deadline, a value handed down, and one Guard per upstream with the only retries."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from random import random
from time import monotonic
from typing import TypeVar

import stamina

from chatbot_api.errors import DeadlineExceeded, ModelBusy, ModelMisconfigured, SearchMisconfigured, ServiceError
from chatbot_api.throttle import Passed, Throttle

T = TypeVar("T")

MISCONFIGURED_HOLD_S = 60.0
"""A refused key or model name does not mend itself within a request: the upstream is left alone this long."""
LONGEST_HOLD_S = 25 * 3600.0
"""Whatever an upstream asks for."""
FAIR_CHANCE_S = 0.25
"""A call that had less time says nothing about the upstream when it came too late."""
JITTER_S = 0.1
"""Second tries are spread over so long, so that those who failed together don't come back together."""


class Deadline:
    """A point in time by which a request has to be answered. A value: nothing is cancelled unless something waits on it."""

    def __init__(self, budget_s: float) -> None:
        """``budget_s``: seconds from now."""
        self._end = monotonic() + budget_s

    @property
    def remaining_s(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._end - monotonic())

    def within(self, budget_s: float) -> "Deadline":
        """The earlier of this deadline and one of ``budget_s`` from now."""
        return Deadline(min(budget_s, self.remaining_s))

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """The awaitable's result, or DeadlineExceeded."""
        try:
            async with asyncio.timeout(self.remaining_s):
                return await awaitable
        except TimeoutError:
            raise DeadlineExceeded from None

    async def each(self, stream: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """The stream's items, each waited for within the deadline; the stream is closed whatever happens.

        Never a time-out around a ``yield`` (PEP 789): every ``anext`` is timed by itself.
        """
        async with aclosing(stream):
            while True:
                try:
                    item = await self.wait(anext(stream))
                except StopAsyncIteration:
                    return
                yield item


class Guard:
    """What stands before one verb of one upstream: second tries, calls refused while it is down, and holds.

    A hold leaves the upstream alone for as long as it said itself, when its quota is used up, and MISCONFIGURED_HOLD_S when it
    refuses the key. Throttle says which calls are refused while too many fail, and how many may be tried twice.
    """

    def __init__(
        self,
        on_change: Callable[[ServiceError | None], None] = lambda _held: None,
        *,
        clock: Callable[[], float] = monotonic,
        dice: Callable[[], float] = random,
    ) -> None:
        """``on_change``: told why the upstream is left alone or asked less often from now on, and with None that it is no more.

        ``clock``: seconds that never go back. ``dice``: a number from 0 to below 1.
        """
        self._clock, self._dice = clock, dice
        self._on_change, self._told = on_change, ""
        self._throttle = Throttle(clock, dice)
        self._held: ServiceError | None = None
        self._held_until = 0.0
        self._last_failure: ServiceError | None = None

    @property
    def held(self) -> ServiceError | None:
        """The failure for which this upstream is left alone at the moment, or asked less often."""
        if self._clock() < self._held_until:
            return self._held
        return self._last_failure if self._throttle.odds else None

    async def call(self, attempt: Callable[[], Awaitable[T]], deadline: Deadline, *, again: bool = True) -> T:
        """The attempt's result, within the deadline. Raises the attempt's own ServiceError or DeadlineExceeded.

        A call that is refused here fails at once with the class of the failure that is the reason; one that is let through to see
        whether the upstream returned has less time. ``again``: see ``_tried``.
        """
        budget_s = deadline.remaining_s
        if not budget_s:  # stamina warns of a time-out of 0
            raise DeadlineExceeded
        number, limit_s = self._let_through()
        if limit_s is not None:
            deadline = deadline.within(limit_s)
        try:
            result = await self._tried(attempt, deadline, again)
        except DeadlineExceeded as late:
            if budget_s >= FAIR_CHANCE_S:
                self._failed(number, late)
            raise
        except ServiceError as error:
            if error.transient:
                self._failed(number, error)
            else:
                self._throttle.accepted(number)
            self._hold(error)
            raise
        else:
            self._throttle.accepted(number)
            return result
        finally:
            self._tell()

    def _tell(self) -> None:
        held = self.held
        slug = held.slug if held else ""
        if slug != self._told:
            self._told = slug
            self._on_change(held)

    def _let_through(self) -> Passed:
        """Raises what this upstream is left alone for."""
        held, left_s = self._held, self._held_until - self._clock()
        if held and left_s > 0:
            # Waiting mends a quota; it mends no key.
            told_s = left_s if isinstance(held, ModelBusy) else None
            raise type(held)(f"left alone for {left_s:.0f} s more, after: {held.cause}", retry_after_s=told_s)
        passed = self._throttle.begin()
        if passed is None:
            last = self._last_failure or DeadlineExceeded()
            raise type(last)(f"not asked, as too many calls failed of late, the last with: {last.cause or last.slug}")
        return passed

    def _failed(self, number: int, error: ServiceError) -> None:
        self._throttle.failed(number)
        self._last_failure = error

    def _hold(self, error: ServiceError) -> None:
        """A quota is held by all who share it; the limits of a Qdrant server go by the cost of a request, so others may pass."""
        if isinstance(error, ModelMisconfigured | SearchMisconfigured):
            wait_s = MISCONFIGURED_HOLD_S
        elif isinstance(error, ModelBusy) and error.retry_after_s:
            wait_s = min(error.retry_after_s, LONGEST_HOLD_S)
        else:
            return
        until = self._clock() + wait_s
        if until > self._held_until:  # a quota per minute does not shorten the wait for the one per day
            self._held, self._held_until = error, until

    async def _tried(self, attempt: Callable[[], Awaitable[T]], deadline: Deadline, again: bool) -> T:
        """The attempt's result; a transient failure is tried once more, if ``again``: one layer, so that retries never multiply.

        With jitter, and not before the upstream said. Never when less than half of the deadline is left, when the wait would not
        fit into it, or when the budget of retries is used up.
        """
        half_s = deadline.remaining_s / 2
        try:
            return await deadline.wait(attempt())
        except ServiceError as error:
            failed = error
        pause = again and self._pause_after(failed, deadline, half_s)
        if pause is False:
            raise failed
        # The library is asked after failures alone: beside it, most calls would cost as much as their own work.
        async for one in stamina.retry_context(
            on=lambda error: pause if error is failed else False,
            attempts=2,
            timeout=deadline.remaining_s,
            wait_initial=0.05,
            wait_jitter=JITTER_S,
        ):
            with one:
                if one.num == 1:
                    raise failed
                try:
                    return await deadline.wait(attempt())
                except DeadlineExceeded:
                    raise failed from None  # what the upstream said tells more than that the second try came too late
        raise DeadlineExceeded

    def _pause_after(self, failed: ServiceError, deadline: Deadline, half_s: float) -> bool | float:
        """Whether a failure is worth another try; a number: after so many seconds. Spends a retry of the budget."""
        left_s, wait_s = deadline.remaining_s, failed.retry_after_s
        if not failed.transient or left_s < half_s or not left_s:
            return False
        if wait_s is not None and wait_s + JITTER_S >= left_s / 2:
            return False
        if not self._throttle.take_retry():
            return False
        return True if wait_s is None else wait_s + JITTER_S * self._dice()
