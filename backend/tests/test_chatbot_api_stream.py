"""POST /chat/stream over a real socket: the events' order, what they fold to, and a reader who leaves."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from chatbot_api.models.chat_models import ChatResponse, Delta, Done, Failed, Problem, Sources, Start, Status
from conftest import Service
from gemini_standin import GeminiStandin
from lantern_fixtures import lantern_running

WORDS = {"start": Start, "status": Status, "sources": Sources, "delta": Delta, "done": Done, "error": Failed}
UNKNOWN = "Which wine goes with a saffron risotto?"
running = lantern_running()


def folded(events: list[dict[str, Any]]) -> dict[str, Any]:
    """What a client makes of the events: the reply of POST /chat, but for the ids."""
    text = "".join(event["text"] for event in events if event["type"] == "delta")
    done = {key: value for key, value in events[-1].items() if key != "type"}
    return {"response": text, **done}


def whole(service: Service, query: str, **fields: Any) -> dict[str, Any]:
    """The reply of POST /chat, but for the ids."""
    body = service.ask(query, **fields).json()
    return {key: value for key, value in body.items() if key not in ("conversation_id", "message_id")}


def test_the_events_come_in_their_order_each_in_its_form(service: Service, model: GeminiStandin) -> None:
    model.answer(["Run the ", "image", " [1]."], chunk_delay_s=0.1)
    events = service.events()
    types = [event["type"] for event in events]
    assert types[:4] == ["start", "status", "sources", "status"]
    assert types[-1] == "done"
    assert set(types[4:-1]) == {"delta"}
    assert len(types) >= 7
    assert [event["stage"] for event in events if event["type"] == "status"] == ["searching", "writing"]
    for event in events:
        WORDS[event["type"]].model_validate(event, strict=True)


def test_a_stream_names_each_event_twice_and_nothing_but_events_is_on_the_wire(service: Service, model: GeminiStandin) -> None:
    with service.client.stream("POST", "/chat/stream", json={"query": "Docker?"}) as reply:
        frames = reply.read().decode().split("\n\n")
    assert frames.pop() == ""
    for frame in frames:
        first, second = frame.split("\n")
        assert first == f"event: {json.loads(second.removeprefix('data: '))['type']}"


def test_a_stream_may_neither_be_cached_nor_buffered(service: Service, model: GeminiStandin) -> None:
    with service.client.stream("POST", "/chat/stream", json={"query": "Docker?"}) as reply:
        headers = reply.headers
        reply.read()
    assert headers["content-type"].partition(";")[0] == "text/event-stream"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert "content-length" not in headers


def test_the_sources_stand_before_the_text_and_those_at_the_end_are_the_cited_ones(
    service: Service, model: GeminiStandin
) -> None:
    model.answer("It is so [2].")
    events = service.events()
    offered = next(event["sources"] for event in events if event["type"] == "sources")
    assert [source["id"] for source in offered] == [str(number) for number in range(1, len(offered) + 1)]
    assert events[-1]["sources"] == [offered[1]]


def test_the_ids_are_given_at_once_and_a_conversation_that_is_not_there_is_begun_anew(
    service: Service, model: GeminiStandin
) -> None:
    for given in ("c_abcdefghijklmnopqrstuv", "nonsense"):
        start = service.events(conversation_id=given)[0]
        assert start["conversation_id"].startswith("c_")
        assert start["conversation_id"] != given
        assert start["message_id"].startswith("m_")


def fail_writing(model: GeminiStandin) -> None:
    model.fail("503")


def fail_embedding(model: GeminiStandin) -> None:
    model.fail("503", on="embed")


def decline(model: GeminiStandin) -> None:
    model.answer(["NOT", "_IN_DOCS"])


def cite_nothing(model: GeminiStandin) -> None:
    model.answer(["Just ", "so."])


def cite_much(model: GeminiStandin) -> None:
    model.answer(["**Run** it [", "1", "]. See [2][7] ![x](https://evil.example/p.png) <b>now</b>."])


def cut_off(model: GeminiStandin) -> None:
    model.answer("Run the image [1] and", finish="MAX_TOKENS")


def block(model: GeminiStandin) -> None:
    model.fail("safety")


@pytest.mark.parametrize(
    ("prepare", "query", "outcome"),
    [
        (None, "How do I install Lantern with Docker?", "answered"),
        (None, UNKNOWN, "not_in_docs"),
        (decline, "How do I install Lantern with Docker?", "not_in_docs"),
        (cite_nothing, "How do I install Lantern with Docker?", "degraded"),
        (cite_much, "How do I install Lantern with Docker?", "answered"),
        (cut_off, "How do I install Lantern with Docker?", "answered"),
        (block, "How do I install Lantern with Docker?", "degraded"),
        (fail_writing, "How do I install Lantern with Docker?", "degraded"),
        (fail_embedding, "How do I reset a lamp?", "degraded"),
    ],
    ids=["answered", "unknown", "declined", "uncited", "much cited", "cut off", "blocked", "no writing", "no embedding"],
)
def test_a_stream_folds_to_the_reply_of_chat(
    service: Service,
    model: GeminiStandin,
    prepare: Callable[[GeminiStandin], None] | None,
    query: str,
    outcome: str,
) -> None:
    if prepare:
        prepare(model)
    streamed = folded(service.events(query))
    assert streamed == whole(service, query)
    assert streamed["outcome"] == outcome
    ChatResponse.model_validate({"conversation_id": "c_", "message_id": "m_", **streamed})


def test_a_selection_and_a_top_k_count_in_a_stream_as_in_chat(service: Service, model: GeminiStandin) -> None:
    fields = {"context": "reset a lamp", "top_k": 2, "history": [{"sender": "You", "text": "Hi"}]}
    streamed = folded(service.events("How is this done?", **fields))
    assert streamed == whole(service, "How is this done?", **fields)
    assert streamed["sources"][0]["url"] == "/docs/lamps#reset-a-lamp"


@pytest.mark.parametrize("fault", ["ssetrunc", "ssenofinish", "ssebad", "sseerr"])
def test_a_model_that_breaks_off_ends_a_stream_with_an_error_and_chat_with_the_passages(
    service: Service, model: GeminiStandin, fault: str
) -> None:
    model.answer(["Run the image [1]. ", "Then open the page [1]. ", "And so on [1]."])
    model.fail(fault)
    events = service.events()
    assert [event["type"] for event in events].count("error") == 1
    assert events[-1]["type"] == "error"
    assert all(event["type"] != "done" for event in events)
    problem = Problem.model_validate(events[-1]["problem"])
    assert problem.retryable is True
    assert problem.request_id
    body = service.ask().json()
    assert (body["outcome"], body["mode"], body["degraded"]) == ("degraded", "extractive", ["generation"])
    assert "docker run lantern/hub" in body["response"]


def test_text_is_passed_on_while_the_model_still_writes(service: Service, model: GeminiStandin) -> None:
    model.answer(["Run the image. "] * 10 + ["[1]"], chunk_delay_s=0.1)
    started, first = time.monotonic(), 0.0
    with service.client.stream("POST", "/chat/stream", json={"query": "Docker?"}) as reply:
        for line in reply.iter_lines():
            if line == "event: delta" and not first:
                first = time.monotonic() - started
    assert 0.1 <= first < time.monotonic() - started - 0.5


def test_a_reader_who_leaves_stops_the_model_within_a_second(service: Service, model: GeminiStandin) -> None:
    model.answer(["Run the image. "] * 100, chunk_delay_s=0.1)
    with service.client.stream("POST", "/chat/stream", json={"query": "Docker?"}) as reply:
        for line in reply.iter_lines():
            if line == "event: delta":
                break
    left_at = time.monotonic()
    (asked,) = [request for request in model.requests if request.kind == "generate"]
    assert asked.closed.wait(1.0), "the model went on writing for nobody"
    assert asked.disconnected_at is not None
    assert asked.disconnected_at - left_at < 1.0
    assert service.ask(UNKNOWN).status_code == 200


def test_a_reader_who_leaves_before_the_first_word_stops_the_model_too(service: Service, model: GeminiStandin) -> None:
    model.answer("Late [1].", chunk_delay_s=5.0)
    with service.client.stream("POST", "/chat/stream", json={"query": "Docker?"}) as reply:
        for line in reply.iter_lines():
            if "writing" in line:
                break
        while not model.calls("generate"):
            time.sleep(0.01)
    (asked,) = [request for request in model.requests if request.kind == "generate"]
    assert asked.closed.wait(1.0), "the model was waited for, for nobody"


def test_a_client_who_leaves_before_its_json_reply_stops_the_model_too(service: Service, model: GeminiStandin) -> None:
    model.answer("Late [1].", chunk_delay_s=5.0)
    host, _, port = service.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        body = b'{"query": "Docker?"}'
        head = f"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        while not model.calls("generate"):
            time.sleep(0.01)
    (asked,) = [request for request in model.requests if request.kind == "generate"]
    assert asked.closed.wait(1.0), "the model was waited for, for nobody"
    model.answer("Here [1].")
    assert service.ask("Docker?").json()["outcome"] == "answered"


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"query": ""}', b'{"query": 1}'])
def test_what_can_be_refused_is_refused_with_a_status_before_the_first_event(service: Service, body: bytes) -> None:
    reply = service.client.post("/chat/stream", content=body, headers={"content-type": "application/json"})
    assert reply.status_code in (400, 422)
    assert reply.headers["content-type"] == "application/problem+json"
    Problem.model_validate(reply.json())
