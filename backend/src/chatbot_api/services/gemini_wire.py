"""Gemini's REST API over the process' own session: what a reader waits for goes this way, past the SDK.

The SDK makes models of what it sends and reads: four times the CPU of an embedding, 16 times that of a stream's chunk. It stays
the oracle: tests compare what both send, and what both say, for the same bytes on the wire (ADR 0018, 0022).
"""

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from chatbot_api.services.trusted_roots import trusted_roots

PUBLIC_URL = "https://generativelanguage.googleapis.com"
LONGEST_REFUSAL = 64 * 1024
"""Bytes of an error reply that are read; a google.rpc.Status is one or two thousand."""
LONGEST_UNREAD = 2 * 1024 * 1024
"""Bytes of a reply that come before somebody reads them; of what is longer the rest waits at the sender."""
_NO_LIMIT = aiohttp.ClientTimeout(total=None)  # who waits has a deadline


class GeminiRefused(Exception):
    """An error reply. ``status``: of HTTP, or the code of an error in a stream, whatever that is. ``body``: parsed JSON."""

    def __init__(self, status: Any, body: Any, headers: Mapping[str, str]) -> None:
        """As it came."""
        super().__init__(f"{status}: {body}")
        self.status, self.body, self.headers = status, body, headers


class GeminiWire:
    """One session with the API, or with a gateway that speaks it. Needs a running event loop; close it at the end."""

    def __init__(self, api_key: str, base_url: str = "") -> None:
        """``base_url``: another address than Google's."""
        self.base_url = (base_url or PUBLIC_URL).rstrip("/")
        self.trusted = trusted_roots()
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=256, ssl=self.trusted),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=LONGEST_UNREAD // 2,
            trust_env=False,
        )
        self._headers = {"x-goog-api-key": api_key, "Content-Type": "application/json"}

    def address(self, model: str, verb: str) -> URL:
        """Where a model's verb is asked. ``model``: with or without ``models/``. ``verb``: with its query, if any."""
        name = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
        return URL(f"{self.base_url}/v1beta/{name}:{verb}")

    async def post(self, address: URL, body: Mapping[str, Any]) -> aiohttp.ClientResponse:
        """The reply with its body unread; leave it by ``async with``. Raises GeminiRefused, aiohttp's errors, OSError.

        Redirections are not followed: the key is for this host alone.
        """
        response = await self.session.post(
            address, data=json.dumps(body).encode(), headers=self._headers, timeout=_NO_LIMIT, allow_redirects=False
        )
        if response.status == 200:
            return response
        async with response:
            raise GeminiRefused(response.status, await _refusal(response), response.headers)

    async def close(self) -> None:
        """Close the session."""
        await self.session.close()


async def _refusal(response: aiohttp.ClientResponse) -> Any:
    """What an error reply says, parsed; the text of one that is no JSON, such as a proxy's."""
    text = b""
    async for piece in response.content.iter_any():
        text += piece
        if len(text) > LONGEST_REFUSAL:
            break
    try:
        return json.loads(text)
    except ValueError:
        return {"message": text.decode(errors="replace")}
