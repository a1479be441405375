"""A client of the fleet: from an address of its own, on a connection that it keeps, and told whether each answer was whole."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request."""

    status: int
    """0: the connection failed, or was cut."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    seconds: float
    error: str = ""

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def last_event(self) -> dict[str, Any]:
        """Of an event stream; of anything else, and of a stream that was cut before its first, empty."""
        events = [block for block in self.body.decode(errors="replace").split("\n\n") if block.startswith("event:")]
        lines = events[-1].split("\n") if events and self.body.endswith(b"\n\n") else []
        return next((json.loads(line[5:]) for line in lines if line.startswith("data:")), {})


class Wire:
    """One client. Its requests are sent one after the other."""

    def __init__(self, port: int, address: str) -> None:
        """``address``: in 127.0.0.0/8, any of which is this machine."""
        self._port, self._address = port, address
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """``headers``: their names with underscores. Never raises for what the other side does."""
        sent = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: ask.example.com", f"Content-Length: {len(sent)}"]
        lines += ["Content-Type: application/json"] if sent else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        began = time.monotonic()
        taken = bytearray()
        status, received = 0, dict[str, str]()
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._open is None:
                    self._open = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(self._address, 0))
                self._open[1].write("\r\n".join(lines).encode() + b"\r\n\r\n" + sent)
                status, received = await self._head()
                await self._body(status, received, taken)
        except (OSError, EOFError, TimeoutError) as error:
            self.close()
            return Reply(0, received, bytes(taken), time.monotonic() - began, f"{type(error).__name__} after status {status}")
        if received.get("connection", "").lower() == "close":
            self.close()
        return Reply(status, received, bytes(taken), time.monotonic() - began)

    async def _head(self) -> tuple[int, dict[str, str]]:
        assert self._open is not None
        first, *lines = (await self._open[0].readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in pairs}

    async def _body(self, status: int, headers: dict[str, str], taken: bytearray) -> None:
        assert self._open is not None
        reader = self._open[0]
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline() or b"0", 16):
                taken += (await reader.readexactly(size + 2))[:-2]
            if await reader.readline() != b"\r\n":
                raise asyncio.IncompleteReadError(bytes(taken), None)
        elif status != 204:
            taken += await reader.readexactly(int(headers.get("content-length", 0)))

    def close(self) -> None:
        """The next request opens a connection anew."""
        if self._open is not None:
            self._open[1].close()
            self._open = None


async def at_once(
    port: int, address: str, many: int, method: str, path: str, body: object = None, *, connections: int = 0
) -> list[Reply]:
    """So many requests of one address, spread over so many connections, by default as many: all at the same time."""
    wires = [Wire(port, address) for _ in range(connections or many)]

    async def ask(wire: Wire, share: int) -> list[Reply]:
        return [await wire.ask(method, path, body) for _ in range(share)]

    shares = [len(range(number, many, len(wires))) for number in range(len(wires))]
    replies = await asyncio.gather(*(ask(wire, share) for wire, share in zip(wires, shares, strict=True)))
    for wire in wires:
        wire.close()
    return [reply for some in replies for reply in some]
