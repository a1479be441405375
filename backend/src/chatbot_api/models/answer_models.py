"""The words of writing an answer: what a language model is given, and what it gives back."""

from dataclasses import dataclass

from chatbot_api.models.chat_models import FinishReason, Turn
from chatbot_api.models.index_models import Passage


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question with all it is to be answered from, in the order a model reads it."""

    rules: str
    """The system instruction: the same bytes for every question of a deployment."""
    history: tuple[Turn, ...]
    """Earlier exchanges, oldest first, from our own store."""
    material: str
    """The passages (and the reader's selection) as fenced, numbered data."""
    question: str
    """The reader's words, last."""
    passages: tuple[Passage, ...]
    """The same passages, in the order of their numbers, for who answers without a model."""
    nearness: tuple[float | None, ...] = ()
    """The passages' cosines to the question, in step, where they are known."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer. The last one, and no other, says how the writing ended."""

    text: str
    finish: FinishReason | None = None
