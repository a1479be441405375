"""What a Qdrant server's failures are called here: status and exception of the client to one of our SearchErrors.

The client wraps most transport errors, but lets bare JSON, assertion and validation errors through for replies of another shape.
"""

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
_UNREADABLE = ("RemoteProtocolError", "ValidationError", "DecodingError")
_GONE = "Server disconnected"
"""How httpx says that the server went away before it replied: the same class as for a reply that broke off."""


CLIENT_ERRORS = (ApiException, QdrantException, ValueError, AssertionError, TypeError)
"""All that a call of the client may raise for a fault of the server or on the wire."""


def named(error: Exception) -> SearchError:
    """Our name for a failure of the server or of the way to it; the upstream's text stays in ``cause``, cut."""
    cause = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_CAUSE]  # the client's words span lines
    wait_s: Any = getattr(error, "retry_after_s", None)
    if wait_s is not None:
        return SearchUnavailable(cause, retry_after_s=float(wait_s))
    status: Any = getattr(error, "status_code", None)
    if isinstance(status, int):
        return _of_status(status, cause)
    source: Any = getattr(error, "source", None)
    if source is not None and (type(source).__name__ not in _UNREADABLE or str(source).startswith(_GONE)):
        return SearchUnavailable(f"{cause} ({type(source).__name__})"[:LONGEST_CAUSE])
    return SearchBadResponse(cause)


def _of_status(status: int, cause: str) -> SearchError:
    if status in (401, 403):
        return SearchMisconfigured(cause)
    if status == 404:
        return IndexMissing(cause)
    if status == 400:
        return IndexMismatch(cause)
    if status in (408, 429) or status >= 500:
        return SearchUnavailable(cause)
    return SearchBadResponse(cause)
