"""Three replicas behind the documented nginx are one service: exact limits, shared conversations, restarts that lose nothing."""

import asyncio
import os
import signal
import time
from collections import Counter

import pytest

from fleet import LIMIT, WINDOW_S, Fleet
from fleet_limits import SEARCH, admitted, counted_together, most, statuses
from fleet_readers import Seen, beside, new_address
from fleet_wire import Reply, Wire

pytestmark = pytest.mark.usefixtures("quiet_fleet")
REQUESTS = int(os.environ.get("FLEET_REQUESTS", "1000"))
"""Of the rolling restart; 10000 for the figures in the documentation."""
PER_S = float(os.environ.get("FLEET_PER_S", "50"))
QUESTION = {"query": "How do I install Lantern with Docker?"}


# --- limits


@pytest.mark.alone
async def test_all_replicas_together_let_in_exactly_the_quota_window_after_window(running_fleet: Fleet) -> None:
    address = new_address()

    async def window() -> tuple[int, int]:
        began = time.monotonic()
        let_in = len(await admitted(running_fleet.port, address=address)) + len(await admitted(running_fleet.port, 30, address))
        bound = most(LIMIT, began)
        await asyncio.sleep(WINDOW_S + 1)
        return let_in, bound

    rounds = [await counted_together(running_fleet, window) for _ in range(2)]
    print(f"let in, of 150 at a time, with a limit of {LIMIT}: {[let_in for let_in, _ in rounds]}")
    assert all(LIMIT <= let_in <= bound for let_in, bound in rounds), rounds


async def test_a_thousand_forged_addresses_gain_nothing(running_fleet: Fleet) -> None:
    async def forge(address: str, numbers: range) -> list[Reply]:
        wire, replies = Wire(running_fleet.port, address), list[Reply]()
        for number in numbers:
            forged = f"203.0.113.{number % 250}, 2001:db8:{number:x}::1, 198.51.{number // 250}.{number % 250}"
            names = {"X_Forwarded_For": forged, "X_Real_IP": forged, "Forwarded": f"for={forged}"}
            replies.append(await wire.ask("POST", "/search", SEARCH, **names))
        wire.close()
        return replies

    async def all_of_them() -> tuple[dict[int, int], int]:
        began, address = time.monotonic(), new_address()
        replies = await asyncio.gather(*(forge(address, range(start, 1000, 10)) for start in range(10)))
        return statuses([reply for some in replies for reply in some]), most(LIMIT, began)

    seen, bound = await counted_together(running_fleet, all_of_them)
    print(f"1000 forged addresses: {seen}, with a limit of {LIMIT} in {WINDOW_S} s, which is {bound} in the time they took")
    assert set(seen) == {200, 429}
    assert LIMIT <= seen[200] <= bound


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


@pytest.mark.usefixtures("slow_answers")
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


@pytest.mark.usefixtures("slow_answers")
async def test_a_replica_that_is_killed_takes_only_what_it_was_answering_with_it(running_fleet: Fleet) -> None:
    seen = Seen()
    victim = running_fleet.replicas[0]
    gone_at, at_risk = 0.0, 0

    async def kill() -> None:
        nonlocal gone_at, at_risk
        await asyncio.sleep(1.5)
        at_risk = sum(seen.under_way.values()) - seen.asked
        await asyncio.to_thread(victim.end, signal.SIGKILL)
        gone_at = time.monotonic()
        at_risk += seen.asked  # those that came while it died
        await asyncio.sleep(1.5)
        victim.start()
        await asyncio.to_thread(victim.wait_until_ready)

    await beside(kill(), running_fleet.port, seen, PER_S, keyed=None)
    kinds = dict(Counter(kind for kind, _, _ in seen.failed))
    print(
        f"SIGKILL of one of three under {PER_S:.0f} requests a second: {len(seen.failed)} of {seen.asked} failed, {kinds};",
        end=" ",
    )
    print(f"{at_risk} were under way; {len(seen.lost)} conversations not whole")
    assert seen.lost == []
    assert set(kinds) <= {"chat", "stream", "stream, keyed"}, seen.failed
    assert len(seen.failed) <= at_risk
    # A second for nginx to read that its open connections are closed.
    assert all(began < gone_at + 1 for _, began, _ in seen.failed), "it went on after the kill"
