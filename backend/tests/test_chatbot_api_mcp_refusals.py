"""POST /mcp over a real socket: where it may be asked, from where, and what is no message of it."""

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest

from conftest import Service
from lantern_fixtures import lantern_running
from mcp_agent import SECRET, called, message, posted, refused

pytest_plugins = ["mcp_package"]
running = lantern_running(
    "mcp_there",
    mcp_enabled=True,
    mcp_ask_enabled=True,
    site_url="https://docs.example.com",
    cors_origins=["https://docs.example.com"],
    mcp_allowed_hosts=["ask.example.com", "[2001:db8::1]:8000"],
)


@pytest.fixture
def client(service: Service) -> httpx.Client:
    return service.client


@pytest.fixture
def mcp_service(gemini_service: Callable[..., Service], mcp_there: None) -> Callable[..., Service]:
    return lambda **values: gemini_service(mcp_enabled=True, mcp_ask_enabled=True, **values)


# --- where it is asked, and from


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH"])
def test_every_other_method_is_refused_and_no_stream_is_held_open(client: httpx.Client, method: str) -> None:
    reply = client.request(method, "/mcp", headers={"Accept": "text/event-stream"}, timeout=5)
    assert reply.status_code == 405
    assert reply.headers["allow"] == "POST"


def test_the_address_is_exact_and_nothing_is_redirected(client: httpx.Client) -> None:
    assert posted(client, "tools/list").status_code == 200
    assert client.post("/mcp/", json={}).status_code == 404


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:8000", 200),
        ("docs.example.com", 200),
        ("ask.example.com:8443", 200),
        ("[2001:db8::1]:8000", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("ask.example.com.evil.example:80", 421),
        ("169.254.169.254", 421),
    ],
)
def test_only_the_names_the_owner_knows_are_answered_to(client: httpx.Client, host: str, status: int, modern: bool) -> None:
    assert posted(client, "tools/list", modern=modern, Host=host).status_code == status


def test_any_name_is_answered_to_where_the_owner_says_so(mcp_service: Callable[..., Service]) -> None:
    assert posted(mcp_service(mcp_allowed_hosts=["*"]).client, "tools/list", Host="any.example").status_code == 200


def test_a_page_of_another_site_may_not_ask(client: httpx.Client) -> None:
    for origin in ("https://evil.example", "http://docs.example.com", "null"):
        error = refused(posted(client, "tools/list", Origin=origin), 403, "forbidden-origin")
        assert error["code"] == -32600
    for origin in ("https://docs.example.com", f"http://{urlsplit(str(client.base_url)).netloc}"):
        assert posted(client, "tools/list", Origin=origin).status_code == 200


def test_a_page_that_points_its_own_name_here_is_refused_by_that_name(client: httpx.Client) -> None:
    rebound = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}
    assert posted(client, "tools/list", **rebound).status_code == 421


def test_an_agent_in_a_page_of_the_site_may_send_what_the_protocol_wants(client: httpx.Client) -> None:
    asked = "content-type, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id, x-site-key"
    headers = {
        "Origin": "https://docs.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": asked,
    }
    assert client.options("/mcp", headers=headers).status_code == 200


# --- messages


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{" + SECRET.encode(),
        b"[]",
        json.dumps([message("tools/list")[0]]).encode(),
        json.dumps(SECRET).encode(),
        json.dumps({"jsonrpc": "1.0", "id": 1, "method": SECRET}).encode(),
        json.dumps({"jsonrpc": "2.0", "id": {"a": SECRET}, "method": "tools/list"}).encode(),
        b"[" * 30_000,
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": SECRET}).encode(),
        json.dumps({"jsonrpc": "2.0", "id": None, "method": "tools/list"}).encode(),
        json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"a": SECRET}}).encode(),
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_message_is_refused_with_400(client: httpx.Client, body: bytes, modern: bool) -> None:
    headers = {"Content-Type": "application/json", **(message("tools/list", modern=True)[1] if modern else {})}
    reply = client.post("/mcp", content=body, headers=headers)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] in (-32700, -32600)
    assert SECRET not in reply.text


def test_a_body_that_is_too_large_or_no_json_is_refused(client: httpx.Client) -> None:
    large = called(client, "search_docs", query="x" * 70_000)
    assert (large.status_code, large.json()["type"]) == (413, "urn:ask-ai:problem:too-large")
    plain = client.post("/mcp", content=b"{}", headers={"Content-Type": "text/plain"})
    assert (plain.status_code, plain.json()["type"]) == (415, "urn:ask-ai:problem:unsupported-media-type")


@pytest.mark.parametrize("modern", [False, True])
def test_a_tool_or_a_method_that_is_not_there_is_an_error_that_repeats_nothing(client: httpx.Client, modern: bool) -> None:
    for method, params in (
        ("tools/call", {"name": SECRET, "arguments": {}}),
        ("tools/call", {"name": "__init__", "arguments": {}}),
        ("tools/call", {"arguments": {}}),
        ("tools/call", {"name": "search_docs", "arguments": [SECRET]}),
        ("resources/read", {"uri": f"file:///{SECRET}"}),
        ("prompts/list", {}),
        ("subscriptions/listen", {}),
    ):
        reply = posted(client, method, params, modern=modern)
        assert "error" in reply.json(), (method, reply.text)
        assert "result" not in reply.json()
        assert SECRET not in reply.text
