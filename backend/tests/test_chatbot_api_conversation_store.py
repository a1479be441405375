"""The contract of the conversation store, on SQLite and on PostgreSQL alike."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from chatbot_api.errors import NoSuchConversation
from chatbot_api.models.conversation_models import FeedbackRequest
from chatbot_api.services.conversation_store import ConversationStore
from chatbot_api.services.database import Database
from chatbot_api.services.thread_store import ThreadStore
from store_databases import Place, age, done, rows_of, source, turn

ADA, BOB = "v_ada", "v_bob"


@pytest.fixture
def store(database: Database) -> ConversationStore:
    return ConversationStore(database, ttl_days=30, keep_questions=True)


async def questions(store: ConversationStore, visitor: str, conversation_id: str, limit: int = 99) -> list[str | None] | None:
    turns = await store.recall(visitor, conversation_id, limit)
    return None if turns is None else [one.question for one in turns]


def rating(message_id: str, rated: str = "up", **values: str) -> FeedbackRequest:
    return FeedbackRequest.model_validate({"message_id": message_id, "rating": rated, **values})


async def test_a_remembered_turn_comes_back_as_it_was(store: ConversationStore) -> None:
    kept = turn("m1", standalone="how, on Windows?", done=done(understood_as="how?"), passage_ids=("p2", "p1"))
    await store.remember(ADA, "c1", kept)
    (back,) = await store.recall(ADA, "c1", 5) or []
    assert back.created_at is not None
    assert abs(datetime.now(UTC) - back.created_at) < timedelta(minutes=1)
    fields = ("message_id", "question", "standalone", "response", "done", "passage_ids", "rating")
    assert [getattr(back, name) for name in fields] == [getattr(kept, name) for name in fields]
    assert await store.turn(ADA, "m1") == ("c1", back)
    whole = await store.conversation(ADA, "c1")
    assert whole is not None
    assert (whole.id, whole.turns) == ("c1", (back,))


async def test_the_last_turns_come_back_oldest_first(store: ConversationStore) -> None:
    for number in range(5):
        await store.remember(ADA, "c1", turn(f"m{number}"))
    assert await questions(store, ADA, "c1", 3) == ["q m2", "q m3", "q m4"]
    assert await questions(store, ADA, "c1", 0) == []
    whole = await store.conversation(ADA, "c1")
    assert whole is not None
    assert [one.message_id for one in whole.turns] == [f"m{number}" for number in range(5)]


async def test_what_another_visitor_has_is_not_there(store: ConversationStore, database: Database) -> None:
    await store.remember(ADA, "c1", turn("m1"))
    assert await store.recall(BOB, "c1", 5) is None
    assert await store.conversation(BOB, "c1") is None
    assert await store.turn(BOB, "m1") is None
    assert await store.delete(BOB, "c1") is False
    assert await store.rate(BOB, rating("m1")) is False
    for conversation_id, message_id in (("c1", "m2"), ("c2", "m1")):
        with pytest.raises(NoSuchConversation):
            await store.remember(BOB, conversation_id, turn(message_id))
    assert await store.recall(BOB, "c2", 5) is None, "the refused transaction left nothing"
    assert await questions(store, ADA, "c1") == ["q m1"]
    assert await rows_of(database, "SELECT id FROM ask_ai_conversations") == [("c1",)]


async def test_no_raw_visitor_id_is_in_the_tables(store: ConversationStore, database: Database) -> None:
    await store.remember(ADA, "c1", turn("m1"))
    await store.rate(ADA, rating("m1"))
    for table in ("ask_ai_conversations", "ask_ai_turns", "ask_ai_feedback"):
        ((visitor,),) = await rows_of(database, f"SELECT visitor FROM {table}")
        assert len(visitor) == 64
        assert ADA not in visitor


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"done": None, "response": "half"}, {"response": "whole"}, "whole"),
        ({"done": None, "response": "half"}, {"done": None, "response": "more"}, "more"),
        ({"response": None}, {"response": "whole"}, "whole"),
        ({"response": ""}, {"response": "whole"}, "whole"),
        ({"response": "whole"}, {"response": "other"}, "whole"),
        ({"response": "whole"}, {"done": None, "response": "half"}, "whole"),
    ],
)
async def test_a_turn_sent_again_replaces_an_unfinished_one_alone(store, first, second, expected) -> None:
    await store.remember(ADA, "c1", turn("m0"))
    await store.remember(ADA, "c1", turn("m1", **first))
    await store.remember(ADA, "c1", turn("m2"))
    await store.remember(ADA, "c1", turn("m1", **second))
    turns = await store.recall(ADA, "c1", 9)
    assert [one.message_id for one in turns] == ["m0", "m1", "m2"]
    assert turns[1].response == expected


async def test_an_unfinished_turn_moves_to_the_conversation_it_is_finished_in(store: ConversationStore) -> None:
    await store.remember(ADA, "c1", turn("m1", done=None))
    await store.remember(ADA, "c2", turn("m1"))
    assert await questions(store, ADA, "c1") == []
    assert await questions(store, ADA, "c2") == ["q m1"]


async def test_without_kept_questions_no_word_of_the_reader_is_stored(database: Database) -> None:
    store = ConversationStore(database, ttl_days=30, keep_questions=False)
    words = "canary"
    await store.remember(
        ADA,
        "c1",
        turn("m1", question=words, standalone=words, response=words, done=done(understood_as=words), passage_ids=("p",)),
    )
    await store.rate(ADA, rating("m1", "down", comment="my comment"))
    (back,) = await store.recall(ADA, "c1", 5) or []
    assert (back.question, back.standalone, back.response, back.passage_ids) == (None, None, None, ("p",))
    assert back.done == done(understood_as=None)
    assert words not in repr(await rows_of(database, "SELECT * FROM ask_ai_turns"))
    assert await rows_of(database, "SELECT comment FROM ask_ai_feedback") == [("my comment",)]


async def test_text_that_no_database_takes_is_kept_without_the_bad_characters(store: ConversationStore) -> None:
    bad = "a\x00b\ud800c\udfff"
    kept = turn("m1", question=bad, standalone=bad, response=bad + "😀", done=done(sources=[source(bad)]), passage_ids=(bad,))
    await store.remember(ADA, "c\x001", kept)
    await store.rate(ADA, FeedbackRequest.model_construct(message_id="m1", rating="up", reason=None, comment=bad))
    (back,) = await store.recall(ADA, "c\x001\ud800", 5) or []
    assert (back.question, back.response) == ("abc", "abc😀")
    assert back.done is not None
    assert "\ud800" not in back.done.sources[0].url
    assert await store.recall("\ud800", "\x00", 5) is None


async def test_an_expired_conversation_is_gone_before_the_purge(store: ConversationStore, database: Database) -> None:
    await store.remember(ADA, "c1", turn("m1"))
    await age(database, "c1", 29.9)
    assert await questions(store, ADA, "c1") == ["q m1"]
    await age(database, "c1", 0.2)
    assert await store.recall(ADA, "c1", 5) is None
    assert await store.conversation(ADA, "c1") is None
    assert await store.turn(ADA, "m1") is None
    assert await store.rate(ADA, rating("m1")) is False
    assert await store.delete(ADA, "c1") is False


async def test_an_expired_conversation_that_is_written_to_begins_anew(store: ConversationStore, database: Database) -> None:
    await store.remember(ADA, "c1", turn("m1"))
    await age(database, "c1", 31)
    await store.remember(ADA, "c1", turn("m2"))
    assert await questions(store, ADA, "c1") == ["q m2"]
    await age(database, "c1", 31)
    with pytest.raises(NoSuchConversation):
        await store.remember(BOB, "c1", turn("m3"))


async def test_every_turn_prolongs_the_life_of_its_conversation(store: ConversationStore, database: Database) -> None:
    await store.remember(ADA, "c1", turn("m1"))
    await age(database, "c1", 29)
    await store.remember(ADA, "c1", turn("m2"))
    await age(database, "c1", 29)
    assert await questions(store, ADA, "c1") == ["q m1", "q m2"]


async def test_the_purge_removes_what_expired_with_all_that_hangs_on_it(store: ConversationStore, database: Database) -> None:
    threads = ThreadStore(database, ttl_days=30)
    for name in ("old", "new"):
        await threads.save_thread(ADA, name, {"name": name})
        await threads.add_item(ADA, name, f"i {name}", {})
        await store.remember(ADA, name, turn(f"m {name}"))
        await store.rate(ADA, rating(f"m {name}"))
    await store.rate(ADA, rating("temp-1-old"))
    await store.rate(ADA, rating("temp-1-new"))
    await rows_of(database, "UPDATE ask_ai_feedback SET rated_at = 1 WHERE message_id = 'temp-1-old'")
    await age(database, "old", 31)
    assert await store.purge() == 1
    assert await store.purge() == 0
    assert await rows_of(database, "SELECT id FROM ask_ai_conversations") == [("new",)]
    assert await rows_of(database, "SELECT message_id FROM ask_ai_turns") == [("m new",)]
    assert await rows_of(database, "SELECT id FROM ask_ai_items") == [("i new",)]
    assert sorted(await rows_of(database, "SELECT message_id FROM ask_ai_feedback")) == [("m new",), ("temp-1-new",)]


async def test_the_purge_removes_any_number_in_small_steps(store: ConversationStore, database: Database) -> None:
    def many(connection) -> None:
        connection.exec_driver_sql(
            "INSERT INTO ask_ai_conversations (id, visitor, created_at, touched_at) WITH RECURSIVE n (i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) SELECT 'c' || i, 'v', 1, 1 FROM n"
        )

    await database.writing(many)
    assert await store.purge() == 1200


async def test_a_deleted_conversation_takes_everything_with_it(store: ConversationStore, database: Database) -> None:
    await store.remember(ADA, "c1", turn("m1"))
    await store.rate(ADA, rating("m1"))
    await ThreadStore(database, ttl_days=30).save_thread(ADA, "c1", {})
    await ThreadStore(database, ttl_days=30).add_item(ADA, "c1", "i1", {})
    assert await store.delete(ADA, "c1") is True
    assert await store.delete(ADA, "c1") is False
    for table in ("conversations", "turns", "feedback", "items"):
        assert await rows_of(database, f"SELECT * FROM ask_ai_{table}") == []


async def test_a_rating_replaces_the_one_before_and_copies_what_was_answered(store, database: Database) -> None:
    await store.remember(ADA, "c1", turn("m1", done=done(outcome="degraded", degraded=["dense"])))
    assert await store.rate(ADA, rating("m1", "up", comment="good")) is True
    assert await store.rate(ADA, rating("m1", "down", reason="wrong")) is True
    statement = "SELECT rating, reason, comment, outcome, sources FROM ask_ai_feedback"
    ((*kept, sources),) = await rows_of(database, statement)
    assert kept == ["down", "wrong", None, "degraded"]
    assert "/docs/intro" in sources
    assert (await store.recall(ADA, "c1", 5))[0].rating == "down"


async def test_ratings_of_the_predecessors_ids_are_kept_and_of_unknown_ones_refused(store, database: Database) -> None:
    assert await store.rate(ADA, rating("temp-1732193-0.4x8")) is True
    assert await store.rate(BOB, rating("temp-1732193-0.4x8", "down")) is True
    for unknown in ("m_unknown", "temp-", "temp-x-y", "temp-1"):
        assert await store.rate(ADA, rating(unknown)) is False
    assert len(await rows_of(database, "SELECT * FROM ask_ai_feedback")) == 2


async def test_eight_writers_of_fifty_turns_lose_none_and_double_none(place: Place) -> None:
    first, second = place.open(), place.open()
    await first.migrate()

    async def write(number: int) -> None:
        store = ConversationStore((first, second)[number % 2], ttl_days=30, keep_questions=True)
        for count in range(50):
            for _ in range(1 + (count % 10 == 0)):  # now and then sent twice
                await store.remember(ADA, f"c{number % 4}", turn(f"m{number}-{count}"))

    await asyncio.gather(*(write(number) for number in range(8)))
    kept = [row[0] for row in await rows_of(first, "SELECT message_id FROM ask_ai_turns")]
    assert len(kept) == 400
    assert set(kept) == {f"m{number}-{count}" for number in range(8) for count in range(50)}
