"""What every HTTP request passes, whatever its route: an id and one log line, a limit on its body, and problems as RFC 9457.

Order, outermost first: log line and X-Request-ID, CORS, last-resort problem, body limit. The latter two stand inside CORS, so
that a page on another origin can read an error too.
"""

from collections.abc import Mapping
from re import fullmatch
from secrets import token_hex
from time import monotonic
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot_api.client_presence import ClientGone
from chatbot_api.errors import InvalidRequest, NotFound, ServiceError, TooLarge, UnsupportedMedia
from chatbot_api.metrics import Metrics
from chatbot_api.models.chat_models import Problem
from chatbot_api.services.problems import problem_of
from chatbot_api.telemetry import begin_line, logger, note, request_id

log = logger(__name__)
MAX_BODY_BYTES = 64 * 1024
MOST_ERRORS = 20
CLIENT_CLOSED = 499
"""nginx's status for it; only the log ever sees it."""
LONGEST_MESSAGE = 200
ALLOWED_HEADERS = [
    *("Content-Type", "Accept", "Authorization", "Idempotency-Key"),
    *("X-Request-ID", "X-Visitor-Id", "X-Stream-Response", "X-Site-Key"),
    *("Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id"),
]
EXPOSED_HEADERS = ["X-Request-ID", "X-Visitor-Id", "Retry-After", "RateLimit", "RateLimit-Policy"]
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_SLUGS = {401: "unauthorized", 403: "forbidden", 405: "method-not-allowed", 408: "request-timeout"}

# In full: as a "model" FastAPI would declare it with the media type of the route's own reply, on a stream as an event stream.
_PROBLEM: dict[str, Any] = {"application/problem+json": {"schema": Problem.model_json_schema()}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": _PROBLEM}
    for status, words in {
        400: "Not JSON",
        401: "The site key is missing or wrong",
        403: "The page's origin may not ask",
        404: "Unknown, expired, or another visitor's",
        409: "The client_message_id was sent with another question",
        413: "Body over 64 KiB",
        415: "Not application/json",
        422: "A field is not valid",
        429: "This visitor or address asks too often",
        500: "A fault of ours",
        502: "The language model's reply can't be used (ON_MODEL_FAILURE=error)",
        503: "Search or language model unavailable, or too many answers under way",
        504: "Deadline exceeded",
    }.items()
}
"""What a route may fail with, for the API's description."""


def add_edge(app: FastAPI, origins: list[str], metrics: Metrics, *, credentials: bool) -> None:
    """Put the edge around an app. ``origins``: exact, or ``*``. ``credentials``: whether these may send cookies."""
    app.add_middleware(BodyLimit)
    app.add_middleware(LastResort)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_credentials=credentials,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
        max_age=600,
    )
    app.add_middleware(RequestLine, metrics=metrics)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(ClientGone, _on_client_gone)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP form of a problem; Retry-After where there is one."""
    wait = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    return Response(
        problem.model_dump_json(exclude_none=True, ensure_ascii=True),
        status_code=problem.status,
        media_type="application/problem+json",
        headers={**(headers or {}), **wait},
    )


async def _on_client_gone(_request: Request, _error: Exception) -> Response:
    note(problem="client-closed")
    return Response(status_code=CLIENT_CLOSED)


class RequestLine:
    """Gives each request its id, and writes and counts its one log line when the reply has ended."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """``app``: what is inside."""
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; X-Request-ID on every reply."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        claimed = Headers(scope=scope).get("x-request-id", "")
        identity = claimed if fullmatch(r"[A-Za-z0-9._-]{8,64}", claimed) else token_hex(16)
        line, started, status = begin_line(identity), monotonic(), 0
        self._metrics.began()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = identity
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", "")
            took_s = monotonic() - started
            self._metrics.ended(route, scope["method"], status or CLIENT_CLOSED, took_s, line)
            values = {
                "method": scope["method"],
                "route": route,
                "status": status or CLIENT_CLOSED,
                "ms": round(took_s * 1000),
                **line,
            }
            write = log.debug if route.startswith(("/health", "/_demo")) else log.error if status >= 500 else log.info
            write("request_done", **values)


class LastResort:
    """Renders what nothing else caught as a problem, inside CORS, so that a widget sees more than "Failed to fetch"."""

    def __init__(self, app: ASGIApp) -> None:
        """``app``: what is inside."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a bug becomes 500 unless the reply has begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched_send(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception:
            # The last resort: what comes here is a bug, and still has to reach the reader as a problem.
            log.exception("unhandled")
            if begun:
                raise
            note(problem="internal")
            await problem_response(problem_of(ServiceError(), request_id()))(scope, receive, send)


class BodyLimit:
    """Refuses bodies over the limit, whatever their Content-Length claims, and bodies that are no plain JSON."""

    def __init__(self, app: ASGIApp) -> None:
        """``app``: what is inside."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > MAX_BODY_BYTES:
            note(problem=TooLarge.slug)
            response = problem_response(problem_of(TooLarge(), request_id()), {"Connection": "close"})
            await response(scope, receive, send)
            return
        plain, taken = _is_plain_json(headers), 0

        async def counted() -> Message:
            nonlocal taken
            # Any other class raised in receive becomes a 400 of the framework's.
            if not plain and scope["method"] == "POST":  # here, not at once: where nobody reads a body, 404 and 405 say more
                raise HTTPException(415, headers={"connection": "close"})
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                raise HTTPException(413, headers={"connection": "close"})
            return message

        await self._app(scope, counted, send)


def _is_plain_json(headers: Headers) -> bool:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media == "application/json" and all(
        coding.strip().lower() == "identity" for coding in headers.getlist("content-encoding")
    )


async def _on_invalid(_request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    errors: list[dict[str, Any]] = [
        {
            "loc": [_ascii(part) for part in item["loc"]],
            "type": _ascii(item["type"]),
            "msg": _ascii(item["msg"]),
        }
        for item in found[:MOST_ERRORS]
    ]
    problem = problem_of(InvalidRequest(), request_id(), errors)
    if any(str(item["type"]).startswith("json") for item in found):
        problem = problem.model_copy(update={"status": 400})
    note(problem="invalid-request")
    return problem_response(problem)


def _ascii(value: object) -> str:
    return str(value).encode("ascii", "backslashreplace").decode()[:LONGEST_MESSAGE]


async def _on_http_exception(request: Request, error: Exception) -> Response:
    raised = cast("HTTPException", error)
    headers = {"Allow": _methods_at(request)} if raised.status_code == 405 else raised.headers
    known: dict[int, ServiceError] = {400: InvalidRequest(), 404: NotFound(), 413: TooLarge(), 415: UnsupportedMedia()}
    if raised.status_code in known:
        problem = problem_of(known[raised.status_code], request_id())
        if raised.status_code == 400:
            problem = problem.model_copy(update={"status": 400, "detail": "The request can't be read."})
    else:
        slug = _SLUGS.get(raised.status_code, "invalid-request" if raised.status_code < 500 else "internal")
        sentence = "This address takes other methods." if raised.status_code == 405 else "The request was refused."
        problem = problem_of(ServiceError(), request_id()).model_copy(
            update={
                "type": f"urn:ask-ai:problem:{slug}",
                "status": raised.status_code,
                "title": slug.replace("-", " ").capitalize(),
                "detail": sentence,
            }
        )
    note(problem=problem.type.rpartition(":")[2])
    return problem_response(problem, headers)


def _methods_at(request: Request) -> str:
    """All methods of the address (RFC 9110, 10.2.1); the framework names those of its first route alone."""
    scope = request.scope
    tried = ((method, route.matches({**scope, "method": method})[0]) for method in _METHODS for route in request.app.routes)
    return ", ".join(dict.fromkeys(method for method, match in tried if match is Match.FULL))


async def _on_service_error(_request: Request, error: Exception) -> Response:
    raised = cast("ServiceError", error)
    note(problem=raised.slug, cause=raised.cause)
    # RFC 9110: a 401 names the way to be let in.
    return problem_response(
        problem_of(raised, request_id()), {"WWW-Authenticate": "X-Site-Key"} if raised.status == 401 else None
    )
