"""The server of one of several workers: on a socket that they share, one connection accepted at a time, and under a parent.

When the standard input ends, the worker goes down as at SIGTERM: so it is told to, and so it notices that nobody would.
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
from chatbot_api.guarded_server import GuardedServer, served
from chatbot_api.main import create_app
from chatbot_api.start_refusal import print_refusal
from chatbot_api.telemetry import logger
from chatbot_api.worker_cpus import keep_to_share

log = logger(__name__)


BACKLOG = 2048
"""Connections that may wait to be accepted, as with uvicorn."""
LONGEST_PAUSE_S = 0.002
"""Between two accepts: 1 ms with four connections open, so much with eight. 500 a second are more than a worker answers."""
NO_DESCRIPTOR_S = 0.5
"""After an accept that failed for want of descriptors, until the next one."""


class WorkerServer(GuardedServer):
    """The server of one process, on a socket that is shared, and under a parent.

    It accepts one connection each time round its loop, and the more it has, the later the next: those who have fewer come first.
    asyncio and uvloop accept all that wait, and the worker that woke first would have every connection that a proxy keeps open.
    """

    def __init__(self, app: FastAPI, listener: socket.socket, on_started: Callable[[], None]) -> None:
        """``listener``: bound, of all workers. ``on_started``: called when it serves."""
        super().__init__(app)
        self._listener, self._on_started = listener, on_started
        self._opening: set[asyncio.Task[object]] = set()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, say so, and watch the parent."""
        await super().startup([])
        self._listener.setblocking(False)
        self._listener.listen(BACKLOG)
        self._listen()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._parent_spoke)
        self._on_started()

    def _listen(self) -> None:
        if self._listener.fileno() >= 0:  # it was not closed meanwhile
            asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept_one)

    def _accept_one(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker was quicker, or the client left
            return
        except OSError as error:
            log.error("not_accepted", problem=os.strerror(error.errno or 0))
            loop.remove_reader(self._listener.fileno())
            loop.call_later(NO_DESCRIPTOR_S, self._listen)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if pause_s := min(LONGEST_PAUSE_S, len(self.server_state.connections) // 4 / 1000):
            loop.remove_reader(self._listener.fileno())
            loop.call_later(pause_s, self._listen)
        opening = loop.create_task(loop.connect_accepted_socket(self.new_connection, connection))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    @override
    def _stop_listening(self) -> list[socket.socket]:
        asyncio.get_running_loop().remove_reader(self._listener.fileno())
        return [self._listener]

    def _parent_spoke(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        if not self.is_ending:  # a process manager may have sent SIGTERM to all processes
            self.handle_exit(signal.SIGTERM, None)


def settings_of(number: int, settings: Settings) -> Settings:
    """The settings of worker ``number``: its metrics have a port of their own."""
    return settings.model_copy(update={"metrics_port": settings.metrics_port and settings.metrics_port + number})


def serve(number: int, listening: int, telling: int) -> int:
    """Serve until told to end; the process' exit code. ``listening``, ``telling``: descriptors, see ``chatbot_api.worker``."""
    try:
        settings = load_settings()
        if settings.pin_workers:
            keep_to_share(number, settings.web_concurrency)
        app = create_app(settings_of(number, settings))
    except StartRefused as refused:
        print_refusal(refused)
        return EX_CONFIG

    def tell() -> None:
        with os.fdopen(telling, "wb") as pipe:
            pipe.write(b"1")

    return served(WorkerServer(app, socket.socket(fileno=listening), tell), app, [])
