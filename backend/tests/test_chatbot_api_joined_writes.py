"""What is written in one turn of the loop goes out in one piece, in order, and nothing of it is lost at the end."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from typing_extensions import override

from chatbot_api.joined_writes import MOST_HELD_BYTES, JoinedWrites
from guarded_service import guarded, slow_app


class Pieces(asyncio.Transport):
    """Writes down what it is given, and passes it on to a real socket."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self.written: list[bytes] = []

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))
        self._transport.write(data)

    @override
    def write_eof(self) -> None:
        self._transport.write_eof()

    @override
    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    @override
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    @override
    def close(self) -> None:
        self._transport.close()


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[JoinedWrites, Pieces, asyncio.StreamReader]]:
    """A connection of this machine with itself: the writing end, what its transport was given, and the reading end."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    pieces = Pieces(transport)
    yield JoinedWrites(pieces, loop), pieces, reader
    transport.close()
    writer.close()


async def test_what_is_written_in_one_turn_goes_out_in_one_piece_in_the_next() -> None:
    async with joined() as (writes, pieces, reader):
        for part in (b"head ", bytearray(b"and "), memoryview(b"body")):
            writes.write(part)
        assert pieces.written == []
        await asyncio.sleep(0)
        assert pieces.written == [b"head and body"]
        writes.write(b", and more")
        await asyncio.sleep(0)
        assert pieces.written == [b"head and body", b", and more"]
        assert await reader.readexactly(23) == b"head and body, and more"


async def test_a_flush_lets_go_at_once_and_leaves_nothing_for_the_next_turn() -> None:
    async with joined() as (writes, pieces, reader):
        writes.write(b"whole")
        writes.flush()
        writes.flush()
        assert pieces.written == [b"whole"]
        await asyncio.sleep(0)
        assert pieces.written == [b"whole"]
        assert await reader.readexactly(5) == b"whole"


async def test_a_long_piece_is_not_held_back_and_comes_behind_what_was() -> None:
    async with joined() as (writes, pieces, _reader):
        writes.write(b"head")
        writes.write(b"x" * MOST_HELD_BYTES)
        assert pieces.written == [b"head" + b"x" * MOST_HELD_BYTES]


@pytest.mark.parametrize("end", [JoinedWrites.close, JoinedWrites.write_eof], ids=["closed", "half closed"])
async def test_the_end_comes_behind_what_is_held_back(end: Callable[[JoinedWrites], None]) -> None:
    async with joined() as (writes, _pieces, reader):
        writes.write(b"the ")
        writes.write(b"last")
        end(writes)
        assert await asyncio.wait_for(reader.read(), 2) == b"the last"


def segments_of(connection: socket.socket) -> int:
    """How many TCP segments with data came (tcpi_data_segs_in of Linux' struct tcp_info)."""
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int.from_bytes(told[152:156], sys.byteorder)


@pytest.mark.skipif(sys.platform != "linux", reason="counts segments as Linux tells them")
def test_an_answer_and_its_head_come_in_one_segment() -> None:
    with guarded(slow_app(0)) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 5) as connection:
        for number in range(1, 11):
            connection.sendall(b"GET /stall/0 HTTP/1.1\r\nHost: x\r\n\r\n")
            said = b""
            while not said.endswith(b'{"status":"ok"}'):
                said += connection.recv(65536)
            assert segments_of(connection) == number
