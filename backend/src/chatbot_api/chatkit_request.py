"""What a ChatKit client may ask: its request checked, and brought into the form that is answered and kept."""

from re import fullmatch
from typing import Any, Final, cast

from chatkit.types import (
    InferenceOptions,
    ItemsFeedbackReq,
    ItemsListReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    ThreadsListReq,
    ThreadsRetryAfterItemReq,
    ThreadsUpdateReq,
    UserMessageContent,
    UserMessageInput,
    UserMessageItem,
    UserMessageTextContent,
)
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from chatbot_api.errors import NoSuchConversation, NoSuchMessage
from chatbot_api.models.chat_models import MAX_QUERY_CHARS, MAX_SELECTION_CHARS
from chatbot_api.models.clean_text import clean
from chatbot_api.services.masking import masked

Asked = (
    ThreadsCreateReq
    | ThreadsAddUserMessageReq
    | ThreadsRetryAfterItemReq
    | ThreadsGetByIdReq
    | ThreadsListReq
    | ThreadsUpdateReq
    | ThreadsDeleteReq
    | ItemsListReq
    | ItemsFeedbackReq
)
_OPERATIONS: Final[dict[str, type[Asked]]] = {
    "threads.create": ThreadsCreateReq,
    "threads.add_user_message": ThreadsAddUserMessageReq,
    "threads.retry_after_item": ThreadsRetryAfterItemReq,
    "threads.get_by_id": ThreadsGetByIdReq,
    "threads.list": ThreadsListReq,
    "threads.update": ThreadsUpdateReq,
    "threads.delete": ThreadsDeleteReq,
    "items.list": ItemsListReq,
    "items.feedback": ItemsFeedbackReq,
}
"""What a chat about documents needs. Tools, widgets, structured input, attachments and dictation are no part of it."""
MAX_TITLE_CHARS = 200
OWN_TITLE_CHARS = 60
MAX_RATED_ITEMS = 100
_ID = r"[A-Za-z0-9_-]{1,100}"


def checked(body: dict[str, Any]) -> Asked:
    """The request, its texts cleaned, and without what is not taken note of.

    Raises RequestValidationError, which never repeats the input; NoSuchConversation or NoSuchMessage for what can't be an id.
    """
    operation = body.get("type")
    model = _OPERATIONS.get(operation) if isinstance(operation, str) else None
    if model is None:
        raise invalid(["type"], "unsupported", f"One of: {', '.join(_OPERATIONS)}.")
    try:
        asked = model.model_validate({"type": operation, "params": body.get("params")})
    except ValidationError as error:
        raise RequestValidationError([_told(item) for item in error.errors(include_url=False, include_input=False)]) from None
    _check_ids(asked)
    match asked:
        case ThreadsCreateReq() | ThreadsAddUserMessageReq():
            asked.params.input = _clean_input(asked.params.input)
        case ThreadsUpdateReq():
            asked.params.title = _clean_title(asked.params.title)
        case ItemsFeedbackReq():
            if not 1 <= len(asked.params.item_ids) <= MAX_RATED_ITEMS:
                raise invalid(["params", "item_ids"], "length", f"1 to {MAX_RATED_ITEMS} items.")
            asked.params.item_ids = list(dict.fromkeys(asked.params.item_ids))
        case _:
            pass
    return asked


def invalid(place: list[str], kind: str, sentence: str) -> RequestValidationError:
    """A refusal (422) of what stands at this place of the body."""
    return RequestValidationError([{"loc": ["body", *place], "type": kind, "msg": sentence}])


def question_of(message: UserMessageItem | UserMessageInput | None) -> str:
    """The reader's words."""
    return " ".join(part.text for part in message.content).strip() if message else ""


def title_of(question: str) -> str | None:
    """A thread's first title: the beginning of its first question, masked."""
    words = " ".join(masked(question).split())
    if len(words) <= OWN_TITLE_CHARS:
        return words or None
    return f"{words[: OWN_TITLE_CHARS - 1].rsplit(' ', 1)[0]}…"


def _told(item: Any) -> dict[str, Any]:
    """A message of pydantic's, unless it repeats the input, as that of a union of kinds does."""
    repeats = str(item["type"]).startswith("union_tag")
    sentence = "Not of a kind that is taken." if repeats else item["msg"]
    return {"loc": ["body", *item["loc"]], "type": item["type"], "msg": sentence}


def _check_ids(asked: Asked) -> None:
    params: dict[str, Any] = asked.params.model_dump(include={"thread_id", "item_id", "item_ids", "after"})
    if "thread_id" in params and not fullmatch(r"c_[A-Za-z0-9_-]{22,62}", params["thread_id"]):
        raise NoSuchConversation
    items = [params.get("item_id"), params.get("after"), *params.get("item_ids", [])]
    if any(one is not None and not fullmatch(_ID, cast("str", one)) for one in items):
        raise NoSuchMessage


def _clean_input(given: UserMessageInput) -> UserMessageInput:
    place = ["params", "input"]
    if given.attachments:
        raise invalid([*place, "attachments"], "unsupported", "Attachments are not taken.")
    parts: list[UserMessageContent] = [UserMessageTextContent(text=clean(part.text).strip()) for part in given.content]
    # Which model answers and with which tools is the owner's choice, so inference_options are left out.
    taken = UserMessageInput(
        content=parts,
        attachments=[],
        quoted_text=clean(given.quoted_text or "").strip()[:MAX_SELECTION_CHARS] or None,
        inference_options=InferenceOptions(),
    )
    if not 1 <= len(question_of(taken)) <= MAX_QUERY_CHARS:
        raise invalid([*place, "content"], "length", f"The text has to have 1 to {MAX_QUERY_CHARS} characters.")
    return taken


def _clean_title(given: str) -> str:
    title = masked(clean(given).strip())
    if not 1 <= len(title) <= MAX_TITLE_CHARS:
        raise invalid(["params", "title"], "length", f"The title has to have 1 to {MAX_TITLE_CHARS} characters.")
    return title
