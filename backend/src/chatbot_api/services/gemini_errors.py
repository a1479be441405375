"""What the Gemini API's failures are called here: status and body of the upstream to one of our ModelErrors.

The classes to catch depend on the transport: with our own aiohttp session the SDK raises its APIError for HTTP errors and lets
aiohttp's, TimeoutError, OSError, JSON's and (for odd shapes) AttributeError, TypeError and ValueError through unwrapped.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, cast

import aiohttp
from google.genai import errors

from chatbot_api.errors import (
    ModelBadResponse,
    ModelBusy,
    ModelError,
    ModelMisconfigured,
    ModelRejected,
    ModelUnavailable,
)
from chatbot_api.services.gemini_quota import day_quota_wait_s

LONGEST_CAUSE = 200
"""Characters of upstream text that reach the log."""
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
"""google.protobuf.Duration in JSON, as far as it is sensible."""


TRANSPORT_ERRORS = (
    errors.APIError,
    errors.UnknownApiResponseError,
    aiohttp.ClientError,
    TimeoutError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
)
"""All that a call of the SDK may raise for a fault on the wire."""


def named(error: Exception, now_s: float | None = None) -> ModelError:
    """Our name for a failure of the API or of the way to it; the upstream's text stays in ``cause``, cut.

    ``now_s``: seconds since 1970, by which a daily quota's wait is told.
    """
    cause = type(error).__name__
    if isinstance(error, errors.APIError | aiohttp.ClientError | OSError):  # the others quote the reply they choke on
        cause = f"{cause}: {error}"[:LONGEST_CAUSE]
    status = getattr(error, "code", None)
    if not isinstance(status, int):
        return _of_transport(error, cause)
    if status == 429:
        return ModelBusy(cause, retry_after_s=_retry_after_s(error, time() if now_s is None else now_s))
    if status in (401, 403, 404) or _names_the_key(error):
        return ModelMisconfigured(cause)
    if 400 <= status < 500 and status != 408:
        return ModelRejected(cause)
    return ModelUnavailable(cause, retry_after_s=_retry_after_s(error, time() if now_s is None else now_s))


def _of_transport(error: Exception, cause: str) -> ModelError:
    if isinstance(error, aiohttp.ClientConnectorError | TimeoutError):
        return ModelUnavailable(cause)
    if isinstance(error, aiohttp.ClientError | ValueError | TypeError | AttributeError):
        return ModelBadResponse(cause)
    return ModelUnavailable(cause)


def _names_the_key(error: Exception) -> bool:
    return any(str(detail.get("reason", "")).startswith("API_KEY") for detail in _details(error))


def _retry_after_s(error: Exception, now_s: float) -> float | None:
    """Seconds the upstream asks to wait: until a daily quota is given anew, else RetryInfo, else the Retry-After header."""
    details = _details(error)
    told_s = next((float(found[1]) for one in details if (found := DURATION.fullmatch(str(one.get("retryDelay", ""))))), None)
    if any("PerDay" in quota for detail in details for quota in _quotas(detail)):
        return day_quota_wait_s(now_s, told_s)
    if told_s is not None:
        return told_s
    headers = cast("Mapping[str, str]", getattr(getattr(error, "response", None), "headers", None) or {})
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


def _details(error: Exception) -> list[Mapping[str, Any]]:
    body: Any = getattr(error, "details", None)
    if isinstance(body, list) and body:
        body = cast("list[Any]", body)[0]
    inner: Any = cast("Mapping[str, Any]", body).get("error", cast("Any", body)) if isinstance(body, Mapping) else None
    details: Any = cast("Mapping[str, Any]", inner).get("details") if isinstance(inner, Mapping) else None
    return [cast("Mapping[str, Any]", detail) for detail in cast("list[Any]", details or []) if isinstance(detail, Mapping)]
