"""What a turn knows of those before it, and what it leaves for those after it.

The store may fail without the answer failing: what could not be recalled or kept is told as ``history`` among what is degraded.
"""

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from re import fullmatch
from secrets import token_urlsafe
from typing import Protocol

from chatbot_api.errors import MessageReused, NoSuchConversation, StoreError, StoreUnavailable
from chatbot_api.models.answer_models import Told
from chatbot_api.models.chat_models import ChatRequest
from chatbot_api.models.conversation_models import StoredTurn
from chatbot_api.services.masking import masked
from chatbot_api.telemetry import logger, note

log = logger(__name__)
TURNS_RECALLED = 6
"""Earlier turns that a question may lean on."""
ID_BYTES = 16
"""128 random bits: nobody guesses another's conversation."""


class Store(Protocol):
    """Who keeps conversations, each visitor's apart. Raises StoreError."""

    async def recall(self, visitor: str, conversation_id: str, limit: int) -> list[StoredTurn] | None: ...  # noqa: D102
    async def turn(self, visitor: str, message_id: str) -> tuple[str, StoredTurn] | None: ...  # noqa: D102
    async def remember(self, visitor: str, conversation_id: str, turn: StoredTurn) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Recalled:
    """Where a question stands in its conversation."""

    visitor: str
    conversation_id: str
    message_id: str
    turns: tuple[StoredTurn, ...] = ()
    """The earlier turns, oldest first."""
    repeated: StoredTurn | None = None
    """What is kept of this very message, when it came before."""
    failed: bool = False
    """The store could not be asked."""

    def answer_again(self, ask: ChatRequest) -> StoredTurn | None:
        """The answer that this message got before; None when it is new, or its answer was cut off or not kept.

        Raises MessageReused when it came with another question.
        """
        before = self.repeated
        if before and before.question is not None and before.question != masked(ask.query):
            raise MessageReused
        return before if before and before.done and before.response is not None else None

    @property
    def passage_ids(self) -> tuple[str, ...]:
        """The passages that the turn before rests on."""
        return self.turns[-1].passage_ids if self.turns else ()


class ConversationMemory:
    """Recalls and keeps turns; keeps on answering when that fails."""

    def __init__(self, store: Store, known_problem: Callable[[], StoreError | None] = lambda: None) -> None:
        """``store``: who keeps them. ``known_problem``: why it can't be asked now, so that no answer waits to find out again."""
        self._store, self._known_problem = store, known_problem
        self._keepers: set[asyncio.Task[bool]] = set()

    async def recall(self, ask: ChatRequest, visitor: str) -> Recalled:
        """The turns before this message, or its own answer when it is a repetition. Raises nothing.

        A conversation that is unknown, expired or another visitor's is not told apart: a new one is begun.
        """
        given = ask.conversation_id or ""
        given = given if fullmatch(r"c_[A-Za-z0-9_-]{22,62}", given) else ""
        message_id = _message_id(ask.client_message_id, visitor)
        try:
            self._refuse_while_down()
            before = await self._store.turn(visitor, message_id) if ask.client_message_id else None
            given = before[0] if before else given
            turns = await self._store.recall(visitor, given, TURNS_RECALLED) if given else None
        except StoreError as error:
            note(store_error=error.slug, store_cause=error.cause)
            return Recalled(visitor, given or new_id("c"), message_id, failed=True)
        if turns is None:
            return Recalled(visitor, new_id("c"), message_id)
        others = tuple(turn for turn in turns if turn.message_id != message_id)
        return Recalled(visitor, given, message_id, others, repeated=before[1] if before else None)

    async def remember(self, recalled: Recalled, ask: ChatRequest, told: Told) -> bool:
        """Keep the whole turn; whether that went well. A reader who leaves meanwhile does not hinder it."""
        return await asyncio.shield(self._keeping(recalled, ask, told, complete=True))

    def remember_partial(self, recalled: Recalled, ask: ChatRequest, told: Told) -> None:
        """Keep what was written before the reader left or the answer failed. Returns at once: who left cancelled the caller."""
        if told.has_begun:
            self._keeping(recalled, ask, told, complete=False)

    def _keeping(self, recalled: Recalled, ask: ChatRequest, told: Told, *, complete: bool) -> "asyncio.Task[bool]":
        turn = StoredTurn(
            message_id=recalled.message_id,
            question=masked(ask.query),
            standalone=masked(told.understood_as) if told.understood_as else None,
            response=told.text,
            done=told.done if complete else None,
            passage_ids=told.passage_ids,
        )
        task = asyncio.create_task(self._keep(recalled, turn))
        self._keepers.add(task)
        task.add_done_callback(self._keepers.discard)
        return task

    async def _keep(self, recalled: Recalled, turn: StoredTurn) -> bool:
        try:
            self._refuse_while_down()
            await self._store.remember(recalled.visitor, recalled.conversation_id, turn)
        except (StoreError, NoSuchConversation) as error:
            note(store_error=error.slug, store_cause=error.cause)
            log.warning("turn_not_kept", problem=error.slug, cause=error.cause)
            return False
        return True

    def _refuse_while_down(self) -> None:
        if problem := self._known_problem():
            raise StoreUnavailable(f"known: {problem.cause}")

    async def close(self) -> None:
        """Wait for the turns that are still being kept."""
        await asyncio.gather(*self._keepers, return_exceptions=True)


def new_id(prefix: str) -> str:
    """A new opaque id: ``c_`` a conversation, ``m_`` a message, ``v_`` a visitor."""
    return f"{prefix}_{token_urlsafe(ID_BYTES)}"


def _message_id(client_message_id: str | None, visitor: str) -> str:
    """New, or made of the client's own id: the same message by the same visitor then has the same id wherever it arrives."""
    if client_message_id is None:
        return new_id("m")
    digest = hashlib.sha256(f"{visitor}\n{client_message_id}".encode()).digest()
    return f"m_{urlsafe_b64encode(digest[:ID_BYTES]).decode().rstrip('=')}"
