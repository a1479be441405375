"""Limits are exact, shared where there is a server, and kept to by half without it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from chatbot_api.budget import Budget, keep_in_touch
from chatbot_api.hit_windows import MemoryWindows, Window
from chatbot_api.limit_store import LimitStore
from chatbot_api.limits import RateLimit, Verdict
from chatbot_api.models.quotas import Quota, quotas_of
from redis_server import RedisServer

MINUTE, DAY = 60, 86400


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limit_of(per_address: str, per_visitor: str = "none", clock: Clock | None = None, **more: object) -> RateLimit:
    memory = MemoryWindows(clock) if clock else None
    return RateLimit(quotas_of(per_address), quotas_of(per_visitor), memory=memory, **more)  # type: ignore[arg-type]


async def let_in(limit: RateLimit, asked: int, address: str = "192.0.2.1", visitor: str | None = None) -> int:
    """How many of so many requests at once are let in."""
    verdicts = await asyncio.gather(*(limit.hit(address, visitor) for _ in range(asked)))
    return sum(verdict.refusal is None for verdict in verdicts)


@asynccontextmanager
async def sharing(redis: RedisServer, per_address: str = "50/minute", **more: str) -> AsyncIterator[RateLimit]:
    """Limits counted on the server, looked after as in the service."""
    store = LimitStore(redis.url, "ask-ai:test")
    touch = asyncio.create_task(keep_in_touch(store, Budget(store=store)))
    try:
        yield limit_of(per_address, more.get("per_visitor", "none"), store=store)
    finally:
        touch.cancel()
        await asyncio.wait([touch])
        await store.close()


# --- in memory


async def test_a_thousand_requests_at_once_get_exactly_the_quota() -> None:
    assert await let_in(limit_of("50/minute"), 1000) == 50


async def test_the_window_moves_so_that_no_minute_has_more_than_the_quota() -> None:
    clock = Clock()
    limit = limit_of("3/minute", clock=clock)
    admitted: list[float] = []
    for _ in range(600):
        clock.now += 0.7
        if (await limit.hit("192.0.2.1")).refusal is None:
            admitted.append(clock.now)
    assert max(sum(at <= other < at + 60 for other in admitted) for at in admitted) == 3
    assert len(admitted) >= 3 * 600 * 0.7 / 60 - 3


async def test_who_is_refused_is_told_when_to_come_back_and_is_let_in_then() -> None:
    clock = Clock()
    limit = limit_of("2/minute;3/hour", clock=clock)
    assert await let_in(limit, 2) == 2
    clock.now += 20
    refusal = (await limit.hit("192.0.2.1")).refusal
    assert refusal is not None
    assert refusal.retry_after_s == 40
    assert refusal.cause == "address-60s"
    clock.now += 40
    assert await let_in(limit, 2) == 1
    refusal = (await limit.hit("192.0.2.1")).refusal
    assert refusal is not None
    assert refusal.retry_after_s == 3600 - 60
    assert refusal.cause == "address-3600s"


async def test_a_refused_request_costs_nothing_so_that_trying_on_does_not_lock_out() -> None:
    clock = Clock()
    limit = limit_of("2/minute;100/day", clock=clock)
    for _ in range(120):
        await limit.hit("192.0.2.1")
        clock.now += 1
    spent = (await limit.hit("192.0.2.1")).standings[1]
    assert 100 - spent.left <= 5


async def test_an_address_that_mints_visitor_ids_gains_nothing_and_makes_no_keys_once_it_is_refused() -> None:
    memory = MemoryWindows()
    limit = RateLimit((Quota(60, MINUTE),), (Quota(20, MINUTE), Quota(300, DAY)), memory=memory)
    admitted = [(await limit.hit("192.0.2.1", f"v_{number}")).refusal is None for number in range(1000)]
    assert sum(admitted) == 60
    assert memory.size == 1 + 2 * 60


async def test_a_visitor_is_limited_wherever_they_ask_from() -> None:
    limit = limit_of("60/minute", "20/minute")
    verdicts = [await limit.hit(f"192.0.2.{number}", "v_reader") for number in range(50)]
    assert sum(verdict.refusal is None for verdict in verdicts) == 20
    assert verdicts[-1].refusal is not None
    assert verdicts[-1].refusal.cause == "visitor-60s"
    assert await let_in(limit, 1, "192.0.2.1", "v_another") == 1


async def test_memory_is_bounded_and_what_is_over_is_forgotten() -> None:
    clock = Clock()
    memory = MemoryWindows(clock, most_keys=100)
    limit = RateLimit((Quota(5, MINUTE),), (), memory=memory)
    for number in range(1000):
        await limit.hit(f"address {number}")
    assert memory.size == 100
    clock.now += 61
    await limit.hit("one more")
    assert memory.size == 1


async def test_no_limits_count_nothing_and_say_nothing() -> None:
    verdict = await limit_of("none").hit("192.0.2.1", "v_reader")
    assert verdict == Verdict()
    assert (verdict.refusal, verdict.headers) == (None, {})


# --- headers

PARAMETER = r";([a-z]+)=(\d+)"
MEMBER = rf'"([a-z0-9-]+)"((?:{PARAMETER})+)'


def parsed(field: str) -> dict[str, dict[str, int]]:
    """A structured field's list of strings with integer parameters (RFC 9651); asserts that it is nothing else."""
    assert re.fullmatch(rf"{MEMBER}(?:, {MEMBER})*", field), field
    return {name: {key: int(value) for key, value in re.findall(PARAMETER, rest)} for name, rest, *_ in re.findall(MEMBER, field)}


async def test_the_headers_are_structured_fields_and_tell_the_scarcest_limit_first() -> None:
    clock = Clock()
    limit = limit_of("60/minute;2000/day", "20/minute;300/day", clock)
    await limit.hit("192.0.2.1", "v_reader")
    clock.now += 10.5
    headers = (await limit.hit("192.0.2.1", "v_reader")).headers
    policy, state = parsed(headers["RateLimit-Policy"]), parsed(headers["RateLimit"])
    assert policy["visitor-60s"] == {"q": 20, "w": 60}
    assert policy["address-86400s"] == {"q": 2000, "w": 86400}
    assert next(iter(state)) == "visitor-60s"
    assert state["visitor-60s"] == {"r": 18, "t": 50}
    assert set(policy) == set(state)


# --- on a server


async def test_three_processes_let_in_exactly_the_quota_together(redis: RedisServer) -> None:
    async with sharing(redis) as one, sharing(redis) as two, sharing(redis) as three:
        assert sum(await asyncio.gather(*(let_in(limit, 100) for limit in (one, two, three)))) == 50


async def test_the_server_counts_as_memory_does(redis: RedisServer) -> None:
    async with sharing(redis, "3/second;4/hour", per_visitor="2/second") as shared:
        assert [(await shared.hit("192.0.2.1", "v_a")).refusal is None for _ in range(3)] == [True, True, False]
        assert (await shared.hit("192.0.2.1", "v_b")).refusal is None
        refused = await shared.hit("192.0.2.1", "v_b")
        assert refused.refusal is not None
        assert refused.refusal.cause == "address-1s"
        assert 0 < (refused.refusal.retry_after_s or 0) <= 1
        await asyncio.sleep(1.01)
        verdict = await shared.hit("192.0.2.1", "v_a")
        assert [one.left for one in verdict.standings] == [2, 0, 1]
        await asyncio.sleep(1.01)
        last = (await shared.hit("192.0.2.1", "v_a")).refusal
        assert last is not None
        assert last.cause == "address-3600s"
        assert 3590 < (last.retry_after_s or 0) <= 3600


async def test_the_server_is_told_no_address_and_no_visitor_id(redis: RedisServer) -> None:
    async with sharing(redis, per_visitor="20/minute") as shared:
        await shared.hit("192.0.2.77", "v_secretsecretsecretsecret")
        keys = redis.asked("KEYS", "*")
    assert keys.count(b"{ask-ai:test}:") == 2
    assert b"192.0.2" not in keys
    assert b"v_secret" not in keys


async def test_keys_on_the_server_go_away_by_themselves(redis: RedisServer) -> None:
    async with sharing(redis, "5/second") as shared:
        await shared.hit("192.0.2.1")
        assert redis.asked("DBSIZE") == b":1\r\n"
        await asyncio.sleep(1.1)
        assert redis.asked("DBSIZE") == b":0\r\n"


async def test_a_clock_of_the_server_that_is_set_back_locks_nobody_out(redis: RedisServer) -> None:
    async with sharing(redis, "2/minute") as shared:
        await shared.hit("192.0.2.1")
        key = redis.asked("KEYS", "*").split(b"\r\n")[2].decode()
        tomorrow = str(int(redis.asked("LINDEX", key, "0").split(b"\r\n")[1]) + 2 * DAY * 1000)
        redis.asked("LPUSH", key, tomorrow, tomorrow)
        verdict = await shared.hit("192.0.2.1")
        assert verdict.refusal is None
        assert all(0 <= one.reset_s <= 60 for one in verdict.standings)


@pytest.mark.parametrize("way", ["stop", "freeze"])
async def test_without_the_server_half_the_quota_is_kept_to_at_once_and_the_server_is_back_within_two_seconds(
    redis: RedisServer, way: str
) -> None:
    async with sharing(redis) as shared:
        assert await let_in(shared, 10) == 10
        getattr(redis, way)()
        started = monotonic()
        assert await let_in(shared, 200, "192.0.2.2") == 25
        assert monotonic() - started < 0.25 + 0.25  # the wait itself, and room for a busy machine
        assert shared.problems == ["limits: store-unavailable"]
        started = monotonic()
        verdict = await shared.hit("192.0.2.2")
        assert verdict.refusal is not None
        assert monotonic() - started < 0.05
        assert '"address-60s";q=25;w=60' in verdict.headers["RateLimit-Policy"]
        redis.thaw() if way == "freeze" else redis.start()
        started = monotonic()
        while shared.problems:
            await asyncio.sleep(0.02)
            assert monotonic() - started < 2
        assert await let_in(shared, 100, "192.0.2.3") == 50


async def test_a_server_that_is_not_there_at_start_is_taken_up_when_it_comes(redis: RedisServer) -> None:
    redis.stop()
    async with sharing(redis) as shared:
        assert await let_in(shared, 100) == 25
        redis.start()
        await asyncio.sleep(2)
        assert await let_in(shared, 100) == 50


async def test_connections_that_a_server_left_behind_are_not_taken_for_a_server_that_is_down(redis: RedisServer) -> None:
    store = LimitStore(redis.url, "ask-ai:test")
    limit = limit_of("50/minute", store=store)
    await asyncio.gather(store.look(), limit.hit("192.0.2.1"), store.look())  # three at once: three connections
    redis.stop()
    assert await let_in(limit, 100, "192.0.2.2") == 25
    redis.start()
    await store.look()
    _, admitted, _ = await asyncio.gather(store.look(), let_in(limit, 100, "192.0.2.3"), store.look())
    assert (limit.problems, admitted) == ([], 50)
    await store.close()


async def test_something_else_at_the_address_is_a_server_that_is_down() -> None:
    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    store = LimitStore(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", "ask-ai:test")
    limit = limit_of("50/minute", store=store)
    assert await let_in(limit, 100) == 25
    assert limit.problems == ["limits: store-unavailable"]
    await store.close()
    server.close()
    await server.wait_closed()


def test_a_window_knows_its_standing_after_a_hit() -> None:
    memory = MemoryWindows(Clock())
    window = Window("address-60s", "k", Quota(2, MINUTE))
    standing = memory.hit([window])[0]
    assert (standing.left, standing.reset_s, standing.refused) == (1, 60, False)
