"""What the failures of Gemini and of the way to it are called here: status and body of the upstream to one of our ModelErrors."""

from time import time

import aiohttp

from chatbot_api.errors import ModelBadResponse, ModelError, ModelUnavailable
from chatbot_api.services.gemini_status import LONGEST_CAUSE, refusal
from chatbot_api.services.gemini_wire import GeminiRefused

TRANSPORT_ERRORS = (GeminiRefused, aiohttp.ClientError, TimeoutError, OSError, ValueError, TypeError, AttributeError, LookupError)
"""All that a call may raise for a fault on the wire; the last four for replies of odd shapes."""


def named(error: Exception, now_s: float | None = None) -> ModelError:
    """Our name for a failure of the API or of the way to it; the upstream's text stays in ``cause``, cut.

    ``now_s``: seconds since 1970, by which a daily quota's wait is told.
    """
    cause = type(error).__name__
    if isinstance(error, GeminiRefused | aiohttp.ClientError | OSError):  # the others quote the reply they choke on
        cause = f"{cause}: {error}"[:LONGEST_CAUSE]
    if not isinstance(error, GeminiRefused):
        return _of_transport(error, cause)
    if not isinstance(error.status, int):
        return ModelUnavailable(cause)
    return refusal(error.status, error.body, error.headers, cause=cause, now_s=time() if now_s is None else now_s)


def _of_transport(error: Exception, cause: str) -> ModelError:
    if isinstance(error, aiohttp.ClientConnectorError | TimeoutError):
        return ModelUnavailable(cause)
    if isinstance(error, aiohttp.ClientError | ValueError | TypeError | AttributeError | LookupError):
        return ModelBadResponse(cause)
    return ModelUnavailable(cause)
