"""Time and second chances: a request's Deadline, a value handed down, and one Guard per upstream with the only retries."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from time import monotonic
from typing import TypeVar

import stamina

from chatbot_api.errors import DeadlineExceeded, ModelMisconfigured, SearchMisconfigured, ServiceError

T = TypeVar("T")

MISCONFIGURED_HOLD_S = 60.0
"""A refused key or model name does not mend itself within a request: the upstream is left alone this long."""


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
    """What stands before one upstream: at most one retry of a transient failure, and a hold while it is misconfigured."""

    def __init__(self) -> None:
        """Nothing is held at first."""
        self._held: ServiceError | None = None
        self._held_until = 0.0

    @property
    def held(self) -> ServiceError | None:
        """The failure for which this upstream is left alone at the moment."""
        return self._held if monotonic() < self._held_until else None

    async def call(self, attempt: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """The attempt's result, within the deadline. Raises the attempt's own ServiceError or DeadlineExceeded.

        A transient failure is tried once more (one layer, so that retries never multiply), with jitter, or after exactly the time
        the upstream asked for; not when less than half of the deadline is left, and not when the wait would not fit into it.
        """
        if held := self.held:
            raise type(held)(f"left alone after: {held.cause}")
        half_s = deadline.remaining_s / 2
        if not half_s:  # stamina warns of a time-out of 0
            raise DeadlineExceeded

        def worth_another(error: Exception) -> bool | float:
            if not isinstance(error, ServiceError) or not error.transient or deadline.remaining_s < half_s:
                return False
            wait_s = error.retry_after_s
            return wait_s is None or (wait_s if wait_s < deadline.remaining_s / 2 else False)

        failed: ServiceError | None = None

        async def made() -> T:
            nonlocal failed
            try:
                return await deadline.wait(attempt())
            except DeadlineExceeded as late:
                raise failed or late from None  # what the upstream said tells more than that the second try came too late
            except ServiceError as error:
                failed = error
                raise

        try:
            async for one in stamina.retry_context(
                on=worth_another, attempts=2, timeout=deadline.remaining_s, wait_initial=0.05, wait_jitter=0.1
            ):
                with one:
                    return await made()
        except (ModelMisconfigured, SearchMisconfigured) as error:
            self._held, self._held_until = error, monotonic() + MISCONFIGURED_HOLD_S
            raise
        raise DeadlineExceeded
