"""Time that ends: a Deadline by itself, and every door of the service while what it rests on hangs or drips."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest

from chatbot_api.errors import DeadlineExceeded
from chatbot_api.reliability import Deadline
from conftest import Service, with_gemini
from gemini_standin import GeminiStandin
from qdrant_standin import QdrantStandin

Start = Callable[..., Service]
QUESTION = "How do I install Lantern with Docker?"


async def test_within_is_the_earlier_of_two_deadlines() -> None:
    assert Deadline(5).within(1).remaining_s == pytest.approx(1, abs=0.05)
    assert Deadline(1).within(5).remaining_s == pytest.approx(1, abs=0.05)
    assert Deadline(-1).remaining_s == 0


async def test_what_takes_too_long_is_cancelled_at_the_deadline() -> None:
    started, task = monotonic(), asyncio.create_task(asyncio.sleep(30))
    with pytest.raises(DeadlineExceeded):
        await Deadline(0.1).wait(task)
    assert monotonic() - started < 0.3
    assert task.cancelled()


async def test_a_stream_that_drips_ends_at_the_deadline_and_is_closed() -> None:
    closed: list[bool] = []

    async def drips() -> AsyncGenerator[int, None]:
        try:
            for number in range(1000):
                await asyncio.sleep(0.02)
                yield number
        finally:
            closed.append(True)

    got: list[int] = []

    async def read() -> None:
        async for number in Deadline(0.2).each(drips()):
            got.append(number)

    started = monotonic()
    with pytest.raises(DeadlineExceeded):
        await read()
    assert monotonic() - started < 0.4
    assert got
    assert closed == [True]


# --- the service


@contextmanager
def conversation(service: Service) -> Iterator[dict[str, Any]]:
    """The fields and the visitor of a conversation with one turn, for a question that leans on it."""
    reply = service.ask("How do I pair a lamp?")
    service.client.headers["X-Visitor-Id"] = reply.headers["X-Visitor-Id"]
    yield {"query": "And how do I reset it?", "conversation_id": reply.json()["conversation_id"]}


@pytest.mark.parametrize("fault", ["drip", "hang"])
@pytest.mark.parametrize("upstream", ["search", "model", "both"])
def test_nobody_waits_past_the_deadline_for_upstreams_that_drip(
    over_qdrant: Start, qdrant: QdrantStandin, gemini: GeminiStandin, fault: str, upstream: str
) -> None:
    deadline_s = 1.2
    no_limit = {"search_timeout_s": 60, "embed_timeout_s": 60, "first_text_timeout_s": 60, "follow_up_timeout_s": 30}
    service = over_qdrant(**with_gemini(gemini), deadline_s=deadline_s, **no_limit)
    with conversation(service) as follow_up:
        if upstream != "model":
            qdrant.fail(fault, on="all", seconds=0.1, size=4)
        if upstream != "search":
            gemini.fail(fault, on="both", seconds=0.1, size=4)
        page = {"query": QUESTION, "context": {"page_url": "/docs/install"}}
        doors = [
            lambda: service.ask(**follow_up),
            lambda: service.events(**follow_up),
            lambda: service.ask(**page),
            lambda: service.events(**page),
            lambda: service.client.post("/search", json=page),
        ]

        def took_s(ask: Callable[[], Any]) -> float:
            started = monotonic()
            ask()
            return monotonic() - started

        with ThreadPoolExecutor(len(doors)) as threads:
            waited = list(threads.map(took_s, doors))
        assert max(waited) < deadline_s + 0.5
        assert max(waited) > deadline_s / 2, "the fault was not felt"
