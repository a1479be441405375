"""The MCP door: POST /mcp, the Model Context Protocol over streamable HTTP, without sessions, answered in JSON.

To be imported only where MCP_ENABLED is set: the package costs a second and tens of MiB. Handshake and lists of tools are free;
a call of a tool counts as a question does.
"""

import json
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from chatbot_api.admission import Wired, allowed_origin, known_site, within_rate
from chatbot_api.client_presence import while_connected
from chatbot_api.config import Settings
from chatbot_api.draining import Draining
from chatbot_api.errors import ServiceError
from chatbot_api.http_edge import MAX_BODY_BYTES, PROBLEMS
from chatbot_api.mcp_tools import DocsTools, docs_server
from chatbot_api.openapi_headers import OF_ASKING
from chatbot_api.services.problems import problem_of
from chatbot_api.telemetry import note, request_id
from chatbot_api.visitors import Visitor
from chatbot_api.wiring import Services

FREE = frozenset({"initialize", "ping", "tools/list", "server/discover"})
"""Methods that cost nothing worth counting; notifications are free too."""
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_PROBLEMS = {status: PROBLEMS[status] for status in (400, 401, 403, 413, 415, 429, 503)}


@asynccontextmanager
async def speaking_mcp(services: Services, draining: Draining) -> AsyncGenerator[ASGIApp, None]:
    """What answers the messages, for as long as the block lasts."""
    settings = services.settings
    server = docs_server(DocsTools(services, draining), settings.site_title, _visitor_of)
    manager = StreamableHTTPSessionManager(
        server,
        json_response=True,
        stateless=True,
        security_settings=_security(settings),
        max_request_body_size=MAX_BODY_BYTES,
    )
    async with manager.run():
        yield manager.asgi_app


def _security(settings: Settings) -> TransportSecuritySettings:
    """The names this service may be asked by: a page that has its own name point here, to get around the browser, is refused."""
    if "*" in settings.mcp_allowed_hosts or "*" in settings.cors_origins:
        return TransportSecuritySettings(enable_dns_rebinding_protection=False)
    names = dict.fromkeys([*LOCAL_NAMES, urlsplit(settings.site_url).netloc.lower(), *settings.mcp_allowed_hosts])
    hosts = [form for name in names if name for form in (name, f"{name}:*")]
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[*settings.cors_origins, *origins])


def _visitor_of(request: Request) -> str:
    visitor: Visitor = request.state["visitor"]
    visitor.was_asked = True
    return visitor.id


class _JsonRpcRoute(APIRoute):
    """Tells a refusal in the protocol's words beside the status: clients show nothing of any other body."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except _NoMessage as error:
                note(problem="invalid-request")
                return _error(400, error.code, error.sentence)
            except ServiceError as error:
                return _refusal(error)

        return told


def _refusal(error: ServiceError) -> Response:
    note(problem=error.slug, cause=error.cause)
    problem = problem_of(error, request_id())
    code = INVALID_REQUEST if error.status < 500 else INTERNAL_ERROR
    headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "X-Site-Key"
    data = problem.model_dump(mode="json", exclude_none=True)
    return _error(error.status, code, problem.detail, headers, data=data)


def _error(status: int, code: int, sentence: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """A JSON-RPC error of a message whose id need not be known."""
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": sentence, **more}})
    return Response(body, status, headers, media_type="application/json")


class _NoMessage(Exception):
    """What was sent is no message of JSON-RPC; the package would repeat it in its error."""

    def __init__(self, code: int, sentence: str) -> None:
        """``code``: JSON-RPC's own."""
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


async def _message(request: Request) -> dict[str, Any]:
    """The message that was sent. Raises _NoMessage."""
    try:
        message: Any = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise _NoMessage(PARSE_ERROR, "The body is no JSON.") from None
    if not isinstance(message, dict) or not _is_sound(cast("dict[str, Any]", message)):
        raise _NoMessage(INVALID_REQUEST, "Send one JSON-RPC 2.0 request or notification.")
    return cast("dict[str, Any]", message)


def _is_sound(message: dict[str, Any]) -> bool:
    named = message.get("jsonrpc") == "2.0" and isinstance(message.get("method"), str)
    return named and isinstance(message.get("id", 0), str | int) and isinstance(message.get("params", {}), dict)


async def _admitted(
    request: Request, wired: Wired, message: Annotated[dict[str, Any], Depends(_message)]
) -> AsyncGenerator[None, None]:
    """Count and seat what costs something. Raises RateLimited, Overloaded."""
    free = message["method"] in FREE or message["method"].startswith("notifications/")
    if not free:
        await within_rate(request, wired)
    with nullcontext() if free else wired.gate.seat():
        yield


class _Spoken(Response):
    """The reply, made by what speaks the protocol; whose client leaves stops it."""

    def __init__(self, speaker: ASGIApp, sent: bytes) -> None:
        """``sent``: the body, which was read already."""
        super().__init__()
        self._speaker, self._sent = speaker, sent

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        messages: list[Message] = [{"type": "http.request", "body": self._sent, "more_body": False}]

        async def replayed() -> Message:
            return messages.pop() if messages else await receive()

        await while_connected(Request(scope, receive), _spoken(self._speaker, scope, replayed, send))


async def _spoken(speaker: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await speaker(scope, receive, send)


mcp_router = APIRouter(tags=["mcp"], route_class=_JsonRpcRoute)


@mcp_router.post(
    "/mcp",
    dependencies=[Depends(allowed_origin), Depends(known_site), Depends(_admitted)],
    responses={**_PROBLEMS, 200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
    response_class=Response,
    openapi_extra=OF_ASKING,
)
async def mcp(request: Request) -> Response:
    """One JSON-RPC message of the Model Context Protocol (2024-11-05 to 2026-07-28), answered by its reply."""
    return _Spoken(request.state["mcp"], await request.body())
