"""How a Qdrant server is talked to: the client with the pool the service wants, and its failures by our names."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import ceil
from typing import TypeVar

import httpx
from qdrant_client import AsyncQdrantClient

from chatbot_api.reliability import Deadline
from chatbot_api.services.qdrant_errors import CLIENT_ERRORS, named

T = TypeVar("T")
CONNECTIONS = 16
"""All kept open, with Seats before them: the client's own waiting queue is quadratic and its idle polling linear."""


def client_of(url: str, api_key: str, timeout_s: float) -> AsyncQdrantClient:
    """A client with the pool the service wants; its own time-outs are whole seconds, so deadlines are kept outside of it."""
    return AsyncQdrantClient(
        url=url,
        api_key=api_key or None,
        timeout=ceil(timeout_s),
        check_compatibility=False,
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=60),
    )


async def asked(call: Callable[[], Awaitable[T]]) -> T:
    """The call's result. Raises SearchError."""
    try:
        return await call()
    except CLIENT_ERRORS as error:
        raise named(error) from error


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
