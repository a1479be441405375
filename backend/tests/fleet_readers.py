"""Readers who come at a steady rate: each asks, asks on as a stream, searches, rates and reads the conversation again."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from itertools import count
from secrets import token_urlsafe
from typing import Any, TypeVar

from fleet_wire import Reply, Wire

T = TypeVar("T")
MOST_READERS = 60
"""At the same time."""
PER_READER = 5
"""Requests of one reader."""
_ADDRESSES = count(1)


def new_address() -> str:
    """An address of 127.0.0.0/8 that nobody asked from yet."""
    number = next(_ADDRESSES)
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"


@dataclass
class Seen:
    """What became of all requests."""

    asked: int = 0
    statuses: Counter[int] = field(default_factory=Counter[int])
    failed: list[tuple[str, float, str]] = field(default_factory=list[tuple[str, float, str]])
    """Kind, when it was begun, and what happened: another status than 200 or 204, or no whole answer."""
    cut: int = 0
    """Streams that ended otherwise than with ``done``; they are among the failed."""
    degraded: Counter[str] = field(default_factory=Counter[str])
    lost: list[str] = field(default_factory=list[str])
    """Conversations that were not read again with just the turns their reader was told of."""
    under_way: Counter[str] = field(default_factory=Counter[str])
    seconds: list[float] = field(default_factory=list[float])

    def failures(self, *kinds: str) -> int:
        """How many of these kinds failed."""
        return sum(kind in kinds for kind, _, _ in self.failed)

    def percentile_ms(self, share: float) -> float:
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * share))] * 1000


class Reader:
    """One visitor, from an address of their own."""

    def __init__(self, port: int, seen: Seen, *, keyed: bool) -> None:
        """``keyed``: each question bears an Idempotency-Key."""
        self._wire, self._seen, self._keyed = Wire(port, new_address()), seen, keyed
        self._visitor = "v_" + token_urlsafe(16)
        self._conversation = ""
        self._told: list[str] = []
        self._is_kept = True

    async def read(self) -> None:
        """Everything, until something fails."""
        for step in (self._question, self._stream, self._search, self._rating, self._again):
            if not await step():
                break
        self._wire.close()

    async def _ask(self, kind: str, method: str, path: str, body: object = None, **headers: str) -> Reply:
        seen, began = self._seen, time.monotonic()
        seen.asked += 1
        seen.under_way[kind] += 1
        reply = await self._wire.ask(method, path, body, X_Visitor_Id=self._visitor, **headers)
        seen.under_way[kind] -= 1
        seen.statuses[reply.status] += 1
        seen.seconds.append(reply.seconds)
        if reply.status not in (200, 204):
            seen.failed.append((kind, began, f"{reply.status} {reply.error} {reply.body[:300]!r}"))
        return reply

    def _key(self) -> dict[str, str]:
        return {"Idempotency_Key": token_urlsafe(16)} if self._keyed else {}

    def _kind(self, kind: str) -> str:
        return f"{kind}, keyed" if self._keyed else kind

    def _note(self, answer: dict[str, Any]) -> None:
        self._seen.degraded.update(answer.get("degraded", ()))
        self._is_kept &= "history" not in answer.get("degraded", ())

    async def _question(self) -> bool:
        reply = await self._ask(self._kind("chat"), "POST", "/chat", {"query": "How do I reset a lamp?"}, **self._key())
        if reply.status != 200:
            return False
        answer = reply.json()
        self._note(answer)
        self._conversation = answer["conversation_id"]
        self._told.append(answer["message_id"])
        return True

    async def _stream(self) -> bool:
        body = {"query": "How do I install Lantern with Docker?", "conversation_id": self._conversation}
        kind, began = self._kind("stream"), time.monotonic()
        reply = await self._ask(kind, "POST", "/chat/stream", body, **self._key())
        last = reply.last_event
        if last.get("type") != "done":
            self._seen.cut += 1
            if reply.status == 200:
                self._seen.failed.append((kind, began, f"the last event is {last}"))
            return False
        self._note(last)
        first = next(line for line in reply.body.decode().split("\n") if line.startswith("data:"))
        self._told.append(json.loads(first[5:])["message_id"])
        return True

    async def _search(self) -> bool:
        return (await self._ask("search", "POST", "/search", {"query": "pair a lamp"})).status == 200

    async def _rating(self) -> bool:
        # Who was told that the turn is not kept has nothing to rate and nothing to read again.
        return (
            self._is_kept
            and (await self._ask("rating", "POST", "/feedback", {"message_id": self._told[0], "rating": "up"})).status == 204
        )

    async def _again(self) -> bool:
        reply = await self._ask("conversation", "GET", f"/conversations/{self._conversation}")
        if reply.status != 200:
            return False
        kept = [(turn["message_id"], turn["rating"]) for turn in reply.json()["turns"]]
        if kept != [(self._told[0], "up"), (self._told[1], None)]:
            self._seen.lost.append(f"told {self._told}, kept {kept}")
        return True


async def steadily(port: int, seen: Seen, per_s: float, *, until: "asyncio.Event", keyed: bool | None = False) -> None:
    """New readers, so many requests a second in all, until told; then all are waited for. ``keyed``: None, every other one.

    Where the machine can't keep up, fewer: it is not its speed that is tested.
    """
    readers = list[asyncio.Task[None]]()
    places = asyncio.Semaphore(MOST_READERS)

    async def one(number: int) -> None:
        try:
            await Reader(port, seen, keyed=bool(number % 2) if keyed is None else keyed).read()
        finally:
            places.release()

    while not until.is_set():
        await places.acquire()
        readers.append(asyncio.create_task(one(len(readers))))
        await asyncio.sleep(PER_READER / per_s)
    await asyncio.gather(*readers)


async def beside(work: Awaitable[T], port: int, seen: Seen, per_s: float, *, least: int = 0, keyed: bool | None = False) -> T:
    """What ``work`` gives, done while readers come; they do until ``least`` requests were asked."""
    until = asyncio.Event()
    load = asyncio.create_task(steadily(port, seen, per_s, until=until, keyed=keyed))
    try:
        result = await work
        while seen.asked < least:  # noqa: ASYNC110 - counted by all readers
            await asyncio.sleep(0.05)
    finally:
        until.set()
        await load
    return result
