"""HTTP for blocking calls in threads: who waits for one may cut it, by shutting its connection down under it.

A thread can't be cancelled, but its read returns when the connection ends. Only a name look-up, connecting and the TLS handshake
can't be cut: the time-out of the request bounds those.
"""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_here = threading.local()
_owning = threading.Lock()
"""Of the field ``call`` of all connections: a pooled one may be another call's by the time its last one is cut."""


class HttpRefusal(Exception):
    """A reply with another status than 200 to 299. A redirection is one too: the key is for one host alone."""

    def __init__(self, status: int, body: Any, headers: dict[str, str], text: str) -> None:
        """``body``: the parsed JSON, None where it is none."""
        super().__init__(f"{status} {text}")
        self.status, self.body, self.headers = status, body, headers


class CallCut(Exception):
    """Who waited for this call is gone."""


class Call:
    """One blocking call: what runs inside ``here`` in its thread may be cut from any other."""

    def __init__(self) -> None:
        self._connection: _Cuttable | None = None
        self._is_cut = False

    @contextmanager
    def here(self) -> Generator[None, None, None]:
        """The requests of this thread are of this call."""
        _here.call = self
        try:
            yield
        finally:
            del _here.call
            with _owning:
                if self._connection and self._connection.call is self:
                    self._connection.call = None

    def take(self, connection: "_Cuttable") -> None:
        """The connection is used for this call from now on. Raises CallCut."""
        with _owning:
            if self._is_cut:
                raise CallCut
            connection.call, self._connection = self, connection

    def cut(self) -> None:
        """End the call: its read returns, and what it asks for next is refused."""
        with _owning:
            self._is_cut = True
            if self._connection and self._connection.call is self:
                self._connection.shut()


class _Cuttable(HTTPConnection):
    call: Call | None = None
    wire: socket | None = None
    """The socket: ``sock`` is let go of when a reply is to be the connection's last."""

    def connect(self) -> None:
        super().connect()
        self.wire = self.sock
        self._take()

    def request(self, *args: Any, **values: Any) -> None:
        self._take()
        super().request(*args, **values)

    def _take(self) -> None:
        call: Call | None = getattr(_here, "call", None)
        if call is not None:
            call.take(self)

    def shut(self) -> None:
        if self.wire is not None:
            with suppress(OSError):  # closed already
                socket.shutdown(self.wire, SHUT_RDWR)


class _CuttableTls(_Cuttable, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls: Any = _Cuttable


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls: Any = _CuttableTls


class _Reply(requests.Response):
    def iter_content(  # pyright: ignore[reportIncompatibleMethodOverride] - it is overloaded
        self, chunk_size: int | None = 1, decode_unicode: Any = False
    ) -> Iterator[Any]:
        """What came, as it comes: by single characters, as the SDK asks for it, takes four times as long."""
        return super().iter_content(None if chunk_size == 1 else chunk_size, decode_unicode)


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **values: Any) -> None:
        super().init_poolmanager(*args, **values)
        pools: dict[str, Any] = {"http": _Pool, "https": _TlsPool}
        self.poolmanager.pool_classes_by_scheme = pools

    def close(self) -> None:
        for key in self.poolmanager.pools.keys():  # noqa: SIM118 - it is no dict: it has no iterator
            self.poolmanager.pools[key].close()  # else they are closed when they are collected
        super().close()

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        reply = super().build_response(req, resp)
        reply.__class__ = _Reply  # HTTPAdapter makes it by name
        return reply


def make_cuttable(session: requests.Session, headers: dict[str, str], connections: int) -> None:
    """From now on its calls can be cut, and use no proxy and no password of the environment, no redirections and no retries.

    ``connections``: kept open, at most. Its calls raise HttpRefusal, and what requests and urllib3 raise.
    """
    session.trust_env = False
    session.headers.update(headers)
    session.hooks["response"].append(_refuse)
    adapter = _Adapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)


def _refuse(reply: requests.Response, **_: Any) -> None:
    if reply.ok and not reply.is_redirect:
        return
    try:
        body = reply.json()
    except ValueError:
        body = None
    raise HttpRefusal(reply.status_code, body, dict(reply.headers), reply.text)
