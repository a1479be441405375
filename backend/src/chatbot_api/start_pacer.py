"""Answers begin one in each turn of the event loop, so that what is quick is not kept waiting by a crowd.

Before an answer waits for an upstream for the first time it takes about a millisecond of the loop. A hundred questions that come
in the same moment would all take theirs in one turn, while a liveness probe, a refusal or the next piece of a stream waits.
Spread at their beginning, answers stay spread: their upstreams' replies come one after another.
"""

import asyncio
from collections import deque

MOST_IN_A_TURN = 1
"""Answers under way go first, and nothing is lost by it: while one waits for its turn, the next turn comes at once."""


class StartPacer:
    """Gives turns, in the order in which they were asked for. For one event loop."""

    def __init__(self, most: int = MOST_IN_A_TURN) -> None:
        """``most``: that begin in one turn of the loop."""
        self._most = most
        self._begun = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def turn(self) -> None:
        """Wait for a turn of the loop in which one more may begin; mostly it is this one."""
        if self._begun < self._most:
            self._count()
            return
        own = asyncio.get_running_loop().create_future()
        self._waiting.append(own)
        await own

    def _count(self) -> None:
        if not self._begun:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._begun += 1

    def _next_turn(self) -> None:
        self._begun = 0
        while self._waiting and self._begun < self._most:
            one = self._waiting.popleft()
            if not one.done():  # its request may have been cancelled
                one.set_result(None)
                self._count()
