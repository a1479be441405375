"""Who is let in: what every door asks of a request before it is answered, and in which order.

Origin, site key, rate, seat: the cheapest question first, and whoever is refused has had nothing of what comes behind it. All of
them are asked before the reply's first byte. A route takes one of the lists below as its ``dependencies``. While no seat is free,
nothing else is asked, for who comes then comes with a crowd, and each refusal keeps the others waiting.

All of them are coroutines, though they wait for nothing: FastAPI sends every other function through its pool of threads, which
costs more than the refusal.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot_api.client_address import address_of
from chatbot_api.errors import ForbiddenOrigin, Unauthorized
from chatbot_api.http_edge import problem_response
from chatbot_api.limits import Verdict
from chatbot_api.services.problems import problem_of
from chatbot_api.telemetry import note, request_id
from chatbot_api.visitors import Visitor
from chatbot_api.wiring import Services

SITE_KEY_HEADER = "X-Site-Key"
_OWN_PORTS = {"http": ":80", "https": ":443"}


async def services_of(request: Request) -> Services:
    """The process' services, from the lifespan's state."""
    return request.state["services"]


Wired = Annotated[Services, Depends(services_of)]


async def allowed_origin(request: Request, wired: Wired) -> None:
    """Raise ForbiddenOrigin for a page of a site that may not ask. Programs that are no browser send no origin, and pass."""
    origin = request.headers.get("origin")
    allowed = wired.settings.cors_origins
    if origin is None or "*" in allowed or origin in allowed or _is_own(origin, request):
        return
    raise ForbiddenOrigin


async def known_site(request: Request, wired: Wired) -> None:
    """Raise Unauthorized unless the request bears the site key, where the owner set one.

    As X-Site-Key, or as the bearer token that clients of other protocols make of the API key that is typed into them.
    """
    key = wired.settings.site_key.get_secret_value()
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    given = request.headers.get(SITE_KEY_HEADER) or (token if scheme.lower() == "bearer" else "")
    if key and not hmac.compare_digest(given.encode(), key.encode()):
        raise Unauthorized


async def address_within_rate(request: Request, wired: Wired) -> None:
    """Count the request for its address. Raises RateLimited."""
    _settle(request, await wired.rate.hit(_address(request, wired)))


async def within_rate(request: Request, wired: Wired) -> None:
    """Count the request for its address and its visitor. Raises RateLimited, with nothing counted."""
    visitor: Visitor = request.state["visitor"]
    _settle(request, await wired.rate.hit(_address(request, wired), visitor.id))


async def admitted(request: Request) -> None:
    """All of the above, then a seat until the reply has been sent, or nobody reads it any more, and a turn. Raises Overloaded.

    One dependency, and none that FastAPI has to leave again: each takes it more time than its question does.
    """
    wired: Services = request.state["services"]
    await allowed_origin(request, wired)
    await known_site(request, wired)
    await within_rate(request, wired)
    wired.gate.take()
    request.state["seat"] = wired.gate  # Turnstile gives it back
    await wired.starts.turn()


COUNTED: Sequence[Dependency] = (Depends(address_within_rate),)
"""Reads and deletes what is the visitor's own: limited by address alone."""
RATING: Sequence[Dependency] = (Depends(allowed_origin), Depends(known_site), Depends(within_rate))
"""Writes a little."""
ASKING: Sequence[Dependency] = (Depends(admitted),)
"""Costs an answer, or a search."""


def costing_an_answer(routes: Iterable[BaseRoute]) -> dict[str, APIRoute]:
    """Those of the routes that take a seat, by their path."""
    ours = (route for route in routes if isinstance(route, APIRoute))
    return {route.path: route for route in ours if any(one.dependency is admitted for one in route.dependencies)}


class Turnstile:
    """Gives a request's seat back when its reply is over, and says on the reply how the limits stand that it was counted by.

    While no seat is free it refuses at once, before the body is read and the framework asks its dependencies.
    """

    def __init__(self, app: ASGIApp, routes: Mapping[str, APIRoute]) -> None:
        """``app``: what is inside. ``routes``: those that take a seat and fail with a problem, by their path."""
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        if (route := self._routes.get(scope["path"])) and scope["method"] in route.methods:
            services: Services = state["services"]
            if refusal := services.gate.refusal:
                scope["route"] = route  # for the log line
                note(problem=refusal.slug)
                await problem_response(problem_of(refusal, request_id()))(scope, receive, send)
                return

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start" and (verdict := state.get("verdict")):
                MutableHeaders(scope=message).update(verdict.headers)
            await send(message)

        try:
            await self._app(scope, receive, send_with_limits)
        finally:
            if gate := state.pop("seat", None):
                gate.give_back()


def _settle(request: Request, verdict: Verdict) -> None:
    request.state["verdict"] = verdict
    if refusal := verdict.refusal:
        raise refusal


def _address(request: Request, wired: Services) -> str:
    peer = request.client.host if request.client else None
    return address_of(peer, request.headers.getlist("x-forwarded-for"), wired.settings.trusted_proxy_hops)


def _is_own(origin: str, request: Request) -> bool:
    """Whether the page is the service's own: by the browser's word, which no page can forge, or by the host it asks."""
    if request.headers.get("sec-fetch-site") == "same-origin":
        return True
    try:
        asking = urlsplit(origin)
    except ValueError:
        return False
    own_port = _OWN_PORTS.get(asking.scheme)
    host = request.headers.get("host", "").lower()
    return own_port is not None and asking.netloc.removesuffix(own_port) == host.removesuffix(own_port)
