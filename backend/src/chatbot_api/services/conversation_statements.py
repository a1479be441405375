"""The statements every answer runs, made once, text and all: SQLAlchemy takes twice as long to make one as SQLite to run it."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, ClauseElement, Connection, Dialect, Table, and_, bindparam, func, or_

from chatbot_api.services.conversation_tables import conversations, turns

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

_VALUES = ("message_id", "conversation_id", "question", "standalone", "response", "done", "passage_ids", "created_at")


def inserting(dialect: str, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT that knows ON CONFLICT: the same words in both dialects, two classes in SQLAlchemy, the other never imported."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_in_postgresql  # noqa: PLC0415

        return insert_in_postgresql(table)
    from sqlalchemy.dialects.sqlite import insert as insert_in_sqlite  # noqa: PLC0415

    return insert_in_sqlite(table)


def has_written(connection: Connection, making: Callable[[str], ClauseElement], values: Mapping[str, Any]) -> bool:
    """Whether a statement wrote a row. ``making``: one of those below. ``values``: its parameters.

    By the count, without RETURNING: each row that SQLite gives back is two calls, and for each of them a thread lets go of the
    interpreter's lock and waits for it again, while other processes wait for the file.
    """
    text, names, constants = _written(making, connection.dialect)
    given = tuple(values[name] if name in values else constants[name] for name in names)
    return connection.exec_driver_sql(text, given).rowcount > 0


@cache
def _written(making: Callable[[str], ClauseElement], dialect: Dialect) -> tuple[str, list[str], dict[str, Any]]:
    """A statement as the driver takes it: its text, its parameters' names in their order, and those that are always the same."""
    compiled: Any = making(dialect.name).compile(dialect=dialect)
    return compiled.string, compiled.positiontup, compiled.params


def touching(dialect: str) -> ClauseElement:
    """Begin a conversation, or keep it alive where it is the owner's: nothing is written where it is not.

    Parameters: ``its_id``, ``owner``, ``now_ms``, and ``since_ms``, the moment since when it must have been touched.
    """
    now: BindParameter[Any] = bindparam("now_ms")
    owner: BindParameter[Any] = bindparam("owner")
    new = inserting(dialect, conversations).values(id=bindparam("its_id"), visitor=owner, created_at=now, touched_at=now)
    alive = and_(conversations.c.visitor == owner, conversations.c.touched_at >= bindparam("since_ms"))
    return new.on_conflict_do_update(index_elements=["id"], set_={"touched_at": now}, where=alive)


def keeping(dialect: str) -> ClauseElement:
    """Write a turn, also over one of the owner's that has no end or no text: nothing is written where another is there.

    Parameters: ``owner``, and ``new_`` with the name of each column.
    """
    values: dict[str, BindParameter[Any]] = {name: bindparam(f"new_{name}") for name in _VALUES}
    owner: BindParameter[Any] = bindparam("owner")
    unfinished = or_(turns.c.done.is_(None), func.coalesce(turns.c.response, "") == "")
    new = inserting(dialect, turns).values(**values, visitor=owner)
    where = and_(turns.c.visitor == owner, unfinished)
    return new.on_conflict_do_update(index_elements=["message_id"], set_=values, where=where)
