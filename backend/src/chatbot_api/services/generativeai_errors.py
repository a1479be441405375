"""What a failed call through google-generativeai is called here: the same ModelErrors as through google-genai.

Error replies come as HttpRefusal from our session, before the package sees them: it can't read those of a stream, which Gemini
wraps in a list, and repeats a call with a refused key. requests' own errors and those of reading a reply come through unwrapped.
"""

from time import time

import requests
from urllib3.exceptions import HTTPError, ProtocolError

from chatbot_api.errors import ModelBadResponse, ModelError, ModelUnavailable
from chatbot_api.services.cuttable_http import HttpRefusal
from chatbot_api.services.gemini_status import LONGEST_CAUSE, refusal
from chatbot_api.services.generativeai_package import PACKAGE_ERRORS

TRANSPORT_ERRORS = (
    HttpRefusal,
    requests.RequestException,
    HTTPError,
    *PACKAGE_ERRORS,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
)
"""All that a call may raise for a fault on the wire."""
_QUOTING = (*PACKAGE_ERRORS, ValueError, TypeError, AttributeError)
"""Those that may quote the reply they choke on; requests' own are some of them, and don't."""


def named(error: Exception, now_s: float | None = None) -> ModelError:
    """Our name for a failure of the API or of the way to it; the upstream's text stays in ``cause``, cut.

    ``now_s``: seconds since 1970, by which a daily quota's wait is told.
    """
    cause = type(error).__name__
    if isinstance(error, requests.RequestException) or not isinstance(error, _QUOTING):
        cause = f"{cause}: {error}"[:LONGEST_CAUSE]
    if isinstance(error, HttpRefusal):
        return refusal(error.status, error.body, error.headers, cause=cause, now_s=time() if now_s is None else now_s)
    if isinstance(error, requests.Timeout):
        return ModelUnavailable(cause)
    if isinstance(error, requests.ConnectionError):  # nobody there, or one who hung up on us
        hung_up = bool(error.args) and isinstance(error.args[0], ProtocolError)
        return ModelBadResponse(cause) if hung_up else ModelUnavailable(cause)
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return ModelUnavailable(cause)
    return ModelBadResponse(cause)
