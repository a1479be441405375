"""Which engine an address means; the other one's driver is never imported."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")

SQLITE = "sqlite:///"
POSTGRES = "postgresql+asyncpg://"


class DatabaseEngine(Protocol):
    """Who runs work on a connection. Raises what SQLAlchemy and the drivers raise."""

    async def read(self, work: Callable[[Connection], T]) -> T: ...  # noqa: D102
    async def write(self, work: Callable[[Connection], T]) -> T: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102


def sqlite_file_of(url: str) -> Path | None:
    """The file an address of SQLite names; None: the address is PostgreSQL's."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def address_of(database_url: str, sqlite_file: Path) -> str:
    """The settings' DATABASE_URL, or the file where it is empty, as ``engine_of`` takes it."""
    if not database_url:
        return f"{SQLITE}{sqlite_file}"
    return f"{POSTGRES}{database_url.partition('://')[2]}"


def engine_of(url: str, timeout_s: float) -> DatabaseEngine:
    """The engine of an address; nothing is opened."""
    file = sqlite_file_of(url)
    if file is None:
        from chatbot_api.services.postgres_engine import PostgresEngine  # noqa: PLC0415 - asyncpg and greenlets

        return PostgresEngine(url, timeout_s)
    from chatbot_api.services.sqlite_engine import SqliteEngine  # noqa: PLC0415 - not paid for beside PostgreSQL

    return SqliteEngine(file, timeout_s)
