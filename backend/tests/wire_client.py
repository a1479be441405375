"""A raw HTTP/1.1 client: sends exactly the bytes it is given and reads every answer to its end, so that one too many is seen."""

import json
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LIMIT_S = 5.0
"""Longest wait for an answer, its last byte included."""
SILENCE_S = 0.02
"""After an answer: how long a second one is listened for."""


@dataclass(frozen=True)
class Answer:
    """One response as it came over the wire."""

    status: int
    headers: list[tuple[str, str]]
    """Names in lower case, in their order."""
    body: bytes
    raw: bytes

    def header(self, name: str) -> str:
        """The only header of this name; empty when there is none."""
        values = [value for found, value in self.headers if found == name]
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else ""

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Exchange:
    """All that came back on one connection."""

    answers: list[Answer]
    rest: bytes
    """What came after the last whole answer."""
    was_reset: bool
    """The server dropped the connection instead of ending it."""


def exchange(url: str, *pieces: bytes, limit_s: float = LIMIT_S) -> Exchange:
    """Send the pieces and read what comes back until the server is silent. TimeoutError when it does not answer in time."""
    asks_for_heads = pieces[0].startswith(b"HEAD ")
    end = time.monotonic() + limit_s
    address = urlsplit(url)
    with closing(socket.create_connection((address.hostname or "", address.port or 80), timeout=limit_s)) as connection:
        taken, was_reset = b"", False
        try:
            for piece in pieces:
                connection.sendall(piece)
        except ConnectionError:
            was_reset = True
        while True:
            answers, rest = _answers(taken, asks_for_heads, is_over=False)
            patience_s = SILENCE_S if answers and not rest else end - time.monotonic()
            if patience_s <= 0:
                raise TimeoutError(f"no end of the answer after {limit_s} s: {taken[:200]!r}")
            connection.settimeout(patience_s)
            try:
                if not (received := connection.recv(65536)):
                    break
                taken += received
            except TimeoutError:
                if answers and not rest:
                    return Exchange(answers, rest, was_reset)
                raise
            except ConnectionError:
                was_reset = True
                break
        return Exchange(*_answers(taken, asks_for_heads, is_over=True), was_reset)


def request(method: str, target: str, body: bytes = b"", *lines: str, host: str = "127.0.0.1") -> bytes:
    """A well-formed request; ``lines`` are further header lines. A body gets its Content-Length."""
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def asking(body: bytes, *lines: str, target: str = "/chat", content_type: str = "application/json") -> bytes:
    """A POST of these bytes as JSON."""
    return request("POST", target, body, f"Content-Type: {content_type}", *lines)


def _answers(taken: bytes, asks_for_heads: bool, *, is_over: bool) -> tuple[list[Answer], bytes]:
    """The whole answers at the beginning of what was taken, interim ones (1xx) left out, and the bytes behind them."""
    answers: list[Answer] = []
    while taken:
        head, blank, rest = taken.partition(b"\r\n\r\n")
        if not blank:
            break
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        whole = (b"", rest) if asks_for_heads else _body(status, dict(headers), rest, is_over=is_over)
        if whole is None:
            break
        body, after = whole
        if status >= 200:
            answers.append(Answer(status, headers, body, taken[: len(taken) - len(after)]))
        taken = after
    return answers, taken


def _body(status: int, headers: dict[str, str], rest: bytes, *, is_over: bool) -> tuple[bytes, bytes] | None:
    """The body and what follows it; None while it is not whole."""
    if status < 200 or status in (204, 304):
        return b"", rest
    if headers.get("transfer-encoding") == "chunked":
        return _chunks(rest)
    if "content-length" in headers:
        length = int(headers["content-length"])
        return (rest[:length], rest[length:]) if len(rest) >= length else None
    return (rest, b"") if is_over else None


def _chunks(rest: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        size_line, line_end, rest = rest.partition(b"\r\n")
        if not line_end:
            return None
        size = int(size_line.split(b";")[0], 16)
        if len(rest) < size + 2:
            return None
        body, rest = body + rest[:size], rest[size + 2 :]
        if size == 0:
            return body, rest
