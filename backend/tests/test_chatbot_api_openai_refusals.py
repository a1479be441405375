"""What OpenAI's own client is told when it gets no answer: refusals before the first byte, and failures after it."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from chatbot_api.models.chat_models import Problem
from conftest import KEY, Service
from gemini_standin import GeminiStandin
from hostile_requests import CANARY
from lantern_fixtures import lantern_running
from openai_reader import QUESTION, OpenAIReader, error_of, openai_reader

SITE_KEY = "site-key-0123456789"
USER = {"role": "user", "content": CANARY}
running = lantern_running(openai_compat_enabled=True)


@pytest.fixture
def alice(service: Service) -> Iterator[OpenAIReader]:
    with openai_reader(service) as reader:
        yield reader


def refused(reply: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The member ``error`` of a problem that is a problem of ours too, and repeats nothing that was sent."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["content-length"] == str(len(reply.content))
    body = reply.json()
    error = body.pop("error")
    problem = Problem.model_validate(body, extra="forbid")
    assert (problem.status, problem.request_id) == (status, reply.headers["x-request-id"])
    assert error["code"] == code == problem.type.rpartition(":")[2]
    assert CANARY not in reply.text
    return error


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": CANARY}, "messages"),
        ({"messages": [CANARY]}, "messages.0"),
        ({"messages": [{"role": "system", "content": CANARY}]}, "messages"),
        ({"messages": [{"role": "User", "content": CANARY}]}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": " \u200b\n"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": {"text": CANARY}}]}, "messages.0.content"),
        ({"messages": [USER, {"role": "user", "content": CANARY + "x" * 2000}]}, "messages.1.content"),
        ({"messages": [{"role": "user", "content": [CANARY]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": CANARY}]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": [CANARY]}]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": CANARY}] * 1001}, "messages"),
        ({"messages": [USER], "stream": CANARY}, "stream"),
        ({"messages": [USER], "stream_options": CANARY}, "stream_options"),
        ({"messages": [USER], "conversation_id": [CANARY]}, "conversation_id"),
        ({"messages": [USER], "metadata": CANARY}, "metadata"),
    ],
)
def test_a_request_that_cannot_be_answered_says_which_field_is_wrong(service: Service, body: Any, param: str) -> None:
    error = refused(service.client.post("/v1/chat/completions", json=body), 422, "invalid-request")
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["message"].startswith("A field of the request is missing or not valid")
    assert f"{param}: " in error["message"]


def test_openais_client_shows_the_sentence(alice: OpenAIReader) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match=r"messages\.0\.content: String should have at most 2000") as found:
        alice.ask("x" * 2001)
    assert (found.value.code, found.value.param) == ("invalid-request", "messages.0.content")


@pytest.mark.parametrize("length", ["told", "untold"])
def test_a_history_that_is_too_large_is_refused(service: Service, length: str) -> None:
    body = b'{"messages":[{"role":"user","content":"' + CANARY.encode() + b"x" * 70_000 + b'"}]}'
    content = body if length == "told" else iter([body])
    reply = service.client.post("/v1/chat/completions", content=content, headers={"Content-Type": "application/json"})
    assert refused(reply, 413, "too-large")["message"] == "The request body is larger than this service takes."


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method-not-allowed"),
        ("POST", "/v1/models", 405, "method-not-allowed"),
        ("POST", "/v1/embeddings", 404, "not-found"),
        ("GET", "/v1/files", 404, "not-found"),
    ],
)
def test_what_is_not_served_says_so_in_openais_form(service: Service, method: str, path: str, status: int, code: str) -> None:
    refused(service.client.request(method, path), status, code)


def test_a_body_that_is_no_json_is_refused(service: Service) -> None:
    path, media = "/v1/chat/completions", {"Content-Type": "application/json"}
    refused(service.client.post(path, content=b'{"messages": [' + CANARY.encode(), headers=media), 400, "invalid-request")
    refused(service.client.post(path, data={"messages": CANARY}), 415, "unsupported-media-type")


def test_the_other_addresses_keep_their_own_form(service: Service) -> None:
    assert "error" not in service.client.post("/chat", json={}).json()


def test_a_page_of_another_site_may_not_ask(service: Service) -> None:
    reply = service.client.post("/v1/chat/completions", json={"messages": [USER]}, headers={"Origin": "https://evil.example"})
    refused(reply, 403, "forbidden-origin")


def test_a_model_that_fails_leaves_an_answer_that_says_so(alice: OpenAIReader, model: GeminiStandin) -> None:
    model.fail("503")
    answer = alice.ask()
    assert "docker run lantern/hub" in (answer.choices[0].message.content or "")
    assert (answer.model_extra or {})["degraded"] == ["generation"]
    assert (answer.model_extra or {})["citations"]


def test_a_model_that_breaks_off_is_an_error_at_the_end_of_the_stream(
    service: Service, alice: OpenAIReader, model: GeminiStandin
) -> None:
    model.answer(["Run the image [1]. ", "And then"], finish=None)  # type: ignore[arg-type]
    with pytest.raises(openai.APIError, match="Please try again") as found:
        alice.chunks()
    assert (found.value.code, found.value.type) == ("model-bad-response", "server_error")
    body = {"messages": [{"role": "user", "content": QUESTION}], "stream": True}
    frames = service.client.post("/v1/chat/completions", json=body).text.split("\n\n")
    assert "Run the image [1]." in "".join(frames)
    assert frames[-3].startswith('data: {"type": "urn:ask-ai:problem:model-bad-response"')
    assert frames[-2:] == ["data: [DONE]", ""]


def test_where_the_owner_wants_errors_the_client_gets_one_it_may_try_again(
    gemini_service: Callable[..., Service], gemini: GeminiStandin
) -> None:
    service = gemini_service(on_model_failure="error", openai_compat_enabled=True)
    gemini.fail("503")
    with openai_reader(service) as reader, pytest.raises(openai.InternalServerError) as found:
        reader.ask()
    assert (found.value.status_code, error_of(found.value)["code"]) == (503, "model-unavailable")
    assert found.value.response.headers["retry-after"] == "5"
    assert KEY not in found.value.response.text


def test_who_asks_too_often_is_told_when_to_come_back(gemini_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = gemini_service(rate_limit_per_visitor="1/minute", openai_compat_enabled=True)
    with openai_reader(service) as reader:
        reader.ask()
        with pytest.raises(openai.RateLimitError, match="Too many questions") as found:
            reader.chunks()
    assert (found.value.code, found.value.type) == ("rate-limited", "rate_limit_error")
    assert int(found.value.response.headers["retry-after"]) > 0


def test_the_site_key_is_taken_as_an_api_key(gemini_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = gemini_service(site_key=SITE_KEY, openai_compat_enabled=True)
    with openai_reader(service, key="wrong") as reader:
        with pytest.raises(openai.AuthenticationError):
            reader.ask()
        with pytest.raises(openai.AuthenticationError):
            reader.client.models.list()
    with openai_reader(service, key=SITE_KEY) as reader:
        assert reader.ask().choices[0].message.content
        assert reader.client.models.list().data


def test_who_leaves_stops_the_model(alice: OpenAIReader, model: GeminiStandin) -> None:
    model.answer(["Run the image. "] * 100, chunk_delay_s=0.1)
    begun: Any = alice.client.chat.completions.create(model="any", messages=[{"role": "user", "content": QUESTION}], stream=True)
    with begun:
        for chunk in begun:
            if chunk.choices[0].delta.content:
                break
    (asked,) = [request for request in model.requests if request.kind == "generate"]
    assert asked.closed.wait(5.0), "the model went on writing for nobody"


def test_where_the_door_is_shut_there_is_nothing(gemini_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    service = gemini_service()
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models")):
        reply = service.client.request(method, path, json={"messages": [USER]} if method == "POST" else None)
        assert reply.status_code == 404
        assert "error" not in reply.json()
