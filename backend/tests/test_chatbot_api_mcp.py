"""POST /mcp over a real socket, asked by the package's own client in each of its modes: what the tools give."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatbot_api.config import Settings
from conftest import BOOK, Service, index_book, write_index
from gemini_standin import GeminiStandin
from lantern import passage, settings_in
from lantern_fixtures import lantern_running
from mcp_agent import ALICE, MODES, agent, called, got, posted, text_of

pytest_plugins = ["mcp_package"]
SITE = "https://docs.example.com"
QUESTION = "How do I install Lantern with Docker?"
running = lantern_running("mcp_there", mcp_enabled=True, mcp_ask_enabled=True, site_url=SITE)


@pytest.fixture
def mcp_service(gemini_service: Callable[..., Service], mcp_there: None) -> Callable[..., Service]:
    return lambda **values: gemini_service(mcp_enabled=True, **values)


# --- a conversation


@pytest.mark.parametrize("mode", MODES)
async def test_an_agent_lists_the_tools_searches_reads_a_page_and_asks(service: Service, model: GeminiStandin, mode: str) -> None:
    model.answer("Run the image [1].")
    async with agent(service.url, mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["search_docs", "fetch_doc", "list_pages", "ask_docs"]
        found = got(await client.call_tool("search_docs", {"query": QUESTION, "limit": 2}))
        page = got(await client.call_tool("fetch_doc", {"url": found["results"][0]["url"]}))
        answer = got(await client.call_tool("ask_docs", {"query": QUESTION}))
    best = found["results"][0]
    assert len(found["results"]) == 2
    assert (found["answerable"], found["degraded"], best["heading_path"]) == (True, [], ["Install", "Install with Docker"])
    assert best["url"] == best["id"] == f"{SITE}/docs/install#install-with-docker"
    assert best["text"] == "Run the image to install Lantern with Docker:\n\n```bash\ndocker run lantern/hub\n```"
    assert page["text"] == "# Install\n\n" + BOOK["install.md"].rpartition("---\n\n")[2].strip()
    assert (page["title"], page["url"], page["next_offset"]) == ("Install", f"{SITE}/docs/install", None)
    assert (answer["response"], answer["outcome"]) == ("Run the image [1].", "answered")
    assert [source["url"] for source in answer["sources"]] == [f"{SITE}/docs/install#install-with-docker"]


@pytest.mark.parametrize("mode", MODES)
async def test_the_server_says_who_it_is_and_how_it_is_used(service: Service, mode: str) -> None:
    async with agent(service.url, mode) as client:
        if mode != "2026-07-28":  # there the client is told with the first reply
            assert client.server_info.name == "ask-ai"
            assert "Lantern" in (client.instructions or "")
            assert client.server_capabilities.tools is not None


async def test_every_tool_says_that_it_only_reads_and_what_it_takes_and_gives(service: Service) -> None:
    async with agent(service.url) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for tool in tools.values():
        hints = tool.annotations
        assert hints
        assert (hints.read_only_hint, hints.destructive_hint, hints.open_world_hint) == (True, False, False)
        assert "Lantern" in (tool.description or "")
        assert tool.output_schema
        assert tool.output_schema["type"] == "object"
    properties = {name: set(tool.input_schema["properties"]) for name, tool in tools.items()}
    assert properties == {
        "search_docs": {"query", "limit", "version", "locale"},
        "fetch_doc": {"url", "offset"},
        "list_pages": {"prefix", "version", "locale", "limit", "cursor"},
        "ask_docs": {"query", "version", "locale", "conversation_id"},
    }
    assert tools["search_docs"].input_schema["required"] == ["query"]
    assert tools["search_docs"].input_schema["properties"]["limit"]["maximum"] == 20


def test_a_bare_call_is_answered_without_a_handshake_in_both_generations(service: Service) -> None:
    for modern in (False, True):
        reply = called(service.client, "search_docs", modern=modern, query=QUESTION)
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "application/json"
        assert reply.json()["result"]["structuredContent"]["results"][0]["title"] == "Install"


# --- arguments


@pytest.mark.parametrize("name", ["query", "question", "userQuery", "user_query", "q"])
def test_the_usual_other_names_of_a_question_are_taken(service: Service, name: str) -> None:
    arguments = {name: f"\u200b {QUESTION} ", "limit": "1", "version": "", "locale": None, "unknown": {"a": 1}}
    reply = called(service.client, "search_docs", **arguments).json()["result"]
    assert [one["title"] for one in reply["structuredContent"]["results"]] == ["Install"]


@pytest.mark.parametrize("name", ["url", "id", "uri", "page", "path"])
def test_a_page_is_fetched_by_the_usual_other_names_of_an_address(service: Service, name: str) -> None:
    for address in (f"{SITE}/docs/lamps#reset-a-lamp", "/docs/lamps/", "docs/lamps"):
        reply = called(service.client, "fetch_doc", **{name: address}).json()["result"]
        assert reply["structuredContent"]["title"] == "Lamps"


@pytest.mark.parametrize(
    ("tool", "arguments", "fault"),
    [
        ("search_docs", {}, "query: Field required"),
        ("search_docs", {"query": " \u200b\n "}, "query: String should have at least 1 character"),
        ("search_docs", {"query": "x" * 2001}, "query: String should have at most 2000 characters"),
        ("search_docs", {"query": ["canary"]}, "query: Input should be a valid string"),
        ("search_docs", {"query": "lamp", "limit": 21}, "limit: Input should be less than or equal to 20"),
        ("search_docs", {"query": "lamp", "limit": "canary"}, "limit: Input should be a valid integer"),
        ("search_docs", {"query": "lamp", "locale": "canary" * 20}, "locale: String should have at most 35 characters"),
        ("fetch_doc", {}, "url: Field required"),
        ("fetch_doc", {"url": "/canary" * 300}, "url: String should have at most 2000 characters"),
        ("fetch_doc", {"url": "/docs/lamps", "offset": -1}, "offset: Input should be greater than or equal to 0"),
        ("list_pages", {"limit": 201}, "limit: Input should be less than or equal to 200"),
        ("ask_docs", {"query": 1}, "query: Input should be a valid string"),
    ],
)
async def test_arguments_that_are_not_valid_are_told_as_the_tools_error_and_never_repeated(
    service: Service, model: GeminiStandin, tool: str, arguments: dict[str, Any], fault: str
) -> None:
    async with agent(service.url) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert fault in text_of(result)
    assert "canary" not in text_of(result)
    assert model.requests == []


# --- what is found


def test_what_the_docs_do_not_hold_is_said_and_the_closest_sections_are_only_begun(service: Service) -> None:
    reply = called(service.client, "search_docs", query="Which wine goes with a saffron risotto?").json()["result"]
    found = reply["structuredContent"]
    assert found["answerable"] is False
    assert found["results"]


def test_an_address_that_is_no_page_is_said_with_what_to_do(service: Service) -> None:
    for address in ("/docs/none", "https://evil.example/docs/lamps", "#x"):
        reply = called(service.client, "fetch_doc", url=address).json()["result"]
        assert reply["isError"] is True
        assert reply["content"][0]["text"].startswith("No page of the documentation has this address. Find addresses with")


def test_pages_are_listed_a_part_at_a_time(service: Service) -> None:
    first = called(service.client, "list_pages", limit=2).json()["result"]["structuredContent"]
    second = called(service.client, "list_pages", limit=2, cursor=first["next_cursor"]).json()["result"]["structuredContent"]
    listed = [(page["title"], page["url"]) for page in [*first["pages"], *second["pages"]]]
    assert listed == [("Install", f"{SITE}/docs/install"), ("Lamps", f"{SITE}/docs/lamps"), ("Lantern", f"{SITE}/docs/")]
    assert second["next_cursor"] is None
    narrowed = called(service.client, "list_pages", prefix="/docs/l").json()["result"]["structuredContent"]
    assert [page["title"] for page in narrowed["pages"]] == ["Lamps"]


async def test_a_long_page_comes_in_parts_that_join_to_the_whole(
    tmp_path: Path, mcp_there: None, serve: Callable[[Settings], Service]
) -> None:
    settings = settings_in(tmp_path, mcp_enabled=True)
    text = " ".join(f"word{at}" for at in range(100))
    await write_index(settings, [passage(f"Part {at}. {text}", url="/docs/long", ordinal=at) for at in range(90)])
    client = serve(settings).client
    parts: list[str] = []
    offset: int | None = 0
    while offset is not None:
        part = called(client, "fetch_doc", url="/docs/long", offset=offset).json()["result"]["structuredContent"]
        parts.append(part["text"])
        assert len(part["text"]) <= 30_000
        offset = part["next_offset"]
    assert len(parts) == 3
    assert "".join(parts) == "# Lantern\n\n" + "\n\n".join(f"Part {at}. {text}" for at in range(90))
    assert all(part.endswith("\n\n") for part in parts[:-1])
    beyond = called(client, "fetch_doc", url="/docs/long", offset=10**7).json()["result"]
    assert beyond["isError"] is True


# --- asking


def test_asking_is_offered_only_where_the_owner_wants_it(mcp_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    client = mcp_service().client
    listed = posted(client, "tools/list").json()["result"]["tools"]
    assert [tool["name"] for tool in listed] == ["search_docs", "fetch_doc", "list_pages"]
    error = called(client, "ask_docs", query=QUESTION).json()["error"]
    assert error["message"] == "There is no such tool. There are: search_docs, fetch_doc, list_pages."
    assert gemini.calls("generate") == 0


async def test_a_question_is_asked_on_in_its_conversation(service: Service, model: GeminiStandin) -> None:
    async with agent(service.url, **{"X-Visitor-Id": ALICE}) as client:
        first = got(await client.call_tool("ask_docs", {"query": QUESTION}))
        second = got(
            await client.call_tool("ask_docs", {"query": "and on Windows?", "conversation_id": first["conversation_id"]})
        )
    assert second["conversation_id"] == first["conversation_id"]
    turns = service.client.get(f"/conversations/{first['conversation_id']}", headers={"X-Visitor-Id": ALICE}).json()["turns"]
    assert [turn["query"] for turn in turns] == [QUESTION, "and on Windows?"]


def test_an_answer_without_a_model_is_the_same_as_of_chat(
    settings_of: Callable[..., Settings], book: Path, mcp_there: None, serve: Callable[[Settings], Service]
) -> None:
    settings = settings_of(mcp_enabled=True, mcp_ask_enabled=True)
    index_book(settings, book)
    service = serve(settings)
    told = called(service.client, "ask_docs", query=QUESTION).json()["result"]["structuredContent"]
    chat = service.ask(QUESTION).json()
    own = {"conversation_id": "", "message_id": "", "mode": ""}
    assert {**told, **own} == {**chat, **own}
    assert told["mode"] == "extractive"
