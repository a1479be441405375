"""A day's budget: counted from what the model says it cost, by all processes together; once spent, answers are extractive."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from chatbot_api.budget import Budget, keep_in_touch
from chatbot_api.config import Settings
from chatbot_api.limit_store import LimitStore
from chatbot_api.models.answer_models import Usage
from chatbot_api.services.gemini_usage import Meter
from conftest import Service, index_book
from gemini_standin import GeminiStandin
from redis_server import RedisServer


class Calendar:
    """The time, as a test says."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 23, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


# --- the sums


def test_tokens_are_counted_until_the_budget_is_spent_and_anew_the_next_day() -> None:
    calendar = Calendar()
    budget = Budget(tokens=100, now=calendar)
    budget.add(Usage(60, 39))
    assert not budget.is_spent
    budget.add(Usage(0, 1))
    assert budget.is_spent
    assert budget.problems == ["budget: spent"]
    calendar.now = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
    assert not budget.is_spent
    assert budget.problems == []


def test_a_cost_is_what_the_tokens_cost_by_the_two_prices() -> None:
    budget = Budget(usd=0.01, input_usd_per_mtok=0.3, output_usd_per_mtok=2.5)
    for _ in range(6):
        budget.add(Usage(2500, 300))
    assert budget.cost_usd == pytest.approx(6 * (2500 * 0.3 + 300 * 2.5) / 1e6)
    assert not budget.is_spent
    budget.add(Usage(2500, 300))
    assert budget.is_spent


def test_without_a_limit_nothing_is_ever_spent() -> None:
    budget = Budget(input_usd_per_mtok=0.3, output_usd_per_mtok=2.5)
    budget.add(Usage(10**12, 10**12))
    assert not budget.is_spent
    assert budget.problems == []


async def test_processes_spend_one_budget_together_and_a_new_one_learns_what_was_spent(redis: RedisServer) -> None:
    stores = [LimitStore(redis.url, "ask-ai:test") for _ in range(3)]
    one, two, late = (Budget(tokens=1000, store=store) for store in stores)
    one.add(Usage(400, 100))
    two.add(Usage(450, 50))
    await one.exchange()
    await two.exchange()
    await one.exchange()
    await late.exchange()
    assert [budget.today.total for budget in (one, two, late)] == [1000, 1000, 1000]
    assert all(budget.is_spent for budget in (one, two, late))
    for store in stores:
        await store.close()


async def test_while_the_server_is_down_the_budget_is_kept_to_and_afterwards_nothing_was_lost(redis: RedisServer) -> None:
    store, other = (LimitStore(redis.url, "ask-ai:test") for _ in range(2))
    budget = Budget(tokens=1000, store=store)
    budget.add(Usage(300, 0))
    await budget.exchange()
    touch = asyncio.create_task(keep_in_touch(store, budget))
    redis.freeze()
    budget.add(Usage(699, 0))
    await asyncio.sleep(1.5)
    assert not store.is_up
    assert budget.today == Usage(999, 0)
    budget.add(Usage(0, 1))
    assert budget.is_spent
    redis.thaw()
    await asyncio.sleep(2)
    learns = Budget(tokens=1000, store=other)
    await learns.exchange()
    # The call that was not answered may have been taken: what is counted twice is on the safe side.
    assert learns.today.total in (1000, 1699)
    assert learns.today.output_tokens == 1
    touch.cancel()
    await asyncio.wait([touch])
    await store.close()
    await other.close()


# --- what a call cost


def metadata(prompt: int | None, candidates: int | None = None, thoughts: int | None = None) -> Any:
    return SimpleNamespace(
        prompt_token_count=prompt,
        candidates_token_count=candidates,
        thoughts_token_count=thoughts,
        tool_use_prompt_token_count=None,
    )


def test_thinking_is_output_and_of_a_running_total_the_last_counts() -> None:
    told: list[Usage] = []
    with Meter(4000, told.append) as meter:
        meter.saw(metadata(900), "a")
        meter.saw(metadata(900, 5, 20), "b")
        meter.saw(metadata(900, 12, 20), "c")
        meter.saw(None, "d")
    assert told == [Usage(900, 32)]


def test_a_call_that_does_not_say_what_it_cost_is_counted_by_its_length() -> None:
    told: list[Usage] = []
    with Meter(4001, told.append) as meter:
        meter.saw(None, "x" * 81)
    assert told == [Usage(1001, 21)]


def test_who_leaves_before_the_first_chunk_has_had_the_prompt_read() -> None:
    told: list[Usage] = []
    with pytest.raises(asyncio.CancelledError), Meter(4000, told.append):
        raise asyncio.CancelledError
    assert told == [Usage(1000, 0)]


def test_a_call_that_failed_costs_nothing_and_one_that_broke_off_what_it_had_said() -> None:
    told: list[Usage] = []
    with pytest.raises(aiohttp.ClientError), Meter(4000, told.append):
        raise aiohttp.ClientConnectionError
    assert told == []
    meter = Meter(4000, told.append)
    meter.saw(metadata(900, 7))
    with pytest.raises(aiohttp.ClientError), meter:
        raise aiohttp.ClientPayloadError
    assert told == [Usage(900, 7)]


# --- in the service


def test_when_the_budget_is_spent_answers_are_extractive_and_the_model_writes_no_more(
    gemini_service: Callable[..., Service], gemini: GeminiStandin
) -> None:
    service = gemini_service(daily_token_budget=40)
    first = service.ask().json()
    assert (first["mode"], first["degraded"]) == ("generated", [])
    while (reply := service.ask().json())["mode"] == "generated":
        assert gemini.calls("generate") < 10
    written = gemini.calls("generate")
    assert (reply["mode"], reply["outcome"], reply["degraded"]) == ("extractive", "degraded", ["budget"])
    assert "docker run lantern/hub" in reply["response"]
    assert reply["citations"]
    assert reply["sources"]
    done = service.events()[-1]
    assert (done["type"], done["mode"], done["degraded"]) == ("done", "extractive", ["budget"])
    assert gemini.calls("generate") == written
    health = service.client.get("/health").json()
    assert health["status"] == "degraded"
    assert "budget: spent" in health["problems"]
    assert service.client.get("/health/ready").status_code == 200


def test_what_the_documentation_does_not_answer_is_declined_as_ever(gemini_service: Callable[..., Service]) -> None:
    service = gemini_service(daily_cost_budget_usd=1e-9, relevance_gate=0.99)
    service.ask()
    declined = service.ask("Who won the regatta of 1912?").json()
    assert (declined["outcome"], declined["degraded"]) == ("not_in_docs", [])


def test_a_spent_budget_is_no_failure_of_the_model_and_follow_ups_are_understood_by_rules(
    gemini_service: Callable[..., Service], gemini: GeminiStandin
) -> None:
    service = gemini_service(daily_cost_budget_usd=1e-9, on_model_failure="error")
    first = service.ask()
    gemini.requests.clear()
    headers = {"X-Visitor-Id": first.headers["X-Visitor-Id"]}
    follow_up = {"query": "And on Windows?", "conversation_id": first.json()["conversation_id"]}
    reply = service.client.post("/chat", json=follow_up, headers=headers)
    assert reply.status_code == 200
    assert reply.json()["degraded"] == ["budget"]
    assert "Windows" in reply.json()["understood_as"]
    assert gemini.calls("generate") == 0


def test_an_answer_that_nobody_waits_for_is_paid_for_too(gemini_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = gemini_service(daily_token_budget=60)
    gemini.answer(["Answer ", "from ", "the ", "stand-in [1]."], chunk_delay_s=0.15)
    for _ in range(20):
        with service.client.stream("POST", "/chat/stream", json={"query": "How do I install Lantern with Docker?"}) as reply:
            for line in reply.iter_lines():
                if "delta" in line:
                    break
        if "budget: spent" in service.client.get("/health").json()["problems"]:
            break
    assert "budget: spent" in service.client.get("/health").json()["problems"]


def test_offline_there_is_no_bill_and_no_budget(
    settings_of: Callable[..., Settings], book: Path, serve: Callable[[Settings], Service]
) -> None:
    settings = settings_of(daily_token_budget=1, daily_cost_budget_usd=1e-9)
    index_book(settings, book)
    service = serve(settings)
    for _ in range(3):
        assert service.ask().json()["degraded"] in ([], ["dense"])
    assert "budget: spent" not in service.client.get("/health").json()["problems"]
