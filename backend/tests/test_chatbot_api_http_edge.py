"""What every request passes: its id, the CORS rules, and problems in one form, whatever went wrong."""

import re
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from chatbot_api.http_edge import ALLOWED_HEADERS, add_edge
from chatbot_api.metrics import Metrics
from chatbot_api.models.chat_models import Problem
from conftest import Service, index_book, serving
from lantern import serving_app, settings_in

SITE = "https://docs.example.com"
EVIL = [
    "null",
    "https://docs.example.com.evil.example",
    "https://evil-docs.example.com",
    "https://evildocs.example.com",
    "http://docs.example.com",
    "https://docs.example.com:8443",
    "https://docs.example.com:443",
    "https://docs.example.com.",
    "https://DOCS.example.com",
    "https://docs.example.com/",
    "https://a.docs.example.com",
    "https://example.com",
    "https://docs.example.com@evil.example",
    "https://docs-example.com",
    "https://docs.example.com, https://evil.example",
    "https://docs.example.com%2eevil.example",
    "file://",
    "*",
]
JSON = {"content-type": "application/json"}
Asked = tuple[str, str, bytes, dict[str, str], int]
EVERY_KIND: list[Asked] = [
    ("POST", "/chat", b'{"query":"pair a lamp"}', JSON, 200),
    ("POST", "/chat/stream", b'{"query":"pair a lamp"}', JSON, 200),
    ("POST", "/search", b'{"query":"pair a lamp"}', JSON, 200),
    ("GET", "/health", b"", {}, 200),
    ("GET", "/health/live", b"", {}, 200),
    ("GET", "/health/ready", b"", {}, 200),
    ("GET", "/", b"", {}, 200),
    ("GET", "/openapi.json", b"", {}, 200),
    ("POST", "/chat", b"{", JSON, 400),
    ("GET", "/nothing-here", b"", {}, 404),
    ("POST", "/nothing-here", b"{}", JSON, 404),
    ("GET", "/chat", b"", {}, 405),
    ("PUT", "/chat", b"", {}, 405),
    ("POST", "/health", b"{}", JSON, 405),
    ("POST", "/chat", b"a" * 70_000, JSON, 413),
    ("POST", "/chat", b"query=x", {"content-type": "text/plain"}, 415),
    ("POST", "/chat", b"{}", JSON, 422),
    ("POST", "/chat/stream", b'{"query":1}', JSON, 422),
]
ASKING = ("/chat", "/chat/stream", "/search")
SLUGS = {
    400: "invalid-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid-request",
    500: "internal",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Iterator[Service]:
    """Offline, searched by words; one other site may ask."""
    settings = settings_in(tmp_path_factory.mktemp("edge"), cors_origins=[SITE, "http://localhost:3000"])
    index_book(settings, book)
    with serving(settings) as running:
        yield running


@pytest.fixture(scope="module")
def broken() -> Iterator[httpx.Client]:
    """An app of the same edge whose routes have bugs."""
    app = FastAPI()
    add_edge(app, [SITE], Metrics(), credentials=False)

    @app.get("/bug")
    async def bug() -> None:
        raise ZeroDivisionError("secret-of-the-traceback")

    @app.get("/bug-in-the-middle")
    async def bug_in_the_middle() -> StreamingResponse:
        async def half() -> AsyncGenerator[str, None]:
            yield "the first half"
            raise ZeroDivisionError("secret-of-the-traceback")

        return StreamingResponse(half())

    with serving_app(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(("method", "path", "body", "headers", "status"), EVERY_KIND)
def test_every_reply_bears_an_id_of_its_own_and_cors_and_errors_are_problems(
    service: Service, method: str, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    first, second = (service.client.request(method, path, content=body, headers={**headers, "Origin": SITE}) for _ in range(2))
    assert first.status_code == status
    assert re.fullmatch("[0-9a-f]{32}", first.headers["x-request-id"])
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["access-control-allow-origin"] == SITE
    assert "origin" in first.headers["vary"].lower()
    assert "x-request-id" in first.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-credentials" not in first.headers
    if status >= 400:
        assert first.headers["content-type"] == "application/problem+json"
        problem = Problem.model_validate(first.json(), strict=True)
        assert problem.type == f"urn:ask-ai:problem:{SLUGS[status]}"
        assert problem.status == status
        assert problem.request_id == first.headers["x-request-id"]
        assert problem.retryable is False
        assert problem.detail.endswith((".", "errors."))


@pytest.mark.parametrize("identity", ["a1b2c3d4", "A-Z_a.z-0.9", "x" * 64, "0f8fad5b-d9cb-469f-a165-70867728950e"])
@pytest.mark.parametrize(("method", "path", "body", "headers", "status"), [EVERY_KIND[0], EVERY_KIND[9], EVERY_KIND[14]])
def test_a_good_request_id_comes_back_in_the_header_and_the_problem(
    service: Service, identity: str, method: str, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    reply = service.client.request(method, path, content=body, headers={**headers, "X-Request-ID": identity})
    assert reply.headers["x-request-id"] == identity
    if status >= 400:
        assert reply.json()["request_id"] == identity


@pytest.mark.parametrize(
    "identity", ["", "short", "x" * 65, "a b c d e f", "<script>alert</script>", "é" * 10, "a1b2c3d4;", "../../etc"]
)
def test_a_bad_request_id_is_replaced(service: Service, identity: str) -> None:
    reply = service.client.get("/nothing-here", headers={"X-Request-ID": identity.encode()})  # type: ignore[dict-item]
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])
    assert reply.json()["request_id"] == reply.headers["x-request-id"]


@pytest.mark.parametrize("origin", EVIL)
def test_another_origin_may_not_ask_nor_read_replies_nor_errors_nor_streams(service: Service, origin: str) -> None:
    for method, path, body, headers, status in (EVERY_KIND[0], EVERY_KIND[1], EVERY_KIND[3], EVERY_KIND[9], EVERY_KIND[16]):
        reply = service.client.request(method, path, content=body, headers={**headers, "Origin": origin})
        assert reply.status_code == (403 if path in ASKING else status)
        assert "access-control-allow-origin" not in reply.headers
        assert "access-control-allow-credentials" not in reply.headers
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflight = service.client.options("/chat", headers=asked)
    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize("path", ["/chat", "/chat/stream", "/search", "/health"])
def test_the_sites_own_origins_pass_the_preflight(service: Service, path: str) -> None:
    for origin in (SITE, "http://localhost:3000"):
        wanted = ", ".join(ALLOWED_HEADERS)
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted}
        preflight = service.client.options(path, headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == origin
        assert {"content-type", "x-request-id"} <= set(preflight.headers["access-control-allow-headers"].lower().split(", "))
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert int(preflight.headers["access-control-max-age"]) > 0
        assert preflight.headers["x-request-id"]


def test_a_header_nobody_agreed_on_does_not_pass_the_preflight(service: Service) -> None:
    asked = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-evil"}
    assert service.client.options("/chat", headers=asked).status_code == 400


def test_a_page_that_asks_without_preflight_is_never_understood(service: Service) -> None:
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"):
        headers = {"Origin": "https://evil.example", "content-type": media}
        assert service.client.post("/chat", content=b'{"query":"lamp"}', headers=headers).status_code == 415


def test_a_request_without_an_origin_gets_no_cors_headers(service: Service) -> None:
    assert "access-control-allow-origin" not in service.client.get("/health").headers


def test_credentials_and_any_origin_are_told_to_browsers_only_when_set(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path, cors_origins=[SITE], cors_allow_credentials=True)) as strict:
        assert strict.client.get("/health", headers={"Origin": SITE}).headers["access-control-allow-credentials"] == "true"
        assert "access-control-allow-origin" not in strict.client.get("/health", headers={"Origin": EVIL[1]}).headers
    with serving(settings_in(tmp_path, cors_origins=["*"])) as open_to_all:
        headers = open_to_all.client.get("/health", headers={"Origin": EVIL[1]}).headers
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in headers


def test_an_unready_service_tells_other_sites_so_and_when_to_come_back(tmp_path: Path) -> None:
    with serving(settings_in(tmp_path, cors_origins=[SITE])) as unready:
        reply = unready.client.post("/chat", json={"query": "lamp"}, headers={"Origin": SITE})
    assert reply.status_code == 503
    assert reply.headers["access-control-allow-origin"] == SITE
    assert "retry-after" in reply.headers["access-control-expose-headers"].lower()
    assert int(reply.headers["retry-after"]) >= 1
    assert Problem.model_validate(reply.json()).retryable is False


def test_a_bug_is_a_problem_that_another_site_can_read_and_that_gives_nothing_away(broken: httpx.Client) -> None:
    reply = broken.get("/bug", headers={"Origin": SITE, "X-Request-ID": "a1b2c3d4"})
    assert reply.status_code == 500
    assert reply.headers["access-control-allow-origin"] == SITE
    assert reply.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(reply.json())
    assert (problem.type, problem.request_id) == ("urn:ask-ai:problem:internal", "a1b2c3d4")
    assert "secret-of-the-traceback" not in reply.text
    assert "ZeroDivisionError" not in reply.text


def test_a_reply_that_breaks_in_the_middle_never_looks_whole(broken: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        broken.get("/bug-in-the-middle")
    assert broken.get("/bug").status_code == 500


def test_a_405_says_which_methods_are_taken(service: Service) -> None:
    assert service.client.get("/chat").headers["allow"] == "POST"
    assert service.client.put("/chat").headers["allow"] == "POST"


def test_an_address_with_a_slash_too_many_is_not_found_and_never_redirected(service: Service) -> None:
    for method, path in (("POST", "/chat/"), ("GET", "/health/"), ("POST", "/search/")):
        reply = service.client.request(method, path, content=b"{}", headers={**JSON, "Host": "evil.example"})
        assert reply.status_code == 404
        assert "location" not in reply.headers
