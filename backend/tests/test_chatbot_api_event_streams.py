"""An answer's events on the wire of POST /chat: server-sent events, the ndjson of older widgets, heartbeats, and who leaves."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response

from chatbot_api.ai_sdk_answer import UIMessageParts
from chatbot_api.event_streams import EventStream, as_data, as_ndjson, as_sse, kept_alive
from chatbot_api.models.chat_models import Event, Failed, Problem, Start
from chatbot_api.openai_completion import CompletionChunks
from conftest import Service
from gemini_standin import GeminiStandin
from lantern import healed, serving_app
from lantern_fixtures import lantern_running

DOCKER = "How do I install Lantern with Docker?"
UNKNOWN = "Which wine goes with a saffron risotto?"
running = lantern_running()


def older_widget(service: Service, query: str = DOCKER) -> tuple[httpx.Response, list[dict[str, Any]]]:
    """What an older widget gets: it splits at line feeds, and skips empty lines."""
    body = {"query": query, "context": None, "history": [{"sender": "You", "text": "Hello"}]}
    reply = service.client.post("/chat", json=body, headers={"X-Stream-Response": "true"})
    assert reply.text.endswith("\n")
    return reply, [json.loads(line) for line in reply.text.split("\n") if line]


def test_an_older_widget_gets_sources_chunks_and_an_end_in_lines(service: Service, model: GeminiStandin) -> None:
    model.answer(["Run the ", "image", " [1]."], chunk_delay_s=0.1)
    reply, lines = older_widget(service)
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert reply.headers["x-accel-buffering"] == "no"
    assert [line["type"] for line in lines] == ["sources", *["chunk"] * (len(lines) - 2), "done"]
    assert "".join(line["content"] for line in lines if line["type"] == "chunk") == "Run the image [1]."
    for source in lines[0]["content"]:
        assert set(source) == {"url", "page_title"}
        assert all(isinstance(value, str) for value in source.values())
    addresses = [source["url"] for source in lines[0]["content"]]
    assert len(addresses) == len(set(addresses)) > 0
    assert lines[-1]["message_id"].startswith("m_")


@pytest.mark.parametrize("by", ["the gate", "the model"])
def test_a_refusal_is_text_without_sources_to_an_older_widget(service: Service, model: GeminiStandin, by: str) -> None:
    model.answer(["NOT", "_IN_DOCS"])
    _, lines = older_widget(service, UNKNOWN if by == "the gate" else DOCKER)
    assert [line["type"] for line in lines] == ["sources", "chunk", "done"]
    assert lines[0]["content"] == []
    assert lines[1]["content"].startswith("The documentation does not seem to answer")


def test_a_failure_is_the_last_line_with_a_sentence(gemini_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = gemini_service(on_model_failure="error")
    gemini.fail("503")
    _, lines = older_widget(service)
    assert [line["type"] for line in lines] == ["sources", "error"]
    assert lines[0]["content"] == []
    assert lines[1]["content"] == "The language model can't be reached right now. Please try again."


def test_a_failure_after_some_text_keeps_the_text_and_its_sources(service: Service, model: GeminiStandin) -> None:
    model.answer(["Run the image [1]. ", "And then"], finish=None)
    _, lines = older_widget(service)
    assert [lines[0]["type"], lines[-1]["type"]] == ["sources", "error"]
    assert lines[0]["content"]
    assert "".join(line["content"] for line in lines[1:-1]).startswith("Run the image [1].")


def test_an_older_widget_that_is_refused_gets_a_detail_it_can_show(service: Service) -> None:
    reply = service.client.post("/chat", json={"query": ""}, headers={"X-Stream-Response": "true"})
    assert reply.status_code == 422
    assert isinstance(reply.json()["detail"], str)


@pytest.mark.parametrize(("headers", "fields"), [({"Accept": "text/event-stream"}, {}), ({}, {"stream": True})])
def test_chat_streams_where_the_client_asks_for_it(
    service: Service, model: GeminiStandin, headers: dict[str, str], fields: dict[str, Any]
) -> None:
    reply = service.client.post("/chat", json={"query": DOCKER, **fields}, headers=headers)
    assert reply.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert (reply.headers["cache-control"], reply.headers["x-accel-buffering"]) == ("no-cache", "no")
    frames = reply.text.split("\n\n")
    assert frames.pop() == ""
    types = []
    for frame in frames:
        event, data = frame.split("\n")
        types.append(event.removeprefix("event: "))
        assert json.loads(data.removeprefix("data: "))["type"] == types[-1]
    assert types[0] == "start"
    assert types[-1] == "done"


def test_a_browser_that_takes_anything_gets_json(service: Service, model: GeminiStandin) -> None:
    reply = service.client.post("/chat", json={"query": DOCKER}, headers={"Accept": "*/*"})
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize("headers", [{"X-Stream-Response": "true"}, {"Accept": "text/event-stream"}, {}])
def test_who_leaves_stops_the_model_and_what_was_written_is_kept_as_incomplete(
    service: Service, model: GeminiStandin, headers: dict[str, str]
) -> None:
    model.answer(["Run the image. "] * 100, chunk_delay_s=0.1)
    visitor = {"X-Visitor-Id": f"v_{time.monotonic_ns():022d}"}
    path = "/chat" if headers else "/chat/stream"
    conversation = _left_after_some_text(service, path, {**headers, **visitor})
    (asked,) = [request for request in model.requests if request.kind == "generate"]
    assert asked.closed.wait(1.0), "the model went on writing for nobody"
    kept = _kept(service, conversation, visitor)
    assert (kept["complete"], kept["outcome"], kept["query"]) == (False, None, DOCKER)
    assert kept["response"].startswith("Run the image.")


def _left_after_some_text(service: Service, path: str, headers: dict[str, str]) -> str:
    """The conversation's id: asked for beforehand, since ndjson does not tell it."""
    visitor = {"X-Visitor-Id": headers["X-Visitor-Id"]}
    begun = service.client.post("/chat", json={"query": UNKNOWN}, headers=visitor).json()["conversation_id"]
    body = {"query": DOCKER, "conversation_id": begun}
    with service.client.stream("POST", path, json=body, headers=headers) as reply:
        for line in reply.iter_lines():
            if "image" in line and ("chunk" in line or "delta" in line):
                break
    return begun


def _kept(service: Service, conversation: str, visitor: dict[str, str]) -> dict[str, Any]:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        turns = service.client.get(f"/conversations/{conversation}", headers=visitor).json()["turns"]
        if len(turns) == 2:
            return turns[1]
        time.sleep(0.02)
    raise AssertionError("the partial turn was not kept")


def test_a_message_whose_answer_was_cut_off_is_answered_anew(service: Service, model: GeminiStandin) -> None:
    model.answer(["Run the image. "] * 100, chunk_delay_s=0.1)
    visitor = {"X-Visitor-Id": f"v_{time.monotonic_ns():022d}"}
    body = {"query": DOCKER, "client_message_id": "one"}
    with service.client.stream("POST", "/chat/stream", json=body, headers=visitor) as reply:
        for line in reply.iter_lines():
            if line == "event: delta":
                break
    healed(model)
    again = service.client.post("/chat", json=body, headers=visitor).json()
    assert again["response"] == "Answer from the stand-in [1]."
    (turn,) = service.client.get(f"/conversations/{again['conversation_id']}", headers=visitor).json()["turns"]
    assert turn["complete"]
    assert turn["response"] == again["response"]


async def _slow() -> AsyncGenerator[Event, None]:
    yield Start(conversation_id="c_x", message_id="m_x")
    await asyncio.sleep(0.5)
    yield Failed(problem=Problem(type="urn:x", title="x", status=503, detail="Gone.", request_id="", retryable=True))


def as_openai(events: AsyncGenerator[Event, None], heartbeat_s: float) -> EventStream:
    return as_data(events, CompletionChunks("docs", with_usage=False).told, heartbeat_s)


def as_ui_message(events: AsyncGenerator[Event, None], heartbeat_s: float) -> EventStream:
    return as_data(events, UIMessageParts().told, heartbeat_s)


@pytest.mark.parametrize(
    ("form", "beat"), [(as_sse, ": ping\n\n"), (as_ndjson, "\n"), (as_openai, ": ping\n\n"), (as_ui_message, ": ping\n\n")]
)
def test_a_stream_that_waits_stays_alive(form: Callable[..., EventStream], beat: str) -> None:
    app = FastAPI()

    @app.get("/")
    async def stream() -> Response:
        return form(_slow(), heartbeat_s=0.1)

    with serving_app(app) as url:
        body = httpx.get(url, trust_env=False).text
    assert body.count(beat) >= 3, body
    assert "Gone." in body.replace("data: [DONE]", "").rstrip().splitlines()[-1]


async def test_a_stream_is_closed_when_nobody_listens_between_two_beats() -> None:
    closed = asyncio.Event()

    async def waits() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closed.set()

    beating = kept_alive(waits(), 0.01)
    assert [await anext(beating), await anext(beating)] == [1, None]
    await beating.aclose()
    assert closed.is_set()


async def test_a_failure_of_the_stream_is_the_failure_of_the_kept_alive_one() -> None:
    async def breaks() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        _ = [item async for item in kept_alive(breaks(), 1)]
