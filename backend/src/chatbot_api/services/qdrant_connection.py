"""How a Qdrant server is talked to by its client, for the indexer and for collections of other tools: our pool, our names."""

import asyncio
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any, TypeVar

import httpx
from qdrant_client import AsyncQdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException

from chatbot_api.errors import SearchBadResponse, SearchError, SearchUnavailable
from chatbot_api.services.qdrant_errors import LONGEST_CAUSE, of_status, seconds_of
from chatbot_api.services.qdrant_seats import CONNECTIONS

T = TypeVar("T")
LEFT_S = 10.0
"""A call whose caller has left is cancelled after so long: a body that drips in meets no time-out of the client's."""
LONGEST_WAIT_S = 10**9
"""Seconds; a longer number may be no float any more."""
_UNREADABLE = ("RemoteProtocolError", "ValidationError", "DecodingError")
_GONE = "Server disconnected"
"""How httpx says that the server went away before it replied: the same class as for a reply that broke off."""
_ODD_WAIT = "Retry-After header value is not"
"""How the client says that a 429 bore a date, which it can't read."""
CLIENT_ERRORS = (ApiException, QdrantException, ValueError, AssertionError, TypeError)
"""All that a call of the client may raise for a fault of the server or on the wire."""


def client_of(url: str, api_key: str, timeout_s: float) -> AsyncQdrantClient:
    """A client with the pool the service wants; its own time-outs are whole seconds, so deadlines are kept outside of it.

    The pool itself has no limit, so that calls whose callers have left take no connection from others. Seats are the limit: the
    client's own waiting queue is quadratic and its idle polling linear.
    """
    return AsyncQdrantClient(
        url=url,
        api_key=api_key or None,
        timeout=ceil(timeout_s),
        check_compatibility=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=CONNECTIONS, keepalive_expiry=60),
    )


async def asked(call: Callable[[], Awaitable[T]]) -> T:
    """The call's result. Raises SearchError.

    The call is a task of its own: who is cancelled leaves at once, and the call ends by the client's own time-outs. httpcore
    loses a connection whose call is cancelled while it connects or closes; when all are lost no search is answered any more.
    """
    task = asyncio.ensure_future(call())
    task.add_done_callback(_ended)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        _left.add(task)
        asyncio.get_running_loop().call_later(LEFT_S, task.cancel)
        raise
    except CLIENT_ERRORS as error:
        raise named(error) from error


_left: set["asyncio.Future[Any]"] = set()
"""Calls whose caller has left: asyncio itself holds tasks by weak references."""


async def closed(client: AsyncQdrantClient) -> None:
    """Close a client, once the calls that were left have ended."""
    here = {task for task in _left if task.get_loop() is asyncio.get_running_loop()}
    for task in here:
        task.cancel()
    if here:
        await asyncio.wait(here)
    await client.close()


def _ended(task: "asyncio.Future[Any]") -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # nobody may be left to ask, and asyncio would log that


def named(error: Exception) -> SearchError:
    """Our name for a failure of the server or of the way to it; the upstream's text stays in ``cause``, cut.

    The client wraps most transport errors, but lets bare JSON, assertion and validation errors through for replies of another
    shape.
    """
    cause = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_CAUSE]  # the client's words span lines
    wait_s: Any = getattr(error, "retry_after_s", None)
    if wait_s is not None:
        return SearchUnavailable(cause, retry_after_s=float(min(wait_s, LONGEST_WAIT_S)))
    if str(error).startswith(_ODD_WAIT):
        return SearchUnavailable(cause)
    status: Any = getattr(error, "status_code", None)
    if isinstance(status, int):
        return of_status(status, cause, seconds_of(_header(getattr(error, "headers", None))))
    source: Any = getattr(error, "source", None)
    if source is not None and (type(source).__name__ not in _UNREADABLE or str(source).startswith(_GONE)):
        return SearchUnavailable(f"{cause} ({type(source).__name__})"[:LONGEST_CAUSE])
    return SearchBadResponse(cause)


def _header(headers: Any) -> str:
    # The client itself reads it of a 429 alone.
    return str(headers.get("retry-after", "")) if headers else ""
