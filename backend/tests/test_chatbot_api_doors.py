"""One way to answer: the same question has the same outcome, text and sources at every door."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chatkit_reader import ChatKitReader, done_items, input_of
from conftest import Service
from gemini_standin import GeminiStandin
from lantern import lantern
from lantern_fixtures import lantern_running

pytest_plugins = ["chatkit_package", "mcp_package"]
MCP = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


class Told(NamedTuple):
    """What a door told. ``outcome`` None: its protocol has no word for it."""

    outcome: str | None
    text: str
    links: set[str]
    """The sources'."""


class Case(NamedTuple):
    """A question, and the model that answers it."""

    outcome: str
    question: str
    answer: list[str]
    fault: str = ""


CASES = {
    "answered": Case("answered", "How do I install Lantern with Docker?", ["Run the ", "image", " [1]."]),
    "answered from two places": Case("answered", "How do I pair or reset a lamp?", ["Reset it [2]. ", "Or pair it [3][2]."]),
    "answered in other scripts": Case("answered", "How do I pair a lamp?", ["Ünïcode 💡 ", "灯を押す [1]."]),
    "not near enough": Case("not_in_docs", "Which wine goes with a saffron risotto?", ["never asked"]),
    "declined by the model": Case("not_in_docs", "How do I install Lantern with Docker?", ["NOT", "_IN_DOCS"]),
    "without its model": Case("degraded", "How do I install Lantern with Docker?", ["never told"], "503"),
    "without a marker": Case("degraded", "How do I install Lantern with Docker?", ["Run the ", "image."]),
}


def chat(service: Service, question: str) -> Told:
    body = service.ask(question).json()
    return Told(body["outcome"], body["response"], {source["url"] for source in body["sources"]})


def chat_stream(service: Service, question: str) -> Told:
    events = service.events(question)
    text = "".join(event["text"] for event in events if event["type"] == "delta")
    return Told(events[-1]["outcome"], text, {source["url"] for source in events[-1]["sources"]})


def ndjson(service: Service, question: str) -> Told:
    reply = service.client.post("/chat", json={"query": question}, headers={"X-Stream-Response": "true"})
    lines = [json.loads(line) for line in reply.text.splitlines() if line]
    text = "".join(line["content"] for line in lines if line["type"] == "chunk")
    return Told(lines[-1]["outcome"], text, {source["url"] for source in lines[0]["content"]})


def chatkit(service: Service, question: str) -> Told:
    (answer,) = done_items(ChatKitReader(service).told("threads.create", input=input_of(question)), "assistant_message")
    (part,) = answer["content"]
    return Told(None, part["text"], {annotation["source"]["url"] for annotation in part["annotations"]})


def data_of(body: str) -> list[dict[str, Any]]:
    """The events of a stream that ends with ``[DONE]``."""
    *frames, last, rest = body.split("\n\n")
    assert (last, rest) == ("data: [DONE]", "")
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


def openai(service: Service, question: str) -> Told:
    body = service.client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": question}]}).json()
    message = body["choices"][0]["message"]
    assert set(body["citations"]) == {one["url_citation"]["url"] for one in message["annotations"]}
    return Told(body["outcome"], message["content"], set(body["citations"]))


def openai_stream(service: Service, question: str) -> Told:
    asked = {"messages": [{"role": "user", "content": question}], "stream": True}
    chunks = data_of(service.client.post("/v1/chat/completions", json=asked).text)
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    return Told(chunks[-1]["outcome"], text, set(chunks[-1]["citations"]))


def ai_sdk(service: Service, question: str) -> Told:
    asked = {"messages": [{"role": "user", "parts": [{"type": "text", "text": question}]}]}
    parts = data_of(service.client.post("/api/chat", json=asked).text)
    text = "".join(part["delta"] for part in parts if part["type"] == "text-delta")
    links = {part["url"] for part in parts if part["type"] == "source-url"}
    return Told(parts[-1]["messageMetadata"]["outcome"], text, links)


def mcp(service: Service, question: str) -> Told:
    call = {"name": "ask_docs", "arguments": {"query": question}}
    reply = service.client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}, headers=MCP)
    body = reply.json()["result"]["structuredContent"]
    return Told(body["outcome"], body["response"], {source["url"] for source in body["sources"]})


DOORS: dict[str, Callable[[Service, str], Told]] = {
    "/chat/stream": chat_stream,
    "ndjson": ndjson,
    "ChatKit": chatkit,
    "OpenAI": openai,
    "OpenAI, streamed": openai_stream,
    "AI SDK": ai_sdk,
    "MCP": mcp,
}
"""All of them but /chat, with which they are compared."""
NEEDS = {"ChatKit": "chatkit_there", "MCP": "mcp_there"}
THERE = [name for name in ("chatkit", "mcp") if find_spec(name)]
running = lantern_running(
    *(f"{name}_there" for name in THERE),
    openai_compat_enabled=True,
    ai_sdk_enabled=True,
    chatkit_enabled="chatkit" in THERE,
    mcp_enabled="mcp" in THERE,
    mcp_ask_enabled="mcp" in THERE,
    site_url="https://docs.example.com",
)


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_door_tells_the_same_answer(
    service: Service, model: GeminiStandin, case: Case, name: str, request: pytest.FixtureRequest
) -> None:
    if name in NEEDS:
        request.getfixturevalue(NEEDS[name])
    model.answer(case.answer)
    if case.fault:
        model.fail(case.fault)
    expected, told = chat(service, case.question), DOORS[name](service, case.question)
    assert expected.outcome == case.outcome
    assert bool(expected.links) == (case.outcome == "answered" or bool(case.fault))
    assert told.text == expected.text
    assert told.outcome in (None, expected.outcome)
    if name == "ndjson" and case.outcome != "not_in_docs":
        assert told.links >= expected.links, "its sources are told before it is known which are cited"
    else:
        assert told.links == expected.links


# --- what they share


QUESTION = CASES["answered"].question
ASKED: dict[str, dict[str, Any]] = {
    "/chat": {"query": QUESTION},
    "/chat/stream": {"query": QUESTION},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": QUESTION}]},
    "/api/chat": {"messages": [{"role": "user", "parts": [{"type": "text", "text": QUESTION}]}]},
}
OPEN: dict[str, Any] = {"openai_compat_enabled": True, "ai_sdk_enabled": True}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat"])
def test_an_answer_at_one_door_takes_its_seat_from_all(tmp_path: Path, book: Path, path: str) -> None:
    with lantern(tmp_path, book, max_answers_in_flight=1, deadline_s=60, **OPEN) as (service, model):
        model.answer(["Run the image. "] * 200, chunk_delay_s=0.1)
        with service.client.stream("POST", path, json={**ASKED[path], "stream": True}) as held:
            lines = held.iter_lines()  # held, or the connection would be closed with it
            assert any("Run the image" in line for line in lines)
            refused = [service.client.post(other, json=body).json()["type"] for other, body in ASKED.items()]
        assert set(refused) == {"urn:ask-ai:problem:overloaded"}


def test_a_visitor_is_counted_once_for_all_doors(tmp_path: Path, book: Path) -> None:
    with lantern(tmp_path, book, rate_limit_per_visitor="4/minute", **OPEN) as (service, _):
        visitor = {"X-Visitor-Id": "v_alice-0123456789-0123456"}
        paths = [*ASKED, *ASKED]
        statuses = [service.client.post(path, json=ASKED[path], headers=visitor).status_code for path in paths]
    assert statuses == [200] * 4 + [429] * 4


@pytest.mark.parametrize("key", ["", "k" * 256], ids=["empty", "too long"])
@pytest.mark.parametrize("path", ["/chat", "/chat/stream"])
def test_an_idempotency_key_that_is_none_is_refused(service: Service, path: str, key: str) -> None:
    reply = service.client.post(path, json={"query": "How do I install Lantern with Docker?"}, headers={"Idempotency-Key": key})
    assert reply.status_code == 422
    assert [one["loc"] for one in reply.json()["errors"]] == [["header", "Idempotency-Key"]]


def test_each_door_declares_the_headers_that_it_reads(service: Service) -> None:
    paths = service.client.get("/openapi.json").json()["paths"]

    def declared(path: str, method: str = "post") -> set[str]:
        return {one["name"] for one in paths[path][method].get("parameters", []) if one["in"] == "header"}

    own, key = {"X-Visitor-Id"}, {"X-Site-Key"}
    assert declared("/chat") == {*own, *key, "Idempotency-Key", "X-Stream-Response"}
    assert declared("/chat/stream") == {*own, *key, "Idempotency-Key"}
    assert declared("/search") == {*own, *key}
    assert declared("/v1/chat/completions") == {*own, *key, "Idempotency-Key"}
    for path in ("/api/chat", "/feedback", *(f"/{name}" for name in THERE)):
        assert declared(path) == {*own, *key}, path
    assert declared("/v1/models", "get") == key
    for method in ("get", "delete"):
        assert declared("/conversations/{conversation_id}", method) == own
    for probe in ("/health", "/health/live", "/health/ready"):
        assert declared(probe, "get") == set()
