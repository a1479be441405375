"""The real server, guard and all, in a thread or as a process: over our app, or over one that is slow on demand."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from chatbot_api.config import Settings
from chatbot_api.draining import Draining
from chatbot_api.event_streams import as_sse
from chatbot_api.guarded_http import Limits
from chatbot_api.guarded_server import GuardedServer
from chatbot_api.http_edge import add_edge
from chatbot_api.main import create_app
from chatbot_api.metrics import Metrics
from chatbot_api.models.chat_models import Delta, Event, Start
from chatbot_api.telemetry import start_logging
from conftest import Service, index_book, with_gemini
from gemini_standin import gemini_standin
from lantern import settings_in
from threaded_server import in_thread

PIECE = b"x" * 16_384
SECONDS = ("header_s", "body_s", "stall_s")
"""The limits that the environment of a process may set."""


def slow_app(delay_s: float = 0.0) -> FastAPI:
    """Routes that wait, stream and read as they are told. ``delay_s``: DRAIN_DELAY_S."""
    app = FastAPI()
    draining = app.state.draining = Draining(delay_s)
    app.state.pieces = 0
    add_edge(app, ["*"], Metrics(), credentials=False)

    async def wait(seconds: float) -> dict[str, str]:
        await asyncio.sleep(seconds)
        return {"status": "ok"}

    @app.get("/live")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready")
    async def ready(response: Response) -> dict[str, bool]:
        response.status_code = 503 if draining.begun else 200
        return {"ready": not draining.begun}

    @app.get("/wait/{seconds}")
    async def waiting(seconds: float) -> dict[str, str]:
        return await draining.result(wait(seconds))

    @app.get("/stall/{seconds}")
    async def stalling(seconds: float) -> dict[str, str]:
        time.sleep(seconds)  # noqa: ASYNC251 - what the loop is kept from meanwhile is what is tested
        return {"status": "ok"}

    @app.post("/read")
    async def read(request: Request) -> dict[str, int]:
        try:
            return {"bytes": len(await request.body())}
        except ClientDisconnect:  # FastAPI's own parsing does the same
            return {"bytes": -1}

    @app.post("/read-late/{seconds}")
    async def read_late(request: Request, seconds: float) -> dict[str, int]:
        await asyncio.sleep(seconds)
        return {"bytes": len(await request.body())}

    @app.get("/events/{seconds}")
    async def events(seconds: float) -> Response:
        async def told() -> AsyncGenerator[Event, None]:
            yield Start(conversation_id="c_x", message_id="m_x")
            for _ in range(int(seconds * 10)):
                yield Delta(text="a word ")
                await asyncio.sleep(0.1)

        return as_sse(draining.each(told()))

    @app.get("/flood/{pieces}")
    async def flood(pieces: int) -> StreamingResponse:
        async def poured() -> AsyncGenerator[bytes, None]:
            for _ in range(pieces):
                app.state.pieces += 1
                yield PIECE
                await asyncio.sleep(0)  # where a reader who is gone is noticed

        return StreamingResponse(poured())

    return app


@contextmanager
def guarded(app: FastAPI, **values: Any) -> Iterator[str]:
    """The address of an app behind the guard, in a thread. ``values``: limits, ending."""
    with in_thread(GuardedServer(app, **values)) as url:
        yield url


@contextmanager
def guarded_service(settings: Settings, **values: Any) -> Iterator[Service]:
    """Our service behind the guard."""
    with (
        guarded(create_app(settings), **values) as url,
        httpx.Client(base_url=url, timeout=20, trust_env=False) as client,
    ):
        yield Service(url, client)


@contextmanager
def guarded_lantern(folder: Path, book: Path, **values: Any) -> Iterator[Service]:
    """Our service behind the guard, over BOOK and answered by the Gemini stand-in. ``values``: settings that differ."""
    with gemini_standin() as gemini:
        settings = settings_in(folder, **with_gemini(gemini, **values))
        index_book(settings, book)
        with guarded_service(settings) as service:
            yield service


if __name__ == "__main__":
    start_logging(os.environ.get("LOG_LEVEL", "warning"))
    server = GuardedServer(
        slow_app(float(os.environ.get("DRAIN_DELAY_S", "0"))),
        port=int(os.environ["PORT"]),
        limits=Limits(**{name: float(os.environ[name.upper()]) for name in SECONDS if name.upper() in os.environ}),
    )
    server.run()
    sys.exit(0 if server.started else 3)
