"""Clients that take their time: to send, to read, or to go. Short limits here; the numbers in force are those of ``Limits``."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi import Response

from chatbot_api.guarded_http import Limits
from guarded_service import PIECE, guarded, slow_app
from held_connections import hold
from rounds_of_shutdown import SLOW_APP, started
from wire_client import asking, exchange, request

QUICK = Limits(header_s=0.6, body_s=0.9, stall_s=0.8)
LIVE = request("GET", "/live")
POST = asking(b"x" * 100, target="/read")
HALF_A_BODY = POST[:-50]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with guarded(slow_app(), limits=QUICK) as address:
        yield address


@contextmanager
def connected(url: str, receive_buffer: int = 0) -> Iterator[socket.socket]:
    address = urlsplit(url)
    with socket.socket() as connection:
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(10)
        connection.connect((address.hostname, address.port))
        yield connection


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server closes; a reset ends it too."""
    came = b""
    try:
        while piece := connection.recv(65_536):
            came += piece
    except ConnectionError:
        pass
    return came


def dripped(connection: socket.socket, raw: bytes, every_s: float = 0.05) -> tuple[float, bytes]:
    """Send a byte at a time until the server closes. Seconds that took, and what came."""
    started, came = time.monotonic(), b""
    connection.setblocking(False)
    for byte in raw:
        try:
            connection.send(bytes([byte]))
            while piece := connection.recv(65_536):
                came += piece
            break
        except BlockingIOError:
            time.sleep(every_s)
        except ConnectionError:
            break
    return time.monotonic() - started, came


@pytest.mark.parametrize("start", [b"GET /live HTT", b"GET /live HTTP/1.1\r\nHost: h\r\nX-A: ", LIVE[:-2]])
def test_headers_that_do_not_end_are_answered_408_in_time(url: str, start: bytes) -> None:
    started = time.monotonic()
    with connected(url) as connection:
        connection.sendall(start)
        came = all_of(connection)
    assert came.startswith(b"HTTP/1.1 408 ")
    assert b"urn:ask-ai:problem:request-timeout" in came
    assert b'"retryable":true' in came
    assert came.count(b"HTTP/1.1") == 1
    assert QUICK.header_s - 0.1 < time.monotonic() - started < QUICK.header_s + 1


def test_a_body_that_does_not_end_is_answered_408_in_time_and_once(url: str) -> None:
    started = time.monotonic()
    with connected(url) as connection:
        connection.sendall(HALF_A_BODY)
        came = all_of(connection)
    assert came.startswith(b"HTTP/1.1 408 ")
    assert came.count(b"HTTP/1.1") == 1
    assert QUICK.body_s - 0.1 < time.monotonic() - started < QUICK.body_s + 1


@pytest.mark.parametrize(
    ("raw", "limit_s"),
    [
        (request("GET", "/live", b"", "X-A: " + "a" * 500), QUICK.header_s),
        (b"\r\n" * 500 + LIVE, QUICK.header_s),
        (b"GET /live HTTP/1.1\r\n" + b"A: b\r\n" * 90 + b"\r\n", QUICK.header_s),
    ],
    ids=["a value", "blank lines", "headers"],
)
def test_bytes_that_drip_in_do_not_extend_the_time_for_headers(url: str, raw: bytes, limit_s: float) -> None:
    with connected(url) as connection:
        took_s, came = dripped(connection, raw)
    assert took_s < limit_s + 2
    assert b" 200 " not in came


def test_bytes_that_drip_in_do_not_extend_the_time_for_a_body(url: str) -> None:
    for framing in ("Content-Length: 500", "Transfer-Encoding: chunked"):
        with connected(url) as connection:
            connection.sendall(asking(b"", framing, target="/read"))
            took_s, came = dripped(connection, b"1\r\nx\r\n" * 80)
        assert QUICK.body_s - 0.1 < took_s < QUICK.body_s + 2
        assert came.startswith(b"HTTP/1.1 408 ") or came == b""


def test_blank_lines_do_not_keep_an_idle_connection_open(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(LIVE)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
        took_s, came = dripped(connection, b"\r\n" * 100)
    assert took_s < QUICK.header_s + 2
    assert came == b""


def test_a_connection_that_asks_nothing_is_closed_without_a_word(url: str) -> None:
    started = time.monotonic()
    with connected(url) as connection:
        assert all_of(connection) == b""
    assert time.monotonic() - started < QUICK.header_s + 1


def test_an_idle_connection_is_closed_after_five_seconds(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(LIVE)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
        idle_since = time.monotonic()
        assert all_of(connection) == b""
    assert 4.5 < time.monotonic() - idle_since < 6


def test_an_answer_that_takes_longer_than_any_of_these_limits_is_not_cut(url: str) -> None:
    for raw in (request("GET", "/wait/1.5"), asking(b"x" * 100, target="/read-late/1.5")):
        (answer,) = exchange(url, raw).answers
        assert answer.status == 200


def test_a_slow_request_behind_another_waits_for_its_answer_before_it_is_refused(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(request("GET", "/wait/1.2") + LIVE[:-2])
        came = all_of(connection)
    assert re.findall(rb"HTTP/1.1 (\d+) ", came) == [b"200", b"408"]


def test_a_large_body_that_the_app_reads_late_is_not_taken_for_a_slow_one(url: str) -> None:
    (answer,) = exchange(url, asking(b"x" * 65_000, target="/read-late/1.5")).answers
    assert (answer.status, answer.json()) == (200, {"bytes": 65_000})


# --- readers


def test_a_reader_who_takes_nothing_is_cut_and_little_is_made_for_them() -> None:
    app = slow_app()
    with guarded(app, limits=QUICK) as url, connected(url, receive_buffer=4_096) as connection:
        connection.sendall(request("GET", "/flood/100000"))
        assert connection.recv(12) == b"HTTP/1.1 200"
        end = time.monotonic() + QUICK.stall_s + 4
        made = -1
        while made != app.state.pieces and time.monotonic() < end:  # the system's own buffers fill first
            made = app.state.pieces
            time.sleep(0.3)
        assert made * len(PIECE) < 16 * 2**20
        time.sleep(QUICK.stall_s + 1)
        assert app.state.pieces == made
        came = all_of(connection)
    assert len(came) <= made * len(PIECE) + 100_000
    assert not came.endswith(b"0\r\n\r\n"), "a cut answer looks whole"


def test_a_reader_who_takes_a_little_now_and_then_is_left_alone(url: str) -> None:
    with connected(url, receive_buffer=4_096) as connection:
        connection.sendall(request("GET", "/flood/600"))
        end, taken = time.monotonic() + QUICK.stall_s * 3, 0
        while time.monotonic() < end:
            taken += len(connection.recv(100_000))
            time.sleep(0.02)
        rest = all_of(connection)
    assert taken + len(rest) > 600 * len(PIECE)


def test_who_does_not_read_a_whole_answer_cannot_hold_its_connection_open() -> None:
    """The answer is over and only unsent: nothing else looks at such a connection."""
    app = slow_app()
    large = b"x" * 30_000_000
    app.add_api_route("/large", lambda: Response(large), methods=["GET"])
    with guarded(app, limits=QUICK) as url, connected(url, receive_buffer=4_096) as connection:
        connection.sendall(request("GET", "/large", b"", "Connection: close"))
        time.sleep(QUICK.stall_s * 2 + 1)
        assert len(all_of(connection)) < len(large)


# --- many of them


@pytest.mark.alone
def test_hundreds_of_slow_clients_keep_nobody_waiting(tmp_path: Path) -> None:
    """A small version of benchmarks/slow_clients.py."""
    limits = {"headers": 4.0, "body": 5.0, "readers": 3.0}
    set_to = dict(zip(("HEADER_S", "BODY_S", "STALL_S"), map(str, limits.values()), strict=True))
    with started(SLOW_APP, tmp_path, "/live", LOG_LEVEL="error", **set_to) as (process, url):
        seen = hold(url, process.pid, dict.fromkeys(limits, 200), "/flood/40", "/live", 12)
    assert seen.opened == dict.fromkeys(limits, 200)
    assert seen.not_answered == 0
    assert seen.percentile(0.99) < 100, "milliseconds"
    for kind, allowed_s in limits.items():
        assert seen.gone_after_s[kind] < allowed_s + 1


def test_two_hundred_readers_who_read_nothing_cost_little(tmp_path: Path) -> None:
    with started(SLOW_APP, tmp_path, "/live", LOG_LEVEL="error", STALL_S="2") as (process, url):
        seen = hold(url, process.pid, {"readers": 200}, "/flood/40", "/live", 6)
    assert seen.gone_after_s["readers"] < 3
    assert seen.rss_most_mib - seen.rss_before_mib < 20
