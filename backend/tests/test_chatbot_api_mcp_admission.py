"""POST /mcp over a real socket: what counts, whose conversations are whose, and who leaves."""

# ruff: noqa: PLC0415 - the package may be missing; then the tests are skipped

import asyncio
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from chatbot_api.config import Settings
from chatbot_api.draining import Draining
from chatbot_api.wiring import open_services
from conftest import KEY, Service, index_book, with_gemini
from gemini_standin import GeminiStandin
from gemini_wire import Recorded
from lantern_fixtures import lantern_running
from mcp_agent import ALICE, BOB, MODES, agent, called, got, message, posted, refused

pytest_plugins = ["mcp_package"]
QUESTION = "How do I install Lantern with Docker?"
SITE_KEY = "site-key-0123456789abcdef"
CALL = {"name": "search_docs", "arguments": {"query": "lamp"}}
running = lantern_running("mcp_there", mcp_enabled=True, mcp_ask_enabled=True)


@pytest.fixture
def client(service: Service, model: GeminiStandin) -> httpx.Client:
    return service.client


@pytest.fixture
def mcp_service(gemini_service: Callable[..., Service], mcp_there: None) -> Callable[..., Service]:
    return lambda **values: gemini_service(mcp_enabled=True, mcp_ask_enabled=True, **values)


def asked_of(model: GeminiStandin) -> Recorded:
    """The call for an answer, once it is there."""
    end = time.monotonic() + 10.0
    while not (calls := [one for one in list(model.requests) if one.kind == "generate"]):
        assert time.monotonic() < end, "the model was not asked"
        time.sleep(0.01)
    return calls[0]


# --- what counts


async def test_handshakes_and_lists_are_free_and_calls_count_as_questions_do(mcp_service: Callable[..., Service]) -> None:
    from mcp.shared.exceptions import MCPError

    service = await asyncio.to_thread(mcp_service, rate_limit_per_address="3/hour")
    for mode in MODES * 2:
        async with agent(service.url, mode) as client:
            await client.list_tools()
    async with agent(service.url) as client:
        for _ in range(3):
            got(await client.call_tool("search_docs", {"query": QUESTION}))
        with pytest.raises(MCPError, match="Too many questions were asked in a short time") as told:
            await client.call_tool("list_pages", {})
        assert told.value.data["retryable"] is True
        assert len((await client.list_tools()).tools) == 4
    reply = await asyncio.to_thread(called, service.client, "search_docs", query=QUESTION)
    assert refused(reply, 429, "rate-limited")["code"] == -32600
    assert int(reply.headers["retry-after"]) > 0
    assert "address-3600s" in reply.headers["ratelimit-policy"]
    assert (await asyncio.to_thread(service.ask)).status_code == 429, "one count for all doors"


def test_a_visitor_counts_by_its_id(mcp_service: Callable[..., Service]) -> None:
    client = mcp_service(rate_limit_per_visitor="1/hour").client
    assert called(client, "list_pages", headers={"X-Visitor-Id": ALICE}).status_code == 200
    refused(called(client, "list_pages", headers={"X-Visitor-Id": ALICE}), 429, "rate-limited")
    assert called(client, "list_pages", headers={"X-Visitor-Id": BOB}).status_code == 200


def test_a_call_takes_a_seat_and_is_refused_where_none_is_free(
    mcp_service: Callable[..., Service], gemini: GeminiStandin
) -> None:
    service = mcp_service(max_answers_in_flight=1)
    gemini.answer("Late [1].", chunk_delay_s=30.0)
    with service.client.stream("POST", "/chat/stream", json={"query": QUESTION}) as answering:
        pieces = answering.iter_text()  # by name: without one it would be closed at once, and the connection with it
        assert "data:" in next(pieces)
        reply = called(service.client, "search_docs", query=QUESTION)
        assert refused(reply, 503, "overloaded")["code"] == -32603
        assert reply.headers["retry-after"]
        assert posted(service.client, "tools/list").status_code == 200


def test_a_days_budget_that_is_spent_makes_answers_extractive(mcp_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    client = mcp_service(daily_token_budget=11).client
    first, second = (
        called(client, "ask_docs", query=question).json()["result"]["structuredContent"]
        for question in (QUESTION, "How do I pair a lamp with the hub?")
    )
    assert (first["outcome"], second["outcome"], second["degraded"]) == ("answered", "degraded", ["budget"])
    assert gemini.calls("generate") == 1


async def test_the_site_key_is_asked_for_by_every_message(mcp_service: Callable[..., Service]) -> None:
    service = await asyncio.to_thread(mcp_service, site_key=SITE_KEY)
    for method, params in (("tools/list", {}), ("tools/call", CALL)):
        reply = await asyncio.to_thread(posted, service.client, method, params)
        refused(reply, 401, "unauthorized")
        assert reply.headers["www-authenticate"] == "X-Site-Key"
    async with agent(service.url, **{"X-Site-Key": SITE_KEY}) as client:
        got(await client.call_tool("search_docs", {"query": QUESTION}))


# --- visitors


async def test_a_conversation_id_of_another_visitor_begins_a_new_conversation(service: Service, model: GeminiStandin) -> None:
    url = service.url
    async with agent(url, **{"X-Visitor-Id": ALICE}) as alice, agent(url, **{"X-Visitor-Id": BOB}) as bob, agent(url) as nobody:
        own = got(await alice.call_tool("ask_docs", {"query": QUESTION}))["conversation_id"]
        for thief in (bob, nobody):
            model.requests.clear()
            asked = {"query": "and on Windows?", "conversation_id": own}
            assert got(await thief.call_tool("ask_docs", asked))["conversation_id"] != own
            assert not any(QUESTION in json.dumps(one.body) for one in model.requests)
    kept = await asyncio.to_thread(service.client.get, f"/conversations/{own}", headers={"X-Visitor-Id": ALICE})
    assert [turn["query"] for turn in kept.json()["turns"]] == [QUESTION]


def test_a_reply_gives_the_visitors_id_where_an_answer_was_asked_and_nowhere_else(client: httpx.Client) -> None:
    assert called(client, "ask_docs", query=QUESTION).headers["x-visitor-id"].startswith("v_")
    assert "x-visitor-id" not in called(client, "search_docs", query=QUESTION).headers
    assert "x-visitor-id" not in posted(client, "tools/list").headers


def test_no_key_is_in_any_reply(mcp_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    client = mcp_service().client
    gemini.fail("403", on="both")
    for tool in ("search_docs", "ask_docs"):
        assert KEY not in called(client, tool, query=QUESTION).text


# --- endings


@pytest.mark.parametrize("modern", [False, True])
def test_an_agent_that_leaves_stops_the_model(client: httpx.Client, service: Service, model: GeminiStandin, modern: bool) -> None:
    model.answer("Late [1].", chunk_delay_s=30.0)
    body, headers = message("tools/call", {"name": "ask_docs", "arguments": {"query": QUESTION}}, modern=modern)
    content = json.dumps(body).encode()
    address = urlsplit(service.url)
    sent = {
        "Host": address.netloc,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Content-Length": str(len(content)),
        **headers,
    }
    head = "POST /mcp HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items()) + "\r\n"
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + content)
        asked = asked_of(model)
    assert asked.closed.wait(5.0), "the model went on writing for nobody"


async def test_an_answer_under_way_when_the_process_ends_says_so(
    gemini: GeminiStandin, settings_of: Callable[..., Settings], book: Path, mcp_there: None
) -> None:
    from chatbot_api.mcp_tools import DocsTools

    settings = settings_of(**with_gemini(gemini, mcp_ask_enabled=True))
    await asyncio.to_thread(index_book, settings, book)
    gemini.answer("Late [1].", chunk_delay_s=30.0)
    draining = Draining()
    async with open_services(settings) as services:
        asking = asyncio.create_task(DocsTools(services, draining).call("ask_docs", {"query": QUESTION}, lambda: ALICE))
        await asyncio.to_thread(asked_of, gemini)
        draining.cut()
        told = await asking
    assert told.is_error
    assert "(problem: shutting-down)" in json.dumps(told.model_dump(mode="json"))


def test_many_calls_at_once_are_all_answered_each_by_its_own_result(client: httpx.Client) -> None:
    pages = ["/docs/", "/docs/install", "/docs/lamps"] * 8
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda url: called(client, "fetch_doc", url=url), pages))
    assert [urlsplit(one.json()["result"]["structuredContent"]["url"]).path for one in replies] == pages
