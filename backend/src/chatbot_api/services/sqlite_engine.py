"""SQLite, in threads of our own: whole transactions hop to a thread once, where a driver for asyncio would hop for each call.

One thread writes: SQLite has one writer at a time, and its own way of waiting is to sleep and try again, by which some never get
their turn. What waits for it is written in one transaction (group commit). A few threads read beside it (WAL mode).
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from chatbot_api.errors import StoreUnavailable

T = TypeVar("T")

LONGEST_BUSY_S = 2.0
READERS = 4
MOST_TOGETHER = 64
"""Turns in one transaction: the first of them waits for the last."""
_SPOILED = {8, 10, 26}
"""SQLITE_READONLY, SQLITE_IOERR, SQLITE_NOTADB (sqlite.org/rescode.html)."""


class SqliteEngine:
    """One file, its connections and threads. Work is a function of a plain SQLAlchemy connection."""

    def __init__(self, file: Path, timeout_s: float) -> None:
        """``timeout_s``: longest wait for a connection; for another process's lock at most LONGEST_BUSY_S of it."""
        self._reader = _engine(file, timeout_s)
        self._writer = self._reader.execution_options()
        # IMMEDIATE: a transaction that reads and then asks to write fails at once, without a wait, when another wrote in between.
        event.listen(self._writer, "begin", _begin_immediate)
        self._timeout_s = timeout_s
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


@dataclass(slots=True)
class _Turn:
    """Work that waits for its turn to write, and what became of it."""

    work: Callable[[Connection], Any]
    until: float
    """When nobody waits for it any more, by the clock that never goes back."""
    is_over: bool = False
    is_written: bool = False
    result: Any = None


def _engine(file: Path, timeout_s: float) -> Engine:
    engine = create_engine(
        make_url("sqlite+pysqlite://").set(database=str(file)),
        # isolation_level None: Python's sqlite3 begins no transaction by itself. A connection is one thread's at a time. The wait
        # for a lock ends before its caller gives up: what was told not to be kept is not written afterwards.
        connect_args={"isolation_level": None, "timeout": min(LONGEST_BUSY_S, 0.9 * timeout_s), "check_same_thread": False},
        pool_size=READERS + 1,
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


def _forget_if_spoiled(context: ExceptionContext) -> None:
    """A connection made while the file could only be read stays so; one that met a failing disk may not see it mended."""
    code = getattr(context.original_exception, "sqlite_errorcode", 0)
    if isinstance(code, int) and code & 0xFF in _SPOILED:
        context.is_disconnect = True


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
