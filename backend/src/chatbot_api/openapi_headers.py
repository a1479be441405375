"""Request headers in the API's description, for a route's ``openapi_extra``: as its arguments they would cost each request."""

from typing import Any

from chatbot_api.admission import SITE_KEY_HEADER
from chatbot_api.client_messages import IDEMPOTENCY_KEY, LONGEST_KEY
from chatbot_api.visitors import FORM, HEADER


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string", **schema}, "description": description}


_VISITOR = _header(HEADER, f"Who asks: the id that a reply told, or one of the client's own of the form `{FORM}`.")
_SITE_KEY = _header(SITE_KEY_HEADER, "The site key, where the owner set one; or `Authorization: Bearer` with it.")
_KEY = _header(IDEMPOTENCY_KEY, "Sent again with it, a question is answered once.", minLength=1, maxLength=LONGEST_KEY)
_STREAM = _header("X-Stream-Response", "`true`: answer in lines of JSON, for older widgets.")

OF_VISITORS: dict[str, Any] = {"parameters": [_VISITOR]}
"""Of routes to what is the visitor's own."""
OF_SITES: dict[str, Any] = {"parameters": [_SITE_KEY]}
"""Of routes that tell of the site."""
OF_ASKING: dict[str, Any] = {"parameters": [_VISITOR, _SITE_KEY]}
"""Of routes that a visitor asks, or rates, at."""
OF_QUESTIONS: dict[str, Any] = {"parameters": [_VISITOR, _SITE_KEY, _KEY]}
"""Of routes that take an Idempotency-Key."""
OF_CHAT: dict[str, Any] = {"parameters": [_VISITOR, _SITE_KEY, _KEY, _STREAM]}
"""Of POST /chat."""
