"""Runs one stand-in: ``python -m speed.standins gemini|qdrant HOST PORT``, until it is ended."""

import asyncio
import sys
from importlib import import_module

import uvloop

from speed.wire import StandIn, Wire

BACKLOG = 1024


async def serve(kind: str, host: str, port: int) -> None:
    """Answer until cancelled."""
    replies = import_module(f"speed.{kind}_replies")
    stand_in = StandIn(replies.DELAYS, replies.answer)
    server = await asyncio.get_running_loop().create_server(lambda: Wire(stand_in), host, port, backlog=BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
