"""Asks /health/live all the while, from a process of its own: within the load client's it would wait for that client.

``python -m speed.probe PORT SECONDS`` asks again so many seconds after each answer, until its standard input ends, and then
writes what each took, in seconds, as a JSON list.
"""

import asyncio
import json
import os
import select
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from time import perf_counter

LIMIT_S = 30.0


@asynccontextmanager
async def probed(port: int, every_s: float) -> AsyncGenerator[list[float], None]:
    """What the probes took while the block lasted, in seconds; filled when it has ended."""
    took: list[float] = []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "speed.probe", str(port), str(every_s)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert process.stdout is not None
    await process.stdout.readline()  # it has begun
    try:
        yield took
    finally:
        said, _ = await process.communicate(b"")  # b"": it is closed
        took += json.loads(said)


def _took(connection: HTTPConnection) -> float:
    started = perf_counter()
    try:
        connection.request("GET", "/health/live")
        reply = connection.getresponse()
    except (RemoteDisconnected, ConnectionResetError):  # it was kept too long
        connection.close()
        connection.request("GET", "/health/live")
        reply = connection.getresponse()
    reply.read()
    if reply.status != 200:
        raise SystemExit(f"/health/live said {reply.status}")
    return perf_counter() - started


def main(port: int, every_s: float) -> None:
    """Ask until nobody wants to know any more."""
    connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    took: list[float] = []
    print(flush=True)
    while not select.select([sys.stdin], [], [], every_s)[0]:
        took.append(_took(connection))
    print(json.dumps(took))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
