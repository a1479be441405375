"""What a Qdrant server's refusals are called here: a status of HTTP, and the wait it asks for, to one of our SearchErrors."""

import re
from collections.abc import Mapping

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


def refused(status: int, said: str, headers: Mapping[str, str]) -> SearchError:
    """Our name for a reply with another status than 200. ``said``: its body."""
    cause = " ".join(f"status {status}: {said}".split())[:LONGEST_CAUSE]
    return of_status(status, cause, seconds_of(headers.get("Retry-After", "")))


def seconds_of(told: str) -> float | None:
    """Of a Retry-After; None when there is none, or a date."""
    return float(told) if re.fullmatch(r"[0-9]{1,9}", told) else None


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
