"""Answers given again: the model is asked once for what many ask, and nobody gets what was another's alone."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatbot_api.config import Settings
from conftest import Service, index_book, serving, with_gemini, write_index
from gemini_standin import GeminiStandin
from index_engines import passage
from redis_server import RedisServer

QUESTION = "How do I install Lantern with Docker?"
SHARING: dict[str, Any] = {"answer_cache_ttl_s": 60, "embedding_cache_size": 10}
MANY = 20


@pytest.fixture
def sharing(gemini_service: Callable[..., Service]) -> Callable[..., Service]:
    """Starts a service that gives answers again."""
    return lambda **values: gemini_service(**{**SHARING, **values})


def answer(service: Service, question: str) -> dict[str, Any]:
    return service.ask(question).json()


def calls(gemini: GeminiStandin) -> tuple[int, int]:
    """Embeddings and generations the stand-in was asked for."""
    return gemini.calls("embed"), gemini.calls("generate")


async def at_once(url: str, path: str, bodies: list[dict[str, Any]]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=len(bodies))
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30, limits=limits) as client:
        return list(await asyncio.gather(*(client.post(path, json=body) for body in bodies)))


def events_of(reply: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line[5:]) for line in reply.text.splitlines() if line.startswith("data:")]


def test_who_asks_the_same_gets_the_same_answer_in_a_conversation_of_their_own(
    sharing: Callable[..., Service], gemini: GeminiStandin
) -> None:
    service = sharing()
    first, again = answer(service, QUESTION), answer(service, "  How do I install\n Lantern with  Docker?")
    assert (first["mode"], again["mode"]) == ("generated", "cached")
    for same in ("response", "sources", "citations", "outcome", "degraded", "finish_reason"):
        assert first[same] == again[same]
    assert first["conversation_id"] != again["conversation_id"]
    assert calls(gemini) == (1, 1)
    streamed = service.events(QUESTION)
    assert [event["type"] for event in streamed] == ["start", "status", "sources", "delta", "done"]
    assert (streamed[-2]["text"], streamed[-1]["mode"]) == (first["response"], "cached")
    assert calls(gemini) == (1, 1)


def test_a_follow_up_leans_on_an_answer_that_was_given_again(sharing: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = sharing()
    answer(service, QUESTION)
    visitor = {"X-Visitor-Id": "v_" + "a" * 24}
    again = service.client.post("/chat", json={"query": QUESTION}, headers=visitor).json()
    follow_up = {"query": "And on Windows?", "conversation_id": again["conversation_id"]}
    answered = service.client.post("/chat", json=follow_up, headers=visitor).json()
    assert answered["understood_as"], "the turn that was given again is remembered"
    assert answered["mode"] == "generated"
    kept = service.client.get(f"/conversations/{again['conversation_id']}", headers=visitor).json()
    assert [(turn["query"], turn["complete"]) for turn in kept["turns"]] == [(QUESTION, True), ("And on Windows?", True)]


@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
async def test_many_who_ask_the_same_at_once_cost_one_embedding_and_one_generation(
    path: str, sharing: Callable[..., Service], gemini: GeminiStandin
) -> None:
    service = await asyncio.to_thread(sharing)
    gemini.answer(["One ", "answer ", "for all [1]."], chunk_delay_s=0.2)
    replies = await at_once(service.url, path, [{"query": QUESTION}] * MANY)
    assert Counter(reply.status_code for reply in replies) == {200: MANY}
    assert calls(gemini) == (1, 1)
    if path == "/chat":
        told = {reply.json()["response"] for reply in replies}
        mine = {reply.json()["conversation_id"] for reply in replies}
    else:
        events = [events_of(reply) for reply in replies]
        told = {"".join(event["text"] for event in one if event["type"] == "delta") for one in events}
        mine = {one[0]["conversation_id"] for one in events}
        assert {one[-1]["type"] for one in events} == {"done"}
    assert told == {"One answer for all [1]."}
    assert len(mine) == MANY


async def test_one_who_leaves_takes_the_answer_from_nobody_and_the_last_one_stops_the_model(
    sharing: Callable[..., Service], gemini: GeminiStandin
) -> None:
    service = await asyncio.to_thread(sharing)
    gemini.answer(["Slowly "] * 10 + ["told [1]."], chunk_delay_s=0.15)

    async def read(events: int) -> str:
        """The type of the last event read, after so many of them."""
        last = ""
        async with (
            httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=30) as client,
            client.stream("POST", "/chat/stream", json={"query": QUESTION}) as reply,
        ):
            async for line in reply.aiter_lines():
                if line.startswith("data:"):
                    last, events = json.loads(line[5:])["type"], events - 1
                if not events:
                    return last
        return last

    left, *stayed = await asyncio.gather(read(5), read(10_000), read(10_000))
    assert (left, stayed) == ("delta", ["done", "done"])
    assert calls(gemini) == (1, 1)
    both = await asyncio.gather(read(5), read(6))
    assert set(both) <= {"sources", "delta", "status", "done"}


async def test_the_model_is_stopped_when_all_have_left(sharing: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = await asyncio.to_thread(sharing)
    gemini.answer(["Slowly "] * 100 + ["told [1]."], chunk_delay_s=0.1)

    async def leave() -> None:
        async with (
            httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=30) as client,
            client.stream("POST", "/chat/stream", json={"query": QUESTION}) as reply,
        ):
            async for line in reply.aiter_lines():
                if '"delta"' in line:
                    return

    await asyncio.gather(leave(), leave(), leave())
    generation = next(one for one in gemini.requests if one.kind == "generate")
    assert await asyncio.to_thread(generation.closed.wait, 5), "the model goes on writing for nobody"
    gemini.answer(["Whole [1]."])
    assert (await asyncio.to_thread(answer, service, QUESTION))["mode"] == "generated", "what was cut off is not given again"


@pytest.mark.parametrize(
    "differently",
    [
        {"query": "How do I install Lantern with docker?"},
        {"query": QUESTION, "top_k": 1},
        {"query": QUESTION, "context": {"locale": "de"}},
        {"query": QUESTION, "context": {"selection": "Lantern 2"}},
    ],
    ids=["words", "passages", "language", "selection"],
)
def test_what_decides_the_answer_keeps_questions_apart(
    differently: dict[str, Any], sharing: Callable[..., Service], gemini: GeminiStandin
) -> None:
    service = sharing()
    answer(service, QUESTION)
    reply = service.client.post("/chat", json=differently).json()
    assert reply["mode"] != "cached"


def test_a_degraded_answer_is_not_given_again(sharing: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = sharing()
    gemini.fail("500", on="generate")
    assert answer(service, QUESTION)["outcome"] == "degraded"
    gemini.heal()
    well = answer(service, QUESTION)
    assert (well["outcome"], well["mode"]) == ("answered", "generated")


async def test_a_failure_is_told_to_all_who_wait_and_the_next_one_asks_anew(
    sharing: Callable[..., Service], gemini: GeminiStandin
) -> None:
    service = await asyncio.to_thread(lambda: sharing(on_model_failure="error"))
    gemini.fail("400", on="generate")
    replies = await at_once(service.url, "/chat", [{"query": QUESTION}] * 5)
    assert {reply.status_code for reply in replies} == {502}
    assert {reply.json()["type"] for reply in replies} == {replies[0].json()["type"]}
    assert len({reply.json()["request_id"] for reply in replies}) == 5
    gemini.heal()
    assert (await asyncio.to_thread(answer, service, QUESTION))["mode"] == "generated"


def test_a_new_index_and_the_time_end_what_is_given_again(settings_of: Callable[..., Settings], gemini: GeminiStandin) -> None:
    settings = settings_of(**with_gemini(gemini, **{**SHARING, "answer_cache_ttl_s": 2}))
    asyncio.run(write_index(settings, [passage("one", "Reset a lamp by its button.", site=settings.site)]))
    with serving(settings) as service:
        assert [answer(service, "How do I reset a lamp?")["mode"] for _ in range(2)] == ["generated", "cached"]
        asyncio.run(write_index(settings, [passage("two", "Reset a lamp by its app.", site=settings.site)]))
        limit = time.monotonic() + 20
        while "app" not in json.dumps(answer(service, "How do I reset a lamp?")["sources"]):
            assert time.monotonic() < limit, "an answer from the old index is still given"
            time.sleep(0.2)
        while answer(service, "How do I reset a lamp?")["mode"] != "generated":
            assert time.monotonic() < limit, "the answer never gets old"
            time.sleep(0.2)


def test_only_so_many_answers_are_kept(sharing: Callable[..., Service]) -> None:
    service = sharing(answer_cache_size=2)
    questions = [f"How do I install Lantern with Docker {number}?" for number in range(3)]
    for question in questions:
        answer(service, question)
    assert [answer(service, question)["mode"] for question in reversed(questions)] == ["cached", "cached", "generated"]


def test_without_the_setting_each_reader_gets_their_own(gemini_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = gemini_service()
    assert [answer(service, QUESTION)["mode"] for _ in range(2)] == ["generated", "generated"]
    assert calls(gemini) == (2, 2)


def test_vectors_of_questions_are_kept_by_themselves(gemini_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = gemini_service(embedding_cache_size=10)
    first, second = answer(service, QUESTION), answer(service, QUESTION)
    assert calls(gemini) == (1, 2)
    assert [one["url"] for one in first["sources"]] == [one["url"] for one in second["sources"]]


def test_processes_that_share_a_server_share_answers_and_go_on_without_it(
    redis: RedisServer, settings_of: Callable[..., Settings], gemini: GeminiStandin, book: Path
) -> None:
    settings = settings_of(**with_gemini(gemini, **SHARING), limits_url=redis.url)
    index_book(settings, book)
    gemini.requests.clear()
    with serving(settings) as one, serving(settings) as other:
        assert answer(one, QUESTION)["mode"] == "generated"
        assert answer(other, QUESTION)["mode"] == "cached"
        assert calls(gemini) == (1, 1)
        another = settings.model_copy(update={"generative_model": "gemini-3.5-flash"})
        with serving(another) as third:
            assert answer(third, QUESTION)["mode"] == "generated", "another model's answer was given"
        redis.stop()
        assert answer(other, f"{QUESTION} Or not?")["outcome"] == "answered"
        redis.start()
