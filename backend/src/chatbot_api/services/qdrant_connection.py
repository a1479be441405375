"""How a Qdrant server is talked to: the client with the pool the service wants, and its failures by our names."""

from collections.abc import Awaitable, Callable
from math import ceil
from typing import TypeVar

import httpx
from qdrant_client import AsyncQdrantClient

from chatbot_api.services.qdrant_errors import CLIENT_ERRORS, named

T = TypeVar("T")
CONNECTIONS = 16
"""All kept open, with a semaphore before them: the client's own waiting queue is quadratic and its idle polling linear."""


def client_of(url: str, api_key: str, timeout_s: float) -> AsyncQdrantClient:
    """A client with the pool the service wants; its own time-outs are whole seconds, so deadlines are kept outside of it."""
    return AsyncQdrantClient(
        url=url,
        api_key=api_key or None,
        timeout=ceil(timeout_s),
        check_compatibility=False,
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=60),
    )


async def asked(call: Callable[[], Awaitable[T]]) -> T:
    """The call's result. Raises SearchError."""
    try:
        return await call()
    except CLIENT_ERRORS as error:
        raise named(error) from error
