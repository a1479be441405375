"""The way down: unready first, answers under way finished, streams told, exit code 0 in time; a second signal does not wait."""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from chatbot_api.draining import Draining
from chatbot_api.errors import ShuttingDown
from chatbot_api.models.chat_models import Delta, Event, Failed, Problem
from gemini_standin import GeminiStandin
from rounds_of_shutdown import SERVER, SLOW_APP, environment_of, one_round, problem_of_stream, started
from wire_client import request

ROUNDS = int(os.environ.get("SHUTDOWN_ROUNDS", "2"))
"""20 for the figures in the documentation."""


# --- real rounds


def test_no_request_in_flight_is_lost_by_a_restart(tmp_path: Path, book: Path, gemini: GeminiStandin) -> None:
    environment = environment_of(tmp_path, book, gemini)
    gemini.answer(["Run the image ", "[1]."], chunk_delay_s=0.15)
    for _ in range(ROUNDS):
        with started(SERVER, tmp_path, **environment) as (process, url):
            asked = httpx.Request("POST", url + "/chat", json={"query": "How do I install Lantern with Docker?"})
            seen = one_round(process, url, asked)
        print(f"answered {seen.answered}, too late {seen.refused}, exit {seen.exit_code} after {seen.exit_s:.2f} s")
        assert seen.failed == []
        assert seen.answered >= 50
        assert (seen.exit_code, seen.exit_s < 8) == (0, True)


def test_what_takes_too_long_is_told_so_before_the_end(tmp_path: Path, book: Path, gemini: GeminiStandin) -> None:
    gemini.answer(["Run the image. "] * 400, chunk_delay_s=0.1)
    words = "How do I install Lantern with Docker?"
    message = {"role": "user", "content": words, "parts": [{"type": "text", "text": words}]}
    question = {"query": words, "messages": [message], "stream": True}
    forms: dict[str, dict[str, str]] = {
        "/chat/stream": {},
        "/chat": {"Accept": "text/event-stream"},
        "/chat?ndjson": {"X-Stream-Response": "true"},
        "/chat?json": {},
        "/v1/chat/completions": {},
        "/api/chat": {},
    }
    doors = {"OPENAI_COMPAT_ENABLED": "1", "AI_SDK_ENABLED": "1"}
    replies: dict[str, httpx.Response] = {}

    def ask(url: str, path: str) -> None:
        body = {**question, "stream": path != "/chat?json"}
        replies[path] = httpx.post(url + path, json=body, headers=forms[path], timeout=30, trust_env=False)

    with started(SERVER, tmp_path, **environment_of(tmp_path, book, gemini), **doors) as (process, url):
        asking = [threading.Thread(target=ask, args=(url, path)) for path in forms]
        for thread in asking:
            thread.start()
        while gemini.calls("generate") < len(forms):
            time.sleep(0.05)
        began = time.monotonic()
        process.terminate()
        assert process.wait(20) == 0
        took_s = time.monotonic() - began
        for thread in asking:
            thread.join(10)
    assert 5 < took_s < 8
    for path in ("/chat/stream", "/chat"):
        last = problem_of_stream(replies[path].text)
        assert last["type"] == "error"
        assert Problem.model_validate(last["problem"]).type == "urn:ask-ai:problem:shutting-down"
        assert "Run the image." in replies[path].text
    assert '"error"' in replies["/chat?ndjson"].text.splitlines()[-1]
    for path, code in (("/v1/chat/completions", '"code": "shutting-down"'), ("/api/chat", '"type": "error"')):
        *frames, end, rest = replies[path].text.split("\n\n")
        assert (end, rest) == ("data: [DONE]", "")
        assert code in frames[-1]
        assert "Run the image." in replies[path].text
    whole = replies["/chat?json"]
    assert (whole.status_code, whole.headers["retry-after"]) == (503, "5")
    assert Problem.model_validate(whole.json()).retryable
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_a_connection_that_was_taken_is_answered_even_where_the_process_was_too_busy_to_look(tmp_path: Path) -> None:
    became: list[str] = []

    def ask(address: tuple[str, int]) -> None:
        while True:
            try:
                connection = socket.create_connection(address, timeout=10)
            except OSError:
                return
            with connection:
                try:
                    connection.sendall(request("GET", "/stall/0.03", b"", "Connection: close"))
                    status = connection.recv(65536)[9:12].decode()
                except ConnectionError as error:
                    status = type(error).__name__
            became.append(status)

    with started(SLOW_APP, tmp_path, "/live") as (process, url):
        asking = [threading.Thread(target=ask, args=(address_of(url),)) for _ in range(12)]
        for thread in asking:
            thread.start()
        time.sleep(0.4)
        process.terminate()
        assert process.wait(15) == 0
        for thread in asking:
            thread.join(15)
    assert len(became) > 12
    # One may come between the last look and the close, of which nothing in user space can make one step; it used to be six.
    assert len([status for status in became if status != "200"]) <= 1, became


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(tmp_path: Path, second: signal.Signals) -> None:
    with started(SLOW_APP, tmp_path, "/live") as (process, url), socket.create_connection(address_of(url)) as connection:
        connection.sendall(request("GET", "/wait/30"))
        time.sleep(0.3)
        process.terminate()
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(second)
        began = time.monotonic()
        assert process.wait(5) == 128 + second
        assert time.monotonic() - began < 1


def test_ctrl_c_is_a_way_to_end_it_well_and_an_idle_process_goes_quickly(tmp_path: Path) -> None:
    for sent in (signal.SIGINT, signal.SIGTERM):
        with started(SLOW_APP, tmp_path, "/live") as (process, _url):
            began = time.monotonic()
            process.send_signal(sent)
            assert process.wait(10) == 0
            assert time.monotonic() - began < 2


def test_the_process_serves_on_while_load_balancers_learn_of_its_end(tmp_path: Path, book: Path, gemini: GeminiStandin) -> None:
    environment = {**environment_of(tmp_path, book, gemini), "DRAIN_DELAY_S": "1.5"}
    with started(SERVER, tmp_path, **environment) as (process, url), httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/health/ready").status_code == 200
        began = time.monotonic()
        process.terminate()
        time.sleep(0.1)
        while time.monotonic() - began < 1:
            unready = client.get("/health/ready")
            assert unready.status_code == 503
            assert unready.json() == {"status": "not ready", "problem": "shutting-down"}
            assert int(unready.headers["retry-after"]) >= 1
            assert unready.headers["connection"] == "close"
            assert client.get("/health/live").status_code == 200
            assert client.post("/search", json={"query": "lamp"}).status_code == 200
            time.sleep(0.05)
        assert process.wait(10) == 0
        assert 1.5 < time.monotonic() - began < 5
        with pytest.raises(httpx.ConnectError):
            client.get("/health/live")


def test_a_request_on_its_way_when_the_listener_closes_is_answered(tmp_path: Path) -> None:
    with started(SLOW_APP, tmp_path, "/live") as (process, url):
        half, silent = (socket.create_connection(address_of(url), timeout=10) for _ in range(2))
        with half, silent:
            half.sendall(b"GET /live HTTP/1.1\r\nHost: h\r\n")
            silent.sendall(b"")
            time.sleep(0.2)
            process.terminate()
            time.sleep(0.2)
            silent.sendall(request("GET", "/live"))
            time.sleep(0.4)
            half.sendall(b"\r\n")
            for connection in (half, silent):
                came = connection.recv(65_536)
                assert came.startswith(b"HTTP/1.1 200 ")
                assert b"connection: close" in came
        assert process.wait(10) == 0


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


# --- the state itself


async def begun_until(closed: asyncio.Event) -> AsyncGenerator[Event, None]:
    """An answer that has begun and never ends; ``closed`` is set when somebody closes it."""
    try:
        yield Delta(text="a")
        await asyncio.Event().wait()
    finally:
        closed.set()


async def test_the_cut_ends_events_with_a_problem_and_closes_what_made_them() -> None:
    draining, closed = Draining(), asyncio.Event()
    seen: list[Event] = []
    async for event in draining.each(begun_until(closed)):
        seen.append(event)
        asyncio.get_running_loop().call_later(0.05, draining.cut)
    assert [event.type for event in seen] == ["delta", "error"]
    assert isinstance(seen[-1], Failed)
    assert (seen[-1].problem.status, seen[-1].problem.retryable) == (503, True)
    assert closed.is_set()


async def test_events_and_results_that_end_in_time_are_left_as_they_are() -> None:
    draining = Draining()
    draining.begin()

    async def told():
        yield Delta(text="a")
        yield Delta(text="b")

    async def breaks():
        yield Delta(text="a")
        raise ValueError("broken")

    assert [event.type async for event in draining.each(told())] == ["delta", "delta"]
    assert await draining.result(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="broken"):
        _ = [event async for event in draining.each(breaks())]


async def test_a_result_that_comes_too_late_is_cancelled_and_refused() -> None:
    draining, cancelled = Draining(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    asyncio.get_running_loop().call_later(0.05, draining.cut)
    with pytest.raises(ShuttingDown):
        await draining.result(work())
    assert cancelled.is_set()


async def test_who_leaves_before_the_end_closes_the_events_behind() -> None:
    draining, closed = Draining(), asyncio.Event()
    events = draining.each(begun_until(closed))
    await anext(events)
    await events.aclose()
    assert closed.is_set()


def test_connections_may_close_when_the_delay_is_over() -> None:
    draining = Draining(delay_s=0.1)
    assert (draining.begun, draining.may_close) == (False, False)
    draining.begin()
    assert (draining.begun, draining.may_close) == (True, False)
    time.sleep(0.15)
    draining.begin()
    assert draining.may_close
