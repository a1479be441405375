"""The floor: what no Python service with these two upstreams can be much below. FastAPI, one pooled session, raw JSON.

No validation beyond the body's type, no limits, no logs, no store, no retries, no citations: the cost of the work itself.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

GEMINI = os.environ["GEMINI_URL"] + "/v1beta/models/"
QDRANT = os.environ["QDRANT_URL"] + "/collections/docs/points/query"
JSON = {"Content-Type": "application/json", "x-goog-api-key": "stand-in-key"}
RULES = "Answer from the passages alone and cite them by number."


class Ask(BaseModel):
    """A question."""

    query: str


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60)) as session:
        app.state.session = session
        yield


app = FastAPI(lifespan=_lifespan)


async def _posted(url: str, body: Any) -> Any:
    async with app.state.session.post(url, data=orjson.dumps(body), headers=JSON) as reply:
        return orjson.loads(await reply.read())


async def _prompt(query: str) -> dict[str, Any]:
    asked = {"content": {"parts": [{"text": query}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 768}
    embedded = await _posted(GEMINI + "gemini-embedding-001:embedContent", asked)
    search = {"query": embedded["embedding"]["values"], "using": "dense", "limit": 3, "with_payload": True}
    found = await _posted(QDRANT, search)
    passages = "\n\n".join(point["payload"]["text"] for point in found["result"]["points"])
    contents = [{"role": "user", "parts": [{"text": passages}, {"text": query}]}]
    return {"contents": contents, "systemInstruction": {"parts": [{"text": RULES}]}}


def _text(said: Any) -> str:
    return said["candidates"][0]["content"]["parts"][0]["text"]


@app.get("/health")
async def health() -> dict[str, str]:
    """It answers."""
    return {"status": "ok"}


@app.post("/chat")
async def chat(ask: Ask) -> dict[str, str]:
    """A whole answer."""
    said = await _posted(GEMINI + "gemini-3.5-flash-lite:generateContent", await _prompt(ask.query))
    return {"response": _text(said)}


@app.post("/chat/stream")
async def chat_stream(ask: Ask) -> StreamingResponse:
    """An answer as server-sent events."""
    return StreamingResponse(_deltas(ask.query), media_type="text/event-stream")


async def _deltas(query: str) -> AsyncGenerator[bytes, None]:
    body = orjson.dumps(await _prompt(query))
    url = GEMINI + "gemini-3.5-flash-lite:streamGenerateContent?alt=sse"
    async with app.state.session.post(url, data=body, headers=JSON) as reply:
        async for line in reply.content:
            if line.startswith(b"data: "):
                yield b"event: delta\ndata: %b\n\n" % orjson.dumps({"text": _text(orjson.loads(line[6:]))})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False, log_level="error")
