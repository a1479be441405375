"""Who is let in, over real sockets: origin, site key, rate, in this order, refused before the first byte."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatbot_api.client_address import address_of
from chatbot_api.models.chat_models import Problem
from conftest import Service
from lantern import lantern
from lantern_fixtures import lantern_running
from redis_server import RedisServer

SITE = "https://docs.example.com"
SITE_KEY = "site-key-0123456789abcdef"
QUESTION = {"query": "How do I install Lantern with Docker?"}
RATING = {"message_id": "m_" + "0" * 22, "rating": "up"}
ASKING = [("/chat", QUESTION), ("/chat/stream", QUESTION), ("/search", QUESTION), ("/feedback", RATING)]
VISITOR = "v_" + "a" * 22
running = lantern_running(cors_origins=[SITE])
"""No rates; one other site may ask."""


@contextmanager
def limited(tmp_path: Path, book: Path, **values: Any) -> Iterator[Service]:
    """A service with what ``values`` say, and no other limit."""
    with lantern(tmp_path, book, **values) as (running, _gemini):
        yield running


def refused(reply: httpx.Response, status: int, slug: str) -> Problem:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(reply.json(), strict=True)
    assert problem.type == f"urn:ask-ai:problem:{slug}"
    return problem


# --- origin


@pytest.mark.parametrize(("path", "body"), ASKING)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{SITE}.evil.example", f"{SITE}:8443", "http://docs.example.com"]
)
def test_a_page_of_another_site_may_not_ask(service: Service, path: str, body: dict[str, Any], origin: str) -> None:
    refused(service.client.post(path, json=body, headers={"Origin": origin}), 403, "forbidden-origin")


@pytest.mark.parametrize(("path", "body"), ASKING)
def test_the_allowed_site_the_services_own_page_and_programs_may_ask(service: Service, path: str, body: dict[str, Any]) -> None:
    ways = [{"Origin": SITE}, {"Origin": service.url}, {}, {"Origin": "https://proxied.example", "Sec-Fetch-Site": "same-origin"}]
    for headers in ways:
        assert service.client.post(path, json=body, headers=headers).status_code in (200, 404)


def test_the_host_of_the_page_is_compared_without_the_schemes_own_port(service: Service) -> None:
    same = {"Origin": "https://ask.example.com", "Host": "ask.example.com:443"}
    other = {"Origin": "https://ask.example.com", "Host": "ask.example.com:8443"}
    assert service.client.post("/search", json=QUESTION, headers=same).status_code == 200
    refused(service.client.post("/search", json=QUESTION, headers=other), 403, "forbidden-origin")


def test_with_a_star_every_site_may_ask(tmp_path: Path, book: Path) -> None:
    with limited(tmp_path, book, cors_origins=["*"]) as anyone:
        assert anyone.client.post("/search", json=QUESTION, headers={"Origin": "https://any.example"}).status_code == 200


def test_what_may_be_read_by_anyone_is_not_asked_for_its_origin(service: Service) -> None:
    for path in ("/health", "/health/live", "/", "/openapi.json"):
        assert service.client.get(path, headers={"Origin": "https://evil.example"}).status_code == 200


# --- site key


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("keyed")
    with limited(folder, book, site_key=SITE_KEY, rate_limit_per_address="3/minute", cors_origins=[SITE]) as running:
        yield running


@pytest.mark.parametrize(("path", "body"), ASKING)
@pytest.mark.parametrize("key", ["", "site-key", SITE_KEY.upper(), SITE_KEY + "x", "é" * 24])
def test_without_the_site_key_nobody_asks_and_nothing_is_counted(
    keyed: Service, path: str, body: dict[str, Any], key: str
) -> None:
    reply = keyed.client.post(path, json=body, headers={"X-Site-Key": key.encode()})  # type: ignore[dict-item]
    problem = refused(reply, 401, "unauthorized")
    assert reply.headers["WWW-Authenticate"] == "X-Site-Key"
    assert SITE_KEY not in problem.model_dump_json()
    assert "RateLimit" not in reply.headers


def test_the_order_is_origin_key_rate(keyed: Service) -> None:
    evil = {"Origin": "https://evil.example"}
    refused(keyed.client.post("/search", json=QUESTION, headers=evil), 403, "forbidden-origin")
    good = {"X-Site-Key": SITE_KEY}
    assert [keyed.client.post("/search", json=QUESTION, headers=good).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused(keyed.client.post("/search", json=QUESTION), 401, "unauthorized")
    refused(keyed.client.post("/search", json=QUESTION, headers={**good, **evil}), 403, "forbidden-origin")


def test_health_and_pages_need_no_key(keyed: Service) -> None:
    assert [keyed.client.get(path).status_code for path in ("/health", "/health/live", "/")] == [200, 200, 200]


def test_the_preflight_lets_a_page_send_the_key(keyed: Service) -> None:
    asked = {"Origin": SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-site-key"}
    assert keyed.client.options("/chat", headers=asked).status_code == 200


# --- rate


def test_one_request_too_many_is_refused_with_a_time_to_come_back_and_headers_that_pages_may_read(
    tmp_path: Path, book: Path
) -> None:
    with limited(tmp_path, book, rate_limit_per_visitor="3/minute", rate_limit_per_address="9/hour", cors_origins=[SITE]) as few:
        headers = {"X-Visitor-Id": VISITOR, "Origin": SITE}
        replies = [
            few.client.post(path, json=QUESTION, headers=headers) for path in ("/chat", "/chat/stream", "/search", "/chat")
        ]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        assert replies[0].headers["RateLimit-Policy"] == '"visitor-60s";q=3;w=60, "address-3600s";q=9;w=3600'
        assert replies[0].headers["RateLimit"] == '"visitor-60s";r=2;t=60, "address-3600s";r=8;t=3600'
        last = replies[3]
        problem = refused(last, 429, "rate-limited")
        assert problem.retryable
        assert problem.retry_after == int(last.headers["Retry-After"])
        assert 55 <= problem.retry_after <= 60
        assert last.headers["RateLimit"].startswith('"visitor-60s";r=0;t=')
        assert last.headers["Access-Control-Allow-Origin"] == SITE
        exposed = last.headers["Access-Control-Expose-Headers"].lower()
        assert all(name in exposed for name in ("ratelimit", "ratelimit-policy", "retry-after"))
        assert few.client.post("/search", json=QUESTION, headers={"X-Visitor-Id": "v_" + "b" * 22}).status_code == 200


def test_reading_and_deleting_count_for_the_address_alone_and_health_for_nobody(tmp_path: Path, book: Path) -> None:
    with limited(tmp_path, book, rate_limit_per_visitor="1/minute", rate_limit_per_address="4/minute") as few:
        headers = {"X-Visitor-Id": VISITOR}
        assert [few.client.get("/health").status_code for _ in range(10)] == [200] * 10
        assert [few.client.get(path).status_code for path in ("/", "/openapi.json", "/health/ready", "/health/live")] == [200] * 4
        path = "/conversations/c_" + "0" * 22
        assert [few.client.get(path, headers=headers).status_code for _ in range(3)] == [404] * 3
        assert few.client.delete(path, headers=headers).status_code == 404
        refused(few.client.delete(path, headers=headers), 429, "rate-limited")


def test_a_question_that_is_not_valid_counts_and_takes_no_seat_away(tmp_path: Path, book: Path) -> None:
    with limited(tmp_path, book, rate_limit_per_address="3/minute", max_answers_in_flight=1) as few:
        assert [few.client.post("/chat", json={}).status_code for _ in range(2)] == [422, 422]
        assert few.ask().status_code == 200
        refused(few.ask(), 429, "rate-limited")


def test_a_thousand_spoofed_addresses_gain_nothing_where_no_proxy_is_trusted(tmp_path: Path, book: Path) -> None:
    with limited(tmp_path, book, rate_limit_per_address="20/minute") as few:
        statuses = [
            few.client.post(
                "/search", json=QUESTION, headers={"X-Forwarded-For": f"203.0.{number // 250}.{number % 250}"}
            ).status_code
            for number in range(1000)
        ]
    assert statuses == [200] * 20 + [429] * 980


def test_behind_a_proxy_readers_have_each_their_own_limit_and_what_they_claim_gains_nothing(tmp_path: Path, book: Path) -> None:
    with limited(tmp_path, book, rate_limit_per_address="5/minute", trusted_proxy_hops=1) as few:
        for reader in ("203.0.113.7", "2001:db8:1:2::7"):
            statuses = [
                few.client.post("/search", json=QUESTION, headers={"X-Forwarded-For": f"10.0.0.{number}, {reader}"}).status_code
                for number in range(20)
            ]
            assert statuses == [200] * 5 + [429] * 15
        neighbour = {"X-Forwarded-For": "2001:db8:1:2:ffff::1"}
        refused(few.client.post("/search", json=QUESTION, headers=neighbour), 429, "rate-limited")


def test_a_server_of_limits_is_used_and_told_of_in_health_when_it_is_down(tmp_path: Path, book: Path, redis: RedisServer) -> None:
    with limited(tmp_path, book, rate_limit_per_address="6/minute", limits_url=redis.url) as few:
        statuses = [few.client.post("/search", json=QUESTION).status_code for _ in range(7)]
        assert statuses == [200] * 6 + [429]
        redis.stop()
        statuses = [few.client.post("/search", json=QUESTION).status_code for _ in range(5)]
        assert statuses == [200] * 3 + [429] * 2
        health = few.client.get("/health").json()
        assert "limits: store-unavailable" in health["problems"]
        assert few.client.get("/health/ready").status_code == 200


@pytest.mark.parametrize(
    ("peer", "forwarded", "hops", "address"),
    [
        ("192.0.2.1", ["6.6.6.6"], 0, "192.0.2.1"),
        ("10.0.0.1", ["6.6.6.6, 203.0.113.9"], 1, "203.0.113.9"),
        ("10.0.0.1", ["6.6.6.6", "203.0.113.9"], 1, "203.0.113.9"),
        ("10.0.0.2", ["6.6.6.6, 203.0.113.9, 10.0.0.1"], 2, "203.0.113.9"),
        ("192.0.2.1", [], 2, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], 5, "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9:51234"], 1, "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::5]:443"], 1, "2001:db8::/64"),
        ("10.0.0.1", ["unknown"], 1, "10.0.0.1"),
        ("10.0.0.1", ["<script>, "], 1, "10.0.0.1"),
        ("2001:db8:a:b:c:d:e:f", [], 0, "2001:db8:a:b::/64"),
        ("fe80::1%eth0", [], 0, "fe80::/64"),
        ("::ffff:192.0.2.1", [], 0, "192.0.2.1"),
        (None, [], 0, "unknown"),
        (None, ["203.0.113.9"], 1, "203.0.113.9"),
        (None, ["203.0.113.9"], 0, "unknown"),
    ],
)
def test_the_address_is_what_the_outermost_trusted_proxy_saw(
    peer: str | None, forwarded: Sequence[str], hops: int, address: str
) -> None:
    assert address_of(peer, forwarded, hops) == address
