"""The HTTP front that every peer gets: POST /chat, POST /chat/stream, GET /health, served by uvicorn as ours is."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

KEY = "stand-in-key"
GEMINI = os.environ.get("GEMINI_URL", "")
QDRANT = os.environ.get("QDRANT_URL", "")
GENERATIVE_MODEL = "gemini-3.5-flash-lite"
EMBEDDING_MODEL = "gemini-embedding-001"
DIMENSIONS = 768
TOP_K = 3
RULES = "Answer from the passages alone and cite them by number."


class Ask(BaseModel):
    """A question."""

    query: str


def serve(
    answer: Callable[[str], Awaitable[str]],
    deltas: Callable[[str], AsyncIterator[str]] | None = None,
) -> None:
    """Serve on PORT until ended. ``deltas``: the answer piece by piece; None: the peer is not measured streaming."""
    app = FastAPI()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/chat")
    async def chat(ask: Ask) -> dict[str, str]:
        return {"response": await answer(ask.query)}

    if deltas:

        @app.post("/chat/stream")
        async def chat_stream(ask: Ask) -> StreamingResponse:
            events = (f"event: delta\ndata: {json.dumps({'text': text})}\n\n" async for text in deltas(ask.query))
            return StreamingResponse(events, media_type="text/event-stream")

    run(app)


def run(app: FastAPI) -> None:
    """Serve an app on PORT until ended."""
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False, log_level="error")
