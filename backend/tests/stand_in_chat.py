"""A chat service of a few lines, to try the demo page on: it speaks the event contract, and does on demand what can go wrong."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse

from chatbot_api.demo_pages import DemoPages
from chatbot_api.demo_site import add_demo
from chatbot_api.models.chat_models import (
    ChatRequest,
    Delta,
    Done,
    Event,
    Failed,
    Problem,
    Source,
    Sources,
    Start,
    Status,
)
from threaded_server import in_thread

STARTERS = ["How do I pair a lamp?", "How do I reset the hub?", "Where is the settings file?", "Does it work without a network?"]

ANSWER = """\
Hold the button on the lamp for **three seconds** until it blinks, then run the command [1]:

```bash
lantern pair --name kitchen
```

The hub looks for lamps for one minute. If none is found:

1. Move the lamp closer to the hub; walls of concrete take most of the range [2].
2. Check that `radio.channel` is the same in the [settings file](/docs/configure#the-settings-file).
3. Reset the lamp and begin anew [1][2].
"""
PAYLOADS = (
    "<img src=x onerror=\"window.hit='img'\"> <script>window.hit='script'</script> "
    "[a](javascript:window.hit=1) [b](data:text/html,<script>1</script>) [c](//evil.example/x) [d](https://user@evil.example/) "
    "[e](\\evil.example) ![pixel](https://evil.example/pixel.png) [f](JaVaScRiPt:alert(1)) <svg/onload=window.hit=2> [9] "
    '`<b>code</b>` **<i onmouseover="window.hit=3">bold</i>** [1]\n\n```"><script>window.hit=4</script>\n<script>x</script>\n```'
)


def source(number: int, path: list[str], url: str) -> Source:
    return Source(
        id=str(number),
        title=path[-1],
        page_title=path[-1],
        heading_path=path,
        url=url,
        snippet="...",
        score=0.8,
        version=None,
        locale="en",
    )


PAIR = source(1, ["Install Lantern", "Pair a lamp"], "/docs/install#pair-a-lamp")
RANGE = source(2, ["Configure", "Radio", "Range and walls"], "/docs/configure#range")
SPARE = source(3, ["Commands", "lantern reset"], "/docs/commands#lantern-reset")
EVIL = source(1, ["<img src=x onerror=window.hit=5>", "<b>Evil</b>"], "javascript:window.hit=6")


def done(outcome: str, **fields: object) -> Done:
    values = {"outcome": outcome, "mode": "generated", "finish_reason": "stop", "citations": [], "sources": [], **fields}
    return Done.model_validate(values)


def problem(status: int, title: str, detail: str, retry_after: int | None = None, retryable: bool = True) -> Problem:
    return Problem(
        type=f"/problems/{status}",
        title=title,
        status=status,
        detail=detail,
        request_id="r_4f2a91",
        retryable=retryable,
        retry_after=retry_after,
    )


BUSY = problem(429, "Too many questions", "You asked a lot in a short time. Please wait a moment.", retry_after=2)
DOWN = problem(503, "The search index is unavailable", "The documentation can't be searched right now. Please try again.")
TOO_LONG = problem(422, "The request is not valid", "A field of the request is missing or not valid.", retryable=False)


class StandInChat:
    """Answers by a word in the question; ``asked`` holds the requests, ``left`` counts the readers who went away."""

    def __init__(self) -> None:
        self.asked: list[ChatRequest] = []
        self.left = 0
        self.gate = threading.Event()

    def refusal(self, query: str) -> Problem | None:
        first = sum(ask.query == query for ask in self.asked) == 1
        return {"busy": BUSY, "down": DOWN, "invalid": TOO_LONG}.get(query.split(maxsplit=1)[0]) if first else None

    async def events(self, query: str) -> AsyncIterator[Event | None]:
        """The events of one answer; None is a breath, so that pieces arrive apart."""
        yield Start(conversation_id="c_1", message_id="m_1")
        yield Status(stage="searching", text="Searching the docs")
        yield None
        word = query.split(maxsplit=1)[0]
        if word == "unknown":
            yield Sources(sources=[], nearest=[PAIR, SPARE])
            yield Delta(text="The documentation does not say how to bake bread.")
            yield done("not_in_docs", mode="extractive", nearest=[PAIR, SPARE])
            return
        yield Sources(sources=[EVIL] if word == "evil" else [PAIR, RANGE, SPARE])
        yield Status(stage="writing", text="Writing the answer")
        async for event in self.writing(word):
            yield event

    async def writing(self, word: str) -> AsyncIterator[Event | None]:
        first_time = sum(ask.query.startswith(word) for ask in self.asked) == 1
        if word == "evil":
            yield Delta(text=PAYLOADS)
            yield done("answered", sources=[EVIL])
        elif word == "partly":
            yield Delta(text="> Hold the button on the lamp for three seconds until it blinks.\n\n[1]")
            yield done("degraded", degraded=["generation", "dense"], mode="extractive", sources=[PAIR])
        elif word in {"failing", "broken"} and first_time:
            yield Delta(text="Hold the button on the lamp")
            yield None
            if word == "failing":
                yield Failed(problem=DOWN)
        elif word == "slow" and first_time:
            yield Delta(text="Hold the button ")
            while True:
                yield None
        else:
            for at in range(0, len(ANSWER), 24):
                yield Delta(text=ANSWER[at : at + 24])
                if word == "gated" and at == 48:
                    while not self.gate.is_set():
                        yield None
            yield done("answered", sources=[PAIR, RANGE])

    async def wire(self, query: str) -> AsyncIterator[bytes]:
        """The frames, as awkward as the standard allows: CRLF, comments, and cuts in the midst of a line."""
        yield b": hello\r\n\r\n"
        try:
            async for event in self.events(query):
                if event is None:
                    yield b": ping\n\n"
                    await asyncio.sleep(0.05)
                    continue
                frame = f"event: {event.type}\r\ndata: {event.model_dump_json()}\r\n\r\n".encode()
                for piece in (frame[:9], frame[9:-3], frame[-3:]):
                    yield piece
                    await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.left += 1
            raise

    def app(self, pages: DemoPages | None) -> FastAPI:
        app = FastAPI(docs_url=None, redoc_url=None)

        @app.post("/chat/stream")
        async def stream(ask: ChatRequest) -> Response:
            self.asked.append(ask)
            if refusal := self.refusal(ask.query):
                headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
                content = refusal.model_dump(mode="json")
                return JSONResponse(content, refusal.status, headers, media_type="application/problem+json")
            return StreamingResponse(self.wire(ask.query), media_type="text/event-stream")

        add_demo(app, pages, title="Lantern", provider="gemini", starters=STARTERS)
        return app


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The app on a port of its own for as long as the block lasts; gives its base URL."""
    config = uvicorn.Config(app, log_level="warning", ws="none", lifespan="off", timeout_graceful_shutdown=1)
    with in_thread(uvicorn.Server(config)) as url:
        yield url
