"""What the Gemini API's failures are called here: status and body of the upstream to one of our ModelErrors.

The classes to catch depend on the transport: with our own aiohttp session the SDK raises its APIError for HTTP errors and lets
aiohttp's, TimeoutError, OSError, JSON's and (for odd shapes) AttributeError, TypeError and ValueError through unwrapped.
"""

import re
from collections.abc import Mapping
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

LONGEST_CAUSE = 200
"""Characters of upstream text that reach the log."""
DAY_S = 86_400.0


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


def named(error: Exception) -> ModelError:
    """Our name for a failure of the API or of the way to it; the upstream's text stays in ``cause``, cut."""
    cause = type(error).__name__
    if isinstance(error, errors.APIError | aiohttp.ClientError | OSError):  # the others quote the reply they choke on
        cause = f"{cause}: {error}"[:LONGEST_CAUSE]
    status = getattr(error, "code", None)
    if not isinstance(status, int):
        return _of_transport(error, cause)
    if status == 429:
        return ModelBusy(cause, retry_after_s=_retry_after_s(error))
    if status in (401, 403, 404) or _names_the_key(error):
        return ModelMisconfigured(cause)
    if 400 <= status < 500 and status != 408:
        return ModelRejected(cause)
    return ModelUnavailable(cause, retry_after_s=_retry_after_s(error))


def _of_transport(error: Exception, cause: str) -> ModelError:
    if isinstance(error, aiohttp.ClientConnectorError | TimeoutError):
        return ModelUnavailable(cause)
    if isinstance(error, aiohttp.ClientError | ValueError | TypeError | AttributeError):
        return ModelBadResponse(cause)
    return ModelUnavailable(cause)


def _names_the_key(error: Exception) -> bool:
    return any(str(detail.get("reason", "")).startswith("API_KEY") for detail in _details(error))


def _retry_after_s(error: Exception) -> float | None:
    """Seconds the upstream asks to wait: a day when the quota is one a day, else RetryInfo, else the Retry-After header."""
    details = _details(error)
    for detail in details:
        violations = cast("list[Mapping[str, Any]]", detail.get("violations") or [])
        if any("PerDay" in str(violation.get("quotaId", "")) for violation in violations):
            return DAY_S
    for detail in details:
        if found := re.fullmatch(r"(\d+(?:\.\d+)?)s", str(detail.get("retryDelay", ""))):
            return float(found.group(1))
    headers = cast("Mapping[str, str]", getattr(getattr(error, "response", None), "headers", None) or {})
    header = headers.get("Retry-After") or headers.get("retry-after") or ""
    return float(header) if header.isdigit() else None


def _details(error: Exception) -> list[Mapping[str, Any]]:
    body: Any = getattr(error, "details", None)
    if isinstance(body, list) and body:
        body = cast("list[Any]", body)[0]
    inner: Any = cast("Mapping[str, Any]", body).get("error", cast("Any", body)) if isinstance(body, Mapping) else None
    details: Any = cast("Mapping[str, Any]", inner).get("details") if isinstance(inner, Mapping) else None
    return [cast("Mapping[str, Any]", detail) for detail in cast("list[Any]", details or []) if isinstance(detail, Mapping)]
