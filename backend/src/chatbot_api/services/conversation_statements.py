"""The statements every answer runs, made once: SQLAlchemy takes twice as long to make one as SQLite takes to run it."""

from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Executable, and_, bindparam, func, or_
from sqlalchemy.dialects import postgresql, sqlite

from chatbot_api.services.conversation_tables import conversations, turns

_VALUES = ("message_id", "conversation_id", "question", "standalone", "response", "done", "passage_ids", "created_at")


@cache
def touching(dialect: str) -> Executable:
    """Begin a conversation, or keep it alive where it is the owner's: no row where it is not.

    Parameters: ``its_id``, ``owner``, ``now_ms``, and ``since_ms``, the moment since when it must have been touched.
    """
    now: BindParameter[Any] = bindparam("now_ms")
    owner: BindParameter[Any] = bindparam("owner")
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    new = insert(conversations).values(id=bindparam("its_id"), visitor=owner, created_at=now, touched_at=now)
    alive = and_(conversations.c.visitor == owner, conversations.c.touched_at >= bindparam("since_ms"))
    return new.on_conflict_do_update(index_elements=["id"], set_={"touched_at": now}, where=alive).returning(conversations.c.id)


@cache
def keeping(dialect: str) -> Executable:
    """Write a turn, also over one of the owner's that has no end or no text: no row where another is there.

    Parameters: ``owner``, and ``new_`` with the name of each column.
    """
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    values: dict[str, BindParameter[Any]] = {name: bindparam(f"new_{name}") for name in _VALUES}
    owner: BindParameter[Any] = bindparam("owner")
    unfinished = or_(turns.c.done.is_(None), func.coalesce(turns.c.response, "") == "")
    new = insert(turns).values(**values, visitor=owner)
    return new.on_conflict_do_update(
        index_elements=["message_id"], set_=values, where=and_(turns.c.visitor == owner, unfinished)
    ).returning(turns.c.sequence)
