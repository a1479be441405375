"""The words of a conversation as it is kept: its turns, its visitor's ratings, and how they are shown to that visitor."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chatbot_api.models.chat_models import Citation, Done, Outcome, Source
from chatbot_api.models.clean_text import CLEANED

Rating = Literal["up", "down"]
Reason = Literal["wrong", "outdated", "incomplete", "unhelpful", "other"]
_RATINGS = {"good": "up", "bad": "down", "positive": "up", "negative": "down"}
"""The words of older widgets and of ChatKit for the same two things."""
MAX_COMMENT_CHARS = 1000


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """One exchange as the store holds it."""

    message_id: str
    question: str | None
    """The reader's words, masked; None where questions are not kept."""
    standalone: str | None
    """The question as it was searched for, when earlier turns were needed to understand it; masked like ``question``."""
    response: str | None
    """The answer's text, as far as it was written; None where questions are not kept, for it tells what was asked."""
    done: Done | None
    """How the answer ended; None when it did not: the reader left, or it failed half-way."""
    passage_ids: tuple[str, ...] = ()
    """Ids of the passages the answer rests on, best first."""
    created_at: datetime | None = None
    """When the store took it, UTC; None before that."""
    rating: Rating | None = None


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation with all its turns, oldest first."""

    id: str
    created_at: datetime
    turns: tuple[StoredTurn, ...]


class TurnView(BaseModel):
    """One exchange, as ``GET /conversations/{id}`` shows it to the visitor it belongs to."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    query: str | None = Field(description="The question with personal data masked; null where questions are not kept.")
    response: str | None = Field(description="The answer; null where questions are not kept.")
    complete: bool = Field(description="False when the reader left, or the answer failed, before its end.")
    outcome: Outcome | None
    citations: list[Citation]
    sources: list[Source]
    rating: Rating | None
    created_at: datetime | None


class ConversationView(BaseModel):
    """A conversation, as ``GET /conversations/{id}`` shows it to the visitor it belongs to."""

    model_config = ConfigDict(frozen=True)

    conversation_id: str
    created_at: datetime
    turns: list[TurnView] = Field(description="Oldest first.")


def _rating_of(value: object) -> object:
    return _RATINGS.get(value, value) if isinstance(value, str) else value


def _known_or_other(value: object) -> object:
    return value if value is None or value in get_args(Reason) else "other" if isinstance(value, str) else value


class FeedbackRequest(BaseModel):
    """A reader's rating of one answer; sent again, it replaces the one before. Older widgets' extra fields are ignored."""

    model_config = ConfigDict(frozen=True)

    message_id: Annotated[str, Field(min_length=1, max_length=100, description="The answer's id."), CLEANED]
    rating: Annotated[
        Rating, BeforeValidator(_rating_of), Field(description="`up` or `down`; `good` and `bad` are taken for them.")
    ]
    reason: Annotated[Reason | None, BeforeValidator(_known_or_other), Field(description="Why, in one word.")] = None
    comment: Annotated[str | None, Field(max_length=MAX_COMMENT_CHARS, description="Why, in the reader's words."), CLEANED] = None
