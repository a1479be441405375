"""Blocking calls for an event loop: each in a thread of a bounded pool, its results as they come, cut when its reader leaves."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import TypeVar

from chatbot_api.services.cuttable_http import Call

T = TypeVar("T")


class _End:
    """The call is over."""


class ThreadedCalls:
    """At most so many calls at once; further ones wait for a thread, as long as their deadline lets them."""

    def __init__(self, most: int) -> None:
        """``most``: threads, made as they are needed."""
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="model")
        self._under_way: set[Call] = set()
        self._closed = False

    async def result(self, work: Callable[[], T]) -> T:
        """What ``work`` returns. Raises what it raises. Cancelled, it cuts the call."""
        async with aclosing(self.items(lambda: [work()])) as items:
            (result,) = [item async for item in items]
        return result

    async def items(self, work: Callable[[], Iterable[T]]) -> AsyncGenerator[T, None]:
        """What the iterable of ``work`` gives, as it comes; both run in the thread. Leaving cuts the call, and waits for nothing.

        Raises what they raise, and RuntimeError when this is closed.
        """
        if self._closed:
            raise RuntimeError("the threads of the model's calls are closed")
        loop, call = asyncio.get_running_loop(), Call()
        queue: asyncio.Queue[T | _End] = asyncio.Queue()

        def run() -> None:
            with call.here():
                for item in work():
                    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                        loop.call_soon_threadsafe(queue.put_nowait, item)

        self._under_way.add(call)
        done = loop.run_in_executor(self._pool, run)
        done.add_done_callback(lambda _: queue.put_nowait(_End()))
        try:
            while not isinstance(item := await queue.get(), _End):
                yield item
            done.result()
        finally:
            self._under_way.discard(call)
            if not done.done():
                call.cut()
                done.cancel()

    def close(self) -> None:
        """Cut what is under way; take no more. Threads that can't be cut end by their own time-out."""
        self._closed = True
        for call in self._under_way:
            call.cut()
        self._pool.shutdown(wait=False, cancel_futures=True)
