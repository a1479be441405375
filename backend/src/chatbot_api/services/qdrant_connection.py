"""How a Qdrant server is talked to: the client with the pool the service wants, and its failures by our names."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import ceil
from typing import Any, TypeVar

import httpx
from qdrant_client import AsyncQdrantClient

from chatbot_api.reliability import Deadline
from chatbot_api.services.qdrant_errors import CLIENT_ERRORS, named

T = TypeVar("T")
CONNECTIONS = 16
"""Kept open, with Seats before them: the client's own waiting queue is quadratic and its idle polling linear."""
LEFT_S = 10.0
"""A call whose caller has left is cancelled after so long: a body that drips in meets no time-out of the client's."""


def client_of(url: str, api_key: str, timeout_s: float) -> AsyncQdrantClient:
    """A client with the pool the service wants; its own time-outs are whole seconds, so deadlines are kept outside of it.

    The pool itself has no limit, so that calls whose callers have left take no connection from others; Seats are the limit.
    """
    return AsyncQdrantClient(
        url=url,
        api_key=api_key or None,
        timeout=ceil(timeout_s),
        check_compatibility=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=CONNECTIONS, keepalive_expiry=60),
    )


async def asked(call: Callable[[], Awaitable[T]]) -> T:
    """The call's result. Raises SearchError.

    The call is a task of its own: who is cancelled leaves at once, and the call ends by the client's own time-outs. httpcore
    loses a connection whose call is cancelled while it connects or closes; when all are lost no search is answered any more.
    """
    task = asyncio.ensure_future(call())
    task.add_done_callback(_ended)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        _left.add(task)
        asyncio.get_running_loop().call_later(LEFT_S, task.cancel)
        raise
    except CLIENT_ERRORS as error:
        raise named(error) from error


_left: set["asyncio.Future[Any]"] = set()
"""Calls whose caller has left: asyncio itself holds tasks by weak references."""


async def closed(client: AsyncQdrantClient) -> None:
    """Close a client, once the calls that were left have ended."""
    here = {task for task in _left if task.get_loop() is asyncio.get_running_loop()}
    for task in here:
        task.cancel()
    if here:
        await asyncio.wait(here)
    await client.close()


def _ended(task: "asyncio.Future[Any]") -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # nobody may be left to ask, and asyncio would log that


class Seats:
    """One for each connection of the pool."""

    def __init__(self) -> None:
        """All are free."""
        self._free = asyncio.Semaphore(CONNECTIONS)

    @asynccontextmanager
    async def seat(self, deadline: Deadline) -> AsyncGenerator[None, None]:
        """A seat for as long as the block lasts. Raises DeadlineExceeded when none was free in time."""
        await deadline.wait(self._free.acquire())
        try:
            yield
        finally:
            self._free.release()
