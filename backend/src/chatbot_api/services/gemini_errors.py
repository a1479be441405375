"""What the Gemini API's failures are called here: status and body of the upstream to one of our ModelErrors.

The classes to catch depend on the transport: with our own aiohttp session the SDK raises its APIError for HTTP errors and lets
aiohttp's, TimeoutError, OSError, JSON's and (for odd shapes) AttributeError, TypeError and ValueError through unwrapped.
"""

from collections.abc import Mapping
from time import time
from typing import cast

import aiohttp
from google.genai import errors

from chatbot_api.errors import ModelBadResponse, ModelError, ModelUnavailable
from chatbot_api.services.gemini_status import LONGEST_CAUSE, refusal

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
    headers = cast("Mapping[str, str]", getattr(getattr(error, "response", None), "headers", None) or {})
    body = getattr(error, "details", None)
    return refusal(status, body, headers, cause=cause, now_s=time() if now_s is None else now_s)


def _of_transport(error: Exception, cause: str) -> ModelError:
    if isinstance(error, aiohttp.ClientConnectorError | TimeoutError):
        return ModelUnavailable(cause)
    if isinstance(error, aiohttp.ClientError | ValueError | TypeError | AttributeError):
        return ModelBadResponse(cause)
    return ModelUnavailable(cause)
