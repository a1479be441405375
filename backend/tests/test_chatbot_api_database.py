"""The database's tables: made from nothing, by many at once, equal to what the code says, and refused when they are not ours."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect

from chatbot_api.errors import StartRefused, StoreDamaged, StoreUnavailable
from chatbot_api.migrations.upgrading import make_tables, run_steps
from chatbot_api.services.conversation_store import ConversationStore
from chatbot_api.services.conversation_tables import SCHEMA, SCHEMA_TABLE, metadata, schema_table
from chatbot_api.services.database import Database
from store_databases import Place, rows_of, turn

SRC = Path(__file__).resolve().parents[1] / "src"


def command(place: Place, folder: Path) -> subprocess.Popen[str]:
    """``python -m chatbot_api.migrate`` of a service whose database is there."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SRC),
        "DATA_DIR": str(place.file.parent),
        "DATABASE_URL": place.url,
        "STORE_TIMEOUT_S": "20",
    }
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "chatbot_api.migrate"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_tables_are_made_from_nothing_and_a_second_time_changes_nothing(place: Place) -> None:
    database = place.open()
    with pytest.raises(StoreUnavailable) as missing:
        await database.look()
    assert "make migrate" in missing.value.cause
    await database.migrate()
    await database.migrate()
    await place.open().migrate()
    await database.look()
    assert await rows_of(database, f"SELECT version_num FROM {SCHEMA_TABLE}") == [(SCHEMA,)]


def shape_of(connection: Connection) -> dict[str, object]:
    """Everything the database knows of each table of ours, names of constraints among it."""
    inspector = inspect(connection)
    return {
        name: [
            [{**column, "type": str(column["type"])} for column in inspector.get_columns(name)],
            inspector.get_pk_constraint(name),
            sorted(inspector.get_foreign_keys(name), key=str),
            sorted(inspector.get_unique_constraints(name), key=str),
            sorted(inspector.get_indexes(name), key=str),
        ]
        for name in (*metadata.tables, SCHEMA_TABLE)
    }


async def test_tables_made_at_once_are_what_the_steps_come_to(place: Place) -> None:
    def made_and_undone(connection: Connection, how: Callable[[Connection], None]) -> tuple[dict[str, object], list[object]]:
        how(connection)
        context = MigrationContext.configure(connection, opts={"version_table": SCHEMA_TABLE, "compare_type": True})
        made = (shape_of(connection), compare_metadata(context, metadata))
        for name in (*reversed(metadata.sorted_tables), schema_table):
            connection.exec_driver_sql(f"DROP TABLE {name}")
        return made

    by_steps, at_once = [await place.open().writing(made_and_undone, how) for how in (run_steps, make_tables)]
    assert at_once == by_steps
    assert at_once[1] == []


async def test_a_database_of_an_older_version_is_left_to_the_steps(place: Place, database: Database) -> None:
    await rows_of(database, f"DELETE FROM {SCHEMA_TABLE}")
    for table in reversed(metadata.sorted_tables):
        await rows_of(database, f"DROP TABLE {table}")
    await rows_of(database, f"INSERT INTO {SCHEMA_TABLE} VALUES ('0000')")
    with pytest.raises(CommandError, match="0000"):  # Alembic is asked, which knows of no version before the first
        await place.open().migrate()


def test_the_newest_revision_is_the_one_the_code_names() -> None:
    config = Config()
    config.set_main_option("script_location", "chatbot_api:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA]


async def test_four_processes_migrate_at_once(place: Place, tmp_path: Path) -> None:
    processes = [command(place, tmp_path) for _ in range(4)]
    ended = [await asyncio.to_thread(process.communicate) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ended
    assert {out for out, _ in ended} == {f"Conversations ({place.open().place}): revision {SCHEMA}.\n"}
    assert {err for _, err in ended} == {""}
    await place.open().look()


async def test_four_in_one_process_migrate_at_once(place: Place) -> None:
    await asyncio.gather(*(place.open().migrate() for _ in range(4)))
    await ConversationStore(place.open(), ttl_days=1, keep_questions=True).remember("v", "c", turn("m"))


async def test_tables_of_a_newer_version_are_refused(place: Place, database: Database, tmp_path: Path) -> None:
    await rows_of(database, f"UPDATE {SCHEMA_TABLE} SET version_num = '9999'")
    with pytest.raises(StartRefused, match="newer version of this service"):
        await place.open().migrate()
    process = command(place, tmp_path)
    out, err = process.communicate()
    assert (process.returncode, out) == (78, "")
    assert "9999" in err
    assert len(err.splitlines()) == 1
    await database.look()  # a replica that runs already goes on beside the newer ones


@pytest.mark.parametrize(
    "made",
    [
        f"CREATE TABLE {SCHEMA_TABLE} (version_num VARCHAR(32))",
        "CREATE TABLE ask_ai_turns (id INTEGER)",
    ],
)
async def test_tables_of_our_names_that_are_not_ours_are_left_alone(place: Place, made: str) -> None:
    await rows_of(place.open(), made)
    with pytest.raises(StoreDamaged):
        await place.open().migrate()
    with pytest.raises(StoreDamaged):
        await place.open().look()


async def test_a_database_that_lost_a_table_is_damaged(place: Place, database: Database) -> None:
    await rows_of(database, "DROP TABLE ask_ai_items")
    with pytest.raises(StoreDamaged):
        await database.look()
    with pytest.raises(StoreDamaged):
        await database.migrate()


async def test_the_command_tells_a_database_that_is_not_there(tmp_path: Path) -> None:
    process = command(Place("postgresql://u:canary@127.0.0.1:1/x", tmp_path / "conversations.db"), tmp_path)
    out, err = process.communicate()
    assert (process.returncode, out) == (3, "")
    assert "can't be reached" in err
    assert "canary" not in err
    assert len(err.splitlines()) == 1


async def test_the_command_tells_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "conversations.db").write_text("these are my notes\n" * 99)
    process = command(Place("", tmp_path / "conversations.db"), tmp_path)
    _, err = process.communicate()
    assert process.returncode == 78
    assert "left as it is" in err


async def test_a_caller_who_leaves_does_not_take_the_turn_with_him(place: Place, database: Database) -> None:
    store = ConversationStore(database, ttl_days=1, keep_questions=True)
    for number in range(20):
        leaving = asyncio.create_task(store.remember("v", "c", turn(f"m{number}")))
        await asyncio.sleep(0.0002 * number)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    await store.remember("v", "c", turn("last"))
    await database.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.recall("v", "c", 99)
    again = ConversationStore(place.open(), ttl_days=1, keep_questions=True)
    there = {one.message_id for one in await again.recall("v", "c", 99) or []}
    begun = {f"m{number}" for number in range(1, 20)}  # the first may have been cancelled before its first step
    assert there - {"m0"} == begun | {"last"}


def test_the_driver_of_postgresql_is_imported_for_it_alone() -> None:
    script = (
        "import sys; from pathlib import Path; from chatbot_api.services.database import Database\n"
        "Database.at(sys.argv[1], Path('x.db'), 1.0)\n"
        "print(*sorted({'asyncpg', 'greenlet', 'sqlalchemy.ext.asyncio', 'alembic'} & set(sys.modules)))"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SRC)}
    for url, expected in (("", []), ("postgres://u@h/x", ["asyncpg", "greenlet", "sqlalchemy.ext.asyncio"])):
        ran = subprocess.run([sys.executable, "-c", script, url], env=environment, capture_output=True, text=True, check=True)
        assert ran.stdout.split() == expected
