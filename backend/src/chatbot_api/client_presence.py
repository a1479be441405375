"""Ends work whose client has closed the connection: nobody would read its reply, and it costs the model's tokens."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.types import Message

T = TypeVar("T")


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, which is cancelled when the client leaves: nobody would read it, and it costs the model's tokens.

    Raises ClientGone then. For replies that are sent in one piece; a stream is stopped by its server.
    """
    left, presence, is_working = asyncio.ensure_future(request.receive()), asyncio.timeout(None), True

    def end(_: "asyncio.Future[Message]") -> None:
        if is_working:
            presence.reschedule(0.0)

    try:
        async with presence:
            left.add_done_callback(end)
            try:
                return await work
            finally:
                is_working = False
    except TimeoutError:
        if not presence.expired():
            raise
        raise ClientGone from None
    finally:
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)


class ClientGone(Exception):
    """The client closed the connection before its reply was ready."""
