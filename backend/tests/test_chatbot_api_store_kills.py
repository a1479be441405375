"""Two hundred writers are killed at random moments: no acknowledged turn is lost or doubled, and the file stays sound."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from store_databases import Place

WRITER = Path(__file__).with_name("store_writer.py")
KILLS = 200
AT_ONCE = 4


@contextmanager
def writers_of(file: Path) -> Iterator[Callable[[str], int]]:
    """Starts writers by name; gives their process ids."""
    with subprocess.Popen(
        [sys.executable, str(WRITER), str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as parent:
        assert parent.stdin is not None
        begun: list[int] = []

        def start(name: str) -> int:
            parent.stdin.write(f"{name}\n")
            begun.append(int(parent.stdout.readline()))
            return begun[-1]

        try:
            yield start
        finally:
            for writer in begun[-AT_ONCE:]:  # those a failed round left; the rounds before saw theirs go
                with suppress(ProcessLookupError):
                    os.kill(writer, signal.SIGKILL)
            parent.stdin.close()


def wait_for(that: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not that():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.001)


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def told_by(file: Path, name: str) -> set[str]:
    """The ids a writer told as kept, in whole lines."""
    told = file.with_name(f"{name}.told")
    return set(told.read_text().rpartition("\n")[0].split()) if told.exists() else set()


def kept(file: Path) -> list[str]:
    with closing(sqlite3.connect(file, timeout=10)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in connection.execute("SELECT message_id FROM ask_ai_turns")]


async def test_two_hundred_kills_lose_and_double_no_acknowledged_turn(sqlite_place: Place) -> None:
    await sqlite_place.open().migrate()
    await sqlite_place.opened[0].close()
    survive_kills(sqlite_place.file)


def survive_kills(file: Path) -> None:
    chance = random.Random(7)
    told: set[str] = set()
    there: list[str] = []
    with writers_of(file) as start:
        for number in range(KILLS // AT_ONCE):
            names = [f"{number}-{one}" for one in range(AT_ONCE)]
            writers = [start(name) for name in names]
            wait_for(lambda names=names: all(told_by(file, name) for name in names))
            for writer in writers:
                time.sleep(chance.uniform(0, 0.02))
                os.kill(writer, signal.SIGKILL)
            wait_for(lambda writers=writers: all(map(is_gone, writers)))
            fresh = set().union(*(told_by(file, name) for name in names))
            assert len(fresh) >= AT_ONCE
            told |= fresh
            there = kept(file)
            assert len(there) == len(set(there))
            assert told <= set(there)
    print(f"{KILLS} kills, {len(told)} turns acknowledged, {len(there)} there")
