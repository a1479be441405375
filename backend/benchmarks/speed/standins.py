"""Runs one stand-in: ``python -m speed.standins gemini|qdrant HOST PORT [GRPC_PORT]``, until it is ended."""

import asyncio
import sys
from importlib import import_module

import uvloop

from speed.wire import StandIn, Wire

BACKLOG = 1024


async def serve(kind: str, host: str, port: int, grpc_port: int = 0) -> None:
    """Answer until cancelled. ``grpc_port``: of Qdrant's other interface, 0 for none."""
    replies = import_module(f"speed.{kind}_replies")
    stand_in = StandIn(replies.DELAYS, replies.answer)
    beside = await import_module(f"speed.{kind}_grpc_replies").serve(stand_in, host, grpc_port) if grpc_port else None
    server = await asyncio.get_running_loop().create_server(lambda: Wire(stand_in), host, port, backlog=BACKLOG)
    try:
        await server.serve_forever()
    finally:
        if beside:
            await beside.stop(None)


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
