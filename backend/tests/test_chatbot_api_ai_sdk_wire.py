"""POST /api/chat as bytes, for machines without Node: headers, frames, refusals, and nothing where the door is shut."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chatbot_api.models.chat_models import Problem
from conftest import Service
from gemini_standin import GeminiStandin
from hostile_requests import CANARY
from lantern_fixtures import lantern_running

QUESTION = "How do I install Lantern with Docker?"
running = lantern_running(ai_sdk_enabled=True)


def asking(text: Any = QUESTION, **fields: Any) -> dict[str, Any]:
    return {"id": "chat", "messages": [{"id": "u", "role": "user", "parts": [{"type": "text", "text": text}]}], **fields}


def test_a_stream_bears_the_protocols_header_and_ends_with_done(service: Service) -> None:
    reply = service.client.post("/api/chat", json=asking())
    assert reply.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert (reply.headers["cache-control"], reply.headers["x-accel-buffering"]) == ("no-cache", "no")
    *frames, last, rest = reply.text.split("\n\n")
    assert (last, rest) == ("data: [DONE]", "")
    kinds = [json.loads(frame.removeprefix("data: "))["type"] for frame in frames]
    assert kinds[:3] == ["start", "data-status", "data-status"]
    assert kinds[3] == "text-start"
    assert set(kinds[4:-3]) == {"text-delta"}
    assert kinds[-3:] == ["text-end", "source-url", "finish"]


def test_an_error_before_any_text_ends_the_stream_too(gemini_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = gemini_service(on_model_failure="error", ai_sdk_enabled=True)
    gemini.fail("503")
    frames = service.client.post("/api/chat", json=asking()).text.split("\n\n")
    assert json.loads(frames[-3].removeprefix("data: ")) == {
        "type": "error",
        "errorText": "The language model can't be reached right now. Please try again.",
    }
    assert frames[-2:] == ["data: [DONE]", ""]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["messages"]),
        ({"messages": []}, ["messages"]),
        ({"messages": {CANARY: 1}}, ["messages"]),
        ({"messages": [{"role": "assistant", "parts": [{"type": "text", "text": CANARY}]}]}, ["messages"]),
        ({"messages": [{"role": "user", "content": CANARY}]}, ["messages", "0", "parts"]),
        ({"messages": [{"role": "user", "parts": [CANARY]}]}, ["messages", "0", "parts", "0"]),
        (asking(trigger=CANARY), ["trigger"]),
        (asking(id=[CANARY]), ["id"]),
        (asking(conversation_id=7), ["conversation_id"]),
    ],
)
def test_a_request_that_cannot_be_answered_says_which_field_is_wrong(service: Service, body: Any, place: list[str]) -> None:
    reply = service.client.post("/api/chat", json=body)
    assert reply.status_code == 422
    problem = Problem.model_validate_json(reply.text)
    assert (problem.errors or [{}])[0]["loc"] == ["body", *place]
    assert CANARY not in reply.text


def test_what_was_written_by_a_reader_who_left_is_kept_and_nothing_can_be_resumed(service: Service, model: GeminiStandin) -> None:
    model.answer(["Run the image. "] * 100, chunk_delay_s=0.1)
    with service.client.stream("POST", "/api/chat", json=asking()) as reply:
        for line in reply.iter_lines():
            if "text-delta" in line:
                break
    (asked,) = [request for request in model.requests if request.kind == "generate"]
    assert asked.closed.wait(5.0), "the model went on writing for nobody"
    resumed = service.client.get("/api/chat/chat/stream")
    assert (resumed.status_code, resumed.content) == (204, b"")


def test_the_reference_stands_beside_the_door(service: Service) -> None:
    assert service.client.get("/api").status_code == 200
    assert service.client.get("/api/chat").status_code == 405


def test_where_the_door_is_shut_there_is_nothing(gemini_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = gemini_service()
    assert service.client.post("/api/chat", json=asking()).status_code == 404
    assert service.client.get("/api/chat/chat/stream").status_code == 404
