"""The words of writing an answer: what a language model is given, and what it gives back."""

from dataclasses import dataclass

from chatbot_api.models.chat_models import Done, FinishReason, Turn
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
    asked: str = ""
    """The reader's own words, where the question is what they mean in the conversation; else empty."""

    @property
    def length(self) -> int:
        """Characters that the model is sent, about."""
        told = sum(len(turn.question) + len(turn.answer) for turn in self.history)
        return len(self.rules) + told + len(self.material) + len(self.question)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a call of a model was billed for; thinking counts as output."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)

    @property
    def total(self) -> int:
        """All of them."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer. The last one, and no other, says how the writing ended."""

    text: str
    finish: FinishReason | None = None


@dataclass(slots=True)
class Told:
    """An answer as far as it has been written: what is kept of it when the reader leaves, and at its end."""

    text: str = ""
    passage_ids: tuple[str, ...] = ()
    """Of the passages that it rests on, best first."""
    understood_as: str | None = None
    """The question, when earlier turns were needed to understand it."""
    done: Done | None = None
    """How it ended; None before that."""
    has_begun: bool = False
    """Whether there is anything to keep: passages were searched for."""
