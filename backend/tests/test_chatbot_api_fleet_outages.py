"""What three replicas share is swapped, restarted or gone while readers come: no answer fails, and none claims what is not so."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from fleet import LIMIT, PATIENCE_S, Fleet
from fleet_limits import SEARCH, admitted, counted_together, most, statuses, until_all_are_asked
from fleet_readers import Seen, beside, new_address
from fleet_wire import Wire, at_once
from postgres_server import PostgresServer
from redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("quiet_fleet")
PER_S = 50.0
QUESTION = {"query": "How do I install Lantern with Docker?"}


# --- a new index


@pytest.mark.usefixtures("slow_answers")
async def test_a_new_index_goes_live_under_load_and_every_search_sees_one_whole_run(
    running_fleet: Fleet, book: Path, tmp_path: Path
) -> None:
    seen, runs, done = Seen(), Counter[str](), asyncio.Event()

    def edition(run: str) -> Path:
        folder = tmp_path / run
        folder.mkdir()
        for page in book.glob("*.md"):
            lines = page.read_text(encoding="utf-8").replace(" lamp", f" {run} lamp")
            (folder / page.name).write_text(lines, encoding="utf-8")
        return folder

    async def watch() -> None:
        wire = Wire(running_fleet.port, new_address())
        while not done.is_set():
            reply = await wire.ask("POST", "/search", SEARCH)
            if reply.status == 429:
                await asyncio.sleep(0.5)
                continue
            assert reply.status == 200, reply
            told = {run for run in ("second", "third") if f"{run} lamp" in reply.body.decode()} or {"first"}
            assert len(told) == 1, reply.body
            runs.update(told)
        wire.close()

    async def swaps() -> None:
        for run in ("second", "third"):
            await asyncio.to_thread(running_fleet.publish, edition(run))
            end = time.monotonic() + PATIENCE_S
            while not runs[run]:
                assert time.monotonic() < end, f"the {run} run was not taken up: {runs}"
                await asyncio.sleep(0.05)

    watching = asyncio.create_task(watch())
    try:
        await beside(swaps(), running_fleet.port, seen, PER_S, least=200)
    finally:
        done.set()
        await asyncio.to_thread(running_fleet.publish, book)
    await watching
    print(f"{seen.asked} requests while the index was swapped twice: {len(seen.failed)} failed; searches by run {dict(runs)}")
    assert seen.failed == []
    assert (seen.cut, seen.lost, dict(seen.degraded)) == (0, [], {})
    for replica in running_fleet.replicas:
        wire = Wire(replica.port, new_address())
        assert "third" not in (await wire.ask("POST", "/search", SEARCH)).body.decode()
        wire.close()


# --- what they share goes down


async def test_without_redis_no_request_fails_none_is_unlimited_and_limits_are_exact_again_in_time(running_fleet: Fleet) -> None:
    await until_all_are_asked(running_fleet)
    running_fleet.redis.stop()
    try:
        began = time.monotonic()
        let_in = await admitted(running_fleet.port, 150)
        bound = most(LIMIT // 2, began)
    finally:
        running_fleet.redis.start()
    alone = await asyncio.to_thread(running_fleet.answered_by, [reply.headers["x-request-id"] for reply in let_in])
    print(f"without Redis {alone} of 150 let in: each replica half of {LIMIT}")
    assert all(LIMIT // 2 <= of_one <= bound for of_one in alone), (alone, bound)
    await asyncio.to_thread(running_fleet.wait_until_all_are_sound)

    async def together() -> tuple[int, int]:
        again = time.monotonic()
        return len(await admitted(running_fleet.port)), most(LIMIT, again)

    in_all, bound = await counted_together(running_fleet, together)
    assert LIMIT <= in_all <= bound


@pytest.mark.usefixtures("slow_answers")
async def test_redis_and_postgresql_restart_under_load_and_no_answer_fails_or_claims_to_be_kept_when_it_is_not(
    running_fleet: Fleet,
) -> None:
    seen = Seen()

    async def restart(server: RedisServer | PostgresServer) -> tuple[float, float]:
        """When it was gone, and when the replicas had it again."""
        gone_at = time.monotonic()
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(1)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(running_fleet.wait_until_all_are_sound)
        return gone_at, time.monotonic()

    async def restarts() -> tuple[float, float]:
        await restart(running_fleet.redis)
        return await restart(running_fleet.postgres)

    gone_at, back_at = await beside(restarts(), running_fleet.port, seen, PER_S, least=200)
    print(
        f"{seen.asked} requests while Redis and PostgreSQL restarted: {len(seen.failed)} of ratings and reads refused,", end=" "
    )
    print(f"degraded {dict(seen.degraded)}, {len(seen.lost)} conversations not whole")
    assert seen.lost == []
    for kind, began, what in seen.failed:
        # What needs the database says so while it is down; nothing else fails at all.
        assert kind in ("rating", "conversation"), seen.failed
        assert what.startswith("503 "), what
        assert gone_at - PATIENCE_S < began < back_at + 1


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
    await asyncio.to_thread(running_fleet.wait_until_all_are_sound)
    back = await at_once(running_fleet.port, new_address(), 9, "POST", "/chat", QUESTION)
    assert {tuple(reply.json()["degraded"]) for reply in back} == {()}
