"""Messages and arguments made by hypothesis, sent to /mcp: a result, or a fault that is told; never a fault of ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import index_book, serving
from hostile_requests import CANARY
from lantern import settings_in
from mcp_agent import called, message

pytest_plugins = ["mcp_package"]
EXAMPLES = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            *("", " ", "\u0000", "\u202e", "x" * 3000, "a" * 2300, "None", "10", "-1", CANARY),
            *("/docs/lamps", "/docs/\u0000lamps", "//[", "https://[::1", "%", "%ff", "?#", "C:\\x", "../..", "http://"),
            *("https://docs.example.com:99999/docs", "file:///etc/passwd"),
        ]
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["query", "q", "limit", "top_k", "version", "locale", "url", "id", "offset", "prefix", "cursor", "conversation_id"]
)
ARGUMENTS = st.dictionaries(st.one_of(NAMES, TEXTS), VALUES, max_size=5)
PLAUSIBLE = st.fixed_dictionaries(
    {"query": TEXTS, "url": TEXTS},
    optional={
        "limit": st.integers(-2, 300),
        "offset": st.one_of(st.integers(-2, 40_000), st.integers()),
        "prefix": TEXTS,
        "cursor": TEXTS,
        "version": TEXTS,
        "locale": TEXTS,
        "conversation_id": TEXTS,
    },
)

ENVELOPES = st.fixed_dictionaries(
    {
        "jsonrpc": st.one_of(st.just("2.0"), VALUES),
        "method": st.one_of(st.sampled_from(["tools/list", "tools/call", "ping"]), VALUES),
    },
    optional={"id": VALUES, "params": VALUES},
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, book: Path, mcp_there: None) -> Iterator[httpx.Client]:
    chosen = settings_in(
        tmp_path_factory.mktemp("generated"), mcp_enabled=True, mcp_ask_enabled=True, site_url="https://docs.example.com"
    )
    index_book(chosen, book)
    with serving(chosen) as service:
        yield service.client


@EXAMPLES
@given(
    tool=st.sampled_from(["search_docs", "fetch_doc", "list_pages", "ask_docs"]),
    arguments=st.one_of(PLAUSIBLE, ARGUMENTS),
    modern=st.booleans(),
)
def test_whatever_the_arguments_are_the_reply_is_a_result_or_a_fault_that_is_told(
    client: httpx.Client, tool: str, arguments: dict[str, Any], modern: bool
) -> None:
    body, headers = message("tools/call", {"name": tool, "arguments": arguments}, modern=modern)
    reply = client.post("/mcp", content=json.dumps(body).encode(), headers={"Content-Type": "application/json", **headers})
    assert reply.status_code == 200, reply.text
    result = reply.json()["result"]
    (text,) = [block["text"] for block in result["content"]]
    if result.get("isError"):
        assert "(problem: " not in text, text
    else:
        assert json.loads(text) == result["structuredContent"]


@EXAMPLES
@given(body=st.one_of(VALUES, ENVELOPES), modern=st.booleans())
def test_whatever_is_sent_is_answered_or_refused_and_breaks_nothing(client: httpx.Client, body: Any, modern: bool) -> None:
    headers = message("tools/list", modern=True)[1] if modern else {}
    reply = client.post("/mcp", content=json.dumps(body).encode(), headers={"Content-Type": "application/json", **headers})
    assert reply.status_code in (200, 202, 400, 404), reply.text
    assert reply.status_code == 202 or reply.json()["jsonrpc"] == "2.0"
    assert called(client, "fetch_doc", url="/docs/lamps").status_code == 200
