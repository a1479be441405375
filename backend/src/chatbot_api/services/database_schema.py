"""Which revision of our tables a database has, or that it is no database of ours."""

import sqlite3
from contextlib import closing
from pathlib import Path
from re import fullmatch

from sqlalchemy import Connection

from chatbot_api.errors import StartRefused, StoreDamaged
from chatbot_api.services.conversation_tables import PREFIX, SCHEMA, SCHEMA_TABLE, metadata
from chatbot_api.services.database_failures import named

NOT_MADE = "the tables are not there yet; `make migrate` makes them, or MIGRATE_AT_START=true"

_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'",
    # Others' tables may stand beside ours.
    "postgresql": f"SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND starts_with(tablename, '{PREFIX}')",  # noqa: S608 - a name of ours
}
_REVISION = f"SELECT version_num FROM {SCHEMA_TABLE}"  # noqa: S608 - a name of ours


def revision_in(connection: Connection) -> str | None:
    """The revision of the tables; None: there are none. Raises StoreDamaged when tables are there that are not ours."""
    names = {str(name) for name in connection.exec_driver_sql(_TABLES[connection.dialect.name]).scalars()}
    return _judged(names, [str(row[0]) for row in connection.exec_driver_sql(_REVISION)] if SCHEMA_TABLE in names else [])


def sound_revision_of(file: Path, timeout_s: float) -> str | None:
    """``revision_in`` of a SQLite file, whose every page is looked at, read-only: what is not ours stays as it is, to the byte.

    Raises StoreDamaged and StoreUnavailable. Blocks: the file is read from end to end.
    """
    try:
        if not file.exists() or not file.stat().st_size:
            return None
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=timeout_s)) as connection:
            names = {str(row[0]) for row in connection.execute(_TABLES["sqlite"])}
            fault = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            rows = connection.execute(_REVISION).fetchall() if SCHEMA_TABLE in names else []
    except (sqlite3.Error, OSError) as error:
        raise named(error) from error
    if fault != "ok":
        raise StoreDamaged(fault)
    return _judged(names, [str(row[0]) for row in rows])


def is_current(revision: str | None) -> bool:
    """Whether the tables are the ones this code knows. Raises StartRefused when they are of a newer one."""
    if revision is not None and revision > SCHEMA:
        raise StartRefused(
            [
                f"The conversations' database is of a newer version of this service (revision {revision}; this one knows "
                f"{SCHEMA}); run that version, or name another database in DATABASE_URL."
            ]
        )
    return revision == SCHEMA


def _judged(names: set[str], revisions: list[str]) -> str | None:
    if not names:
        return None
    if len(revisions) == 1 and fullmatch("[0-9]{4}", revisions[0]) and set(metadata.tables) <= names | _later(revisions[0]):
        return revisions[0]
    raise StoreDamaged("the tables are not those of this service")


def _later(revision: str) -> set[str]:
    """Tables an older revision need not have yet."""
    return set(metadata.tables) if revision < SCHEMA else set()
