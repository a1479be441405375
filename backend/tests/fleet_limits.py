"""How many a fleet lets in, and how many it may: what tests of its limits count with."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fleet import REPLICAS, WINDOW_S, Fleet
from fleet_readers import new_address
from fleet_wire import Reply, at_once

T = TypeVar("T")
SEARCH = {"query": "pair a lamp"}


def statuses(replies: list[Reply]) -> dict[int, int]:
    return dict(Counter(reply.status for reply in replies))


async def admitted(port: int, many: int = 120, address: str | None = None) -> list[Reply]:
    """Those of so many searches that were let in; the others are refused for their number.

    Twelve at a time: the replicas share two cores, and one that is held up for 0.2 seconds believes that Redis is gone.
    """
    replies = await at_once(port, address or new_address(), many, "POST", "/search", SEARCH, connections=12)
    assert set(statuses(replies)) <= {200, 429}, statuses(replies)
    return [reply for reply in replies if reply.status == 200]


def most(limit: int, began: float) -> int:
    """How many a limit lets in from then till now: one quota, unless the machine was so busy that a window went by."""
    return limit * math.ceil((time.monotonic() - began) / WINDOW_S)


async def until_all_are_asked(running: Fleet) -> None:
    """nginx leaves a replica that failed out for a second, and one that was killed a moment ago is such a one."""
    asked = list[int]()
    for _ in range(60):
        replies = await at_once(running.port, new_address(), 2 * REPLICAS, "POST", "/search", SEARCH)
        asked = await asyncio.to_thread(running.answered_by, [reply.headers["x-request-id"] for reply in replies])
        if all(asked):
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"nginx asks not all of them: {asked}")


async def counted_together(running: Fleet, round_of: Callable[[], Awaitable[T]]) -> T:
    """What a round gave in which no replica counted alone.

    One does, and says so, when the machine is so busy that Redis' reply was not read within 0.2 seconds.
    """
    for _ in range(12):
        await asyncio.to_thread(running.wait_until_all_are_sound)
        before = running.logs().count("limits_store_down")
        result = await round_of()
        if running.logs().count("limits_store_down") == before:
            return result
    raise AssertionError("a replica counted alone in every round, with Redis up")
