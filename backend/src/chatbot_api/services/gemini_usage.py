"""What a call of Gemini cost in tokens: as its reply says, or by its length where the reply did not come to say it."""

from collections.abc import Callable
from math import ceil
from types import TracebackType
from typing import Any, NamedTuple, Self

from chatbot_api.models.answer_models import Usage

CHARS_PER_TOKEN = 4
"""https://ai.google.dev/gemini-api/docs/tokens: a token is about four characters of English."""


class Counts(NamedTuple):
    """What a reply tells of its tokens, by the SDK's names."""

    prompt_token_count: int
    candidates_token_count: int = 0
    thoughts_token_count: int = 0
    tool_use_prompt_token_count: int = 0


def counts_of(told: Any) -> Counts | None:
    """The usageMetadata of a reply; None where it has none."""
    names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")
    return Counts(*(told.get(name) or 0 for name in names)) if told else None


class Meter:
    """One call: at its end, however it came, the cost is told once; of a call that was refused, nothing.

    Who leaves before the end has had the prompt read, and the text that came: that is counted too.
    """

    def __init__(self, chars: int, on_usage: Callable[[Usage], None]) -> None:
        """``chars``: what is sent, in characters. ``on_usage``: who is told."""
        self._chars, self._on_usage = chars, on_usage
        self._said: Usage | None = None
        self._text_chars = 0

    def saw(self, metadata: Any, text: str = "") -> None:
        """A reply, or a chunk of it, with its usage metadata: a running total."""
        self._text_chars += len(text)
        if metadata is None or not metadata.prompt_token_count:
            return
        written = (getattr(metadata, "candidates_token_count", None) or 0) + (metadata.thoughts_token_count or 0)
        tools = metadata.tool_use_prompt_token_count or 0
        before = self._said or Usage()
        self._said = Usage(max(before.input_tokens, metadata.prompt_token_count + tools), max(before.output_tokens, written))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._said:
            self._on_usage(self._said)
        elif not isinstance(error, Exception):  # who leaves ends it with none: by being cancelled or closed
            self._on_usage(Usage(ceil(self._chars / CHARS_PER_TOKEN), ceil(self._text_chars / CHARS_PER_TOKEN)))
