"""What a Qdrant server's failures are called here: status and exception of the client to one of our SearchErrors.

The client wraps most transport errors, but lets bare JSON, assertion and validation errors through for replies of another shape.
"""

import re
from collections.abc import Mapping
from typing import Any

from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException

from chatbot_api.errors import (
    IndexMismatch,
    IndexMissing,
    SearchBadResponse,
    SearchError,
    SearchMisconfigured,
    SearchUnavailable,
)

LONGEST_CAUSE = 200
"""Characters of upstream text that reach the log."""
LONGEST_WAIT_S = 10**9
"""Seconds; a longer number may be no float any more."""
_UNREADABLE = ("RemoteProtocolError", "ValidationError", "DecodingError")
_GONE = "Server disconnected"
"""How httpx says that the server went away before it replied: the same class as for a reply that broke off."""
_ODD_WAIT = "Retry-After header value is not"
"""How the client says that a 429 bore a date, which it can't read."""


CLIENT_ERRORS = (ApiException, QdrantException, ValueError, AssertionError, TypeError)
"""All that a call of the client may raise for a fault of the server or on the wire."""


def named(error: Exception) -> SearchError:
    """Our name for a failure of the server or of the way to it; the upstream's text stays in ``cause``, cut."""
    cause = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_CAUSE]  # the client's words span lines
    wait_s: Any = getattr(error, "retry_after_s", None)
    if wait_s is not None:
        return SearchUnavailable(cause, retry_after_s=float(min(wait_s, LONGEST_WAIT_S)))
    if str(error).startswith(_ODD_WAIT):
        return SearchUnavailable(cause)
    status: Any = getattr(error, "status_code", None)
    if isinstance(status, int):
        return of_status(status, cause, seconds_of(_header(getattr(error, "headers", None))))
    source: Any = getattr(error, "source", None)
    if source is not None and (type(source).__name__ not in _UNREADABLE or str(source).startswith(_GONE)):
        return SearchUnavailable(f"{cause} ({type(source).__name__})"[:LONGEST_CAUSE])
    return SearchBadResponse(cause)


def refused(status: int, said: str, headers: Mapping[str, str]) -> SearchError:
    """Our name for a reply with another status than 200. ``said``: its body."""
    cause = " ".join(f"status {status}: {said}".split())[:LONGEST_CAUSE]
    return of_status(status, cause, seconds_of(headers.get("Retry-After", "")))


def seconds_of(told: str) -> float | None:
    """Of a Retry-After; None when there is none, or a date."""
    return float(told) if re.fullmatch(r"[0-9]{1,9}", told) else None


def _header(headers: Any) -> str:
    # The client itself reads it of a 429 alone.
    return str(headers.get("retry-after", "")) if headers else ""


def of_status(status: int, cause: str, wait_s: float | None) -> SearchError:
    """Our name for a status of HTTP."""
    if status in (401, 403):
        return SearchMisconfigured(cause)
    if status == 404:
        return IndexMissing(cause)
    if status == 400:
        return IndexMismatch(cause)
    if status in (408, 429) or status >= 500:
        return SearchUnavailable(cause, retry_after_s=wait_s)
    return SearchBadResponse(cause)
