"""Several worker processes on one socket: started one after the other, begun anew when one crashes, and ended together.

Each worker has a pipe from this process as its standard input. That it is closed tells the worker to go down as at SIGTERM; so
no worker outlives this process, even where it was killed. This process itself reads no request and opens no index.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from time import monotonic

from chatbot_api.errors import EX_CONFIG
from chatbot_api.telemetry import logger

log = logger(__name__)
WORKER = (sys.executable, "-m", "chatbot_api.worker")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""Before a worker that crashed is begun anew: doubled each time, until one lived for STEADY_S."""
STEADY_S = 60.0
GONE_S = 9.0
"""After the drain delay a worker has ended by itself (``server.Ending``); one that has not by then is killed."""
EX_FAILED = 3
"""The exit code of a process that could not start, as uvicorn's."""


class Worker:
    """One place in the row of workers, whichever process has it now."""

    def __init__(self, number: int, listener: socket.socket, stopping: asyncio.Event) -> None:
        """``number``: from 0. ``listener``: bound, of all workers. ``stopping``: set when no worker is to serve any more."""
        self.number, self._listener, self._stopping = number, listener, stopping
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> bool:
        """Begin a process, and wait until it serves; whether it does."""
        told, telling = os.pipe()
        with os.fdopen(told, "rb") as started:
            try:
                self.process = await asyncio.create_subprocess_exec(
                    *(*WORKER, str(self.number), str(self._listener.fileno()), str(telling)),
                    stdin=asyncio.subprocess.PIPE,
                    pass_fds=(self._listener.fileno(), telling),
                    start_new_session=True,  # Ctrl+C reaches this process alone, which then ends them
                )
            finally:
                os.close(telling)
            if self._stopping.is_set():
                self.drain()
            return bool(await _read(started.fileno()))

    async def ended(self) -> int:
        """The exit code of its process, when that has ended; of a signal, as a shell tells it."""
        assert self.process is not None  # noqa: S101 - there is none before start()
        code = await self.process.wait()
        return code if code >= 0 else 128 - code

    def drain(self) -> None:
        """Let it answer what is under way, and go."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    def signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)


class Supervisor:
    """Keeps a number of workers alive until it is told to stop."""

    def __init__(self, listener: socket.socket, many: int, *, drain_delay_s: float, first_pause_s: float = FIRST_PAUSE_S) -> None:
        """``listener``: bound, not listening. ``first_pause_s``: see FIRST_PAUSE_S."""
        self._listener = listener
        self._stopping = asyncio.Event()
        self._workers = [Worker(number, listener, self._stopping) for number in range(many)]
        self._overdue_s, self._first_pause_s = drain_delay_s + GONE_S, first_pause_s

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the exit code: 0, or the worst of the workers', or why the first could not start."""
        with _signals(self._on_signal):
            first = self._workers[0]
            # Alone: what is wrong with the settings or the index is told once, and the tables are made by one.
            if not await first.start():
                return await first.ended() or EX_FAILED
            kept = [asyncio.create_task(self._keep(worker)) for worker in self._workers]
            await self._stopping.wait()
            self._listener.close()  # or clients would go on connecting when no worker listens any more
            _, overdue = await asyncio.wait(kept, timeout=self._overdue_s)
            if overdue:
                for worker in self._workers:
                    worker.signal(signal.SIGKILL)
            return max(await asyncio.gather(*kept))

    async def _keep(self, worker: Worker) -> int:
        """Begin the worker anew whenever it ends, until the stop; the exit code of its last process."""
        pause_s = self._first_pause_s
        while not self._stopping.is_set() or worker.process is not None:
            began = monotonic()
            if worker.process is None:
                await worker.start()
            code = await worker.ended()
            if self._stopping.is_set():
                return code
            if monotonic() - began > STEADY_S:
                pause_s = self._first_pause_s
            log.error("worker_ended", worker=worker.number, exit_code=code, again_in_s=pause_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            worker.process, pause_s = None, min(2 * pause_s, LONGEST_PAUSE_S)
        return 0

    def _on_signal(self, number: int) -> None:
        for worker in self._workers:
            if self._stopping.is_set():  # the second: at once
                worker.signal(number)
            worker.drain()
        self._stopping.set()


def supervise(host: str, port: int, many: int, *, drain_delay_s: float) -> int:
    """Serve with so many workers until SIGTERM or SIGINT; the process' exit code."""
    if sys.platform == "win32":
        sys.stderr.write("WEB_CONCURRENCY above 1 needs Linux or macOS.\n")
        return EX_CONFIG
    try:
        listener = bound(host, port)
    except OSError as error:
        log.error("no_socket", host=host, port=port, problem=os.strerror(error.errno or 0))
        return EX_FAILED
    with listener:
        return asyncio.run(Supervisor(listener, many, drain_delay_s=drain_delay_s).run())


def bound(host: str, port: int) -> socket.socket:
    """A socket at this address that doesn't listen yet: clients are refused until a worker serves. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


async def _read(descriptor: int) -> bytes:
    """What a worker writes when it serves; nothing when it ended before."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, 1)


@contextmanager
def _signals(told: Callable[[int], None]) -> Generator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, told, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
