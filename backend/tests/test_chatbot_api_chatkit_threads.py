"""POST /chatkit over a real socket: what is kept of a thread, shown of it, and done to it."""

import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from re import findall
from typing import Any

import pytest

from chatkit_reader import ALICE, ChatKitReader, done_items, input_of
from conftest import Service
from gemini_standin import GeminiStandin
from lantern import prompts
from lantern_fixtures import Running, lantern_running

pytest_plugins = ["chatkit_package"]
KEY_LIKE = "AIza" + "SyA0123456789abcdefghijklmnopqrstuv"  # in two: no file may hold what looks like a key
PERSONAL = (
    "How do I install Lantern with Docker? I install Lantern with Docker, run the image to install Lantern with Docker. "
    "My mail is eve@example.com, my phone +49 170 1234567 and my key " + KEY_LIKE + "."
)
running = lantern_running("chatkit_there", chatkit_enabled=True, site_url="https://docs.example.com")


@pytest.fixture
def alice(service: Service) -> ChatKitReader:
    return ChatKitReader(service)


def test_every_time_is_utc_and_says_so_on_the_wire_and_in_the_store(
    alice: ChatKitReader, model: GeminiStandin, running: Running
) -> None:
    reply = alice.send("threads.create", input=input_of())
    thread_id = json.loads(reply.text.split("\n")[0].removeprefix("data: "))["thread"]["id"]
    shown = [reply.text, alice.send("threads.get_by_id", thread_id=thread_id).text, alice.send("threads.list").text]
    shown.append(alice.send("threads.update", thread_id=thread_id, title="New").text)
    with sqlite3.connect(running.folder / "data" / "conversations.db") as database:
        rows = database.execute("SELECT data FROM ask_ai_items UNION SELECT thread FROM ask_ai_conversations").fetchall()
    database.close()
    times = findall(r'"created_at":"([^"]+)"', "".join([*shown, *(row[0] for row in rows)]))
    assert len(times) > 10
    assert all(datetime.fromisoformat(time).utcoffset() == timedelta(0) for time in times), times


@pytest.fixture
def far_west(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock is not set to UTC."""
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_machine_in_another_zone_tells_the_same_time(alice: ChatKitReader, model: GeminiStandin, far_west: None) -> None:
    before = datetime.now(UTC)
    reply = alice.send("threads.create", input=input_of())
    times = [datetime.fromisoformat(time) for time in findall(r'"created_at":"([^"]+)"', reply.text)]
    assert len(times) >= 4
    assert all(before <= time <= datetime.now(UTC) for time in times), times


def test_a_thread_is_named_by_its_first_question_and_can_be_renamed(alice: ChatKitReader, model: GeminiStandin) -> None:
    thread_id = alice.begun("How do I install Lantern with Docker on a small computer in the cellar of the house?")
    title = alice.got("threads.get_by_id", thread_id=thread_id)["title"]
    assert title == "How do I install Lantern with Docker on a small computer…"
    alice.told("threads.add_user_message", thread_id=thread_id, input=input_of("And on Windows?"))
    assert alice.got("threads.get_by_id", thread_id=thread_id)["title"] == title
    assert alice.got("threads.update", thread_id=thread_id, title="  Mine\u200b, a@b.example ")["title"] == "Mine, [email]"
    assert alice.got("threads.get_by_id", thread_id=thread_id)["title"] == "Mine, [email]"


def test_personal_data_reaches_the_model_and_is_masked_where_it_is_kept(
    alice: ChatKitReader, model: GeminiStandin, running: Running
) -> None:
    thread_id = alice.begun(PERSONAL, quoted_text="from eve@example.com")
    assert "eve@example.com" in prompts(model)
    kept = alice.send("threads.get_by_id", thread_id=thread_id).text
    kept += alice.send("items.list", thread_id=thread_id).text + alice.send("threads.list").text
    assert "[email], my phone [phone] and my key [key]" in kept
    stored = b"".join(file.read_bytes() for file in (running.folder / "data").glob("conversations.db*")).decode(
        "utf-8", "replace"
    )
    for secret in ("eve@example.com", "1234567", KEY_LIKE):
        assert secret not in kept
        assert secret not in stored
    assert "from [email]" in kept


def test_a_follow_up_is_understood_from_the_turns_before(alice: ChatKitReader, model: GeminiStandin) -> None:
    thread_id = alice.begun("How do I pair a lamp?")
    model.requests.clear()
    alice.told("threads.add_user_message", thread_id=thread_id, input=input_of("And how do I reset it?"))
    assert "How do I pair a lamp?" in prompts(model)


def test_a_thread_is_a_conversation_of_the_other_doors_too(alice: ChatKitReader, model: GeminiStandin, running: Running) -> None:
    client, headers = running.service.client, alice.headers
    thread_id = alice.begun()
    (turn,) = client.get(f"/conversations/{thread_id}", headers=headers).json()["turns"]
    assert turn["message_id"] == alice.items(thread_id)[-1]["id"]
    assert client.delete(f"/conversations/{thread_id}", headers=headers).status_code == 204
    assert alice.send("threads.get_by_id", thread_id=thread_id).status_code == 404


def test_a_rating_of_an_answer_is_our_feedback(alice: ChatKitReader, model: GeminiStandin, running: Running) -> None:
    thread_id = alice.begun()
    answer_id = alice.items(thread_id)[-1]["id"]
    for kind, rating in (("positive", "up"), ("negative", "down")):
        assert alice.got("items.feedback", thread_id=thread_id, item_ids=[answer_id, answer_id], kind=kind) == {}
        (turn,) = running.service.client.get(f"/conversations/{thread_id}", headers=alice.headers).json()["turns"]
        assert turn["rating"] == rating


def test_a_retry_replaces_the_answer_and_its_turn(alice: ChatKitReader, model: GeminiStandin, running: Running) -> None:
    thread_id = alice.begun("How do I pair a lamp?")
    first, before = alice.items(thread_id)
    alice.told("threads.add_user_message", thread_id=thread_id, input=input_of("And how do I reset it?"))
    model.answer("Another way [1].")
    model.requests.clear()
    events = alice.told("threads.retry_after_item", thread_id=thread_id, item_id=first["id"])
    assert events[0]["type"] == "stream_options"
    (answer,) = done_items(events, "assistant_message")
    assert alice.items(thread_id) == [first, answer]
    assert answer["id"] != before["id"]
    (turn,) = running.service.client.get(f"/conversations/{thread_id}", headers=alice.headers).json()["turns"]
    assert (turn["message_id"], turn["response"]) == (answer["id"], "Another way [1].")
    assert "stand-in [1]" not in prompts(model)


def test_items_come_in_the_order_they_were_added_page_by_page(alice: ChatKitReader, model: GeminiStandin) -> None:
    thread_id = alice.begun()
    alice.told("threads.add_user_message", thread_id=thread_id, input=input_of("And on Windows?"))
    whole = [item["id"] for item in alice.items(thread_id)]
    assert [item["type"] for item in alice.items(thread_id)] == ["user_message", "assistant_message"] * 2
    paged: list[str] = []
    page: dict[str, Any] = {}
    while not paged or page["has_more"]:
        cursor = {"after": page["after"]} if paged else {}
        page = alice.got("items.list", thread_id=thread_id, order="desc", limit=1, **cursor)
        paged += [item["id"] for item in page["data"]]
    assert paged == whole[::-1]


def test_threads_are_listed_newest_first_and_pages_are_of_a_bearable_size(
    alice: ChatKitReader, model: GeminiStandin, running: Running
) -> None:
    carol = ChatKitReader(running.service, "v_carol-0123456789-012345")
    threads = [carol.begun(f"How do I pair lamp {number}?") for number in range(3)]
    page = carol.got("threads.list", limit=2)
    assert [thread["id"] for thread in page["data"]] == threads[:0:-1]
    assert page["has_more"] is True
    rest = carol.got("threads.list", limit=2, after=page["after"])
    assert [thread["id"] for thread in rest["data"]] == threads[:1]
    assert len(carol.got("threads.list", limit=-5)["data"]) == 1
    assert len(carol.got("threads.list", limit=10**9)["data"]) == 3
    assert carol.got("threads.list", order="asc", limit=0)["data"][0]["id"] == threads[0]


def test_a_deleted_thread_is_gone(alice: ChatKitReader, model: GeminiStandin) -> None:
    thread_id = alice.begun()
    assert alice.got("threads.delete", thread_id=thread_id) == {}
    assert thread_id not in alice.send("threads.list", limit=100).text
    for operation in ("threads.get_by_id", "threads.delete", "items.list"):
        assert alice.send(operation, thread_id=thread_id).status_code == 404


def test_a_reader_without_an_id_gets_one_and_goes_on_with_it(running: Running, model: GeminiStandin) -> None:
    reply = running.service.client.post("/chatkit", json={"type": "threads.create", "params": {"input": input_of()}})
    visitor = reply.headers["x-visitor-id"]
    assert visitor != ALICE
    assert len(ChatKitReader(running.service, visitor).got("threads.list")["data"]) == 1
