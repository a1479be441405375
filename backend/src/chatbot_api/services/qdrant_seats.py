"""How many searches a Qdrant server is asked for at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chatbot_api.reliability import Deadline

CONNECTIONS = 16
"""Searches at once, and connections kept open for them."""


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
