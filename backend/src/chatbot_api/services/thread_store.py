"""Keeps ChatKit's threads and their items, as JSON objects it never looks into. A thread's id is its conversation's id."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Column, Connection, Row, Select, and_, delete, or_, select

from chatbot_api.errors import NoSuchConversation
from chatbot_api.services.conversation_rows import (
    alive_since,
    from_json,
    now_ms,
    owner_of,
    to_json,
    visible,
    writable,
)
from chatbot_api.services.conversation_statements import inserting
from chatbot_api.services.conversation_tables import conversations, items, turns
from chatbot_api.services.database import Database

Order = Literal["asc", "desc"]


class ThreadStore:
    """Threads and items of a visitor. ``visitor`` is the raw opaque id; the tables hold its sha256.

    A thread is a row of the conversations: what expires, is purged or deleted there is gone here, and the other way round. A
    conversation begun at another door is no thread. Every method raises StoreUnavailable or StoreDamaged when the database fails.
    """

    def __init__(self, database: Database, *, ttl_days: int) -> None:
        """``ttl_days``: days a thread lives after the last turn of its conversation."""
        self._database = database
        self._ttl_days = ttl_days

    async def save_thread(self, visitor: str, id: str, data: dict[str, Any]) -> None:
        """Insert or replace. Raises NoSuchConversation when the id is another visitor's."""
        await self._database.writing(_save_thread, owner_of(visitor), writable(id), to_json(data), alive_since(self._ttl_days))

    async def thread(self, visitor: str, id: str) -> dict[str, Any] | None:
        """The thread. None: unknown, expired or another visitor's."""
        wanted = self._threads(visitor).where(conversations.c.id == writable(id))
        rows = await self._database.reading(_rows, wanted)
        return from_json(rows[0].thread) if rows else None

    async def delete_thread(self, visitor: str, id: str) -> bool:
        """Remove the thread with its items and its conversation. False: unknown, expired or another visitor's."""
        mine = and_(
            visible(owner_of(visitor), alive_since(self._ttl_days)),
            conversations.c.id == writable(id),
            conversations.c.thread.is_not(None),
        )
        gone = await self._database.writing(lambda connection: connection.execute(delete(conversations).where(mine)).rowcount)
        return gone > 0

    async def threads(self, visitor: str, limit: int, after: str | None, order: Order) -> tuple[list[dict[str, Any]], bool]:
        """At most ``limit`` threads by the time they were begun, and whether there are more.

        ``after``: the id of the thread they come after; an unknown one is followed by nothing, so that no reader goes in circles.
        """
        begun, size = conversations.c.created_at, max(0, limit)
        wanted = self._threads(visitor)
        if after is not None:
            last = writable(after)
            then = self._visible(visitor).where(conversations.c.id == last).scalar_subquery()
            tie = conversations.c.id < last if order == "desc" else conversations.c.id > last
            wanted = wanted.where(or_(begun < then if order == "desc" else begun > then, and_(begun == then, tie)))
        rows = await self._database.reading(_rows, _in_order(wanted, order, begun, conversations.c.id).limit(size + 1))
        return [from_json(row.thread) for row in rows[:size]], len(rows) > size

    async def add_item(self, visitor: str, thread_id: str, id: str, data: dict[str, Any]) -> None:
        """Append an item. Raises ValueError when the thread has one of this id, NoSuchConversation when there is no thread."""
        await self._database.writing(
            _add_item, self._thread(visitor, thread_id), writable(thread_id), writable(id), to_json(data)
        )

    async def save_item(self, visitor: str, thread_id: str, id: str, data: dict[str, Any]) -> None:
        """Replace the item where it stands, or append it. Raises NoSuchConversation when there is no such thread."""
        await self._database.writing(
            _save_item, self._thread(visitor, thread_id), writable(thread_id), writable(id), to_json(data)
        )

    async def item(self, visitor: str, thread_id: str, id: str) -> dict[str, Any] | None:
        """The item. None: there is none, or its thread is unknown, expired or another visitor's."""
        wanted = select(items.c.data).where(
            items.c.conversation_id.in_(self._thread(visitor, thread_id)), items.c.id == writable(id)
        )
        rows = await self._database.reading(_rows, wanted)
        return from_json(rows[0].data) if rows else None

    async def items(
        self, visitor: str, thread_id: str, limit: int, after: str | None, order: Order
    ) -> tuple[list[dict[str, Any]], bool]:
        """At most ``limit`` items in the order they were added, and whether there are more.

        ``after``: the id of the item they come after; an unknown one is followed by nothing. Raises NoSuchConversation.
        """
        size = max(0, limit)
        of_thread = items.c.conversation_id == conversations.c.id
        if after is not None:
            last = items.alias()
            then = (
                select(last.c.sequence)
                .where(last.c.conversation_id == writable(thread_id), last.c.id == writable(after))
                .scalar_subquery()
            )
            of_thread = and_(of_thread, items.c.sequence < then if order == "desc" else items.c.sequence > then)
        thread = self._thread(visitor, thread_id).outerjoin(items, of_thread).with_only_columns(items.c.data)
        rows = await self._database.reading(_rows, _in_order(thread, order, items.c.sequence).limit(size + 1))
        if not rows:
            raise NoSuchConversation("items: no such thread")
        there = [row for row in rows if row.data is not None]  # a thread without items is one empty row
        return [from_json(row.data) for row in there[:size]], len(there) > size

    async def delete_item(self, visitor: str, thread_id: str, id: str) -> bool:
        """Remove the item, and the turn whose message it is, so that it leaves the history too. False: there is no such item."""
        return await self._database.writing(_delete_item, self._thread(visitor, thread_id), writable(id))

    def _visible(self, visitor: str) -> Select[Any]:
        of_visitor = visible(owner_of(visitor), alive_since(self._ttl_days))
        return select(conversations.c.created_at).where(of_visitor, conversations.c.thread.is_not(None))

    def _threads(self, visitor: str) -> Select[Any]:
        return self._visible(visitor).with_only_columns(conversations.c.thread)

    def _thread(self, visitor: str, id: str) -> Select[Any]:
        mine = conversations.c.id == writable(id)
        return self._visible(visitor).with_only_columns(conversations.c.id).select_from(conversations).where(mine)


def _rows(connection: Connection, wanted: Select[Any]) -> Sequence[Row[Any]]:
    return connection.execute(wanted).all()


def _in_order(wanted: Select[Any], order: Order, *columns: Column[Any]) -> Select[Any]:
    return wanted.order_by(*(column.desc() if order == "desc" else column.asc() for column in columns))


def _save_thread(connection: Connection, owner: str, id: str, data: str, since_ms: int) -> None:
    now = now_ms()
    expired = and_(conversations.c.id == id, conversations.c.visitor == owner, conversations.c.touched_at < since_ms)
    connection.execute(delete(conversations).where(expired))
    new = inserting(connection.dialect.name, conversations).values(
        id=id, visitor=owner, created_at=now, touched_at=now, thread=data
    )
    saved = new.on_conflict_do_update(index_elements=["id"], set_={"thread": data}, where=visible(owner, since_ms)).returning(
        conversations.c.id
    )
    if connection.execute(saved).first() is None:
        raise NoSuchConversation("save_thread: the id is another visitor's")


def _add_item(connection: Connection, thread: Select[Any], thread_id: str, id: str, data: str) -> None:
    _demand(connection, thread)
    new = inserting(connection.dialect.name, items).values(conversation_id=thread_id, id=id, data=data)
    added = new.on_conflict_do_nothing(index_elements=["conversation_id", "id"]).returning(items.c.sequence)
    if connection.execute(added).first() is None:
        raise ValueError("the thread has an item of this id")


def _save_item(connection: Connection, thread: Select[Any], thread_id: str, id: str, data: str) -> None:
    _demand(connection, thread)
    new = inserting(connection.dialect.name, items).values(conversation_id=thread_id, id=id, data=data)
    connection.execute(
        new.on_conflict_do_update(index_elements=["conversation_id", "id"], set_={"data": data}).returning(items.c.sequence)
    )


def _demand(connection: Connection, thread: Select[Any]) -> None:
    # Held until the transaction's end: a thread that is deleted at the same moment takes the item with it.
    if connection.execute(thread.with_for_update(key_share=True, read=True)).first() is None:
        raise NoSuchConversation("items: no such thread")


def _delete_item(connection: Connection, thread: Select[Any], id: str) -> bool:
    gone = connection.execute(delete(items).where(items.c.conversation_id.in_(thread), items.c.id == id)).rowcount
    if gone:
        connection.execute(delete(turns).where(turns.c.conversation_id.in_(thread), turns.c.message_id == id))
    return gone > 0
