"""How SQLite and PostgreSQL are connected to: files, pools, time limits and what a connection is told before its first use."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from chatbot_api.errors import StoreUnavailable

SQLITE = "sqlite+aiosqlite:///"
POSTGRES = "postgresql+asyncpg://"

LONGEST_BUSY_S = 2.0
CLOSE_S = 0.5
"""Seconds a PostgreSQL connection may take to say goodbye; a frozen server never does."""
_POOL = 5
_SPOILED = {8, 10, 26}
"""SQLITE_READONLY, SQLITE_IOERR, SQLITE_NOTADB (sqlite.org/rescode.html)."""
_ADDRESS_WORDS = {
    *("host", "port", "user", "password", "dbname", "database", "passfile", "target_session_attrs", "krbsrvname", "gsslib"),
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "application_name", "options", "search_path"),
}
"""The parts of an address's query that asyncpg knows, and settings a server takes. asyncpg would send any other word of libpq's,
such as ``channel_binding`` or ``connect_timeout``, to the server as a setting, which the server refuses."""


def sqlite_file_of(url: str) -> Path | None:
    """The file an address of SQLite names; None: the address is PostgreSQL's."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def address_of(database_url: str, sqlite_file: Path) -> str:
    """The settings' DATABASE_URL, or the file where it is empty, as ``engine_of`` takes it."""
    if not database_url:
        return f"{SQLITE}{sqlite_file}"
    return f"{POSTGRES}{database_url.partition('://')[2]}"


def engine_of(url: str, timeout_s: float) -> AsyncEngine:
    """An engine whose connections run each statement by itself; nothing is opened, and the other engine's driver not imported."""
    file = sqlite_file_of(url)
    return _postgres(url, timeout_s) if file is None else _sqlite(file, timeout_s)


def writer_of(engine: AsyncEngine) -> AsyncEngine:
    """The same pool, for whole transactions."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="READ COMMITTED")
    writer = engine.execution_options()
    # IMMEDIATE: a transaction that reads and then asks to write fails at once, without a wait, when another wrote in between.
    event.listen(writer.sync_engine, "begin", _begin_immediate)
    return writer


def _forget_if_spoiled(context: ExceptionContext) -> None:
    """A connection made while the file could only be read stays so; one that met a failing disk may not see it mended."""
    code = getattr(context.original_exception, "sqlite_errorcode", 0)
    if isinstance(code, int) and code & 0xFF in _SPOILED:
        context.is_disconnect = True


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _sqlite(file: Path, timeout_s: float) -> AsyncEngine:
    engine = create_async_engine(
        make_url("sqlite+aiosqlite://").set(database=str(file)),
        # None: Python's sqlite3 begins no transaction by itself.
        connect_args={"isolation_level": None, "timeout": min(LONGEST_BUSY_S, timeout_s)},
        pool_size=_POOL,
        max_overflow=0,
        pool_timeout=timeout_s,
        pool_use_lifo=True,
        hide_parameters=True,
    )

    def make_file(*_: Any) -> None:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))

    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        # NORMAL in WAL mode: a commit is with the kernel before it is acknowledged, so a killed process loses nothing; only a
        # power cut may take the last commits, never the file's soundness. FULL would pay an fsync for every answer.
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    event.listen(engine.sync_engine, "do_connect", make_file)
    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "handle_error", _forget_if_spoiled)
    return engine


def _postgres(url: str, timeout_s: float) -> AsyncEngine:
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
        POSTGRES,
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
    parts = urlsplit("postgresql://" + url.removeprefix(POSTGRES))
    known = [(word, value) for word, value in parse_qsl(parts.query) if word in _ADDRESS_WORDS]
    return urlunsplit(parts._replace(query=urlencode(known)))
