"""Keeps conversations: their turns, and the ratings readers give. Every query is one visitor's; what expired is gone."""

from collections.abc import Sequence
from re import fullmatch
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, select

from chatbot_api.errors import NoSuchConversation
from chatbot_api.models.chat_models import Done
from chatbot_api.models.conversation_models import FeedbackRequest, StoredConversation, StoredTurn
from chatbot_api.services.conversation_rows import (
    alive_since,
    as_time,
    from_json,
    now_ms,
    owner_of,
    to_json,
    visible,
    writable,
)
from chatbot_api.services.conversation_statements import has_written, inserting, keeping, touching
from chatbot_api.services.conversation_tables import conversations, feedback, turns
from chatbot_api.services.database import Database

_PURGED_AT_ONCE = 500
"""Conversations removed in one transaction, so that a reader's turn never waits long behind a purge."""
_PREDECESSORS_ID = r"temp-\d+-[\w.-]+"
"""What the predecessor's widget makes up for an answer: the time and a random number."""


class ConversationStore:
    """The turns of a visitor's conversations. ``visitor`` is the raw opaque id; the tables hold its sha256.

    Every method raises StoreUnavailable or StoreDamaged when the database fails.
    """

    def __init__(self, database: Database, *, ttl_days: int, keep_questions: bool) -> None:
        """``ttl_days``: days a conversation lives after its last turn. ``keep_questions=False``: no words are kept."""
        self._database = database
        self._ttl_days = ttl_days
        self._keep_questions = keep_questions

    async def recall(self, visitor: str, conversation_id: str, limit: int) -> list[StoredTurn] | None:
        """The last ``limit`` turns, oldest first. None: unknown, expired or another visitor's."""
        rows = await self._database.reading(_rows, self._turns_of(visitor, conversation_id).limit(max(1, limit)))
        if not rows:
            return None
        return [_turn_of(row) for row in reversed(rows[: max(0, limit)]) if row.message_id is not None]

    async def turn(self, visitor: str, message_id: str) -> tuple[str, StoredTurn] | None:
        """The conversation's id and the turn. None: unknown, expired or another visitor's."""
        wanted = self._visible_turns(visitor).where(turns.c.message_id == writable(message_id))
        rows = await self._database.reading(_rows, wanted)
        return (rows[0].id, _turn_of(rows[0])) if rows and rows[0].message_id is not None else None

    async def conversation(self, visitor: str, conversation_id: str) -> StoredConversation | None:
        """The conversation with all its turns. None: unknown, expired or another visitor's."""
        rows = await self._database.reading(_rows, self._turns_of(visitor, conversation_id))
        if not rows:
            return None
        kept = tuple(_turn_of(row) for row in reversed(rows) if row.message_id is not None)
        return StoredConversation(id=rows[0].id, created_at=as_time(rows[0].begun_at), turns=kept)

    async def remember(self, visitor: str, conversation_id: str, turn: StoredTurn) -> None:
        """Keep a turn, and its conversation alive, in one transaction.

        A ``message_id`` that is there already: an incomplete turn, or one without text, is replaced (and is of this conversation
        from then on); a complete one stays as it is. Raises NoSuchConversation, with nothing written, when the conversation or
        the message is another visitor's.
        """
        owner, values = owner_of(visitor), self._values_of(turn)
        await self._database.writing(_remember, owner, writable(conversation_id), values, alive_since(self._ttl_days))

    async def delete(self, visitor: str, conversation_id: str) -> bool:
        """Remove a conversation and all that hangs on it. False: there is none of this visitor's."""
        mine = and_(conversations.c.id == writable(conversation_id), conversations.c.visitor == owner_of(visitor))
        gone = delete(conversations).where(mine).returning(conversations.c.touched_at)
        touched = await self._database.writing(lambda connection: connection.execute(gone).scalar())
        return touched is not None and touched >= alive_since(self._ttl_days)

    async def rate(self, visitor: str, given: FeedbackRequest) -> bool:
        """Keep a rating; sent again, it replaces the one before. False: the visitor has no such message.

        What was answered is copied beside it, so that the rating still tells something once the answer is gone.
        """
        return await self._database.writing(_rate, owner_of(visitor), given, alive_since(self._ttl_days))

    async def purge(self) -> int:
        """Remove expired conversations with all that hangs on them, and old ratings of the predecessor's messages.

        The number of conversations removed.
        """
        gone, some = 0, _PURGED_AT_ONCE
        while some == _PURGED_AT_ONCE:
            some = await self._database.writing(_purge_some, alive_since(self._ttl_days))
            gone += some
        return gone

    def _visible_turns(self, visitor: str) -> Select[Any]:
        owner = owner_of(visitor)
        rated = and_(feedback.c.visitor == owner, feedback.c.message_id == turns.c.message_id)
        columns = [column for column in turns.c if column.name not in ("conversation_id", "visitor")]
        return (
            select(conversations.c.id, conversations.c.created_at.label("begun_at"), *columns, feedback.c.rating)
            .select_from(conversations.outerjoin(turns, turns.c.conversation_id == conversations.c.id).outerjoin(feedback, rated))
            .where(visible(owner, alive_since(self._ttl_days)))
        )

    def _turns_of(self, visitor: str, conversation_id: str) -> Select[Any]:
        """The newest first; one row without a turn for a conversation that has none."""
        mine = self._visible_turns(visitor).where(conversations.c.id == writable(conversation_id))
        return mine.order_by(turns.c.sequence.desc())

    def _values_of(self, turn: StoredTurn) -> dict[str, Any]:
        done = None if turn.done is None else turn.done.model_dump()
        if done is not None and not self._keep_questions:
            done["understood_as"] = None
        said = {"question": turn.question, "standalone": turn.standalone, "response": turn.response}
        return {
            "message_id": writable(turn.message_id),
            **{name: None if text is None or not self._keep_questions else writable(text) for name, text in said.items()},
            "done": None if done is None else to_json(done),
            "passage_ids": to_json(turn.passage_ids),
        }


def _rows(connection: Connection, wanted: Select[Any]) -> Sequence[Row[Any]]:
    return connection.execute(wanted).all()


def _turn_of(row: Row[Any]) -> StoredTurn:
    return StoredTurn(
        message_id=row.message_id,
        question=row.question,
        standalone=row.standalone,
        response=row.response,
        done=None if row.done is None else Done.model_validate_json(row.done),
        passage_ids=tuple(from_json(row.passage_ids)),
        created_at=as_time(row.created_at),
        rating=row.rating,
    )


def _remember(connection: Connection, owner: str, conversation_id: str, values: dict[str, Any], since_ms: int) -> None:
    if not _touched(connection, owner, conversation_id, since_ms):
        # Another's, or an expired one of this visitor's: that begins anew, so that nothing of it comes back.
        connection.execute(
            delete(conversations).where(
                conversations.c.id == conversation_id, conversations.c.visitor == owner, conversations.c.touched_at < since_ms
            )
        )
        if not _touched(connection, owner, conversation_id, since_ms):
            raise NoSuchConversation("remember: the conversation is another visitor's")
    values = {**values, "conversation_id": conversation_id, "created_at": now_ms()}
    new = {"owner": owner, **{f"new_{name}": value for name, value in values.items()}}
    if has_written(connection, keeping, new):
        return
    whose = connection.execute(select(turns.c.visitor).where(turns.c.message_id == values["message_id"])).scalar()
    if whose != owner:
        raise NoSuchConversation("remember: the message is another visitor's")


def _touched(connection: Connection, owner: str, conversation_id: str, since_ms: int) -> bool:
    values = {"its_id": conversation_id, "owner": owner, "now_ms": now_ms(), "since_ms": since_ms}
    return has_written(connection, touching, values)


def _rate(connection: Connection, owner: str, given: FeedbackRequest, since_ms: int) -> bool:
    message_id = writable(given.message_id)
    of_turn = (
        select(turns.c.conversation_id, turns.c.done)
        .join(conversations, conversations.c.id == turns.c.conversation_id)
        .where(turns.c.message_id == message_id, turns.c.visitor == owner, visible(owner, since_ms))
    )
    row = connection.execute(of_turn).first()
    if row is None and not fullmatch(_PREDECESSORS_ID, message_id):
        return False
    done: dict[str, Any] = from_json(row.done) if row is not None and row.done is not None else {}
    values: dict[str, Any] = {
        "conversation_id": None if row is None else row.conversation_id,
        "rating": given.rating,
        "reason": given.reason,
        "comment": None if given.comment is None else writable(given.comment),
        "outcome": done.get("outcome"),
        "sources": to_json(done.get("sources", [])),
        "rated_at": now_ms(),
    }
    new = inserting(connection.dialect.name, feedback).values(visitor=owner, message_id=message_id, **values)
    connection.execute(new.on_conflict_do_update(index_elements=["visitor", "message_id"], set_=values))
    return True


def _purge_some(connection: Connection, since_ms: int) -> int:
    old = conversations.c.touched_at < since_ms
    # Replicas that purge at once take different rows instead of waiting in a ring for each other; SQLite has no such clause.
    some = select(conversations.c.id).where(old).limit(_PURGED_AT_ONCE).with_for_update(skip_locked=True)
    gone = connection.execute(delete(conversations).where(conversations.c.id.in_(some), old)).rowcount
    connection.execute(delete(feedback).where(feedback.c.conversation_id.is_(None), feedback.c.rated_at < since_ms))
    return gone
