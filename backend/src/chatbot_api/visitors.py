"""Who asks: an opaque random id that the service gives on the first answer and the reader's browser sends back. No fingerprint.

It comes in the header ``X-Visitor-Id``, or in a signed cookie where the owner set a secret for it; the header wins. A client may
make its own id of the same form. Who has the id has the visitor's conversations: it is a secret like a session's.
"""

import hmac
from base64 import urlsafe_b64encode
from http.cookies import CookieError, SimpleCookie
from re import fullmatch
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot_api.services.conversation_memory import new_id

HEADER = "X-Visitor-Id"
COOKIE = "ask_visitor"
FORM = r"v_[A-Za-z0-9_-]{22,64}"
"""``v_`` and at least 128 bits in base64url."""


class Visitor:
    """Whose request it is."""

    def __init__(self, identity: str) -> None:
        """``identity``: known, or new."""
        self.id = identity
        self.was_asked = False
        """Whether the reply bears the id: where nobody asked whose request it is, none is given out."""


class VisitorIds:
    """Knows each request's visitor, and gives the id with the reply."""

    def __init__(self, app: ASGIApp, secret: str, max_age_s: int, cross_site: bool) -> None:
        """``secret``: signs the cookie; empty: no cookie. ``cross_site``: the site that asks is another than the service's."""
        self._app, self._secret = app, secret
        self._attributes = f"; Max-Age={max_age_s}; Path=/; HttpOnly; Secure; SameSite={'None' if cross_site else 'Lax'}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its visitor in the state."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        by_cookie = self._of_cookie(headers.get("cookie", "")) if self._secret else None
        visitor = Visitor(_well_formed(headers.get(HEADER, "")) or by_cookie or new_id("v"))
        scope.setdefault("state", {})["visitor"] = visitor

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start" and visitor.was_asked:
                reply = MutableHeaders(scope=message)
                reply[HEADER] = visitor.id
                if self._secret and by_cookie != visitor.id:
                    reply.append("Set-Cookie", f"{COOKIE}={visitor.id}.{self._signature(visitor.id)}{self._attributes}")
            await send(message)

        await self._app(scope, receive, send_with_id)

    def _of_cookie(self, header: str) -> str | None:
        try:
            value = SimpleCookie(header)[COOKIE].value
        except (KeyError, CookieError):
            return None
        identity, _, signature = value.partition(".")
        signed = hmac.compare_digest(signature.encode(), self._signature(identity).encode())
        return _well_formed(identity) if signed else None

    def _signature(self, identity: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._secret.encode(), identity.encode(), "sha256")).decode().rstrip("=")


def visitor_of(request: Request) -> str:
    """The visitor's id; the reply will bear it."""
    visitor: Visitor = request.state["visitor"]
    visitor.was_asked = True
    return visitor.id


async def _visitor(request: Request) -> str:
    return visitor_of(request)


VisitorId = Annotated[str, Depends(_visitor)]


def _well_formed(identity: str) -> str | None:
    return identity if fullmatch(FORM, identity) else None
