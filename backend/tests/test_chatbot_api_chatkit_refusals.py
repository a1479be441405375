"""POST /chatkit over a real socket: what is refused, whose threads are whose, and a database that is down."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatkit_reader import ALICE, BOB, ChatKitReader, events_in, input_of
from conftest import KEY, Service
from gemini_standin import GeminiStandin
from lantern_fixtures import Running, lantern_running

pytest_plugins = ["chatkit_package"]
UNKNOWN_THREAD = "c_0123456789abcdefABCDEF"
UNKNOWN_ITEM = "m_0123456789abcdefABCDEF"
SECRET = "canary-in-the-request"
OTHER_OPERATIONS = (
    ("threads.add_client_tool_output", {"thread_id": UNKNOWN_THREAD, "result": SECRET}),
    ("threads.add_structured_input", {"thread_id": UNKNOWN_THREAD, "item_id": UNKNOWN_ITEM, "input": {}}),
    ("threads.custom_action", {"thread_id": UNKNOWN_THREAD, "action": {"type": SECRET}}),
    ("threads.sync_custom_action", {"thread_id": UNKNOWN_THREAD, "action": {"type": SECRET}}),
    ("attachments.create", {"name": SECRET, "size": 1, "mime_type": "text/plain"}),
    ("attachments.delete", {"attachment_id": SECRET}),
    ("input.transcribe", {"audio_base64": "AAAA", "mime_type": "audio/webm"}),
    (SECRET, {}),
)
running = lantern_running("chatkit_there", chatkit_enabled=True, store_timeout_s=0.3)


@pytest.fixture
def database(running: Running) -> Path:
    return running.folder / "data" / "conversations.db"


@pytest.fixture
def alice(service: Service) -> ChatKitReader:
    return ChatKitReader(service)


def refused(reply: Any, status: int, slug: str) -> dict[str, Any]:
    """The problem that the reply is, in which nothing of the request is repeated."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["type"] == f"urn:ask-ai:problem:{slug}"
    for secret in (SECRET, KEY, UNKNOWN_THREAD, UNKNOWN_ITEM):
        assert secret not in reply.text
    return reply.json()


def operations_on(thread_id: str, items: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Every operation that names a thread."""
    return [
        ("threads.get_by_id", {"thread_id": thread_id}),
        ("threads.add_user_message", {"thread_id": thread_id, "input": input_of()}),
        ("threads.retry_after_item", {"thread_id": thread_id, "item_id": items[0]["id"]}),
        ("threads.update", {"thread_id": thread_id, "title": "Taken"}),
        ("items.list", {"thread_id": thread_id}),
        ("items.feedback", {"thread_id": thread_id, "item_ids": [items[1]["id"]], "kind": "negative"}),
        ("threads.delete", {"thread_id": thread_id}),
    ]


@pytest.mark.parametrize(("operation", "params"), OTHER_OPERATIONS, ids=[name for name, _ in OTHER_OPERATIONS])
def test_an_operation_that_is_no_part_of_a_chat_is_refused(alice: ChatKitReader, operation: str, params: dict[str, Any]) -> None:
    problem = refused(alice.send(operation, **params), 422, "invalid-request")
    assert problem["errors"][0]["loc"] == ["body", "type"]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"attachments": [SECRET]}, "attachments"),
        ({"content": []}, "content"),
        ({"content": [{"type": "input_text", "text": " \u200b\n "}]}, "content"),
        ({"content": [{"type": "input_text", "text": "x" * 2001}]}, "content"),
        ({"content": [{"type": "input_text", "text": "x" * 1001}] * 2}, "content"),
        ({"content": [{"type": SECRET, "text": "x"}]}, "content"),
        ({"content": SECRET}, "content"),
        ({"quoted_text": [SECRET]}, "quoted_text"),
        ({"inference_options": SECRET}, "inference_options"),
    ],
)
def test_a_message_that_is_none_is_refused_before_a_thread_is_begun(
    alice: ChatKitReader, fields: dict[str, Any], place: str
) -> None:
    before = alice.send("threads.list", limit=100).text
    problem = refused(alice.send("threads.create", input=input_of(**fields)), 422, "invalid-request")
    assert problem["errors"][0]["loc"][:4] == ["body", "params", "input", place]
    assert alice.send("threads.list", limit=100).text == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": None},
        {"type": ["threads.list"]},
        {"type": "threads.list"},
        {"type": "threads.list", "params": SECRET},
        {"type": "threads.list", "params": {"order": SECRET}},
        {"type": "threads.list", "params": {"limit": SECRET}},
        {"type": "threads.get_by_id", "params": {}},
        {"type": "threads.get_by_id", "params": {"thread_id": 1}},
        [{"type": "threads.list", "params": {}}],
        SECRET,
    ],
    ids=json.dumps,
)
def test_a_body_of_another_form_is_refused(service: Service, body: Any) -> None:
    refused(service.client.post("/chatkit", json=body), 422, "invalid-request")


def test_a_body_that_is_no_json_or_too_large_is_refused(service: Service) -> None:
    headers = {"Content-Type": "application/json"}
    refused(service.client.post("/chatkit", content=b"{" + SECRET.encode(), headers=headers), 400, "invalid-request")
    refused(service.client.post("/chatkit", content=b"{}", headers={"Content-Type": "text/plain"}), 415, "unsupported-media-type")
    deep = b"[" * 30_000
    assert service.client.post("/chatkit", content=deep, headers=headers).status_code in (400, 422)
    large = json.dumps({"type": "threads.list", "params": {"after": "x" * 70_000}}).encode()
    refused(service.client.post("/chatkit", content=large, headers=headers), 413, "too-large")


@pytest.mark.parametrize("title", ["", " \u200b ", "x" * 201])
def test_a_title_that_is_none_is_refused(alice: ChatKitReader, title: str) -> None:
    refused(alice.send("threads.update", thread_id=alice.begun(), title=title), 422, "invalid-request")


@pytest.mark.parametrize("thread_id", [UNKNOWN_THREAD, "", "thr_1", "c_\ud800", "c_" + "x" * 5000, "../etc", "c_a\u0000b"])
def test_a_thread_that_is_unknown_is_not_found_before_any_stream_begins(service: Service, thread_id: str) -> None:
    items = [{"id": UNKNOWN_ITEM}, {"id": UNKNOWN_ITEM}]
    for operation, params in operations_on(thread_id, items):
        # Escaped by hand: httpx takes no lone surrogate.
        body = json.dumps({"type": operation, "params": params}).encode()
        reply = service.client.post("/chatkit", content=body, headers={"Content-Type": "application/json", "X-Visitor-Id": ALICE})
        refused(reply, 404, "not-found")


def test_another_visitors_thread_is_as_if_it_were_not_there_for_every_operation(service: Service, alice: ChatKitReader) -> None:
    thread_id = alice.begun()
    items, bob = alice.items(thread_id), ChatKitReader(service, BOB)
    nobody = refused(bob.send("items.list", thread_id=UNKNOWN_THREAD), 404, "not-found")
    for operation, params in operations_on(thread_id, items):
        reply = bob.send(operation, **params)
        assert {**refused(reply, 404, "not-found"), "request_id": ""} == {**nobody, "request_id": ""}
        assert thread_id not in reply.text
    assert thread_id not in bob.send("threads.list", limit=100).text
    assert bob.got("threads.list", after=thread_id)["data"] == []
    assert alice.items(thread_id) == items
    assert alice.got("threads.get_by_id", thread_id=thread_id)["title"] != "Taken"


def test_an_item_of_another_thread_or_none_is_not_found(alice: ChatKitReader, service: Service) -> None:
    thread_id, other = alice.begun(), alice.begun()
    for stranger in [one["id"] for one in alice.items(other)] + [UNKNOWN_ITEM, "m_\x00", "x" * 300]:
        reply = alice.send("threads.retry_after_item", thread_id=thread_id, item_id=stranger)
        assert refused(reply, 404, "not-found")["title"] == "No such message"
        reply = alice.send("items.feedback", thread_id=thread_id, item_ids=[stranger], kind="positive")
        assert refused(reply, 404, "not-found")["title"] == "No such message"
    assert len(alice.items(thread_id)) == 2


def test_only_a_readers_message_is_tried_again_and_only_an_answer_is_rated(alice: ChatKitReader) -> None:
    thread_id = alice.begun()
    message, answer = alice.items(thread_id)
    refused(alice.send("threads.retry_after_item", thread_id=thread_id, item_id=answer["id"]), 422, "invalid-request")
    for items in ([message["id"]], [answer["id"], message["id"]], [], [answer["id"]] * 101):
        reply = alice.send("items.feedback", thread_id=thread_id, item_ids=items, kind="positive")
        refused(reply, 422, "invalid-request")
    refused(alice.send("items.feedback", thread_id=thread_id, item_ids=[answer["id"]], kind="good"), 422, "invalid-request")
    assert alice.items(thread_id) == [message, answer]


@pytest.mark.parametrize("status", ["locked", "closed"])
def test_a_thread_that_is_shut_takes_no_message(alice: ChatKitReader, database: Path, status: str) -> None:
    thread_id = alice.begun()
    (message, _answer) = alice.items(thread_id)
    with closing(sqlite3.connect(database)) as rows, rows:
        (data,) = rows.execute("SELECT thread FROM ask_ai_conversations WHERE id = ?", (thread_id,)).fetchone()
        shut = json.dumps({**json.loads(data), "status": {"type": status}})
        rows.execute("UPDATE ask_ai_conversations SET thread = ? WHERE id = ?", (shut, thread_id))
    refused(alice.send("threads.add_user_message", thread_id=thread_id, input=input_of()), 422, "invalid-request")
    refused(alice.send("threads.retry_after_item", thread_id=thread_id, item_id=message["id"]), 422, "invalid-request")
    assert alice.got("threads.get_by_id", thread_id=thread_id)["status"] == {"type": status}


@pytest.fixture
def locked(database: Path, alice: ChatKitReader) -> Iterator[Callable[[], None]]:
    """Lets nobody else write, or read, until the test ends."""
    holder = sqlite3.connect(database, check_same_thread=False, isolation_level=None)

    def lock() -> None:
        holder.execute("BEGIN EXCLUSIVE")

    yield lock
    holder.close()


def test_a_database_that_is_down_is_said_before_any_stream_begins(alice: ChatKitReader, locked: Callable[[], None]) -> None:
    thread_id = alice.begun()
    message = alice.items(thread_id)[0]["id"]
    locked()
    for operation, params in (
        ("threads.create", {"input": input_of()}),
        ("threads.add_user_message", {"thread_id": thread_id, "input": input_of()}),
        ("threads.retry_after_item", {"thread_id": thread_id, "item_id": message}),
        ("threads.update", {"thread_id": thread_id, "title": "New"}),
        ("threads.delete", {"thread_id": thread_id}),
    ):
        reply = alice.send(operation, **params)
        problem = refused(reply, 503, "store-unavailable")
        assert problem["retryable"] is True
        assert reply.headers["retry-after"]


def test_a_database_that_goes_down_while_an_answer_is_written_ends_the_stream_with_its_sentence(
    alice: ChatKitReader, service: Service, model: GeminiStandin, locked: Callable[[], None]
) -> None:
    model.answer(["Run ", "the ", "image ", "[1]."], chunk_delay_s=0.2)
    thread_id = alice.begun()
    body, is_down = "", False
    request = {"type": "threads.add_user_message", "params": {"thread_id": thread_id, "input": input_of()}}
    with service.client.stream("POST", "/chatkit", json=request, headers=alice.headers) as reply:
        for piece in reply.iter_text():
            body += piece
            if "text_delta" in body and not is_down:
                is_down = True
                locked()
    last = events_in(body)[-1]
    assert (last["type"], last["code"], last["allow_retry"]) == ("error", "custom", True)
    assert last["message"] == "Conversations can't be read or kept right now. Please try again."
