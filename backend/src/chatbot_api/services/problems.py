"""A failure as its reader gets it: the RFC 9457 object, the same as an HTTP error's body and as a stream's last event."""

from math import ceil
from typing import Any

from chatbot_api.errors import ServiceError
from chatbot_api.models.chat_models import Problem

RETRY_AFTER_S = 5
"""What a 503 says when the upstream did not."""
LONGEST_RETRY_AFTER_S = 3600


def type_of(slug: str) -> str:
    """The problem's type, a URN: an address would have to be somebody's host."""
    return f"urn:ask-ai:problem:{slug}"


def problem_of(error: ServiceError, request_id: str, errors: list[dict[str, Any]] | None = None) -> Problem:
    """The problem object of a failure; nothing of its ``cause`` stands in it."""
    wait_s = error.retry_after_s if error.retry_after_s is not None else RETRY_AFTER_S
    told = error.status in (429, 503)
    return Problem(
        type=type_of(error.slug),
        title=error.title,
        status=error.status,
        detail=error.detail,
        request_id=request_id,
        retryable=error.retryable,
        retry_after=max(1, min(LONGEST_RETRY_AFTER_S, ceil(wait_s))) if told else None,
        errors=errors,
    )
