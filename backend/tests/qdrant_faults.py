"""How the Qdrant stand-in fails: the server's error bodies, results of a wrong shape, and the ways a reply breaks on the wire.

status    401 (plain text) 403 404 408 429 (kw seconds) 429n (no Retry-After) 500 503 507 dims (400; kw expected, got)
body      badjson null shape payloadnone
wire      trunc slow (kw seconds) drip (kw size, seconds) hang reset
"""

import asyncio
import json
import re
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from qdrant_engine import error

STATUS_FAULTS = {
    "403": (403, "Forbidden: Global manage access is required"),
    "408": (408, "Timeout: Operation 'Query' timed out after 5 seconds"),
    "429": (429, "Rate limiting exceeded: Read rate limit exceeded, retry later"),
    "429n": (429, "Rate limiting exceeded: Read rate limit exceeded, retry later"),
    "500": (500, "Service internal error: task panicked"),
    "503": (503, "Service unavailable: The replica set has no active replica"),
    "507": (507, "Service internal error: No space left on device: WAL buffer size exceeds available disk space"),
}
BODY_FAULTS = {
    "badjson": b'{"usage":null,"result":{"points":[{"id":',
    "null": b'{"usage":null,"result":null,"status":"ok","time":0.001}',
    "shape": b'{"usage":null,"result":{"points":"many"},"status":"ok","time":0.001}',
}
FAULTS = {"401", "404", "dims", *STATUS_FAULTS, *BODY_FAULTS, "payloadnone", "trunc", "slow", "drip", "hang", "reset"}


@dataclass
class Fault:
    """What is to fail from now on."""

    name: str = ""
    on: str = "all"
    left: float = 0.0
    kw: dict[str, Any] = field(default_factory=dict)


class WireProtocol(HttpToolsProtocol):
    """Hands the connection itself to the app, for what HTTP has no words for."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["transport"] = self.transport  # type: ignore[typeddict-unknown-key]


async def play(fault: str, kw: dict[str, Any], app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request with a fault; the app is asked only when its answer is needed. Ends at once when the client leaves."""
    if fault == "hang":
        await _gone(receive, None)
    elif fault == "reset":
        connection = scope["transport"].get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        scope["transport"].abort()
        await _gone(receive, None)
    elif fault in ("trunc", "slow", "drip", "payloadnone"):
        await _spoil(fault, kw, await _asked(app, scope, receive), scope, receive, send)
    else:
        await _said(fault, kw, scope["path"])(scope, receive, send)


def _said(fault: str, kw: dict[str, Any], path: str) -> Response:
    if fault in BODY_FAULTS:
        return Response(BODY_FAULTS[fault], media_type="application/json")
    if fault == "401":
        return PlainTextResponse("Invalid API key or JWT", 401)
    if fault == "404":
        named = re.match(r"/collections/([^/]+)", path)
        return error(404, f"Not found: Collection `{named[1] if named else ''}` doesn't exist!")
    if fault == "dims":
        expected, got = kw.get("expected", 4), kw.get("got", 2)
        return error(400, f"Wrong input: Vector dimension error: expected dim: {expected}, got {got}")
    status, message = STATUS_FAULTS[fault]
    return error(status, message, {"Retry-After": str(kw.get("seconds", 2))} if fault == "429" else None)


async def _asked(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """The app's own answer: its start, and its body."""
    said: list[Message] = []

    async def keep(message: Message) -> None:
        said.append(message)

    await app(scope, receive, keep)
    return said[0], b"".join(message.get("body", b"") for message in said[1:])


async def _spoil(
    fault: str, kw: dict[str, Any], answer: tuple[Message, bytes], scope: Scope, receive: Receive, send: Send
) -> None:
    start, body = answer
    if fault == "payloadnone":
        answered = json.loads(body)
        await Response(json.dumps(_without_payload(answered)), start["status"], media_type="application/json")(
            scope, receive, send
        )
        return
    if fault == "slow" and await _gone(receive, kw.get("seconds", 8.0)):
        return
    await send(start)
    if fault == "slow":
        await send({"type": "http.response.body", "body": body})
    elif fault == "trunc":
        await send({"type": "http.response.body", "body": body[:-20], "more_body": True})
        scope["transport"].close()
        await _gone(receive, None)
    else:
        size = kw.get("size", 16)
        for at in range(0, len(body), size):
            if await _gone(receive, kw.get("seconds", 0.5)):
                return
            await send({"type": "http.response.body", "body": body[at : at + size], "more_body": at + size < len(body)})


def _without_payload(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_payload(inner) for key, inner in value.items() if key != "payload"}
    return [_without_payload(inner) for inner in value] if isinstance(value, list) else value


async def _gone(receive: Receive, seconds: float | None) -> bool:
    """Wait, but not longer than the client does; whether it left."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True
