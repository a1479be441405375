"""The server: uvicorn with our protocol, and our way down.

SIGTERM or SIGINT: /health/ready says 503 at once; DRAIN_DELAY_S later no new connections are taken and answers under way are
finished; those that take too long end with the problem shutting-down. A second signal ends the process at once.
"""

import asyncio
import gc
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import cast

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from chatbot_api.draining import Draining
from chatbot_api.errors import EX_CONFIG
from chatbot_api.freed_memory import give_back
from chatbot_api.guarded_http import GuardedHttp, Limits

EX_UNCLEAN = 1
"""The exit code of a process that could not close what it had open in time."""

SETTLE_S = 1.0
"""After the start, until the memory is put in order: what is loaded by the first requests is there by then."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Seconds after the listener was closed; Cloud Run gives a process ten in all."""

    cut_s: float = 6.0
    """Answers still under way are ended with shutting-down."""
    grace_s: int = 7
    """What did not end by then is cancelled."""
    gone_s: float = 7.9
    """What is still being closed by then is left as a power cut would leave it."""


class GuardedServer(uvicorn.Server):
    """uvicorn with our protocol, and our way down."""

    def __init__(
        self, app: FastAPI, *, host: str = "127.0.0.1", port: int = 0, limits: Limits | None = None, ending: Ending | None = None
    ) -> None:
        """``app``: as create_app makes it; its ``state.draining`` is moved on from here."""
        self._draining: Draining = app.state.draining
        self._ending = ending or Ending()
        guarded = partial(GuardedHttp, limits=limits or Limits(), draining=self._draining)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=cast("type[asyncio.Protocol]", guarded),  # uvicorn only calls it
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # who asks is told by TRUSTED_PROXY_HOPS; uvicorn would believe any process on this machine
            timeout_graceful_shutdown=self._ending.grace_s,
            workers=1,  # or uvicorn reads WEB_CONCURRENCY, which is ours to obey
        )
        super().__init__(config)

    @property
    def is_ending(self) -> bool:
        """Whether it goes down already."""
        return self._draining.begun

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        asyncio.get_running_loop().call_later(SETTLE_S, _settle)

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Go down; at the second signal be gone. Not uvicorn's own, which would end with the signal instead of exit code 0."""
        if self._draining.begun:
            os._exit(128 + sig)
        self._draining.begin()
        self.should_exit = True
        overdue = threading.Timer(self._draining.delay_s + self._ending.gone_s, os._exit, (EX_UNCLEAN,))
        overdue.daemon = True
        overdue.start()

    @override
    async def on_tick(self, counter: int) -> bool:
        """Whether to stop; ten times a second."""
        if not await super().on_tick(counter):
            return False
        self._draining.begin()
        return self._draining.may_close

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, finish the answers under way, and close the app."""
        self._draining.begin()
        await self._take_the_last(self._stop_listening())
        asyncio.get_running_loop().call_later(self._ending.cut_s, self._draining.cut)
        await super().shutdown(sockets)

    def _stop_listening(self) -> list[socket.socket]:
        """Look for new connections no more; the sockets on which some may wait by now."""
        listening = [socket.socket(fileno=os.dup(one.fileno())) for listener in self.servers for one in listener.sockets]
        for listener in self.servers:
            listener.close()
        return listening

    async def _take_the_last(self, listening: list[socket.socket]) -> None:
        """Close what listens, and serve the connections that came since the loop last looked: else they would be reset."""
        waiting: list[socket.socket] = []
        for one in listening:
            one.setblocking(False)
            with one, suppress(OSError):  # none waits any more
                while True:
                    waiting.append(one.accept()[0])
        loop = asyncio.get_running_loop()
        for connection in waiting:
            connection.setblocking(False)
            await loop.connect_accepted_socket(self.new_connection, connection)

    def new_connection(self) -> asyncio.Protocol:
        """The protocol of a connection that was accepted."""
        made = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return made(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _settle() -> None:
    """What is there by now stays: each full collection would walk through it, and stop answers for 0.1 s.

    So would one now, for two thousand objects of 180,000.
    """
    gc.freeze()
    gc.enable()  # see server.main
    give_back()


def served(server: GuardedServer, app: FastAPI, sockets: list[socket.socket] | None = None) -> int:
    """Serve ``app`` until told to end; the process' exit code."""
    with suppress(SystemExit):  # uvicorn's way out of any failed start; which one it was is told here
        server.run(sockets)
    if getattr(app.state, "refused", None):
        return EX_CONFIG
    return 0 if server.started else 3
