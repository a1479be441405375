"""POST /chatkit over a real socket: a reader who leaves in the midst of an answer."""

import socket
import sqlite3
import struct
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatkit_reader import ChatKitReader, done_items, events_in, input_of
from conftest import Service
from gemini_standin import GeminiStandin
from lantern import healed
from lantern_fixtures import Running, lantern_running

pytest_plugins = ["chatkit_package"]
CANCELLED = "The user cancelled the stream. Stop responding to the prior request."
running = lantern_running("chatkit_there", chatkit_enabled=True)


@pytest.fixture
def alice(service: Service) -> ChatKitReader:
    return ChatKitReader(service)


@pytest.fixture
def thread_id(alice: ChatKitReader, model: GeminiStandin) -> str:
    """A thread whose first message was answered; the next answer takes ten seconds."""
    begun = alice.begun()
    model.requests.clear()
    model.answer(["Run the image. "] * 100, chunk_delay_s=0.1)
    return begun


def left(alice: ChatKitReader, thread_id: str, until: str, model: GeminiStandin, *, by_reset: bool = False) -> str:
    """What came of the answer to a message until the reader left: when ``until`` was there and the model was asked."""
    request = {"type": "threads.add_user_message", "params": {"thread_id": thread_id, "input": input_of()}}
    body = ""
    with alice.client.stream("POST", "/chatkit", json=request, headers=alice.headers) as reply:
        pieces = reply.iter_text()  # by name: a loop's own would be closed at its end, and the connection with it
        while until not in body:
            body += next(pieces)
        while not model.calls("generate"):
            time.sleep(0.01)
        if by_reset:
            connection: socket.socket = reply.extensions["network_stream"].get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return body


def stored(folder: Path, thread_id: str) -> list[tuple[str, str]]:
    """Kind and data of all items of a thread, hidden ones too."""
    with closing(sqlite3.connect(folder / "data" / "conversations.db")) as rows:
        statement = "SELECT json_extract(data, '$.type'), data FROM ask_ai_items WHERE conversation_id = ? ORDER BY sequence"
        return rows.execute(statement, (thread_id,)).fetchall()


def soon(folder: Path, thread_id: str, kind: str) -> list[tuple[str, str]]:
    """The stored items once one of this kind is among them, within a second."""
    end = time.monotonic() + 1.0
    while True:
        items = stored(folder, thread_id)
        if any(found == kind for found, _ in items):
            return items
        assert time.monotonic() < end, [found for found, _ in items]
        time.sleep(0.02)


def test_a_reader_who_leaves_stops_the_model_and_what_was_written_is_kept(
    alice: ChatKitReader, model: GeminiStandin, thread_id: str, running: Running
) -> None:
    body = left(alice, thread_id, "text_delta", model)
    left_at = time.monotonic()
    (asked,) = [request for request in model.requests if request.kind == "generate"]
    assert asked.closed.wait(1.0), "the model went on writing for nobody"
    assert asked.disconnected_at is not None
    assert asked.disconnected_at - left_at < 1.0
    items = soon(running.folder, thread_id, "sdk_hidden_context")
    assert [kind for kind, _ in items] == [*("user_message", "assistant_message") * 2, "sdk_hidden_context"]
    assert CANCELLED in items[-1][1]
    shown = alice.items(thread_id)
    assert [item["type"] for item in shown] == ["user_message", "assistant_message"] * 2
    assert shown[-1]["content"][0]["text"].startswith("Run the image.")
    events = [event for event in events_in(body[: body.rindex("\n\n") + 2]) if "item_id" in event]
    assert shown[-1]["id"] == events[0]["item_id"]


def test_the_partial_turn_is_the_conversations_too_and_a_retry_puts_a_whole_one_in_its_place(
    alice: ChatKitReader, model: GeminiStandin, thread_id: str, running: Running
) -> None:
    left(alice, thread_id, "text_delta", model)
    soon(running.folder, thread_id, "sdk_hidden_context")
    partial = alice.items(thread_id)[-1]
    address, headers = f"/conversations/{thread_id}", alice.headers
    turns = running.service.client.get(address, headers=headers).json()["turns"]
    assert [(turn["message_id"], turn["complete"]) for turn in turns][1:] == [(partial["id"], False)]
    healed(model)
    events = alice.told("threads.retry_after_item", thread_id=thread_id, item_id=alice.items(thread_id)[2]["id"])
    (answer,) = done_items(events, "assistant_message")
    turns = running.service.client.get(address, headers=headers).json()["turns"]
    assert [(turn["message_id"], turn["complete"]) for turn in turns][1:] == [(answer["id"], True)]
    assert [kind for kind, _ in stored(running.folder, thread_id)] == ["user_message", "assistant_message"] * 2


def test_a_reader_who_leaves_before_the_first_word_leaves_nothing_to_see_and_a_retry_nothing_behind(
    alice: ChatKitReader, model: GeminiStandin, thread_id: str, running: Running
) -> None:
    model.answer("Late [1].", chunk_delay_s=5.0)
    left(alice, thread_id, "Writing", model)
    (asked,) = [request for request in model.requests if request.kind == "generate"]
    assert asked.closed.wait(1.0), "the model went on writing for nobody"
    items = soon(running.folder, thread_id, "hidden_context_item")
    assert [kind for kind, _ in items][2:] == ["user_message", "sdk_hidden_context", "hidden_context_item"]
    assert len(alice.items(thread_id)) == 3
    healed(model)
    alice.told("threads.retry_after_item", thread_id=thread_id, item_id=alice.items(thread_id)[2]["id"])
    turns = running.service.client.get(f"/conversations/{thread_id}", headers=alice.headers).json()["turns"]
    assert [turn["complete"] for turn in turns] == [True, True]


def test_a_page_may_be_shorter_for_a_hidden_item_and_go_on_after_it(
    alice: ChatKitReader, model: GeminiStandin, thread_id: str, running: Running
) -> None:
    left(alice, thread_id, "text_delta", model)
    soon(running.folder, thread_id, "sdk_hidden_context")
    page: dict[str, Any] = alice.got("items.list", thread_id=thread_id, limit=1, order="desc")
    assert (page["data"], page["has_more"]) == ([], True)
    assert page["after"].startswith("i_")
    rest = alice.got("items.list", thread_id=thread_id, limit=9, order="desc", after=page["after"])
    assert len(rest["data"]) == 4
    assert CANCELLED not in str(rest)
    reply = alice.send("items.feedback", thread_id=thread_id, item_ids=[page["after"]], kind="positive")
    assert reply.status_code == 422


def test_a_connection_that_is_reset_is_a_reader_who_left(
    alice: ChatKitReader, model: GeminiStandin, thread_id: str, running: Running
) -> None:
    left(alice, thread_id, "text_delta", model, by_reset=True)
    (asked,) = [request for request in model.requests if request.kind == "generate"]
    assert asked.closed.wait(1.0), "the model went on writing for nobody"
    assert [kind for kind, _ in soon(running.folder, thread_id, "sdk_hidden_context")][-2] == "assistant_message"
