"""Searches a Qdrant server over REST: the batch as JSON over the process' own session.

The client makes pydantic models of each query and each point, over an HTTP stack of many layers: five times the CPU. It stays for
all but the search, and as the oracle: tests compare what both send, and what both read of the same bytes (ADR 0021).
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from pydantic_core import from_json, to_json
from yarl import URL

from chatbot_api.errors import SearchBadResponse, SearchError, SearchUnavailable
from chatbot_api.models.index_models import passage_from_payload
from chatbot_api.services.qdrant_errors import LONGEST_CAUSE, refused
from chatbot_api.services.qdrant_search import MOST_RESCORED, PAYLOAD, Found, Search
from chatbot_api.services.ranking import CANDIDATES

IDLE_S = 60.0
"""A connection that nobody uses is closed after so long."""
LONGEST_REFUSAL = 64 * 1024
"""Bytes of an error reply that are read."""
_UNREADABLE = (aiohttp.ClientPayloadError, aiohttp.ClientResponseError)
"""Replies that break off, and such as are no HTTP."""
_NO_LIMIT = aiohttp.ClientTimeout(total=None)  # who waits has a deadline
_PAYLOAD = to_json(PAYLOAD).decode()


class RestSearch:
    """The searches of one collection. Needs a running event loop; close it at the end."""

    def __init__(self, url: str, api_key: str, collection: str, *, rrf_k: int) -> None:
        """``url``: of the server, with its port. ``collection``: or its alias. ``rrf_k``: constant of the fusion."""
        # As the client: its roots, and the proxies of the environment.
        trusted = httpx.create_ssl_context() if url.startswith("https") else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted, keepalive_timeout=IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        self._url, self._proxy = URL(f"{url.rstrip('/')}/collections/{collection}/points/query/batch"), _proxy_to(url)
        # Unpacking a reply of 40 kB takes longer than sending it.
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if api_key:
            self._headers["api-key"] = api_key
        self._fusion = f'{{"rrf":{{"k":{rrf_k}}}}}'

    async def found(self, search: Search) -> Found:
        """What the server found. Raises SearchError."""
        try:
            async with self._session.post(
                self._url,
                data=_body(search, self._fusion),
                headers=self._headers,
                timeout=_NO_LIMIT,
                allow_redirects=False,  # the key is for this host alone
                proxy=self._proxy,
            ) as response:
                if response.status != 200:
                    said = await response.content.read(LONGEST_REFUSAL)
                    raise refused(response.status, said.decode(errors="replace"), response.headers)
                said = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise _lost(error) from error
        return _read(search, said)

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()


def _body(search: Search, fusion: str) -> bytes:
    """The batch; the vector, which it bears three times, is written once."""
    must = [{"key": key, "match": {"value": value}} for key, value in search.conditions.items()]
    narrowed = f',"filter":{to_json({"must": must}).decode()}' if must else ""
    arms: list[str] = []
    rest: list[str] = []
    nearest = ""
    if search.vector is not None:
        nearest = f'"query":{{"nearest":{to_json(search.vector).decode()}}},"using":"dense"'
        arms.append(f'{{{nearest}{narrowed},"limit":{CANDIDATES}}}')
    if search.words.indices:
        of_words = f'{{{_sparse(search.words.indices, search.words.values)}{narrowed},"limit":{CANDIDATES}}}'
        arms.append(of_words)
        rest.append(of_words)
    fused = f'"prefetch":[{",".join(arms)}],"query":{fusion},"limit":{search.limit}'
    if nearest:
        rest.append(f'{{"prefetch":[{{{fused}}}],{nearest},"limit":{MOST_RESCORED}}}')
    rest += [f'{{{_sparse([word], [1.0])}{narrowed},"limit":1}}' for word in search.alone]
    return f'{{"searches":[{{{fused},"with_payload":{_PAYLOAD}}},{",".join(rest)}]}}'.encode()


def _sparse(indices: Sequence[int], values: Sequence[float]) -> str:
    return f'"query":{to_json({"indices": indices, "values": values}).decode()},"using":"bm25"'


def _read(search: Search, said: bytes) -> Found:
    try:
        lists: list[list[Mapping[str, Any]]] = [one["points"] for one in from_json(said)["result"]]
        fused = [(passage_from_payload(str(point["id"]), point.get("payload")), float(point["score"])) for point in lists[0]]
        scored = [{str(point["id"]): float(point["score"]) for point in points} for points in lists[1:]]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise SearchBadResponse(f"{type(error).__name__}: {error}"[:LONGEST_CAUSE]) from error
    return Found.of(search, fused, scored)


def _lost(error: Exception) -> SearchError:
    """Our name for what happened on the way."""
    cause = f"{type(error).__name__}: {error}"[:LONGEST_CAUSE]
    return SearchBadResponse(cause) if isinstance(error, _UNREADABLE) else SearchUnavailable(cause)


def _proxy_to(url: str) -> str | None:
    """The environment's proxy for a server, if any."""
    address = urlsplit(url)
    proxies = getproxies()
    if not address.hostname or proxy_bypass(address.hostname):
        return None
    return proxies.get(address.scheme) or proxies.get("all")
