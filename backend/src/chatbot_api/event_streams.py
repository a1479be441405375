"""An answer's events on the wire: as server-sent events, or in the ndjson protocol of an older widget; alive while they wait."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar, get_args

from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from starlette.types import Send

from chatbot_api.models.chat_models import Delta, Done, Event, Failed, Source, Sources, Start, Status
from chatbot_api.pump import Pump

T = TypeVar("T")
HEARTBEAT_S = 15.0
"""The interval that the HTML standard advises for server-sent events; shorter than any proxy's idle time."""
NDJSON = "application/x-ndjson"
EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "data": {"type": "string", "contentMediaType": "application/json"},
        "event": {"type": "string", "enum": [kind.model_fields["type"].default for kind in get_args(Event)]},
    },
    "required": ["data", "event"],
}
"""A server-sent event in the API's description."""
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # nginx would hold the events back


class EventStream(StreamingResponse):
    """A streamed reply whose events are closed with it, whichever way it ends."""

    def __init__(self, frames: AsyncGenerator[bytes, None], media_type: str) -> None:
        """``frames``: as they go out."""
        super().__init__(frames, media_type=media_type, headers=_HEADERS)
        self._frames = frames

    async def stream_response(self, send: Send) -> None:
        """Send; a reader who leaves stops what makes the frames."""
        async with aclosing(self._frames):
            await super().stream_response(send)


def as_sse(events: AsyncGenerator[Event, None], heartbeat_s: float = HEARTBEAT_S) -> EventStream:
    """Server-sent events; ``type`` stands in the data too, for parsers that read nothing else."""
    return EventStream(_sse(events, heartbeat_s), "text/event-stream")


def as_ndjson(events: AsyncGenerator[Event, None], heartbeat_s: float = HEARTBEAT_S) -> EventStream:
    """One JSON object a line: ``sources`` first, then ``chunk``s, then ``done`` or ``error``, their text in ``content``."""
    return EventStream(_ndjson(events, heartbeat_s), NDJSON)


def as_data(
    events: AsyncGenerator[Event, None],
    told: Callable[[Event], Iterable[Mapping[str, Any]]],
    heartbeat_s: float = HEARTBEAT_S,
) -> EventStream:
    """Server-sent events without names, each a JSON object, and ``[DONE]`` at their end, as other protocols have them.

    ``told``: an event as objects of such a protocol.
    """
    return EventStream(_data(events, told, heartbeat_s), "text/event-stream")


async def _data(
    events: AsyncGenerator[Event, None], told: Callable[[Event], Iterable[Mapping[str, Any]]], heartbeat_s: float
) -> AsyncGenerator[bytes, None]:
    async with aclosing(kept_alive(events, heartbeat_s)) as beating:
        async for event in beating:
            if event is None:
                yield b": ping\n\n"
            else:
                for value in told(event):
                    yield format_sse_event(data_str=json.dumps(value, ensure_ascii=False))
    yield format_sse_event(data_str="[DONE]")


async def _sse(events: AsyncGenerator[Event, None], heartbeat_s: float) -> AsyncGenerator[bytes, None]:
    async with aclosing(kept_alive(events, heartbeat_s)) as beating:
        async for event in beating:
            yield b": ping\n\n" if event is None else format_sse_event(event=event.type, data_str=event.model_dump_json())


async def _ndjson(events: AsyncGenerator[Event, None], heartbeat_s: float) -> AsyncGenerator[bytes, None]:
    message_id, first, begun = "", "", False
    offered: list[Source] = []
    async with aclosing(kept_alive(events, heartbeat_s)) as beating:
        async for event in beating:
            match event:
                case None:
                    yield b"\n"  # the widget skips an empty line
                case Start():
                    message_id = event.message_id
                case Status():
                    pass
                case Sources():
                    offered = event.sources
                case Delta() if not first:
                    first = event.text  # held: with the next event it is known whether the model declined, so without sources
                case Delta():
                    if not begun:
                        yield _opening(offered, first)
                        begun = True
                    yield _line("chunk", event.text)
                case Done():
                    if not begun:
                        yield _opening(event.sources, first)
                    yield _line("done", "", message_id=message_id, outcome=event.outcome)
                case Failed():
                    if not begun:
                        yield _opening(offered if first else [], first)
                    yield _line("error", event.problem.detail)


def _opening(sources: list[Source], first: str) -> bytes:
    pages = {source.url: {"url": source.url, "page_title": source.page_title} for source in sources}
    return _line("sources", list(pages.values())) + (_line("chunk", first) if first else b"")


def _line(kind: str, content: object, **more: str) -> bytes:
    return json.dumps({"type": kind, "content": content, **more}, ensure_ascii=False).encode() + b"\n"


async def kept_alive(stream: AsyncGenerator[T, None], every_s: float) -> AsyncGenerator[T | None, None]:
    """The stream's items, and None whenever ``every_s`` seconds pass without one; the stream is closed whatever happens."""
    loop = asyncio.get_running_loop()
    pump = Pump[T, None](stream)
    last = loop.time()

    def beat() -> None:
        nonlocal last, timer
        if loop.time() - last >= every_s:
            pump.put(None)
            last = loop.time()
        timer = loop.call_at(last + every_s, beat)

    timer = loop.call_at(last + every_s, beat)
    try:
        async with aclosing(pump.items()) as items:
            async for item in items:
                last = loop.time()
                yield item
    finally:
        timer.cancel()
