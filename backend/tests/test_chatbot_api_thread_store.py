"""The contract of the store of ChatKit's threads and items, on SQLite and on PostgreSQL alike."""

import asyncio
from typing import Any

import pytest

from chatbot_api.errors import NoSuchConversation
from chatbot_api.services.conversation_store import ConversationStore
from chatbot_api.services.database import Database
from chatbot_api.services.thread_store import ThreadStore
from store_databases import age, rows_of, turn

ADA, BOB = "v_ada", "v_bob"


@pytest.fixture
def threads(database: Database) -> ThreadStore:
    return ThreadStore(database, ttl_days=30)


@pytest.fixture
def store(database: Database) -> ConversationStore:
    return ConversationStore(database, ttl_days=30, keep_questions=True)


async def three_items(threads: ThreadStore) -> None:
    await threads.save_thread(ADA, "t", {"title": None})
    for name in ("a", "b", "c"):
        await threads.add_item(ADA, "t", name, {"id": name})


def names(page: tuple[list[dict[str, Any]], bool]) -> tuple[str, bool]:
    return "".join(one["id"] for one in page[0]), page[1]


async def test_a_thread_comes_back_as_it_was_and_is_replaced_when_saved_again(threads: ThreadStore) -> None:
    data = {"id": "t", "title": "Lämpchen 💡", "metadata": {"deep": [1, 2.5, None, True]}, "nul": "a\x00b"}
    await threads.save_thread(ADA, "t", data)
    assert await threads.thread(ADA, "t") == data
    await threads.save_thread(ADA, "t", {"id": "t", "half": "x\ud800y"})
    assert await threads.thread(ADA, "t") == {"id": "t", "half": "xy"}


async def test_what_another_visitor_has_is_not_there(threads: ThreadStore) -> None:
    await three_items(threads)
    assert await threads.thread(BOB, "t") is None
    assert await threads.threads(BOB, 9, None, "asc") == ([], False)
    assert await threads.item(BOB, "t", "a") is None
    assert await threads.delete_item(BOB, "t", "a") is False
    assert await threads.delete_thread(BOB, "t") is False
    for attempt in (
        threads.save_thread(BOB, "t", {}),
        threads.add_item(BOB, "t", "d", {}),
        threads.save_item(BOB, "t", "a", {}),
        threads.items(BOB, "t", 9, None, "asc"),
    ):
        with pytest.raises(NoSuchConversation):
            await attempt
    await threads.save_thread(BOB, "bobs", {"id": "bobs"})
    assert await threads.threads(BOB, 9, "t", "asc") == ([], False)
    with pytest.raises(NoSuchConversation):
        await threads.items(BOB, "t", 9, "a", "asc")
    await threads.add_item(BOB, "bobs", "a", {"id": "bobs a"})
    assert names(await threads.items(ADA, "t", 9, None, "asc")) == ("abc", False)


async def test_an_unknown_thread_takes_and_gives_no_items(threads: ThreadStore, store: ConversationStore) -> None:
    await store.remember(ADA, "of another door", turn("m1"))
    for unknown in ("nothing", "of another door"):
        assert await threads.thread(ADA, unknown) is None
        assert await threads.delete_thread(ADA, unknown) is False
        with pytest.raises(NoSuchConversation):
            await threads.add_item(ADA, unknown, "a", {})
        with pytest.raises(NoSuchConversation):
            await threads.items(ADA, unknown, 9, None, "asc")
    assert await threads.threads(ADA, 9, None, "asc") == ([], False)


async def test_a_conversation_of_another_door_becomes_a_thread_and_keeps_its_turns(threads, store) -> None:
    await store.remember(ADA, "c1", turn("m1"))
    await threads.save_thread(ADA, "c1", {"id": "c1"})
    assert await threads.thread(ADA, "c1") == {"id": "c1"}
    assert len(await store.recall(ADA, "c1", 5)) == 1


async def test_threads_are_paged_by_their_beginning(threads: ThreadStore, database: Database) -> None:
    for name in "abcde":
        await threads.save_thread(ADA, name, {"id": name})
    await rows_of(database, "UPDATE ask_ai_conversations SET created_at = 1000 WHERE id IN ('b', 'c')")
    await rows_of(database, "UPDATE ask_ai_conversations SET created_at = 999 WHERE id = 'a'")
    await rows_of(database, "UPDATE ask_ai_conversations SET created_at = 1001 WHERE id = 'd'")
    assert names(await threads.threads(ADA, 2, None, "asc")) == ("ab", True)
    assert names(await threads.threads(ADA, 2, "b", "asc")) == ("cd", True)
    assert names(await threads.threads(ADA, 2, "d", "asc")) == ("e", False)
    assert names(await threads.threads(ADA, 3, None, "desc")) == ("edc", True)
    assert names(await threads.threads(ADA, 3, "c", "desc")) == ("ba", False)
    assert names(await threads.threads(ADA, 3, "unknown", "desc")) == ("", False)


async def test_items_are_paged_in_the_order_they_were_added(threads: ThreadStore) -> None:
    await three_items(threads)
    await threads.save_item(ADA, "t", "a", {"id": "A"})
    await threads.save_item(ADA, "t", "d", {"id": "d"})
    assert names(await threads.items(ADA, "t", 2, None, "asc")) == ("Ab", True)
    assert names(await threads.items(ADA, "t", 2, "b", "asc")) == ("cd", False)
    assert names(await threads.items(ADA, "t", 3, None, "desc")) == ("dcb", True)
    assert names(await threads.items(ADA, "t", 3, "b", "desc")) == ("A", False)
    for order in ("asc", "desc"):
        assert await threads.items(ADA, "t", 3, "unknown", order) == ([], False)


async def test_a_thread_without_items_gives_an_empty_page(threads: ThreadStore) -> None:
    await threads.save_thread(ADA, "t", {})
    assert await threads.items(ADA, "t", 3, None, "asc") == ([], False)


async def test_an_item_that_is_there_is_not_added_again(threads: ThreadStore) -> None:
    await three_items(threads)
    with pytest.raises(ValueError, match="item of this id"):
        await threads.add_item(ADA, "t", "a", {"id": "other"})
    assert await threads.item(ADA, "t", "a") == {"id": "a"}
    await threads.save_thread(ADA, "t2", {})
    await threads.add_item(ADA, "t2", "a", {"id": "of another thread"})


async def test_a_removed_item_takes_its_turn_out_of_the_history(threads: ThreadStore, store: ConversationStore) -> None:
    await three_items(threads)
    await store.remember(ADA, "t", turn("a"))
    await store.remember(ADA, "t", turn("b"))
    await store.remember(ADA, "other", turn("c"))
    assert await threads.delete_item(ADA, "t", "b") is True
    assert await threads.delete_item(ADA, "t", "b") is False
    assert await threads.delete_item(ADA, "t", "c") is True
    assert [one.message_id for one in await store.recall(ADA, "t", 9) or []] == ["a"]
    assert [one.message_id for one in await store.recall(ADA, "other", 9) or []] == ["c"], "a turn of another conversation"
    assert names(await threads.items(ADA, "t", 9, None, "asc")) == ("a", False)


async def test_an_expired_thread_is_gone_and_begins_anew_when_saved(threads: ThreadStore, database: Database) -> None:
    await three_items(threads)
    await age(database, "t", 31)
    assert await threads.thread(ADA, "t") is None
    assert await threads.threads(ADA, 9, None, "asc") == ([], False)
    assert await threads.item(ADA, "t", "a") is None
    assert await threads.delete_thread(ADA, "t") is False
    with pytest.raises(NoSuchConversation):
        await threads.add_item(ADA, "t", "d", {})
    await threads.save_thread(ADA, "t", {"id": "t"})
    assert await threads.items(ADA, "t", 9, None, "asc") == ([], False)


async def test_a_deleted_thread_takes_its_items_and_turns_with_it(threads, store, database: Database) -> None:
    await three_items(threads)
    await store.remember(ADA, "t", turn("m1"))
    assert await threads.delete_thread(ADA, "t") is True
    assert await store.recall(ADA, "t", 5) is None
    assert await rows_of(database, "SELECT id FROM ask_ai_items") == []


async def test_items_added_at_once_are_all_there(threads: ThreadStore) -> None:
    await threads.save_thread(ADA, "t", {})
    await asyncio.gather(*(threads.add_item(ADA, "t", str(number), {"id": str(number)}) for number in range(30)))
    page, more = await threads.items(ADA, "t", 100, None, "asc")
    assert {one["id"] for one in page} == {str(number) for number in range(30)}
    assert not more
