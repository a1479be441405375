"""A web server for a site that lives in a dictionary, on a socket of its own; it counts who asks for what."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from urllib.parse import unquote

HTML = {"Content-Type": "text/html; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: HTML)
    drip_s: float = 0
    """Time between two bytes of the body."""


Route = Answer | Callable[[int], Answer]
"""What is answered; a function is told how often the path was asked for before."""


@dataclass
class SiteServer:
    url: str
    routes: dict[str, Route] = field(default_factory=dict[str, Route])
    """Raw path -> answer; what is missing is answered by 404."""
    asked: list[str] = field(default_factory=list[str])
    asked_at: list[float] = field(default_factory=list[float])
    agents: set[str] = field(default_factory=set[str])
    now: int = 0
    most_at_once: int = 0
    slow_s: float = 0
    """Time every answer takes."""

    @property
    def sitemap_url(self) -> str:
        return f"{self.url}/sitemap.xml"

    def list_pages(self, *addresses: str, at: str = "/sitemap.xml") -> None:
        """A sitemap at ``at`` with these addresses; those that are paths get the server's own."""
        full = (address if "://" in address else self.url + address for address in addresses)
        rows = "".join(f"<url><loc>{address}</loc></url>" for address in full)
        self.routes[at] = Answer(f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</urlset>')


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle of a body is what some tests are about: no traceback for it."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def site_server() -> Iterator[SiteServer]:
    """The running server."""
    lock = threading.Lock()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(self.path)
            with lock:
                times = site.asked.count(path)
                site.asked.append(path)
                site.asked_at.append(monotonic())
                site.agents.add(self.headers.get("User-Agent", ""))
                site.now += 1
                site.most_at_once = max(site.most_at_once, site.now)
            over.wait(site.slow_s)
            route = site.routes.get(path, Answer("nothing here", 404))
            try:
                self._send(route(times) if callable(route) else route)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with lock:
                    site.now -= 1

        def _send(self, answer: Answer) -> None:
            body = answer.body.encode() if isinstance(answer.body, str) else answer.body
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            for start in range(len(body)) if answer.drip_s else ():
                self.wfile.write(body[start : start + 1])
                self.wfile.flush()
                if over.wait(answer.drip_s):
                    return
            if not answer.drip_s:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    site = SiteServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        over.set()
        server.shutdown()
        thread.join(5)
        server.server_close()
