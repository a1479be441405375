"""Cuts a connection whose client takes nothing of its answer for too long, so that answers nobody reads do not pile up."""

import asyncio
import socket
import struct
from typing import cast

SEND_BUFFER_BYTES = 64 * 1024
"""The system's buffer of a connection, which Linux doubles. Left to itself it grows to megabytes, and Linux tells of room in it
only once a third was taken: a slow reader would look like one who takes nothing."""


class SlowReaderWatch:
    """The watch over one connection's unsent bytes. It runs only while there are some."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, patience_s: float) -> None:
        """``patience_s``: how long not one byte may be taken.

        Without a buffer of its own (high-water mark 0) the transport tells of every byte that the system does not take at once,
        and a stream waits for these before it makes its next event.
        """
        self._transport, self._loop, self._patience_s = transport, loop, patience_s
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = 0
        transport.set_write_buffer_limits(high=0)
        self._socket = cast("socket.socket", transport.get_extra_info("socket"))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def begin(self) -> None:
        """Something could not be sent."""
        self.end()
        self._unsent = self._transport.get_write_buffer_size()
        self._timer = self._loop.call_later(self._patience_s, self._look)

    def end(self) -> None:
        """All was sent, or the connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._transport.get_write_buffer_size() < self._unsent:
            self.begin()
        else:
            # A reset: an ordinary end would stand behind the unsent bytes, and the system would hold these for minutes.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
