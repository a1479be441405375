"""Blocking calls in threads, on real sockets: they come to an end when their reader leaves, and keep to what they may ask."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import requests

from chatbot_api.errors import DeadlineExceeded
from chatbot_api.reliability import Deadline
from chatbot_api.services.cuttable_http import HttpRefusal, make_cuttable
from chatbot_api.services.threaded_calls import ThreadedCalls
from gemini_wire import Recorded, Reply, WireServer, chunked, whole
from tls_server import silent_over_tls


class Upstream:
    """A server that gives one reply to all, and a session for it."""

    def __init__(self, session: requests.Session) -> None:
        self.reply = lambda: whole(200, b"[1]")
        self.server = WireServer(lambda _: self.reply())
        self.session = session

    @property
    def requests(self) -> list[Recorded]:
        return self.server.requests

    def get(self) -> Any:
        return self.session.get(self.server.url, timeout=10).json()

    async def asked(self, times: int) -> None:
        while len(self.requests) < times:  # noqa: ASYNC110 - the server has no event
            await asyncio.sleep(0.005)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with requests.Session() as session:
        make_cuttable(session, {"x-goog-api-key": "the-key"}, 4)
        one = Upstream(session)
        one.server.start()
        yield one
        one.server.stop()


@pytest.fixture
async def calls() -> AsyncIterator[ThreadedCalls]:
    two = ThreadedCalls(2)
    yield two
    two.close()


def silent() -> Reply:
    return Reply(b"", [], end="hang")


def dripping() -> Reply:
    reply = chunked([b"[1, "] + [b"2, "] * 200, "application/json")
    reply.between_s = 0.05
    return reply


async def test_a_result_and_a_failure_come_out_of_the_thread(calls: ThreadedCalls, upstream: Upstream) -> None:
    assert await calls.result(upstream.get) == [1]
    with pytest.raises(ZeroDivisionError):
        await calls.result(lambda: 1 // 0)


async def test_items_come_while_the_call_goes_on(calls: ThreadedCalls) -> None:
    go_on = threading.Event()

    def work() -> Iterator[int]:
        yield 1
        assert go_on.wait(5)
        yield 2

    async with aclosing(calls.items(work)) as items:
        assert await anext(items) == 1
        go_on.set()
        assert [item async for item in items] == [2]


@pytest.mark.parametrize("reply", [silent, dripping])
async def test_a_cancelled_call_ends_in_its_thread_and_closes_its_connection(
    calls: ThreadedCalls, upstream: Upstream, reply: Any
) -> None:
    upstream.reply = reply
    ended = threading.Event()

    def work() -> None:
        try:
            upstream.get()
        finally:
            ended.set()

    task = asyncio.create_task(calls.result(work))
    await upstream.asked(1)
    at = monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 5)
    assert await asyncio.to_thread(upstream.requests[0].closed.wait, 5)
    assert monotonic() - at < 2


async def test_a_call_over_tls_is_cut_too(calls: ThreadedCalls, tmp_path: Path) -> None:
    with requests.Session() as session, silent_over_tls(tmp_path) as server:
        make_cuttable(session, {}, 4)
        task = asyncio.create_task(calls.result(lambda: session.get(server.url, timeout=20, verify=str(server.certificate))))
        assert await asyncio.to_thread(server.asked.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.left.wait, 5)


async def test_no_more_calls_than_threads_are_under_way_and_one_that_is_left_makes_room(
    calls: ThreadedCalls, upstream: Upstream
) -> None:
    upstream.reply = silent
    first, _, third = [asyncio.create_task(calls.result(upstream.get)) for _ in range(3)]
    await upstream.asked(2)
    with pytest.raises(DeadlineExceeded):
        await Deadline(0.2).wait(asyncio.shield(third))
    assert len(upstream.requests) == 2
    first.cancel()
    await asyncio.wait_for(upstream.asked(3), 5)


async def test_a_call_that_waited_for_a_thread_until_its_deadline_is_never_made(calls: ThreadedCalls, upstream: Upstream) -> None:
    upstream.reply = silent
    under_way = [asyncio.create_task(calls.result(upstream.get)) for _ in range(2)]
    await upstream.asked(2)
    with pytest.raises(DeadlineExceeded):
        await Deadline(0.1).wait(calls.result(upstream.get))
    for task in under_way:
        task.cancel()
    upstream.reply = lambda: whole(200, b"[4]")
    assert await calls.result(upstream.get) == [4]
    assert len(upstream.requests) == 3


async def test_calls_that_end_by_themselves_share_a_connection(calls: ThreadedCalls, upstream: Upstream) -> None:
    for _ in range(20):
        assert await calls.result(upstream.get) == [1]
    assert len(upstream.server._connections) == 1


async def test_closing_cuts_what_is_under_way_and_takes_no_more(calls: ThreadedCalls, upstream: Upstream) -> None:
    upstream.reply = silent
    task = asyncio.create_task(calls.result(upstream.get))
    await upstream.asked(1)
    calls.close()
    with pytest.raises(requests.ConnectionError):
        await asyncio.wait_for(task, 5)
    with pytest.raises(RuntimeError, match="closed"):
        await calls.result(upstream.get)


# --- what the session does not do


@pytest.mark.parametrize("status", [301, 302, 307, 400, 503])
async def test_another_status_is_a_refusal_and_the_key_follows_no_redirection(
    calls: ThreadedCalls, upstream: Upstream, status: int
) -> None:
    elsewhere = f"{upstream.server.url}/elsewhere"
    upstream.reply = lambda: whole(status, b'{"error": {}}', headers={"Location": elsewhere, "Retry-After": "7"})
    with pytest.raises(HttpRefusal) as raised:
        await calls.result(upstream.get)
    assert (raised.value.status, raised.value.body, raised.value.headers["Retry-After"]) == (status, {"error": {}}, "7")
    assert [asked.headers["x-goog-api-key"] for asked in upstream.requests] == ["the-key"]


async def test_neither_a_proxy_nor_a_password_of_the_environment_is_used(
    calls: ThreadedCalls, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    assert await calls.result(upstream.get) == [1]
    assert "authorization" not in upstream.requests[0].headers
