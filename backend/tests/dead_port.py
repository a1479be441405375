"""A port on which nothing listens, for as long as a test needs it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def dead_port() -> Iterator[int]:
    """Bound, so that nobody else takes it, and not listened on: connections are refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])
