"""SQLite, in threads of our own: whole transactions hop to a thread once, where a driver for asyncio would hop for each call.

One thread writes: SQLite has one writer at a time, and its own way of waiting is to sleep, longer and longer, and try again, by
which some never get their turn. What waits for it is written in one transaction (group commit). A few threads read beside it
(WAL mode). Other processes' transactions are waited for in short steps: they are over within a millisecond.
"""

import asyncio
import os
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from chatbot_api.errors import StoreUnavailable

T = TypeVar("T")

LONGEST_BUSY_S = 2.0
AGAIN_S = 0.0005
"""After so long a lock that another process holds is asked for again. SQLite's own steps are 1 to 100 ms: two busy workers slept
through a third of the time in which they could have written."""
READERS = 4
MOST_TOGETHER = 64
"""Turns in one transaction: the first of them waits for the last."""
_BEGIN = "BEGIN IMMEDIATE"
_SPOILED = {8, 10, 26}
"""SQLITE_READONLY, SQLITE_IOERR, SQLITE_NOTADB (sqlite.org/rescode.html)."""


class SqliteEngine:
    """One file, its connections and threads. Work is a function of a plain SQLAlchemy connection."""

    def __init__(self, file: Path, timeout_s: float) -> None:
        """``timeout_s``: longest wait for a connection; for another process's lock at most LONGEST_BUSY_S of it."""
        self._reader, self._writer = _engine(file, timeout_s, READERS), _engine(file, timeout_s, 1)
        # IMMEDIATE: a transaction that reads and then asks to write fails at once, without a wait, when another wrote in between.
        event.listen(self._writer, "begin", self._begin_immediate)
        event.listen(self._writer, "connect", _wait_for_no_lock)
        self._timeout_s, self._busy_s = timeout_s, _longest_busy_s(timeout_s)
        self._reading = ThreadPoolExecutor(READERS, "sqlite-reader")
        self._writing = ThreadPoolExecutor(1, "sqlite-writer")
        self._waiting: deque[_Turn] = deque()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What the work gives, each of its statements by itself."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What the work gives, in one transaction. Whose time is over before its turn has come has written nothing."""
        turn = _Turn(work, monotonic() + self._timeout_s)
        self._waiting.append(turn)
        return await asyncio.get_running_loop().run_in_executor(self._writing, self._written, turn)

    async def close(self) -> None:
        """Wait for what runs in the threads, then close every connection."""
        for threads in (self._reading, self._writing):
            threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._ended)

    def _ended(self) -> None:
        for threads in (self._reading, self._writing):
            threads.shutdown(wait=True)
        self._reader.dispose()
        self._writer.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._reader.connect() as connection:
            return work(connection)

    def _written(self, turn: "_Turn") -> Any:
        """What its work gives; mostly it was written along with one before it, or all that wait are written along with it."""
        if not turn.is_over:
            self._write_what_waits()
        return turn.result if turn.is_written else self._write(turn)

    def _write_what_waits(self) -> None:
        turns = [self._waiting.popleft() for _ in range(min(MOST_TOGETHER, len(self._waiting)))]
        for turn in turns:
            turn.is_over = True
        if len(turns) < 2 or any(monotonic() > turn.until for turn in turns):
            return

        def all_of_them(connection: Connection) -> None:
            for turn in turns:
                turn.result = turn.work(connection)

        # Whatever one of them fails by, nothing is written then, and each goes by itself and gets to know its own failure.
        with suppress(Exception):
            self._transaction(all_of_them)
            for turn in turns:
                turn.is_written = True

    def _write(self, turn: "_Turn") -> Any:
        if monotonic() > turn.until:
            raise StoreUnavailable("its turn to write did not come in time")
        try:
            return self._transaction(turn.work)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # A connection from when the file could only be read; a new one tells whether that is over.
        return self._transaction(turn.work)

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        with self._writer.begin() as connection:
            return work(connection)

    def _begin_immediate(self, connection: Connection) -> None:
        driver = cast("sqlite3.Connection", connection.connection.dbapi_connection)
        until = monotonic() + self._busy_s
        while _is_locked(driver) and monotonic() < until:
            sleep(AGAIN_S)
        if not driver.in_transaction:
            connection.exec_driver_sql(_BEGIN)  # fails again, by the names that SQLAlchemy has for it


@dataclass(slots=True)
class _Turn:
    """Work that waits for its turn to write, and what became of it."""

    work: Callable[[Connection], Any]
    until: float
    """When nobody waits for it any more, by the clock that never goes back."""
    is_over: bool = False
    is_written: bool = False
    result: Any = None


def _engine(file: Path, timeout_s: float, connections: int) -> Engine:
    engine = create_engine(
        make_url("sqlite+pysqlite://").set(database=str(file)),
        # isolation_level None: Python's sqlite3 begins no transaction by itself. A connection is one thread's at a time.
        connect_args={"isolation_level": None, "timeout": _longest_busy_s(timeout_s), "check_same_thread": False},
        pool_size=connections,
        max_overflow=0,
        pool_timeout=timeout_s,
        pool_use_lifo=True,
        hide_parameters=True,
    )

    def make_file(*_: Any) -> None:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))

    event.listen(engine, "do_connect", make_file)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "handle_error", _forget_if_spoiled)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    # NORMAL in WAL mode: a commit is with the kernel before it is acknowledged, so a killed process loses nothing; only a
    # power cut may take the last commits, never the file's soundness. FULL would pay an fsync for every answer.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _wait_for_no_lock(connection: Any, _record: Any) -> None:
    """``_begin_immediate`` does. In WAL mode nothing else waits; where a file can't have that, SQLite's own wait stays."""
    if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        connection.execute("PRAGMA busy_timeout = 0")


def _forget_if_spoiled(context: ExceptionContext) -> None:
    """A connection made while the file could only be read stays so; one that met a failing disk may not see it mended."""
    code = getattr(context.original_exception, "sqlite_errorcode", 0)
    if isinstance(code, int) and code & 0xFF in _SPOILED:
        context.is_disconnect = True


def _longest_busy_s(timeout_s: float) -> float:
    """The wait for a lock ends before its caller gives up: what was told not to be kept is not written afterwards."""
    return min(LONGEST_BUSY_S, 0.9 * timeout_s)


def _is_locked(driver: sqlite3.Connection) -> bool:
    """Whether another process writes. A transaction has begun if not, unless something else is wrong."""
    try:
        driver.execute(_BEGIN)
    except sqlite3.Error as error:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    return False
