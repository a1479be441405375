"""The end of the process as its clients see it: unready first, then no new connections, then answers cut short say so."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from time import monotonic
from typing import Any, TypeVar

from chatbot_api.errors import ShuttingDown
from chatbot_api.models.chat_models import Event, Failed
from chatbot_api.pump import Pump
from chatbot_api.services.problems import problem_of
from chatbot_api.telemetry import note, request_id

T = TypeVar("T")


class Draining:
    """How far this process is on its way down. The server moves it on; readiness and answers under way look at it.

    Where no server does that (``uvicorn chatbot_api.main:app``), it never begins and changes nothing.
    """

    def __init__(self, delay_s: float = 0.0) -> None:
        """``delay_s``: how long the process serves on after it said that it is unready, until load balancers have seen that."""
        self.delay_s = delay_s
        self._began_at: float | None = None
        self._is_cut = False
        self._to_cut: set[Callable[[], None]] = set()

    @property
    def begun(self) -> bool:
        """Whether this process goes down: it is unready, and each connection's next answer is its last."""
        return self._began_at is not None

    @property
    def may_close(self) -> bool:
        """Whether new connections may be refused by now."""
        return self._began_at is not None and monotonic() - self._began_at >= self.delay_s

    def begin(self) -> None:
        """Go down. Safe in a signal handler; a second time changes nothing."""
        if self._began_at is None:
            self._began_at = monotonic()

    def cut(self) -> None:
        """End the answers that are still under way; they have a moment left to say so. On the event loop alone."""
        self._is_cut = True
        for cut in list(self._to_cut):
            cut()

    async def each(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The events of an answer, which is closed whatever happens; at the cut the last one is Failed (shutting-down)."""
        pump = Pump[Event, None](events)

        def cut() -> None:
            pump.put(None)

        self._to_cut.add(cut)
        try:
            async with aclosing(pump.items()) as items:
                async for event in items:
                    if event is None:
                        note(problem=ShuttingDown.slug)
                        yield Failed(problem=problem_of(ShuttingDown(), request_id()))
                        return
                    yield event
        finally:
            self._to_cut.discard(cut)

    async def result(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` gives; at the cut it is cancelled instead. Raises ShuttingDown then."""
        presence = asyncio.timeout(None)

        def cut() -> None:
            presence.reschedule(0.0)

        try:
            async with presence:
                self._to_cut.add(cut)
                if self._is_cut:
                    cut()
                try:
                    return await work
                finally:
                    self._to_cut.discard(cut)
        except TimeoutError:
            if not presence.expired():
                raise
            raise ShuttingDown from None
