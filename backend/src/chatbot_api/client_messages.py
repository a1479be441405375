"""The reader's last words in a history that a client of another protocol sends; nothing else of that history is believed.

Such clients send the whole conversation with every question, and whoever sends it can write anything into it: a system message,
an answer that was never given. None of it reaches a prompt; earlier turns come from the service's own record.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from chatbot_api.models.chat_models import ChatRequest

MAX_MESSAGES = 1000
Messages = Annotated[
    list[dict[str, Any]],
    Field(min_length=1, max_length=MAX_MESSAGES, description="The last one with the role `user` is the question."),
]
IDEMPOTENCY_KEY = "Idempotency-Key"
LONGEST_KEY = 255


class ClientRequest(BaseModel, frozen=True, extra="ignore"):
    """What the requests of such protocols have in common. What is not named is ignored."""

    messages: Messages
    conversation_id: str | None = Field(default=None, description="Of an answer: goes on with its conversation.")


def idempotency_key(request: Request) -> str | None:
    """The request's Idempotency-Key, if any. Raises RequestValidationError for an empty one and beyond LONGEST_KEY.

    Not an argument of the routes: FastAPI would take as long for it as to read the question.
    """
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None or 0 < len(key) <= LONGEST_KEY:
        return key
    kind = "string_too_long" if key else "string_too_short"
    raise _invalid(["header", IDEMPOTENCY_KEY], kind, f"It has 1 to {LONGEST_KEY} characters.")


def question_in(
    messages: Sequence[Mapping[str, Any]], field: str, *, conversation_id: object, client_message_id: str | None
) -> ChatRequest:
    """The last message of the reader's as a question. ``field``: where a message holds its text. The ids: as in ChatRequest.

    Raises RequestValidationError, which never repeats the input: no such message, no text, too long, or something besides text.
    A ``conversation_id`` that is no text stands in data that the protocol leaves to its client: it is none.
    """
    place, message = last_of_reader(messages)
    place = ["body", "messages", place, field]
    named = conversation_id if isinstance(conversation_id, str) else None
    try:
        ask = ChatRequest.model_validate({"query": _text_of(message.get(field), place), "conversation_id": named})
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{"loc": place, "type": item["type"], "msg": item["msg"]} for item in told]) from None
    return ask.model_copy(update={"client_message_id": client_message_id})


def last_of_reader(messages: Sequence[Mapping[str, Any]]) -> tuple[int, Mapping[str, Any]]:
    """Where the last message with the role ``user`` stands, and the message. Raises RequestValidationError."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].get("role") == "user":
            return place, messages[place]
    raise _invalid(["body", "messages"], "missing", "One message has to have the role user.")


def _text_of(content: object, place: list[str | int]) -> str:
    """A string, or the texts of parts ``{"type": "text", "text": "..."}``, a line each."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _invalid(place, "text", "A text, or a list of text parts.")
    return "\n".join(_text_of_part(part, [*place, number]) for number, part in enumerate(cast("list[object]", content)))


def _text_of_part(part: object, place: list[str | int]) -> str:
    values = cast("Mapping[str, object]", part if isinstance(part, dict) else {})
    text = values.get("text")
    if values.get("type") != "text" or not isinstance(text, str):
        raise _invalid(place, "text", "Only parts of text are taken.")
    return text


def _invalid(place: Sequence[str | int], kind: str, sentence: str) -> RequestValidationError:
    return RequestValidationError([{"loc": list(place), "type": kind, "msg": sentence}])
