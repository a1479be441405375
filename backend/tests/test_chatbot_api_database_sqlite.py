"""What goes wrong with a file: another writer, a full or read-only disk, damage, and files that are not ours."""

import asyncio
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import Connection

from chatbot_api.errors import NoSuchConversation, StoreDamaged, StoreUnavailable
from chatbot_api.services.conversation_store import ConversationStore
from chatbot_api.services.database import Database
from chatbot_api.services.sqlite_engine import READERS
from store_databases import PATIENT_S, Place, rows_of, turn

WRITER = Path(__file__).with_name("store_writer.py")


def store_of(database: Database) -> ConversationStore:
    return ConversationStore(database, ttl_days=30, keep_questions=True)


@asynccontextmanager
async def busy(database: Database) -> AsyncIterator[None]:
    """Something else is being written, so that what is begun within has to wait."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(_connection: Connection) -> None:
        begun.set()
        go_on.wait(PATIENT_S)

    slowly = asyncio.create_task(database.writing(slow))
    await asyncio.to_thread(begun.wait)
    yield
    for _ in range(10):  # each call reaches the thread within a few rounds of the event loop
        await asyncio.sleep(0)
    go_on.set()
    await slowly


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process holds the write lock."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('begin immediate');"
        "print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "1\n"
        yield
        other.communicate("\n")


def written_by_another(file: Path, name: str) -> list[str]:
    """The ids of a hundred turns, kept by another process."""
    command = [sys.executable, str(WRITER), str(file), name, "100"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.suffix == ".db"}


async def test_the_file_is_made_with_its_folder_and_for_its_owner_alone(sqlite_place: Place) -> None:
    database = sqlite_place.open()
    assert not sqlite_place.file.parent.exists()
    await database.migrate()
    await store_of(database).remember("v", "c", turn("m"))
    assert {path.stat().st_mode & 0o777 for path in sqlite_place.file.parent.iterdir()} == {0o600}
    settings = await rows_of(database, "SELECT * FROM pragma_journal_mode, pragma_synchronous, pragma_foreign_keys")
    assert settings == [("wal", 1, 1)]


async def test_a_name_with_signs_is_a_file_name(tmp_path: Path) -> None:
    place = Place("", tmp_path / "a folder?x=1#%20" / "my conversations.db")
    database = place.open()
    await database.migrate()
    await database.migrate()
    await database.look()
    await database.close()
    assert place.file.is_file()


async def test_two_processes_write_to_one_file(sqlite_place: Place) -> None:
    await sqlite_place.open().migrate()
    said = await asyncio.gather(*(asyncio.to_thread(written_by_another, sqlite_place.file, name) for name in ("a", "b")))
    kept = [row[0] for row in await rows_of(sqlite_place.open(), "SELECT message_id FROM ask_ai_turns")]
    assert sorted(kept) == sorted(said[0] + said[1])
    assert len(set(kept)) == 200


async def test_what_waits_for_its_turn_is_written_in_one_transaction(sqlite_place: Place) -> None:
    database = sqlite_place.open()
    await database.migrate()
    connections: list[Connection] = []
    async with busy(database):
        calls = [asyncio.create_task(database.writing(connections.append)) for _ in range(20)]
    await asyncio.gather(*calls)
    assert len(connections) == 20
    assert all(one is connections[0] for one in connections)


async def test_one_that_fails_takes_none_of_those_along_that_were_written_with_it(sqlite_place: Place) -> None:
    database = sqlite_place.open()
    await database.migrate()
    store = store_of(database)
    await store.remember("owner", "c_owned", turn("m_owned"))
    async with busy(database):
        calls = [
            asyncio.create_task(store.remember("thief" if number == 3 else "owner", "c_owned", turn(f"m_{number}")))
            for number in range(6)
        ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [NoSuchConversation if number == 3 else type(None) for number in range(6)]
    kept = await store.conversation("owner", "c_owned")
    assert kept is not None
    assert [one.message_id for one in kept.turns] == ["m_owned", "m_0", "m_1", "m_2", "m_4", "m_5"]


async def test_a_locked_file_is_told_in_time_and_forgotten_afterwards(sqlite_place: Place) -> None:
    patient, hasty = sqlite_place.open(), sqlite_place.open(0.5)
    await patient.migrate()
    store = store_of(hasty)
    await store.remember("v", "c", turn("m1"))

    async def refused(number: int) -> float:
        start = monotonic()
        with pytest.raises(StoreUnavailable):
            await store.remember("v", "c", turn(f"x{number}"))
        return monotonic() - start

    with locked(sqlite_place.file):
        waited = await asyncio.gather(*(refused(number) for number in range(6)))
        assert all(0.4 < seconds < 0.5 + 0.4 for seconds in waited), waited
        assert len(await store_of(patient).recall("v", "c", 9) or []) == 1, "readers go on"
    await store_of(patient).remember("v", "c", turn("m2"))
    await asyncio.sleep(1)
    await store.remember("v", "c", turn("m3"))
    kept = [one.message_id for one in await store.recall("v", "c", 9) or []]
    assert [name for name in kept if name.startswith("m")] == ["m1", "m2", "m3"]
    assert len(kept) <= 4, "of those refused, only the one whose turn had come may have been written"


async def test_cancelled_callers_leave_no_lock_and_no_thread(sqlite_place: Place) -> None:
    database = sqlite_place.open()
    await database.migrate()
    store = store_of(database)
    before = threading.active_count()
    for number in range(40):
        calls = [
            asyncio.create_task(store.remember("v", "c", turn(f"m{number}"))),
            asyncio.create_task(store.recall("v", "c", 9)),
        ]
        await asyncio.sleep(0.0001 * number)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    await store.remember("v", "c", turn("last"))
    with closing(sqlite3.connect(sqlite_place.file, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
    assert threading.active_count() <= before + READERS + 2
    await database.close()
    assert threading.active_count() <= before + 1  # asyncio's own thread for blocking work stays


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    if not made:
        pytest.skip("a small disk: mount needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_stops_writers_alone_until_there_is_space(small_disk: Path) -> None:
    place = Place("", small_disk / "conversations.db")
    database = place.open()
    try:
        await database.migrate()
        store = store_of(database)
        await store.remember("v", "c", turn("m1"))
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as out, suppress(OSError):
            while True:
                out.write(b"x" * 4096)
        for number in range(3):
            with pytest.raises(StoreUnavailable, match="SQLITE_FULL"):
                await store.remember("v", "c", turn(f"f{number}", response="long " * 20_000))
        assert (await store.recall("v", "c", 99) or [])[0].message_id == "m1"
        filler.unlink()
        await store.remember("v", "c", turn("m2"))
        assert [one.message_id for one in await store.recall("v", "c", 99) or []] == ["m1", "m2"]
    finally:
        await database.close()


async def test_a_file_that_can_only_be_read_stops_writers_alone_until_it_can_be_written() -> None:
    folder = Path(tempfile.mkdtemp())  # a folder that an account without rights gets to
    place = Place("", folder / "conversations.db")
    keeper, database = place.open(), place.open()
    try:
        await keeper.migrate()
        await store_of(keeper).remember("v", "c", turn("m1"))
        with only_reading(folder):
            for number in range(3):
                with pytest.raises(StoreUnavailable, match="READONLY"):
                    await store_of(database).remember("v", "c", turn(f"x{number}"))
                assert len(await store_of(database).recall("v", "c", 9) or []) == 1
        await store_of(database).remember("v", "c", turn("m2"))
        assert len(await store_of(database).recall("v", "c", 9) or []) == 2
    finally:
        await database.close()
        await keeper.close()
        shutil.rmtree(folder)


@contextmanager
def only_reading(folder: Path) -> Iterator[None]:
    """Nobody may write in the folder; root gives up its rights for as long."""
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    yield
    if me == 0:
        os.seteuid(0)
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o600)


async def filled(place: Place) -> None:
    database = place.open()
    await database.migrate()
    for number in range(20):
        await store_of(database).remember("v", "c", turn(f"m{number}", response="long " * 500))
    await database.close()


@pytest.mark.parametrize("page", [0, 1, 4, 9])
@pytest.mark.parametrize("content", [b"\x00", b"\xff", b"garbage!"])
async def test_a_file_with_an_overwritten_page_is_refused_and_left_as_it_is(sqlite_place, page, content) -> None:
    await filled(sqlite_place)
    with sqlite_place.file.open("r+b") as out:
        out.seek(page * 4096)
        out.write((content * 4096)[:4096])
    before = digests(sqlite_place.file.parent)
    database = sqlite_place.open()
    with pytest.raises(StoreDamaged):
        await database.migrate()
    await database.close()
    assert digests(sqlite_place.file.parent) == before


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(sqlite_place: Place) -> None:
    sqlite_place.file.parent.mkdir()
    sqlite_place.file.write_bytes(os.urandom(10_000))
    before = digests(sqlite_place.file.parent)
    for attempt in (sqlite_place.open().migrate, sqlite_place.open().look):
        with pytest.raises(StoreDamaged):
            await attempt()
    with pytest.raises(StoreDamaged):
        await store_of(sqlite_place.open()).remember("v", "c", turn("m"))
    assert digests(sqlite_place.file.parent) == before


@pytest.mark.parametrize("mode", ["delete", "wal"])
async def test_another_programs_database_is_refused_and_left_as_it_is(sqlite_place: Place, mode: str) -> None:
    sqlite_place.file.parent.mkdir()
    with closing(sqlite3.connect(sqlite_place.file)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.execute("CREATE TABLE recipes (name TEXT)")
        other.commit()
    before = digests(sqlite_place.file.parent)
    for attempt in (sqlite_place.open().migrate, sqlite_place.open().look):
        with pytest.raises(StoreDamaged):
            await attempt()
    for database in sqlite_place.opened:
        await database.close()
    assert digests(sqlite_place.file.parent) == before
