"""The guard below the app: what it refuses, each with one problem as the connection's last answer, and what it lets pass."""

import json
from collections.abc import Iterator

import pytest

from chatbot_api.guarded_http import Limits
from chatbot_api.models.chat_models import Problem
from chatbot_api.telemetry import start_logging
from guarded_service import guarded, slow_app
from wire_client import Answer, Exchange, asking, exchange, request

LIVE = request("GET", "/live")
LIMITS = Limits()
HUGE = "X-A: " + "a" * 40_000
BAD: dict[str, tuple[bytes, int, str]] = {
    "no host": (b"GET /live HTTP/1.1\r\n\r\n", 400, "invalid-request"),
    "two hosts": (request("GET", "/live", b"", "Host: other"), 400, "invalid-request"),
    "a host that is none": (request("GET", "/live", host="a b/c@d"), 400, "invalid-request"),
    "malformed": (b"GET /live\r\n\r\n", 400, "invalid-request"),
    "an address over the limit": (request("GET", "/" + "a" * LIMITS.url_bytes), 414, "uri-too-long"),
    "an address that never ends": (b"GET /" + b"a" * 1_000_000, 414, "uri-too-long"),
    "a header over the limit": (request("GET", "/live", b"", HUGE), 431, "headers-too-large"),
    "a header that never ends": (b"GET /live HTTP/1.1\r\nX-A: " + b"a" * 1_000_000, 431, "headers-too-large"),
    "a name that never ends": (b"GET /live HTTP/1.1\r\n" + b"a" * 1_000_000, 431, "headers-too-large"),
    "headers over the limit together": (
        request("GET", "/live", b"", *(f"X-{number}: {'a' * 1000}" for number in range(40))),
        431,
        "headers-too-large",
    ),
    "a header too many": (
        request("GET", "/live", b"", *(f"X-{number}: a" for number in range(LIMITS.header_count))),
        431,
        "headers-too-large",
    ),
    "trailers over the limit": (
        asking(b"", "Transfer-Encoding: chunked", target="/read") + b"0\r\n" + HUGE.encode() + b"\r\n\r\n",
        431,
        "headers-too-large",
    ),
    "a trailer that never ends": (
        asking(b"", "Transfer-Encoding: chunked", target="/read") + b"0\r\nX-A: " + b"a" * 1_000_000,
        413,
        "too-large",
    ),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with guarded(slow_app()) as address:
        yield address


def is_last(answer: Answer, status: int, slug: str) -> None:
    """Check that the answer is this problem, and says that it is the connection's last."""
    assert (answer.status, answer.header("content-type")) == (status, "application/problem+json")
    problem = Problem.model_validate(answer.json(), strict=True)
    assert (problem.status, problem.type) == (status, f"urn:ask-ai:problem:{slug}")
    assert len(problem.request_id) == 32
    assert problem.request_id == answer.header("x-request-id")
    assert answer.header("connection") == "close"
    assert answer.header("date")
    assert answer.header("server") == ""


def statuses(came: Exchange) -> list[int]:
    assert came.rest == b""
    return [answer.status for answer in came.answers]


@pytest.mark.parametrize("bad", BAD)
def test_what_is_refused_gets_one_problem_and_the_connection_is_deaf_from_then_on(url: str, bad: str) -> None:
    raw, status, slug = BAD[bad]
    for came in (exchange(url, raw), exchange(url, raw + LIVE * 3), exchange(url, raw, LIVE, b"noise\r\n\r\n")):
        assert statuses(came) == [status]
        is_last(came.answers[0], status, slug)


@pytest.mark.parametrize("bad", BAD)
def test_requests_before_a_refused_one_are_answered_first_each_once_and_in_order(url: str, bad: str) -> None:
    raw, status, slug = BAD[bad]
    for first in (LIVE, request("GET", "/wait/0.1"), asking(b"{}", target="/read")):
        came = exchange(url, first + LIVE + raw + LIVE)
        assert statuses(came) == [200, 200, status]
        is_last(came.answers[-1], status, slug)


def test_a_refusal_of_a_head_has_no_body(url: str) -> None:
    (answer,) = exchange(url, request("HEAD", "/live", b"", HUGE)).answers
    assert answer.status == 431
    assert answer.body == b""
    assert int(answer.header("content-length")) > 0


def test_what_is_just_within_the_limits_passes(url: str) -> None:
    most = request("GET", "/live", b"", *(f"X-{number}: a" for number in range(LIMITS.header_count - 1)))
    largest = request("GET", "/live", b"", "X-A: " + "a" * (LIMITS.header_bytes - 100))
    longest = request("GET", "/live?" + "a" * (LIMITS.url_bytes - 6))
    for raw in (most, largest, longest):
        assert statuses(exchange(url, raw)) == [200]


def test_http_1_0_needs_no_host_and_an_ipv6_or_empty_one_is_one(url: str) -> None:
    assert statuses(exchange(url, b"GET /live HTTP/1.0\r\n\r\n")) == [200]
    for host in ("[::1]:8000", "", "docs.example.com:443", "_a-b.c"):
        assert statuses(exchange(url, request("GET", "/live", host=host))) == [200]


def test_a_long_lived_connection_with_large_headers_is_never_refused_for_their_sum(url: str) -> None:
    large = request("GET", "/live", b"", "Cookie: " + "c" * 8_000)
    assert statuses(exchange(url, *[large] * 30)) == [200] * 30
    halves = [piece for _ in range(30) for piece in (large[:4_000], large[4_000:])]
    assert statuses(exchange(url, *halves)) == [200] * 30


def test_requests_in_one_packet_are_answered_up_to_a_number_and_then_the_connection_ends(url: str) -> None:
    assert statuses(exchange(url, LIVE * 20)) == [200] * 20
    came = exchange(url, request("GET", "/wait/0.2") + LIVE * 5_000)
    assert statuses(came) == [200] * (1 + LIMITS.pipelined)
    assert came.answers[-1].header("connection") == "close"


def test_an_answered_request_whose_body_turns_bad_gets_no_second_answer(url: str) -> None:
    bad_chunk = asking(b"", "Transfer-Encoding: chunked", target="/nothing")
    first = exchange(url, bad_chunk + b"2\r\n{}\r\nZZ\r\n" + LIVE)
    assert len(statuses(first)) == 1
    early = asking(b"", "Content-Length: 70000", target="/read")
    came = exchange(url, early, b"x" * 70_000 + LIVE + b"\x00" * 10)
    assert statuses(came) == [413]


def test_a_body_that_nobody_reads_is_taken_up_to_a_limit(url: str) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    endless = asking(b"", "Transfer-Encoding: chunked", target="/nothing-here")
    came = exchange(url, endless, *[chunk] * 40)
    assert len(came.answers) <= 1
    assert came.rest == b""


def test_who_asks_for_another_protocol_is_answered_in_this_one_and_not_heard_again(url: str) -> None:
    for protocol in ("websocket", "h2c", "TLS/1.0"):
        raw = request("GET", "/live", b"", "Connection: Upgrade", f"Upgrade: {protocol}")
        came = exchange(url, raw + b"\x81\x85" + LIVE)
        assert statuses(came) == [200]
        assert came.answers[0].header("connection") == "close"


def test_trailers_do_not_become_headers_and_chunks_are_put_together(url: str) -> None:
    body = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nHost: evil.example\r\nX-Request-ID: smuggled-0001\r\n\r\n"
    (answer,) = exchange(url, asking(b"", "Transfer-Encoding: chunked", target="/read") + body).answers
    assert json.loads(answer.body) == {"bytes": 5}
    assert answer.header("x-request-id") != "smuggled-0001"


def test_a_refusal_is_one_log_line_without_what_was_sent(capfd: pytest.CaptureFixture[str]) -> None:
    start_logging("info")  # to this test's standard output: a test before may have left its own
    with guarded(slow_app()) as url:
        (answer,) = exchange(url, request("GET", "/canary-7731" + "a" * 9_000)).answers
    logged = capfd.readouterr().out
    assert answer.header("x-request-id") in logged
    assert "request_refused" in logged
    assert "canary-7731" not in logged
