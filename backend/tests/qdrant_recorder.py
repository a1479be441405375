"""A server that keeps what it is sent and always says the same: what two clients send is compared, and what they read."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Recorder:
    """One such server."""

    said: bytes = b'{"result":[]}'
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    came: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in fields)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.came.append((line, headers, json.loads(body) if body else None))
        more = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.said)}\r\nConnection: close\r\n{more}\r\n".encode())
        writer.write(self.said)
        writer.close()


@asynccontextmanager
async def recording(**values: Any) -> AsyncIterator[Recorder]:
    recorder = Recorder(**values)
    server = await asyncio.start_server(recorder.answer, "127.0.0.1", 0)
    async with server:
        recorder.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield recorder
