"""What goes wrong with a server: away, back again, frozen, full of others' connections, shared with another application."""

import asyncio
from pathlib import Path
from time import monotonic

import pytest

from chatbot_api.errors import StoreUnavailable
from chatbot_api.services.conversation_store import ConversationStore
from chatbot_api.services.database import Database
from postgres_server import PostgresServer
from store_databases import Place, rows_of, turn


def store_of(database: Database) -> ConversationStore:
    return ConversationStore(database, ttl_days=30, keep_questions=True)


async def until_it_works(store: ConversationStore, message_id: str) -> float:
    """Seconds from now on."""
    start = monotonic()
    while True:
        try:
            await store.remember("v", "c", turn(message_id))
            return monotonic() - start
        except StoreUnavailable:
            assert monotonic() - start < 10
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("immediate", [False, True])
async def test_a_server_that_was_away_is_used_again_once_it_is_back(postgres_place: Place, postgres, immediate: bool) -> None:
    database = postgres_place.open(2)
    await database.migrate()
    store = store_of(database)
    await asyncio.gather(*(store.remember("v", "c", turn(f"m{number}")) for number in range(8)))
    await asyncio.to_thread(postgres.stop, immediate=immediate)
    for attempt in (store.recall("v", "c", 5), store.remember("v", "c", turn("lost")), database.look(), database.migrate()):
        start = monotonic()
        with pytest.raises(StoreUnavailable):
            await attempt
        assert monotonic() - start < 2.5
    await asyncio.to_thread(postgres.start)
    assert await until_it_works(store, "after") < 2
    await asyncio.gather(*(store.remember("v", "c", turn(f"n{number}")) for number in range(8)))
    assert len(await store.recall("v", "c", 99) or []) == 17


async def test_a_frozen_server_fails_a_call_in_its_time_and_works_again_when_thawed(postgres_place: Place, postgres) -> None:
    database = postgres_place.open(0.6)
    await postgres_place.open().migrate()
    store = store_of(database)
    await asyncio.gather(*(until_it_works(store, f"m{number}") for number in range(4)))
    postgres.freeze()

    async def refused(number: int) -> float:
        start = monotonic()
        with pytest.raises(StoreUnavailable):
            await (store.recall("v", "c", 5) if number % 2 else store.remember("v", "c", turn(f"x{number}")))
        return monotonic() - start

    for _ in range(2):
        waited = await asyncio.gather(*(refused(number) for number in range(14)))
        assert all(0.5 < seconds < 0.6 + 0.5 for seconds in waited), waited
    postgres.thaw()
    assert await until_it_works(store, "after") < 2


async def test_closing_does_not_wait_for_a_frozen_server(postgres_place: Place, postgres) -> None:
    database = postgres_place.open(0.6)
    await postgres_place.open().migrate()
    await asyncio.gather(*(until_it_works(store_of(database), f"m{number}") for number in range(4)))
    postgres.freeze()
    with pytest.raises(StoreUnavailable):
        await store_of(database).recall("v", "c", 5)
    start = monotonic()
    await database.close()
    assert monotonic() - start < 6


async def test_a_statement_that_takes_too_long_is_ended_on_the_server_too(postgres_place: Place) -> None:
    database, onlooker = postgres_place.open(0.5), postgres_place.open()
    start = monotonic()
    with pytest.raises(StoreUnavailable):
        await rows_of(database, "SELECT pg_sleep(30)")
    assert monotonic() - start < 1
    await asyncio.sleep(0.5)
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3' || '0)%' AND state = 'active'"
    assert await rows_of(onlooker, busy) == [(0,)]
    assert await rows_of(database, "SELECT 1") == [(1,)]


async def test_a_turn_that_waits_for_a_locked_row_fails_in_its_time(postgres_place: Place) -> None:
    patient, hasty = postgres_place.open(), postgres_place.open(0.5)
    await patient.migrate()
    await store_of(patient).remember("v", "c", turn("m1"))
    held, enough = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with patient._engine._writer.begin() as connection:
            await connection.exec_driver_sql("SELECT * FROM ask_ai_conversations FOR UPDATE")
            held.set()
            await enough.wait()

    holder = asyncio.create_task(hold())
    await held.wait()
    start = monotonic()
    with pytest.raises(StoreUnavailable):
        await store_of(hasty).remember("v", "c", turn("m2"))
    assert monotonic() - start < 1
    assert len(await store_of(hasty).recall("v", "c", 5) or []) == 1, "readers go on"
    enough.set()
    await holder
    await until_it_works(store_of(hasty), "m2")


async def test_a_database_shared_with_another_application_keeps_its_tables(postgres_place: Place) -> None:
    database = postgres_place.open()
    await rows_of(database, "CREATE TABLE alembic_version (version_num TEXT)")
    await rows_of(database, "INSERT INTO alembic_version VALUES ('theirs')")
    await rows_of(database, "CREATE TABLE conversations (theirs INT)")
    await database.migrate()
    await store_of(database).remember("v", "c", turn("m"))
    assert await rows_of(database, "SELECT version_num FROM alembic_version") == [("theirs",)]
    assert await rows_of(database, "SELECT * FROM conversations") == []


async def test_what_hosts_add_to_an_address_is_understood(postgres_place: Place, tmp_path: Path) -> None:
    words = "&sslmode=disable&channel_binding=prefer&connect_timeout=5&application_name=ask&options=-c%20work_mem%3D5MB"
    database = Place(postgres_place.url + words, tmp_path).open()
    try:
        assert await rows_of(database, "SELECT current_setting('work_mem'), current_setting('application_name')") == [
            ("5MB", "ask")
        ]
        assert database.place == "postgresql"
    finally:
        await database.close()
    refusing = Place(postgres_place.url + "&sslmode=require", tmp_path).open(2)
    with pytest.raises(StoreUnavailable):
        await refusing.look()
    await refusing.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:canary@127.0.0.1:notaport/x",
        "postgresql://u:canary@[::1/x",
        "postgresql://u:canary@127.0.0.1:1/x?sslmode=odd",
    ],
)
async def test_an_address_that_makes_no_sense_is_unavailable_and_never_told(url: str, tmp_path: Path) -> None:
    database = Place(url, tmp_path).open()
    with pytest.raises(StoreUnavailable) as refused:
        await database.look()
    assert "canary" not in refused.value.cause + str(refused.value)
    await database.close()


async def test_a_server_without_a_free_connection_is_unavailable_until_there_is_one(
    postgres: PostgresServer, postgres_place
) -> None:
    await rows_of(postgres_place.open(), "CREATE ROLE narrow LOGIN CONNECTION LIMIT 1")
    narrow = Place(postgres_place.url.replace("//postgres@", "//narrow@"), postgres_place.file)
    first, second = narrow.open(), narrow.open()
    assert await rows_of(first, "SELECT 1") == [(1,)]
    with pytest.raises(StoreUnavailable, match="53300"):
        await rows_of(second, "SELECT 1")
    await first.close()
    for _ in range(40):
        try:
            assert await rows_of(second, "SELECT 1") == [(1,)]
            break
        except StoreUnavailable:
            await asyncio.sleep(0.05)
    else:
        pytest.fail("the freed connection was never to be had")
    await second.close()
    await rows_of(postgres_place.opened[0], "DROP ROLE narrow")
