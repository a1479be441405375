"""HTTP/1.1 as uvicorn speaks it, guarded: deadlines for what comes in, caps on it, and one problem as the answer to the rest.

What is refused here never reaches the app, so that CORS headers and the client's own X-Request-ID are not on these answers.
After a refusal the connection is deaf: what a client sends behind it can never be taken for a request.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from re import compile as pattern
from typing import Any, cast

import httptools
from typing_extensions import override
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from chatbot_api.draining import Draining
from chatbot_api.errors import HeadersTooLarge, InvalidRequest, RequestTimeout, ServiceError, TooLarge, UriTooLong
from chatbot_api.http_refusals import refusal_on_the_wire
from chatbot_api.joined_writes import JoinedWrites
from chatbot_api.slow_readers import SlowReaderWatch

_HOST = pattern(rb"[A-Za-z0-9._~!$&'()*+,;=:%\[\]-]*")
"""RFC 3986, 3.2.2 and 3.2.3."""
LINGER_S = 0.5
"""How long a refused client's bytes are still taken off the wire, unread: a close over them would destroy the answer (RST)."""
LAST_CHANCE_S = 0.25
"""How long a request may be on its way when the server goes down: closing at once would lose it."""
SECOND_LOOK_S = 0.05
"""After a busy moment of the process, timers run before what has come in is read: the loop gets one more turn for that."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may take. Seconds are whole times: bytes that drip in extend none of them."""

    header_s: float = 5.0
    body_s: float = 10.0
    stall_s: float = 30.0
    """How long a client may take not one byte of its answer."""
    url_bytes: int = 8 * 1024
    header_count: int = 100
    header_bytes: int = 32 * 1024
    """Address, names and values, and 4 a line."""
    raw_header_bytes: int = 128 * 1024
    """Of an unfinished header block: the parser holds back a value until its end has come."""
    raw_body_bytes: int = 512 * 1024
    """Of a body on the wire, chunk sizes and trailers among it. The app's own limit is lower, but not every route reads one."""
    pipelined: int = 32
    """Requests that wait behind the one being answered; those beyond are left unread."""


class _Phase(Enum):
    BETWEEN = auto()
    HEADERS = auto()
    BODY = auto()


class GuardedHttp(HttpToolsProtocol):
    """One connection. To be made by the server: ``functools.partial(GuardedHttp, limits=..., draining=...)``."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        draining: Draining,
    ) -> None:
        """``limits``: what is taken. ``draining``: whether an answer is its connection's last."""
        super().__init__(config, server_state, app_state, _loop)
        self._limits, self._draining = limits, draining
        self._phase = _Phase.BETWEEN
        self._timer: asyncio.TimerHandle | None = None
        self._reader: SlowReaderWatch | None = None
        self._is_deaf = False
        self._refusal: ServiceError | None = None
        self._last_answer = b""
        self._raw_bytes, self._is_counted_anew = 0, False
        self._header_bytes, self._header_count = 0, 0

    # --- the connection

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._reader = SlowReaderWatch(transport, self.loop, self._limits.stall_s)
        self.transport = JoinedWrites(transport, self.loop)
        self._expect_within(self._limits.header_s)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        self._unset_keepalive_if_required()
        if self._reader is not None:
            self._reader.end()
        super().connection_lost(exc)

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        if self._reader is not None:
            self._reader.begin()

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reader is not None:
            self._reader.end()

    @override
    def shutdown(self) -> None:
        """Close as soon as nothing is under way; a request whose headers are still coming is answered too."""
        if self._phase is _Phase.BETWEEN and self._is_idle:
            self._wait_for_next(LAST_CHANCE_S)
        elif self._phase is not _Phase.HEADERS:
            super().shutdown()

    @property
    def _is_idle(self) -> bool:
        """Whether no request waits for its answer. The newest is answered last."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request; uvicorn's annotation hides it
        return cycle is None or cycle.response_complete or cycle.disconnected

    @property
    def _parsing(self) -> httptools.HttpRequestParser:
        return cast("httptools.HttpRequestParser", self.parser)  # None once the connection is lost; nothing comes in then

    # --- what comes in

    @override
    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._unset_keepalive_if_required()
        if self._is_idle and self._timer is None:
            self._expect_within(self._limits.header_s)
        self._is_counted_anew = False
        try:
            self._parsing.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Answered as if it had not asked for another protocol; what follows may be in that.
            self._is_deaf, self.cycle.keep_alive = True, False
            return
        except httptools.HttpParserError:
            if not self._is_deaf:
                self._refuse(self._refusal or InvalidRequest())
            return
        if not self._is_counted_anew:
            self._raw_bytes += len(data)
        if self._phase is _Phase.HEADERS and self._raw_bytes > self._limits.raw_header_bytes:
            self._refuse(HeadersTooLarge())
        elif self._phase is _Phase.BODY and self._raw_bytes > self._limits.raw_body_bytes:
            self._refuse(TooLarge())
        elif self._phase is _Phase.BETWEEN and self._is_idle and self._timer is None and self.timeout_keep_alive_task is None:
            self._wait_for_next(self.timeout_keep_alive)

    def _count_anew(self) -> None:
        # Per message, not per connection: the raw count of a long-lived one would pass any cap.
        self._raw_bytes, self._is_counted_anew = 0, True

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase = _Phase.HEADERS
        self._header_bytes, self._header_count = 0, 0
        self._count_anew()
        if self._timer is None:
            self._expect_within(self._limits.header_s)

    @override
    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.url_bytes:
            self._stop_parsing(UriTooLong())

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._header_bytes += len(name) + len(value) + 4
        if self._header_count > self._limits.header_count:
            self._stop_parsing(HeadersTooLarge())
        if self._header_bytes + len(self.url) > self._limits.header_bytes:
            self._stop_parsing(HeadersTooLarge())
        if self._phase is _Phase.HEADERS:  # a trailer is counted and dropped: the app has its headers already
            super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or not all(_HOST.fullmatch(host) for host in hosts):
            self._stop_parsing(InvalidRequest())
        version = self._parsing.get_http_version()
        if version not in ("1.0", "1.1") or (version == "1.1" and not hosts):
            self._stop_parsing(InvalidRequest())
        if len(self.pipeline) >= self._limits.pipelined:
            self._is_deaf, self.cycle.keep_alive = True, False
            self._expect_nothing()
            self._stop_parsing(InvalidRequest())
        super().on_headers_complete()
        self._phase = _Phase.BODY
        self._count_anew()
        if self._draining.begun:
            self.cycle.keep_alive = False
        self._expect_within(self._limits.body_s)

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._phase = _Phase.BETWEEN
        self._expect_nothing()

    def _stop_parsing(self, refusal: ServiceError) -> None:
        """Leave the parser; ``data_received`` refuses."""
        self._refusal = refusal
        raise ValueError(refusal.slug)

    # --- deadlines

    def _expect_within(self, seconds: float) -> None:
        self._expect_nothing()
        self._timer = self.loop.call_later(seconds, self._on_maybe_late)

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait_for_next(self, seconds: float) -> None:
        """Close unless something comes; uvicorn's own timer between two requests."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    @override
    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(SECOND_LOOK_S, super().timeout_keep_alive_handler)

    def _on_maybe_late(self) -> None:
        self._timer = self.loop.call_later(SECOND_LOOK_S, self._on_late)

    def _on_late(self) -> None:
        self._timer = None
        if self.flow.read_paused:
            self._expect_within(self._limits.body_s)  # it is the app that did not take it yet
        elif self._phase is _Phase.BETWEEN:
            self.transport.close()  # nothing was asked: browsers open connections they may never need
        else:
            self._refuse(RequestTimeout())

    # --- refusals

    def _refuse(self, refusal: ServiceError) -> None:
        """Answer the request that is coming in, after those before it, and hear no more. Once it was answered: just close."""
        self._is_deaf = True
        self._expect_nothing()
        waits = not self._is_idle
        if self._phase is _Phase.BODY:
            cycle = self.cycle
            if cycle.response_complete:
                self._leave()
                return
            cycle.disconnected = True  # the app sends nothing more, and learns that nobody listens
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
            waits = bool(self.pipeline) and self.pipeline[0][0] is cycle
            if waits:
                self.pipeline.popleft()
        is_head = self._parsing.get_method() == b"HEAD"
        answer = refusal_on_the_wire(refusal, self.server_state.default_headers, bodiless=is_head)
        if waits:
            self._last_answer = answer
        else:
            self.transport.write(answer)
            self._leave()

    @override
    def on_response_complete(self) -> None:
        cast("JoinedWrites", self.transport).flush()
        was_last = not self.pipeline
        super().on_response_complete()
        if was_last and self._last_answer and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self.transport.write(self._last_answer)
            self._leave()

    def _leave(self) -> None:
        """Say that no more comes, and close once the client had time to read that."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
            self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()
