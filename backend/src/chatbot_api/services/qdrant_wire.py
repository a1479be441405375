"""A Qdrant server's REST interface over the process' own session: JSON there and back, and failures by our names.

The client takes 0.7 s of CPU and 59 MB to import, and makes pydantic models of all that it sends and reads, over an HTTP stack of
many layers. It stays the oracle: tests compare what both send, and what both read of the same bytes (ADR 0021).
"""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from chatbot_api.errors import SearchBadResponse, SearchError, SearchUnavailable
from chatbot_api.services.qdrant_errors import LONGEST_CAUSE, refused
from chatbot_api.services.trusted_roots import trusted_roots

IDLE_S = 50.0
"""A connection that nobody uses is closed after so long: before proxies do, mostly after 60 s, maybe as it is used again."""
LONGEST_REFUSAL = 64 * 1024
"""Bytes of an error reply that are read."""
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)
"""What reading a reply of another shape raises."""
_BROKEN = (aiohttp.ClientPayloadError, aiohttp.ClientResponseError)
"""Replies that break off, and such as are no HTTP."""
_NO_LIMIT = aiohttp.ClientTimeout(total=None)


class QdrantWire:
    """One session with a server. Needs a running event loop; close it at the end. A cancelled call ends its connection."""

    def __init__(self, url: str, api_key: str) -> None:
        """``url``: of the server, with its port."""
        # As the client: its roots, and the proxies of the environment.
        trusted = trusted_roots() if url.startswith("https") else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted, keepalive_timeout=IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        self._base, self._proxy = url.rstrip("/"), _proxy_to(url)
        # Unpacking a reply of 40 kB takes longer than sending it.
        self._headers = {"Accept-Encoding": "identity"}
        if api_key:
            self._headers["api-key"] = api_key
        self._with_body = {**self._headers, "Content-Type": "application/json"}

    def address(self, path: str) -> URL:
        """Where a verb is asked. ``path``: from the root of the interface, with its slash."""
        return URL(self._base + path)

    async def get(self, address: URL, silence_s: float | None = None) -> bytes:
        """As ``post``, without a body."""
        return await self._said("GET", address, None, silence_s)

    async def post(self, address: URL, body: bytes, silence_s: float | None = None) -> bytes:
        """The reply's body. Raises SearchError.

        ``silence_s``: a server that takes longer to be reached, or to say anything, is unavailable. None: who asks has a
        deadline.
        """
        return await self._said("POST", address, body, silence_s)

    async def _said(self, method: str, address: URL, body: bytes | None, silence_s: float | None) -> bytes:
        limit = aiohttp.ClientTimeout(total=None, sock_connect=silence_s, sock_read=silence_s) if silence_s else _NO_LIMIT
        try:
            async with self._session.request(
                method,
                address,
                data=body,
                headers=self._headers if body is None else self._with_body,
                timeout=limit,
                allow_redirects=False,  # the key is for this host alone
                proxy=self._proxy,
            ) as response:
                if response.status != 200:
                    said = await response.content.read(LONGEST_REFUSAL)
                    raise refused(response.status, said.decode(errors="replace"), response.headers)
                return await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise _lost(error) from error

    async def close(self) -> None:
        """Close the session; a second time does nothing."""
        await self._session.close()


def unread(error: Exception) -> SearchBadResponse:
    """Our name for a reply of another shape. ``error``: one of UNREADABLE."""
    return SearchBadResponse(f"{type(error).__name__}: {error}"[:LONGEST_CAUSE])


def _lost(error: Exception) -> SearchError:
    """Our name for what happened on the way."""
    cause = f"{type(error).__name__}: {error}"[:LONGEST_CAUSE]
    return SearchBadResponse(cause) if isinstance(error, _BROKEN) else SearchUnavailable(cause)


def _proxy_to(url: str) -> str | None:
    """The environment's proxy for a server, if any."""
    address = urlsplit(url)
    proxies = getproxies()
    if not address.hostname or proxy_bypass(address.hostname):
        return None
    return proxies.get(address.scheme) or proxies.get("all")
