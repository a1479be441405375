"""What a failing upstream costs, on real sockets: calls for each question, the wait for what stands in, and the way back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from statistics import quantiles
from time import monotonic, sleep, time
from typing import Any

import pytest

from chatbot_api.errors import ModelBusy, ModelUnavailable, ServiceError
from chatbot_api.reliability import Deadline, Guard
from chatbot_api.services.gemini_quota import day_quota_wait_s
from conftest import Service
from dead_port import dead_port
from gemini_callers import PROMPT, Make, failure_of, services_of, written
from gemini_standin import GeminiStandin
from qdrant_standin import QdrantStandin

Start = Callable[..., Service]
REQUESTS = 200
READERS = 8
MOST = 1.1
"""Calls for each request that a dead upstream may see."""
QUESTION = "How do I install Lantern with Docker?"
EVERY_S = 0.1
"""Between two questions of a reader who waits for the return: ten a second."""


@pytest.fixture
async def make(gemini: GeminiStandin) -> AsyncIterator[Make]:
    async with services_of(gemini) as new:
        yield new


def asked(service: Service, requests: int) -> tuple[list[dict[str, Any]], list[float]]:
    """The bodies of so many answers, asked for by READERS at a time, and the seconds each took."""

    def one(_: int) -> tuple[dict[str, Any], float]:
        started = monotonic()
        body = service.ask(QUESTION).json()
        return body, monotonic() - started

    with ThreadPoolExecutor(READERS) as threads:
        answers = list(threads.map(one, range(requests)))
    return [body for body, _ in answers], [took_s for _, took_s in answers]


def p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[-1]


def problems(service: Service) -> list[str]:
    return service.client.get("/health").json()["problems"]


def opened(service: Service, *wanted: str) -> int:
    """Ask until health says that these are left alone; how many questions that took."""
    for questions in range(0, REQUESTS, READERS):
        if set(wanted) <= set(problems(service)):
            return questions
        asked(service, READERS)
    pytest.fail(f"never left alone: {problems(service)}")


def recovery_s(service: Service, well: Callable[[dict[str, Any]], bool]) -> float:
    """Seconds until a question is answered as before, and those after it too, asked for ten times a second."""
    started, since, in_a_row = monotonic(), 0.0, 0
    while in_a_row < 10:
        at = monotonic()
        in_a_row = in_a_row + 1 if well(service.ask(QUESTION).json()) else 0
        since = monotonic() - started if in_a_row == 1 else since
        assert monotonic() - started < 20, service.ask(QUESTION).text
        sleep(max(0.0, EVERY_S - (monotonic() - at)))
    return since


def answered(body: dict[str, Any]) -> bool:
    return body.get("outcome") == "answered"


def say(**figures: float) -> None:
    """Figures for who runs it with -s."""
    print(" ".join(f"{name}={value:.3f}" for name, value in figures.items()))


# --- a dead Gemini


@pytest.mark.parametrize("fault", ["503", "429", "close", "hang"])
def test_a_dead_model_sees_hardly_more_calls_than_questions_and_what_stands_in_comes_soon(
    gemini: GeminiStandin, gemini_service: Start, fault: str
) -> None:
    service = gemini_service(first_text_timeout_s=2.0, embed_timeout_s=1.0)
    assert answered(service.ask(QUESTION).json())
    gemini.requests.clear()
    gemini.fail(fault, on="both")
    slug = {"503": "model-unavailable", "429": "model-busy", "close": "model-bad-response", "hang": "deadline"}[fault]
    before = opened(service, f"generation: {slug}", f"embedding: {slug}")
    bodies, took_s = asked(service, REQUESTS)
    assert {body["outcome"] for body in bodies} == {"degraded"}
    assert {tuple(body["degraded"]) for body in bodies} == {("dense", "generation")}
    generated, embedded = (gemini.calls(on) / (before + REQUESTS) for on in ("generate", "embed"))
    say(generated=generated, embedded=embedded, p95_s=p95(took_s), before=before)
    assert generated <= MOST
    assert embedded <= MOST
    assert p95(took_s) < 1.0
    gemini.heal()
    back_s = recovery_s(service, answered)
    say(back_s=back_s)
    assert back_s < 2.0
    assert problems(service) == []


def test_a_model_whose_port_is_closed_leaves_answers_quick_and_is_found_again(
    gemini: GeminiStandin, gemini_service: Start
) -> None:
    service = gemini_service()
    gemini.stop()
    opened(service, "generation: model-unavailable", "embedding: model-unavailable")
    bodies, took_s = asked(service, REQUESTS)
    assert {tuple(body["degraded"]) for body in bodies} == {("dense", "generation")}
    assert p95(took_s) < 1.0
    gemini.start()
    back_s = recovery_s(service, answered)
    say(p95_s=p95(took_s), back_s=back_s)
    assert back_s < 2.0


async def test_a_closed_port_is_knocked_at_hardly_more_often_than_there_are_requests() -> None:
    knocks = 0
    guard = Guard()

    async def knock() -> None:
        nonlocal knocks
        knocks += 1
        try:
            await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError as error:
            raise ModelUnavailable("refused") from error

    async def request() -> None:
        with pytest.raises(ModelUnavailable):
            await guard.call(knock, Deadline(5))

    with dead_port() as port:
        for _ in range(REQUESTS // READERS):
            await asyncio.gather(*(request() for _ in range(READERS)))
    assert 0 < knocks <= MOST * REQUESTS


async def test_an_upstream_that_fails_every_other_call_gets_a_tenth_more_and_no_call_is_refused(
    gemini: GeminiStandin, make: Make
) -> None:
    service, well = make(), 0
    for number in range(REQUESTS):
        if number % 2:
            gemini.fail("503", times=1)
        try:
            await written(service, budget_s=5)
            well += 1
        except ServiceError:
            gemini.heal()
    retried = gemini.calls("generate") - REQUESTS
    say(retried=retried, well=well)
    assert 0.8 * REQUESTS / 10 <= retried <= REQUESTS / 10
    assert well == REQUESTS / 2 + retried
    assert service.problems == []


async def test_each_verb_is_left_alone_by_itself(gemini: GeminiStandin, make: Make) -> None:
    service = make()
    gemini.fail("503", on="embed")
    for _ in range(30):
        await failure_of(service.get_embedding("hello"))
    assert service.problems == ["embedding: model-unavailable"]
    for _ in range(30):
        await written(service)
    assert gemini.calls("embed") < 20
    assert gemini.calls("generate") == 30


async def test_a_rewrite_is_tried_once_and_its_failures_do_not_stop_the_writing(gemini: GeminiStandin, make: Make) -> None:
    service = make()
    gemini.fail("503")
    for _ in range(50):
        await failure_of(service.rewrite(PROMPT, Deadline(1)))
    assert gemini.calls("generate") < 20, "a dead model is asked less and less"
    assert service.problems == ["rewriting: model-unavailable"]
    gemini.heal()
    assert await written(service)


# --- quotas


async def test_a_daily_quota_is_left_alone_until_it_is_given_anew(gemini: GeminiStandin, make: Make) -> None:
    gemini.fail("429day", seconds=0.1)
    service = make()
    for _ in range(50):
        error, took_s = await failure_of(written(service))
        assert type(error) is ModelBusy
        assert error.retry_after_s == pytest.approx(day_quota_wait_s(time()), abs=3)
        assert took_s < 0.3
    assert gemini.calls("generate") == 1
    assert service.problems == ["generation: model-busy"]
    assert len(await service.get_embedding("hello")) == 256, "the quota is one of the model that writes"


async def test_a_quota_per_minute_is_left_alone_for_as_long_as_it_says(gemini: GeminiStandin, make: Make) -> None:
    gemini.fail("429ri", seconds=1, times=1)
    service = make()
    started = monotonic()
    first, _ = await failure_of(written(service, budget_s=0.8))
    second, _ = await failure_of(written(service, budget_s=0.8))
    assert first.retry_after_s == 1
    assert second.retry_after_s is not None
    assert 0.7 < second.retry_after_s < 1
    assert gemini.calls("generate") == 1
    await asyncio.sleep(1.05 - (monotonic() - started))
    assert await written(service)
    assert service.problems == []


def test_a_reader_who_wants_errors_is_told_what_is_left_of_the_wait(gemini: GeminiStandin, gemini_service: Start) -> None:
    service = gemini_service(on_model_failure="error")
    gemini.fail("429ri", seconds=30)
    first = service.ask(QUESTION)
    sleep(1.1)
    second = service.ask(QUESTION)
    assert [reply.status_code for reply in (first, second)] == [503, 503]
    assert (first.headers["retry-after"], second.headers["retry-after"]) == ("30", "29")
    assert gemini.calls("generate") == 1
    assert problems(service) == ["generation: model-busy"]


def test_the_wait_for_a_daily_quota_is_told_as_an_hour_at_most(gemini: GeminiStandin, gemini_service: Start) -> None:
    service = gemini_service(on_model_failure="error")
    gemini.fail("429day", seconds=30)
    told = [int(service.ask(QUESTION).headers["retry-after"]) for _ in range(2)]
    assert told == pytest.approx([min(3600, ceil(day_quota_wait_s(time())))] * 2, abs=3)


# --- a dead Qdrant server


@pytest.mark.parametrize("fault", ["503", "reset", "hang"])
def test_a_dead_search_server_sees_hardly_more_calls_than_questions_and_refusals_come_soon(
    over_qdrant: Start, qdrant: QdrantStandin, fault: str
) -> None:
    service = over_qdrant(search_timeout_s=1.0)
    qdrant.fail(fault)
    before = opened(service, "search: search-unavailable" if fault != "hang" else "search: deadline")
    bodies, took_s = asked(service, REQUESTS)
    assert {body["type"].rpartition(":")[2] for body in bodies} == {"search-unavailable"}
    calls = sum(path.endswith("/query/batch") for _, path in list(qdrant.requests)) / (before + REQUESTS)
    qdrant.heal()
    back_s = recovery_s(service, lambda body: bool(body.get("sources")))
    say(calls=calls, p95_s=p95(took_s), back_s=back_s)
    assert calls <= MOST
    assert p95(took_s) < 1.0
    assert back_s < 2.0
