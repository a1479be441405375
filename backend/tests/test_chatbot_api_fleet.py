"""Three replicas behind the documented nginx are one service: exact limits, shared conversations, restarts that lose nothing."""

import asyncio
import math
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from fleet import LIMIT, REPLICAS, WINDOW_S, Fleet, fleet, missing_parts
from fleet_readers import Seen, beside, new_address
from fleet_wire import Reply, Wire, at_once
from postgres_server import PostgresServer

T = TypeVar("T")
REQUESTS = int(os.environ.get("FLEET_REQUESTS", "1000"))
"""Of the rolling restart; 10000 for the figures in the documentation."""
PER_S = float(os.environ.get("FLEET_PER_S", "50"))
SEARCH = {"query": "pair a lamp"}
QUESTION = {"query": "How do I install Lantern with Docker?"}


@pytest.fixture(scope="module")
def running_fleet(
    tmp_path_factory: pytest.TempPathFactory, book: Path, postgres_cluster: Callable[[], PostgresServer]
) -> Iterator[Fleet]:
    """One fleet for this file. Skips, visibly, where a part is missing; REQUIRE_FLEET=1 turns the skip into a failure."""
    if missing := missing_parts():
        why = f"not installed: {', '.join(missing)}"
        if os.environ.get("REQUIRE_FLEET") == "1":
            pytest.fail(f"{why} (REQUIRE_FLEET=1)")
        pytest.skip(why)
    pytest.importorskip("redis.asyncio", reason="the package redis is not installed")
    with fleet(tmp_path_factory.mktemp("fleet"), book, postgres_cluster()) as running:
        yield running


@pytest.fixture
def _slow_answers(running_fleet: Fleet) -> Iterator[None]:
    """Half a second each, so that many are being written whenever a replica ends."""
    running_fleet.gemini.answer(["Answer ", "from ", "the ", "stand-in ", "[1]."], chunk_delay_s=0.1)
    yield
    running_fleet.gemini.answer(["Answer from ", "the stand-in [1]."])


@pytest.fixture(autouse=True)
def _quiet(running_fleet: Fleet) -> Iterator[None]:
    """Whatever a test did, no replica may have met a bug of its own."""
    yield
    lines = running_fleet.logs().splitlines()
    # SQLAlchemy's words for a database that took more than half a second to say goodbye: no request is concerned.
    broken = [line for line in lines if "Traceback" in line and "Exception closing connection" not in line]
    assert broken == []
    assert [line for line in lines if '"status": 500' in line] == []


def statuses(replies: list[Reply]) -> dict[int, int]:
    return dict(Counter(reply.status for reply in replies))


async def admitted(port: int, many: int = 120, address: str | None = None) -> tuple[int, dict[int, int]]:
    """How many of so many searches at once are let in, and all statuses."""
    replies = await at_once(port, address or new_address(), many, "POST", "/search", SEARCH)
    seen = statuses(replies)
    return seen.get(200, 0), seen


async def counted_together(running: Fleet, round_of: Callable[[], Awaitable[T]]) -> T:
    """What a round gave in which no replica counted alone.

    One does, and says so, when the machine is so busy that Redis' reply was not read within 0.2 seconds.
    """
    for _ in range(5):
        before = running.logs().count("limits_store_down")
        result = await round_of()
        if running.logs().count("limits_store_down") == before:
            return result
        await asyncio.sleep(WINDOW_S + 1)
    raise AssertionError("a replica counted alone in every round, with Redis up")


# --- limits


async def test_all_replicas_together_let_in_exactly_the_quota_window_after_window(running_fleet: Fleet) -> None:
    address = new_address()

    async def window() -> int:
        began = time.monotonic()
        first, seen = await admitted(running_fleet.port, address=address)
        assert set(seen) == {200, 429}, seen
        more = (await admitted(running_fleet.port, 30, address))[0] if time.monotonic() - began < WINDOW_S / 2 else 0
        await asyncio.sleep(began + WINDOW_S + 1 - time.monotonic())
        return first + more

    let_in = [await counted_together(running_fleet, window) for _ in range(2)]
    print(f"let in, of 150 at a time, with a limit of {LIMIT}: {let_in}")
    assert let_in == [LIMIT] * 2


async def test_a_thousand_forged_addresses_gain_nothing(running_fleet: Fleet) -> None:
    async def forge(address: str, numbers: range) -> list[Reply]:
        wire, replies = Wire(running_fleet.port, address), list[Reply]()
        for number in numbers:
            forged = f"203.0.113.{number % 250}, 2001:db8:{number:x}::1, 198.51.{number // 250}.{number % 250}"
            names = {"X_Forwarded_For": forged, "X_Real_IP": forged, "Forwarded": f"for={forged}"}
            replies.append(await wire.ask("POST", "/search", SEARCH, **names))
        wire.close()
        return replies

    async def all_of_them() -> tuple[dict[int, int], float]:
        began, address = time.monotonic(), new_address()
        replies = await asyncio.gather(*(forge(address, range(start, 1000, 10)) for start in range(10)))
        return statuses([reply for some in replies for reply in some]), time.monotonic() - began

    seen, took_s = await counted_together(running_fleet, all_of_them)
    windows = math.ceil(took_s / WINDOW_S)
    print(f"1000 forged addresses: {seen} in {took_s:.1f} s, with a limit of {LIMIT} in {WINDOW_S} s")
    assert set(seen) == {200, 429}
    assert LIMIT <= seen[200] <= LIMIT * windows + 1


# --- conversations


async def test_a_conversation_goes_on_at_whichever_replica_is_asked(running_fleet: Fleet) -> None:
    one, two, three = (Wire(replica.port, new_address()) for replica in running_fleet.replicas)
    visitor = "v_fleetfleetfleetfleetfleet"
    first = await one.ask("POST", "/chat", QUESTION, X_Visitor_Id=visitor, Idempotency_Key="first")
    conversation, message = first.json()["conversation_id"], first.json()["message_id"]
    follow_up = {"query": "And on Windows?", "conversation_id": conversation}
    second = await two.ask("POST", "/chat/stream", follow_up, X_Visitor_Id=visitor)
    assert second.last_event["type"] == "done"
    assert second.last_event["understood_as"], "the turn before was not known"
    rated = await three.ask("POST", "/feedback", {"message_id": message, "rating": "up"}, X_Visitor_Id=visitor)
    assert rated.status == 204
    again = await three.ask("POST", "/chat", QUESTION, X_Visitor_Id=visitor, Idempotency_Key="first")
    assert again.json() == first.json()
    for wire in (one, two, three):
        read = await wire.ask("GET", f"/conversations/{conversation}", X_Visitor_Id=visitor)
        assert [(turn["query"], turn["rating"]) for turn in read.json()["turns"]] == [
            (QUESTION["query"], "up"),
            ("And on Windows?", None),
        ]
        wire.close()


# --- restarts


@pytest.mark.usefixtures("_slow_answers")
async def test_a_restart_of_all_replicas_in_turn_loses_no_request(running_fleet: Fleet) -> None:
    seen = Seen()

    async def restarts() -> list[tuple[int, float, float]]:
        rounds: list[tuple[int, float, float]] = []
        while not rounds or seen.asked < 0.8 * REQUESTS:
            rounds += await asyncio.to_thread(running_fleet.restart_in_turn)
        return rounds

    rounds = await beside(restarts(), running_fleet.port, seen, PER_S, least=REQUESTS)
    shown = ", ".join(f"exit {code} after {down_s:.1f} s, ready after {up_s:.1f} s" for code, down_s, up_s in rounds[:3])
    print(f"{seen.asked} requests during {len(rounds)} restarts: {len(seen.failed)} failed, {seen.cut} streams cut,", end=" ")
    print(f"{len(seen.lost)} conversations not whole, degraded {dict(seen.degraded)}; {shown};", end=" ")
    print(f"p50 {seen.percentile_ms(0.5):.0f} ms, p99 {seen.percentile_ms(0.99):.0f} ms, most {seen.percentile_ms(1):.0f} ms")
    assert seen.failed == []
    assert (seen.cut, seen.lost) == (0, [])
    assert seen.asked >= REQUESTS
    assert {code for code, _, _ in rounds} == {0}


@pytest.mark.usefixtures("_slow_answers")
async def test_a_replica_that_is_killed_takes_only_what_it_was_answering_with_it(running_fleet: Fleet) -> None:
    seen = Seen()
    victim = running_fleet.replicas[0]
    killed_at, under_way = 0.0, Counter[str]()

    async def kill() -> None:
        nonlocal killed_at
        await asyncio.sleep(1.5)
        killed_at = time.monotonic()
        under_way.update(seen.under_way)
        await asyncio.to_thread(victim.end, signal.SIGKILL)
        await asyncio.sleep(1.5)
        victim.start()
        await asyncio.to_thread(victim.wait_until_ready)

    await beside(kill(), running_fleet.port, seen, PER_S, keyed=None)
    kinds = dict(Counter(kind for kind, _, _ in seen.failed))
    print(
        f"SIGKILL of one of three under {PER_S:.0f} requests a second: {len(seen.failed)} of {seen.asked} failed, {kinds};",
        end=" ",
    )
    print(f"{sum(under_way.values())} were under way; {len(seen.lost)} conversations not whole")
    assert seen.lost == []
    assert set(kinds) <= {"chat", "stream", "stream, keyed"}, seen.failed
    assert len(seen.failed) <= sum(under_way.values())
    assert all(began < killed_at + 0.2 for _, began, _ in seen.failed), "it went on after the kill"


# --- what they share goes down


async def test_without_redis_no_request_fails_none_is_unlimited_and_limits_are_exact_again_in_time(running_fleet: Fleet) -> None:
    running_fleet.redis.stop()
    try:
        alone, seen = await admitted(running_fleet.port, 150)
    finally:
        running_fleet.redis.start()
    assert set(seen) == {200, 429}, seen
    print(f"without Redis {alone} of 150 let in: {REPLICAS} replicas with half of {LIMIT} each")
    assert alone == REPLICAS * (LIMIT // 2)
    await asyncio.sleep(2)
    assert (await counted_together(running_fleet, lambda: admitted(running_fleet.port)))[0] == LIMIT


async def test_without_postgresql_answers_go_on_without_history_and_it_is_back_in_time(running_fleet: Fleet) -> None:
    running_fleet.postgres.stop()
    try:
        down = [
            reply for _ in range(2) for reply in await at_once(running_fleet.port, new_address(), 9, "POST", "/chat", QUESTION)
        ]
        unread = (await at_once(running_fleet.port, new_address(), 1, "GET", "/conversations/c_whatever"))[0]
    finally:
        running_fleet.postgres.start()
    assert statuses(down) == {200: 18}
    assert {tuple(reply.json()["degraded"]) for reply in down} == {("history",)}
    assert (unread.status, unread.headers["content-type"]) == (503, "application/problem+json")
    await asyncio.sleep(2)
    back = await at_once(running_fleet.port, new_address(), 9, "POST", "/chat", QUESTION)
    assert {tuple(reply.json()["degraded"]) for reply in back} == {()}
