"""Fetches documents of one site and of no other: scheme, host and port are those it was made for, redirects included.

It keeps to robots.txt (RFC 9309), asks one site slowly, and takes no more bytes and seconds than it was given.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from urllib.robotparser import RobotFileParser

import httpx

USER_AGENT = "ask-ai-indexer"
MOST_REDIRECTS = 5
MOST_WAIT_S = 30.0
"""Longest wait a server's Retry-After or a Crawl-delay is granted."""
_DEFAULT_WAIT_S = 1.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRY_AGAIN = frozenset({429, 503})


class NotFetched(Exception):
    """The document can't be had; the message is the reason."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        """``status``: the HTTP status, when the server gave one."""
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document as it was served."""

    url: httpx.URL
    """Where it was found, after redirects."""
    content: bytes
    media_type: str
    """Lower case, without parameters."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    location: str
    retry_after: str
    media_type: str
    content: bytes


class SiteClient:
    """A client of the site that ``start`` belongs to."""

    def __init__(self, start: httpx.URL, client: httpx.AsyncClient, *, delay_s: float, most_seconds: float) -> None:
        """``delay_s``: least time between two requests; ``most_seconds``: for one request, its body included."""
        self._origin = _origin(start)
        self._client = client
        self._robots: RobotFileParser | None = None
        self._delay_s = delay_s
        self._most_seconds = most_seconds
        self._next_at = 0.0
        self._turn = asyncio.Lock()

    async def read_robots(self, most_bytes: int) -> None:
        """Keep to the site's robots.txt from here on; raises NotFetched when it exists but can't be read."""
        scheme, host, port = self._origin
        robots = RobotFileParser()
        try:
            found = await self.get(httpx.URL(scheme=scheme, host=host, port=port, path="/robots.txt"), most_bytes)
            robots.parse(found.content.decode("utf-8", "replace").splitlines())
        except NotFetched as error:
            if error.status is None or not 400 <= error.status < 500:
                raise
            robots.parse([])
        self._robots = robots
        self._delay_s = max(self._delay_s, min(float(robots.crawl_delay(USER_AGENT) or 0), MOST_WAIT_S))

    def why_not(self, url: httpx.URL) -> str | None:
        """Why this address may not be fetched; None when it may."""
        if _origin(url) != self._origin or url.userinfo:
            return "another site than the sitemap's: not fetched"
        if self._robots is not None and not self._robots.can_fetch(USER_AGENT, str(url)):
            return "robots.txt forbids it"
        return None

    async def get(self, url: httpx.URL, most_bytes: int) -> Fetched:
        """The document; raises NotFetched."""
        for redirects in range(MOST_REDIRECTS + 1):
            if reason := self.why_not(url):
                raise NotFetched(f"it redirects to {url}: {reason}" if redirects else reason)
            reply = await self._asked_twice(url, most_bytes)
            if reply.status not in _REDIRECTS or not reply.location:
                if reply.status != 200:
                    raise NotFetched(f"the server answered with status {reply.status}", reply.status)
                return Fetched(url, reply.content, reply.media_type)
            try:
                url = url.join(reply.location).copy_with(fragment=None)
            except httpx.InvalidURL:
                raise NotFetched("it redirects to something that is no address") from None
        raise NotFetched(f"it redirects more than {MOST_REDIRECTS} times")

    async def _asked_twice(self, url: httpx.URL, most_bytes: int) -> _Reply:
        reply = await self._ask(url, most_bytes)
        if reply.status in _TRY_AGAIN:
            await asyncio.sleep(retry_wait_s(reply.retry_after))
            reply = await self._ask(url, most_bytes)
        return reply

    async def _ask(self, url: httpx.URL, most_bytes: int) -> _Reply:
        await self._wait_for_turn()
        try:
            async with asyncio.timeout(self._most_seconds), self._client.stream("GET", url) as reply:
                content = await _body(reply, most_bytes) if reply.status_code == 200 else b""
        except TimeoutError:
            raise NotFetched(f"it took longer than {self._most_seconds:g} s") from None
        except httpx.HTTPError as error:
            raise NotFetched(f"it can't be fetched ({type(error).__name__})") from None
        headers = reply.headers
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        return _Reply(reply.status_code, headers.get("location", ""), headers.get("retry-after", ""), media_type, content)

    async def _wait_for_turn(self) -> None:
        if self._delay_s:
            async with self._turn:
                await asyncio.sleep(max(0.0, self._next_at - monotonic()))
                self._next_at = monotonic() + self._delay_s


def new_client(*, connections: int, timeout_s: float) -> httpx.AsyncClient:
    """What a SiteClient asks with: it follows no redirects by itself, and says who it is."""
    return httpx.AsyncClient(
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"},
        timeout=timeout_s,
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        follow_redirects=False,
    )


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _body(reply: httpx.Response, most_bytes: int) -> bytes:
    body = bytearray()
    async for part in reply.aiter_bytes():
        body += part
        if len(body) > most_bytes:
            raise NotFetched(f"it is larger than {most_bytes} bytes")
    return bytes(body)


def retry_wait_s(retry_after: str) -> float:
    """Seconds a Retry-After asks for, in either of its forms, at most MOST_WAIT_S."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), MOST_WAIT_S)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return _DEFAULT_WAIT_S
    seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, min(seconds, MOST_WAIT_S))
