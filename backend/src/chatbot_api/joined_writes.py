"""What is written to a connection in one turn of the event loop goes to the system in one piece.

uvicorn writes an answer's head and its body apart, and each piece of a stream by itself. Each write is a call of the system and
wakes who reads it. uvloop would join them, but not while it has to tell of every unsent byte (``SlowReaderWatch``).
"""

import asyncio
from typing import Any

from typing_extensions import override

MOST_HELD_BYTES = 16 * 1024
"""What would make a longer piece is not held back: joining it would be a copy of much for little."""


class JoinedWrites(asyncio.Transport):
    """A transport around a connection's own. What it holds back goes out at the latest in the loop's next turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """``transport``: the connection's. Its reading and its limits are left to itself."""
        super().__init__()
        self._transport, self._loop = transport, loop
        self._held: list[bytes | bytearray | memoryview[Any]] = []
        self._held_bytes = 0

    @override
    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > MOST_HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Let go of what is held back."""
        held = self._held
        if not held:
            return
        self._held, self._held_bytes = [], 0
        self._transport.write(held[0] if len(held) == 1 else b"".join(held))

    @override
    def close(self) -> None:
        self.flush()
        self._transport.close()

    @override
    def write_eof(self) -> None:
        self.flush()
        self._transport.write_eof()

    @override
    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    @override
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)
