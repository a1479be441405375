"""The Redis or Valkey server of several processes: hits by its own clock, what a day cost, shared answers. Knows if it is up."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, TypeVar

from chatbot_api.hit_windows import Standing, Window
from chatbot_api.telemetry import logger

T = TypeVar("T")
log = logger(__name__)
TIMEOUT_S = 0.2
"""One call, connecting included; a refusal has to be fast, and there is a way without the server."""
CONNECTIONS = 4
MOST_AT_ONCE = 500
"""Hits in one call."""
KEEP_DAYS_S = 3 * 86400
"""How long a day's sums are kept: past its end in any time zone."""

HIT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local told, full = {}, false
for i, key in ipairs(KEYS) do
  local amount, period = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local newest = tonumber(redis.call('LINDEX', key, 0) or nil)
  if newest and newest > now + 1000 then
    redis.call('DEL', key) -- the server's clock was set back: its hits say nothing any more
  end
  local oldest = tonumber(redis.call('LINDEX', key, -1) or nil)
  while oldest and oldest <= now - period do
    redis.call('RPOP', key)
    oldest = tonumber(redis.call('LINDEX', key, -1) or nil)
  end
  local count = redis.call('LLEN', key)
  local refused = count >= amount
  if refused then
    full = true
    oldest = tonumber(redis.call('LINDEX', key, amount - 1))
  end
  table.insert(told, refused and 1 or 0)
  table.insert(told, math.max(0, amount - count))
  table.insert(told, oldest and math.max(0, oldest + period - now) or period)
end
if not full then
  for i, key in ipairs(KEYS) do
    redis.call('LPUSH', key, string.format('%.0f', now))
    redis.call('PEXPIRE', key, ARGV[2 * i])
    told[3 * i - 1] = told[3 * i - 1] - 1
  end
end
return told
"""
"""All windows at once, on the server: exact whoever asks at the same time. Three numbers a window: refused, left, ms."""


_HIT_ID = sha1(HIT.encode(), usedforsecurity=False).hexdigest()


class StoreDown(Exception):
    """The server did not answer, or not with what was asked."""


@dataclass(frozen=True, slots=True)
class _Hit:
    words: tuple[int | str, ...]
    """Of the script's call: number of keys, keys, numbers."""
    told: "asyncio.Future[list[int]]"


class LimitStore:
    """One server. Its calls raise StoreDown, after which it counts as down until ``look`` finds it up again."""

    def __init__(self, url: str, prefix: str) -> None:
        """``url``: redis://, rediss:// or unix://. ``prefix``: of every key. Nothing is connected yet.

        Raises ModuleNotFoundError without the package ``redis``, ValueError for a URL it does not understand.
        """
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 - only where a server is set: 0.3 s
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415
        from redis.maint_notifications import MaintNotificationsConfig  # noqa: PLC0415

        pool: Any = BlockingConnectionPool  # its from_url is untyped
        self._pool = pool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            # On, as they are by themselves, they keep the pool from seeing that the server closed a connection (redis 8.1).
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self._client: Any = Redis(connection_pool=self._pool)
        self._errors: tuple[type[Exception], ...] = (RedisError, OSError, ValueError)
        # In braces: on a cluster all keys of a call have to be in one place.
        self._prefix = f"{{{prefix}}}"
        self.is_up = True
        self._waiting: list[_Hit] = []
        self._sender: asyncio.Task[None] | None = None

    async def hit(self, windows: Sequence[Window]) -> list[Standing]:
        """Count a hit in all windows, or in none when one of them is full. Hits that come together travel together."""
        keys = [f"{self._prefix}:{window.key}:{window.quota.period_s}" for window in windows]
        numbers = [number for window in windows for number in (window.quota.amount, window.quota.period_s * 1000)]
        hit = _Hit((len(keys), *keys, *numbers), asyncio.get_running_loop().create_future())
        self._waiting.append(hit)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        try:
            async with asyncio.timeout(2 * TIMEOUT_S):  # whatever became of the sender
                told = await hit.told
        except TimeoutError as error:
            raise StoreDown("no reply") from error
        triples = zip(windows, told[0::3], told[1::3], told[2::3], strict=True)
        return [Standing(window, left, ms / 1000, bool(refused)) for window, refused, left, ms in triples]

    async def _send(self) -> None:
        """Send what waits, call after call, until nothing does."""
        while self._waiting:
            together, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            try:
                replies = await self._asked(self._counted(together))
            except StoreDown as down:
                together, self._waiting = [*together, *self._waiting], []
                for hit in together:
                    if not hit.told.done():
                        hit.told.set_exception(StoreDown(str(down)))
                return
            for hit, reply in zip(together, replies, strict=True):
                if not hit.told.done():  # who asked may have left
                    hit.told.set_result(reply)

    async def _counted(self, hits: "Sequence[_Hit]") -> list[list[int]]:
        async with self._client.pipeline(transaction=False) as call:
            for number, hit in enumerate(hits):
                # The first brings the script along, so that the server has it whatever happened to it before.
                if number:
                    call.evalsha(_HIT_ID, *hit.words)
                else:
                    call.eval(HIT, *hit.words)
            return await call.execute()

    async def add(self, day: str, amounts: Mapping[str, int]) -> dict[str, int]:
        """Add to a day's sums; the sums of all processes."""
        key = f"{self._prefix}:spent:{day}"

        async def added() -> list[int]:
            async with self._client.pipeline(transaction=True) as all_at_once:
                for name, amount in amounts.items():
                    all_at_once.hincrby(key, name, amount)
                all_at_once.expire(key, KEEP_DAYS_S)
                return await all_at_once.execute()

        sums = await self._asked(added())
        return dict(zip(amounts, sums, strict=False))

    async def kept(self, key: str) -> bytes | None:
        """A value that ``keep`` was given; None when there is none, or the server is down."""
        try:
            value: bytes | None = await self._asked(self._client.get(f"{self._prefix}:kept:{key}")) if self.is_up else None
        except StoreDown:
            return None
        return value

    async def keep(self, key: str, value: bytes, ttl_s: int) -> None:
        """Keep a value for so long; not while the server is down."""
        if self.is_up:
            with suppress(StoreDown):
                await self._asked(self._client.set(f"{self._prefix}:kept:{key}", value, ex=ttl_s))

    async def look(self) -> None:
        """Find out whether the server is up, before a request has to."""
        try:
            await self._asked(self._client.ping())
        except StoreDown:
            return
        if not self.is_up:
            self.is_up = True
            log.info("limits_store_back", meaning="limits are counted by all processes together again")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        await self._pool.disconnect()

    async def _asked(self, call: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await call
        except (*self._errors, TimeoutError) as error:
            if self.is_up:
                self.is_up = False
                log.warning(
                    "limits_store_down",
                    problem=type(error).__name__,
                    meaning="this process counts alone, with half of each limit, until the server is back",
                )
            raise StoreDown(type(error).__name__) from error
