"""One of several workers: ``python -m chatbot_api.worker NUMBER LISTENER STARTED``, begun by ``chatbot_api.workers`` alone.

``LISTENER``: descriptor of the socket that all workers take connections from. ``STARTED``: of a pipe that is told when this one
serves. When the standard input ends, the worker goes down as at SIGTERM: so it is told to, and so it notices that nobody would.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable

from fastapi import FastAPI
from typing_extensions import override

from chatbot_api.config import Settings, load_settings
from chatbot_api.errors import EX_CONFIG, StartRefused
from chatbot_api.main import create_app, print_refusal
from chatbot_api.server import GuardedServer, served


class WorkerServer(GuardedServer):
    """The server of one process, on a socket that is shared, and under a parent."""

    def __init__(self, app: FastAPI, on_started: Callable[[], None]) -> None:
        """``on_started``: called when it serves."""
        super().__init__(app)
        self._on_started = on_started

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, say so, and watch the parent."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._parent_spoke)
        self._on_started()

    def _parent_spoke(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        if not self.is_ending:  # a process manager may have sent SIGTERM to all processes
            self.handle_exit(signal.SIGTERM, None)


def settings_of(number: int, settings: Settings) -> Settings:
    """The settings of worker ``number``: its metrics have a port of their own."""
    return settings.model_copy(update={"metrics_port": settings.metrics_port and settings.metrics_port + number})


def main(number: int, listening: int, telling: int) -> int:
    """Serve until told to end; the process' exit code."""
    try:
        app = create_app(settings_of(number, load_settings()))
    except StartRefused as refused:
        print_refusal(refused)
        return EX_CONFIG

    def tell() -> None:
        with os.fdopen(telling, "wb") as pipe:
            pipe.write(b"1")

    return served(WorkerServer(app, tell), app, [socket.socket(fileno=listening)])


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:4])))
