"""What the Gemini API's error replies are called here, whichever SDK they came through: status and body to a ModelError."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, cast

from chatbot_api.errors import ModelBusy, ModelError, ModelMisconfigured, ModelRejected, ModelUnavailable
from chatbot_api.services.gemini_quota import day_quota_wait_s

LONGEST_CAUSE = 200
"""Characters of upstream text that reach the log."""
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
"""google.protobuf.Duration in JSON, as far as it is sensible."""


def refusal(status: int, body: Any, headers: Mapping[str, str], *, cause: str, now_s: float) -> ModelError:
    """The ModelError that an error reply is.

    ``body``: parsed JSON, a google.rpc.Status as Gemini wraps it, or anything else. ``cause``: for the log. ``now_s``: seconds
    since 1970, by which a daily quota's wait is told.
    """
    details = _details(body)
    if status == 429:
        return ModelBusy(cause, retry_after_s=_retry_after_s(details, headers, now_s))
    if status in (401, 403, 404) or any(str(detail.get("reason", "")).startswith("API_KEY") for detail in details):
        return ModelMisconfigured(cause)
    if 400 <= status < 500 and status != 408:
        return ModelRejected(cause)
    return ModelUnavailable(cause, retry_after_s=_retry_after_s(details, headers, now_s))


def _retry_after_s(details: list[Mapping[str, Any]], headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds the upstream asks to wait: until a daily quota is given anew, else RetryInfo, else the Retry-After header."""
    told_s = next((float(found[1]) for one in details if (found := DURATION.fullmatch(str(one.get("retryDelay", ""))))), None)
    if any("PerDay" in quota for detail in details for quota in _quotas(detail)):
        return day_quota_wait_s(now_s, told_s)
    if told_s is not None:
        return told_s
    return _of_header(headers.get("Retry-After") or headers.get("retry-after") or "", now_s)


def _quotas(detail: Mapping[str, Any]) -> list[str]:
    violations: Any = detail.get("violations")
    if not isinstance(violations, list):
        return []
    named_ones = [cast("Mapping[str, Any]", one) for one in cast("list[Any]", violations) if isinstance(one, Mapping)]
    return [str(one.get("quotaId", "")) for one in named_ones]


def _of_header(header: str, now_s: float) -> float | None:
    """Retry-After in either of its forms (RFC 9110, 10.2.3)."""
    if re.fullmatch(r"[0-9]{1,9}", header):
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now_s)
    except ValueError:
        return None


def _details(body: Any) -> list[Mapping[str, Any]]:
    if isinstance(body, list) and body:
        body = cast("list[Any]", body)[0]
    inner: Any = cast("Mapping[str, Any]", body).get("error", cast("Any", body)) if isinstance(body, Mapping) else None
    details: Any = cast("Mapping[str, Any]", inner).get("details") if isinstance(inner, Mapping) else None
    return [cast("Mapping[str, Any]", detail) for detail in cast("list[Any]", details or []) if isinstance(detail, Mapping)]
