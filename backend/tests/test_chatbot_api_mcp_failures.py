"""POST /mcp over a real socket: what an agent is told when a part fails, and what is logged of a call."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chatbot_api.config import Settings
from chatbot_api.draining import Draining
from chatbot_api.services.indexed_pages import IndexedPages
from chatbot_api.wiring import open_services
from conftest import Service, index_book, serving, with_gemini, write_index
from gemini_standin import GeminiStandin
from lantern import passage
from lantern_fixtures import lantern_running
from mcp_agent import called
from qdrant_standin import QdrantStandin

pytest_plugins = ["mcp_package"]
QUESTION = "How do I install Lantern with Docker?"
running = lantern_running("mcp_there", mcp_enabled=True)


@pytest.fixture
def mcp_service(gemini_service: Callable[..., Service], mcp_there: None) -> Callable[..., Service]:
    return lambda **values: gemini_service(mcp_enabled=True, **values)


async def test_an_outage_of_the_search_is_told_as_an_outage_by_every_tool(
    gemini: GeminiStandin,
    qdrant: QdrantStandin,
    settings_of: Callable[..., Settings],
    mcp_there: None,
    serve: Callable[[Settings], Service],
) -> None:
    settings = settings_of(**with_gemini(gemini, qdrant_host=qdrant.url, mcp_enabled=True, mcp_ask_enabled=True))
    await write_index(settings, [passage("Hold the button to pair a lamp.", url="/docs/lamps")])
    client = serve(settings).client
    qdrant.fail("503", on="all")
    for tool, arguments in (
        ("search_docs", {"query": "lamp"}),
        ("fetch_doc", {"url": "/docs/lamps"}),
        ("list_pages", {}),
        ("ask_docs", {"query": "How do I pair a lamp?"}),
    ):
        reply = await asyncio.to_thread(called, client, tool, **arguments)
        assert reply.json()["result"]["isError"] is True
        told = reply.json()["result"]["content"][0]["text"]
        assert told.startswith("The documentation can't be searched right now. Please try again.")
        assert told.endswith("(problem: search-unavailable)")
        assert "structuredContent" not in reply.json()["result"]


def test_a_service_without_an_index_says_so(
    settings_of: Callable[..., Settings], mcp_there: None, serve: Callable[[Settings], Service]
) -> None:
    client = serve(settings_of(mcp_enabled=True)).client
    for tool, arguments in (("search_docs", {"query": "lamp"}), ("fetch_doc", {"url": "/docs/lamps"}), ("list_pages", {})):
        told = called(client, tool, **arguments).json()["result"]
        assert told["isError"] is True
        assert told["content"][0]["text"] == "The documentation has not been indexed yet. (problem: index-missing)"


def test_a_model_that_fails_is_named_where_the_owner_wants_errors(
    mcp_service: Callable[..., Service], gemini: GeminiStandin
) -> None:
    service = mcp_service(mcp_ask_enabled=True, on_model_failure="error")
    gemini.fail("503")
    told = called(service.client, "ask_docs", query=QUESTION).json()["result"]
    assert told["isError"] is True
    assert "(problem: model-unavailable)" in told["content"][0]["text"]


def test_a_search_whose_embedding_fails_goes_on_by_words_and_says_so(service: Service, model: GeminiStandin) -> None:
    model.fail("503", on="embed")
    found = called(service.client, "search_docs", query="docker install").json()["result"]["structuredContent"]
    assert (found["degraded"], found["answerable"]) == (["dense"], None)
    assert found["results"][0]["title"] == "Install"


async def test_a_bug_is_told_as_a_fault_of_ours_and_logged_and_its_text_is_not_shown(
    settings_of: Callable[..., Settings], mcp_there: None, capfd: pytest.CaptureFixture[str]
) -> None:
    from chatbot_api.mcp_tools import DocsTools  # noqa: PLC0415 - the package may be missing

    class Broken(IndexedPages):
        async def page(self, url: str) -> None:
            raise RuntimeError(f"canary of {url}")

    async with open_services(settings_of()) as services:
        pages = Broken(services.index, site="docs", site_url="")
        tools = DocsTools(replace(services, pages=pages), Draining())
        told = await tools.call("fetch_doc", {"url": "/docs/lamps"}, lambda: "v_nobody")
    assert told.is_error
    assert "(problem: internal)" in str(told.content)
    assert "canary" not in str(told.content)
    assert "tool_broke" in capfd.readouterr().out


def test_the_log_line_of_a_call_names_the_tool_and_never_the_question(
    settings_of: Callable[..., Settings], book: Path, mcp_there: None, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of(mcp_enabled=True, log_level="info")
    index_book(settings, book)
    with serving(settings) as service:
        called(service.client, "search_docs", query="lamp canary-question")
        called(service.client, "canary-tool", query="lamp")
    written = capfd.readouterr().out  # after the service has ended: a line is written when its reply is out
    lines = [json.loads(line) for line in written.splitlines() if '"request_done"' in line]
    assert [line.get("tool") for line in lines if line["route"] == "/mcp"] == ["search_docs", None]
    assert "canary" not in written
