"""The statements every answer runs, made once: SQLAlchemy takes twice as long to make one as SQLite takes to run it."""

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, Executable, Table, and_, bindparam, func, or_

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


@cache
def touching(dialect: str) -> Executable:
    """Begin a conversation, or keep it alive where it is the owner's: no row where it is not.

    Parameters: ``its_id``, ``owner``, ``now_ms``, and ``since_ms``, the moment since when it must have been touched.
    """
    now: BindParameter[Any] = bindparam("now_ms")
    owner: BindParameter[Any] = bindparam("owner")
    new = inserting(dialect, conversations).values(id=bindparam("its_id"), visitor=owner, created_at=now, touched_at=now)
    alive = and_(conversations.c.visitor == owner, conversations.c.touched_at >= bindparam("since_ms"))
    return new.on_conflict_do_update(index_elements=["id"], set_={"touched_at": now}, where=alive).returning(conversations.c.id)


@cache
def keeping(dialect: str) -> Executable:
    """Write a turn, also over one of the owner's that has no end or no text: no row where another is there.

    Parameters: ``owner``, and ``new_`` with the name of each column.
    """
    values: dict[str, BindParameter[Any]] = {name: bindparam(f"new_{name}") for name in _VALUES}
    owner: BindParameter[Any] = bindparam("owner")
    unfinished = or_(turns.c.done.is_(None), func.coalesce(turns.c.response, "") == "")
    new = inserting(dialect, turns).values(**values, visitor=owner)
    return new.on_conflict_do_update(
        index_elements=["message_id"], set_=values, where=and_(turns.c.visitor == owner, unfinished)
    ).returning(turns.c.sequence)
