"""The database conversations are kept in, SQLite or PostgreSQL: every call timed, every failure named, none left half-way."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from chatbot_api.errors import StoreUnavailable
from chatbot_api.services.database_engines import address_of, engine_of, sqlite_file_of
from chatbot_api.services.database_failures import named
from chatbot_api.services.database_schema import NOT_MADE, is_current, revision_in, sound_revision_of

P = ParamSpec("P")
T = TypeVar("T")

MIGRATION_S = 60.0
"""Seconds a migration may take, its turn after other replicas' included."""


class Database:
    """One database and its pool of connections. Work is a function of a plain SQLAlchemy connection.

    A call runs in a task of its own, which its caller waits for, at most ``timeout_s``. So a caller who is cancelled, or whose
    time is over, leaves at once, while the work goes on to its end (within the same time): what a reader was shown is kept, and
    no connection is torn down under a statement because somebody left.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        """``url``: ``sqlite:///path`` or ``postgresql+asyncpg://...``. Nothing is opened."""
        self._url = url
        self._timeout_s = timeout_s
        self._file = sqlite_file_of(url)
        self._engine = engine_of(url, timeout_s)
        self._under_way: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    @classmethod
    def at(cls, database_url: str, sqlite_file: Path, timeout_s: float) -> Self:
        """The database the settings name: ``database_url``, or the file where it is empty."""
        return cls(address_of(database_url, sqlite_file), timeout_s=timeout_s)

    @property
    def place(self) -> Literal["sqlite", "postgresql"]:
        """Which engine it is."""
        return "postgresql" if self._file is None else "sqlite"

    async def reading(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the work gives, each of its statements by itself, outside of a transaction. Raises StoreError."""
        return await self._ended(self._engine.read(lambda connection: work(connection, *args, **kwargs)))

    async def writing(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the work gives, in one transaction: committed when it returns, rolled back when it raises. Raises StoreError.

        After a StoreUnavailable it may still have been written: work has to bear a second time.
        """
        return await self._ended(self._engine.write(lambda connection: work(connection, *args, **kwargs)))

    async def migrate(self) -> None:
        """Make the tables, or bring them up to date; many replicas may at once.

        Raises StoreDamaged, before a byte is changed, when it is no database of ours, StoreUnavailable, and StartRefused when a
        newer version of the service made the tables.
        """
        if self._file is None:
            revision = await self.reading(revision_in)
        else:
            revision = await asyncio.to_thread(sound_revision_of, self._file, self._timeout_s)
        if not is_current(revision):
            await asyncio.to_thread(self._migrate_in_a_loop_of_its_own)

    async def look(self) -> None:
        """Whether the tables are there and can be read. Raises StoreError."""
        if await self.reading(revision_in) is None:
            raise StoreUnavailable(NOT_MADE)

    async def close(self) -> None:
        """Wait for what is under way, then close every connection; for good."""
        self._is_closed = True
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=2 * self._timeout_s)
        await self._engine.close()

    async def _ended(self, work: Coroutine[Any, Any, T]) -> T:
        if self._is_closed:
            work.close()
            raise StoreUnavailable("closed")
        task = asyncio.create_task(self._named(work))
        self._under_way.add(task)
        task.add_done_callback(self._over)
        done, _ = await asyncio.wait({task}, timeout=self._timeout_s)
        if not done:
            raise StoreUnavailable(f"no answer within {self._timeout_s:g} s")
        return task.result()

    async def _named(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work
        except TimeoutError:
            raise StoreUnavailable(f"no answer within {self._timeout_s:g} s") from None
        except (SQLAlchemyError, OSError) as error:
            raise named(error) from error

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have left; asyncio would log that nobody asked

    def _migrate_in_a_loop_of_its_own(self) -> None:
        """A minute of patience, imports and files: none of it in the loop that answers readers."""
        from chatbot_api.migrations.upgrading import set_up_file, upgrade  # noqa: PLC0415 - once in a database's life

        async def run() -> None:
            patient = Database(self._url, timeout_s=MIGRATION_S)
            try:
                if patient.place == "sqlite":
                    await patient.reading(set_up_file)
                await patient.writing(upgrade)
            finally:
                await patient.close()

        asyncio.run(run())
