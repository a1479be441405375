"""PostgreSQL by asyncpg: its pool, its time limits, and what a connection is told before its first use."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from chatbot_api.errors import StoreUnavailable

T = TypeVar("T")

DRIVER = "postgresql+asyncpg://"
CLOSE_S = 0.5
"""Seconds a connection may take to say goodbye; a frozen server never does."""
_POOL = 5
_ADDRESS_WORDS = {
    *("host", "port", "user", "password", "dbname", "database", "passfile", "target_session_attrs", "krbsrvname", "gsslib"),
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "application_name", "options", "search_path"),
}
"""The parts of an address's query that asyncpg knows, and settings a server takes. asyncpg would send any other word of libpq's,
such as ``channel_binding`` or ``connect_timeout``, to the server as a setting, which the server refuses."""


class PostgresEngine:
    """One server and its pool. Work is a function of a plain SQLAlchemy connection."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """``url``: begins with DRIVER. ``timeout_s``: longest wait for a connection, and for a statement on the server."""
        self._reader = _engine(url, timeout_s)
        # The same pool, for whole transactions.
        self._writer = self._reader.execution_options(isolation_level="READ COMMITTED")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What the work gives, each of its statements by itself."""
        async with self._reader.connect() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What the work gives, in one transaction."""
        async with self._writer.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        """Close every connection."""
        await self._reader.dispose()


def _engine(url: str, timeout_s: float) -> AsyncEngine:
    asyncpg: Any = import_module("asyncpg")  # only where PostgreSQL is used

    class _Connection(asyncpg.Connection):
        async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's own name
            await asyncpg.Connection.close(self, timeout=min(CLOSE_S, timeout or CLOSE_S))

    statement_ms = max(1, int(timeout_s * 1000))

    async def connect() -> Any:
        try:
            connection = await asyncpg.connect(_for_asyncpg(url), timeout=timeout_s, connection_class=_Connection)
        except ValueError:  # its message may hold what was meant to be a password
            raise StoreUnavailable(
                "DATABASE_URL can't be understood; special characters of a password have to be %-encoded"
            ) from None
        try:
            # Not in the greeting, where connection poolers refuse it. The second limit: a replica that froze inside a transaction
            # must not keep its locks.
            await connection.execute(
                f"SET statement_timeout = {statement_ms}; SET idle_in_transaction_session_timeout = {5 * statement_ms}"
            )
        except BaseException:
            connection.terminate()
            raise
        return connection

    return create_async_engine(
        DRIVER,
        async_creator=connect,
        isolation_level="AUTOCOMMIT",
        pool_size=_POOL,
        max_overflow=_POOL,
        pool_timeout=timeout_s,
        pool_pre_ping=True,
        pool_use_lifo=True,
        hide_parameters=True,
    )


def _for_asyncpg(url: str) -> str:
    parts = urlsplit("postgresql://" + url.removeprefix(DRIVER))
    known = [(word, value) for word, value in parse_qsl(parts.query) if word in _ADDRESS_WORDS]
    return urlunsplit(parts._replace(query=urlencode(known)))
