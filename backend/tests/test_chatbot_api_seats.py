"""Seats: no more answers at once than there are, each given back however the reply ends, a refusal at once."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import pytest

from chatbot_api.errors import Overloaded
from chatbot_api.limits import Gate
from chatbot_api.start_pacer import StartPacer
from conftest import Service
from gemini_standin import GeminiStandin
from lantern_fixtures import lantern_running

QUESTION = {"query": "How do I install Lantern with Docker?"}
TOKEN = "seats-metrics-token"
SITE = "http://localhost:3000"
HOLDING = ["Answer ", "from ", "the ", "stand-in [1]."]
# The turns of a thousand readers who left are still being kept when the next test begins.
running = lantern_running(max_answers_in_flight=8, store_timeout_s=30, metrics_token=TOKEN)


def test_no_more_are_let_in_than_there_are_seats_and_a_seat_given_back_is_free() -> None:
    gate = Gate(2)
    with gate.seat(), gate.seat():
        with pytest.raises(Overloaded), gate.seat():
            pass
        assert gate.taken == 2
    assert gate.taken == 0
    with gate.seat():
        assert gate.taken == 1


def test_who_finds_no_seat_is_told_to_come_back_within_one_to_three_seconds_and_not_all_at_once() -> None:
    gate = Gate(1)
    waits: list[float] = []
    with gate.seat():
        for _ in range(300):
            with pytest.raises(Overloaded) as refused, gate.seat():
                pass
            waits.append(refused.value.retry_after_s or 0.0)
    assert 0 <= min(waits) < 0.5
    assert 2.5 < max(waits) <= 3


def test_a_seat_is_given_back_whatever_goes_wrong() -> None:
    gate = Gate(1)
    for error in (ValueError, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit):
        with pytest.raises(error), gate.seat():
            raise error
    assert gate.taken == 0


# --- over real sockets


async def stream(reader_writer: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> int:
    """Ask for a stream on a connection; its status, when its first event is there."""
    reader, writer = reader_writer
    body = json.dumps(QUESTION).encode()
    head = f"POST /chat/stream HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    status = int((await reader.readline()).split()[1])
    if status == 200:
        await reader.readuntil(b"event: start")
    return status


async def abort_streams(port: int, wanted: int, at_once: int) -> int:
    """Ask for streams and leave each after its first event, with a reset; how many were refused on the way."""
    left, refusals = wanted, 0

    async def one_after_another() -> None:
        nonlocal left, refusals
        while left > 0:
            connection = await asyncio.open_connection("127.0.0.1", port)
            status = await stream(connection)
            connection[1].transport.abort()
            if status == 200:
                left -= 1
            else:
                assert status == 503
                refusals += 1
                await asyncio.sleep(0.01)

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return refusals


def seats_of(service: Service, hold: int) -> list[int]:
    """Statuses of so many answers asked for at once, the model being slow."""
    with ThreadPoolExecutor(hold) as pool:
        return [reply.status_code for reply in pool.map(lambda _: service.ask(), range(hold))]


def test_after_a_thousand_streams_that_were_left_every_seat_is_free_again(service: Service, model: GeminiStandin) -> None:
    model.answer(HOLDING, chunk_delay_s=0.1)
    port = int(service.url.rpartition(":")[2])
    asyncio.run(asyncio.wait_for(abort_streams(port, 1000, 8), 100))
    time.sleep(0.5)
    model.answer(HOLDING, chunk_delay_s=0.3)
    assert sorted(seats_of(service, 12)) == [200] * 8 + [503] * 4


@pytest.mark.parametrize("way", ["answered", "failed", "invalid", "ndjson", "searched"])
def test_a_seat_is_given_back_however_the_reply_ends(service: Service, model: GeminiStandin, way: str) -> None:
    if way == "failed":
        model.fail("503", on="all", times=10)
    for _ in range(20):
        if way == "invalid":
            assert service.client.post("/chat", json={"query": ""}).status_code == 422
        elif way == "ndjson":
            assert service.client.post("/chat", json=QUESTION, headers={"X-Stream-Response": "true"}).status_code == 200
        elif way == "searched":
            assert service.client.post("/search", json=QUESTION).status_code == 200
        else:
            assert service.ask().status_code == 200


@contextmanager
def no_seat_free(service: Service, model: GeminiStandin) -> Iterator[None]:
    """Eight readers are being answered."""
    model.answer(HOLDING, chunk_delay_s=0.4)
    holding = [threading.Thread(target=service.ask) for _ in range(8)]
    for thread in holding:
        thread.start()
    time.sleep(0.4)
    yield
    for thread in holding:
        thread.join()


def test_without_a_free_seat_the_refusal_is_immediate_and_health_answers(service: Service, model: GeminiStandin) -> None:
    took: list[float] = []
    with no_seat_free(service, model):
        for path in ("/chat", "/chat/stream", "/search"):
            started = time.perf_counter()
            reply = service.client.post(path, json=QUESTION)
            took.append(time.perf_counter() - started)
            problem = reply.json()
            assert (reply.status_code, problem["type"], problem["retryable"]) == (503, "urn:ask-ai:problem:overloaded", True)
            assert int(reply.headers["Retry-After"]) in (1, 2, 3)
        rating = {"message_id": "m_" + "0" * 22, "rating": "up"}
        assert service.client.post("/feedback", json=rating).status_code == 404
        assert service.client.get("/health/live").status_code == 200
    assert sorted(took)[1] < 0.05
    assert service.ask().status_code == 200


def test_a_refusal_without_a_free_seat_can_be_read_by_the_page_and_is_counted(service: Service, model: GeminiStandin) -> None:
    before = refusals_at_chat(service)
    with no_seat_free(service, model):
        for body in (json.dumps(QUESTION).encode(), b"{", b"x" * 60_000):
            headers = {"Origin": SITE, "Content-Type": "application/json", "X-Request-ID": "asked-in-vain"}
            reply = service.client.post("/chat", content=body, headers=headers)
            assert reply.status_code == 503
            assert reply.headers["Access-Control-Allow-Origin"] in (SITE, "*")
            assert (reply.headers["X-Request-ID"], reply.json()["request_id"]) == ("asked-in-vain", "asked-in-vain")
            assert "RateLimit" not in reply.headers, "it was not counted"
        assert service.client.get("/chat").status_code == 405
    assert refusals_at_chat(service) == before + 3
    assert service.client.post("/chat", content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def refusals_at_chat(service: Service) -> float:
    told = service.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    found = re.search(r'askai_requests_total\{method="POST",route="/chat",status="503"\} (\S+)', told)
    return float(found[1]) if found else 0.0


# --- who has a seat begins in turn


async def test_so_many_begin_in_a_turn_of_the_loop_and_the_others_in_the_next_ones_in_their_order() -> None:
    pacer, begun = StartPacer(3), list[int]()

    async def start(number: int) -> None:
        await pacer.turn()
        begun.append(number)

    starts = [asyncio.create_task(start(number)) for number in range(8)]
    seen: list[int] = []
    while not all(one.done() for one in starts):
        await asyncio.sleep(0)
        seen.append(len(begun))
    assert begun == list(range(8))
    assert max(later - earlier for earlier, later in pairwise([0, *seen])) == 3
    await asyncio.wait_for(pacer.turn(), 1)


async def test_who_leaves_before_its_turn_keeps_nobody_waiting() -> None:
    pacer = StartPacer(1)
    starts = [asyncio.create_task(pacer.turn()) for _ in range(6)]
    await asyncio.sleep(0)
    for leaving in starts[1:5]:
        leaving.cancel()
    await asyncio.wait_for(starts[5], 1)
    for _ in range(5):
        await asyncio.wait_for(pacer.turn(), 1)
