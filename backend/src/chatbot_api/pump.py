"""A stream read by a task of its own, so that who waits for its items can be told something else meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class _End:
    """The stream is over."""


class Pump(Generic[T, U]):
    """Items of type T from a stream, and of type U that others put in between. One task a stream, none an item."""

    def __init__(self, stream: AsyncGenerator[T, None]) -> None:
        """``stream``: read from now on, as fast as it gives; an answer's events are few."""
        self._queue: asyncio.Queue[T | U | _End] = asyncio.Queue()
        self._task = asyncio.create_task(self._read(stream))

    def put(self, item: U) -> None:
        """Tell who waits. On the event loop alone."""
        self._queue.put_nowait(item)

    async def items(self) -> AsyncGenerator[T | U, None]:
        """What comes, in its order; the stream is closed whatever happens. Raises what the stream raises."""
        try:
            while not isinstance(item := await self._queue.get(), _End):
                yield item
        finally:
            self._task.cancel()
            # Not ``await self._task``: that would take a second cancelling of ours for the task's own and swallow it.
            await asyncio.wait({self._task})
        self._task.result()

    async def _read(self, stream: AsyncGenerator[T, None]) -> None:
        try:
            async with aclosing(stream):
                async for item in stream:
                    self._queue.put_nowait(item)
        finally:
            self._queue.put_nowait(_End())
