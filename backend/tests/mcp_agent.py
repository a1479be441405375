"""An agent at the MCP door: by the package's own client, and by bare messages as any other client may send them."""

# ruff: noqa: PLC0415 - the package may be missing; then the tests are skipped

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

MODES = ("auto", "legacy", "2026-07-28")
"""How the package's client may begin: by asking what is spoken, by the handshake of before, without any."""
MODERN = "2026-07-28"
SECRET = "canary-in-the-request"
ALICE = "v_alice-0123456789-0123456"
BOB = "v_bob-0123456789-012345678"


@asynccontextmanager
async def agent(url: str, mode: str = "auto", **headers: str) -> AsyncIterator["Client"]:
    """A connected client of the service at ``url``."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=20, trust_env=False))
        client = Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode)
        yield await stack.enter_async_context(client)


def text_of(result: "CallToolResult") -> str:
    """The one text of a result."""
    (block,) = result.content
    assert block.type == "text"
    return block.text


def got(result: "CallToolResult") -> dict[str, Any]:
    """The result of a tool that went well; its text is the same as JSON, for clients that read nothing else."""
    assert not result.is_error, text_of(result)
    assert json.loads(text_of(result)) == result.structured_content
    return result.structured_content


def message(method: str, params: dict[str, Any] | None = None, *, modern: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    """A request as JSON, and the headers it needs. ``modern``: as 2026-07-28 wants it; else as 2025-11-25 without a handshake."""
    given = dict(params or {})
    if not modern:
        return {"jsonrpc": "2.0", "id": 1, "method": method, "params": given}, {}
    prefix = "io.modelcontextprotocol/"
    given["_meta"] = {f"{prefix}protocolVersion": MODERN, f"{prefix}clientCapabilities": {}}
    headers = {"Mcp-Protocol-Version": MODERN, "Mcp-Method": method}
    if "name" in given:
        headers["Mcp-Name"] = given["name"]
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": given}, headers


def posted(
    client: httpx.Client, method: str, params: dict[str, Any] | None = None, *, modern: bool = False, **headers: str
) -> httpx.Response:
    """The reply to one bare message."""
    body, needed = message(method, params, modern=modern)
    return client.post("/mcp", json=body, headers={**needed, **headers})


def called(
    client: httpx.Client, tool: str, *, modern: bool = False, headers: dict[str, str] | None = None, **arguments: Any
) -> httpx.Response:
    """The reply to a bare call of a tool."""
    return posted(client, "tools/call", {"name": tool, "arguments": arguments}, modern=modern, **(headers or {}))


def refused(reply: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The JSON-RPC error that a refusal is, with the problem in it."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    assert (body["jsonrpc"], body["id"]) == ("2.0", None)
    assert body["error"]["data"]["type"] == f"urn:ask-ai:problem:{slug}"
    assert body["error"]["message"] == body["error"]["data"]["detail"]
    assert SECRET not in reply.text
    return body["error"]
