"""One answer of ours in the parts of Vercel's AI SDK (UI message stream, ai 7): text with citations, its sources, and its end."""

from collections.abc import Iterator
from typing import Any

from chatbot_api.models.chat_models import Delta, Done, Event, Failed, Source, Sources, Start, Status, cited_in

_FINISH = {"stop": "stop", "length": "length", "blocked": "content-filter"}
_TEXT_ID = "text"
"""One text part an answer."""


class UIMessageParts:
    """The state of one answer while it is told."""

    def __init__(self) -> None:
        """Nothing told yet."""
        self._text = ""
        self._is_open = False

    def told(self, event: Event) -> Iterator[dict[str, Any]]:
        """The parts that tell an event."""
        match event:
            case Start():
                told = {"conversationId": event.conversation_id}
                yield {"type": "start", "messageId": event.message_id, "messageMetadata": told}
            case Status():
                yield {"type": "data-status", "data": {"stage": event.stage, "text": event.text}, "transient": True}
            case Sources():
                pass  # those that are cited come with Done
            case Delta():
                yield from self._opened()
                self._text += event.text
                yield {"type": "text-delta", "id": _TEXT_ID, "delta": event.text}
            case Done():
                yield from self._opened()
                yield {"type": "text-end", "id": _TEXT_ID, "citations": self._citations(event)}
                yield from _ended(event)
            case Failed():
                if self._is_open:
                    yield {"type": "text-end", "id": _TEXT_ID}
                yield {"type": "error", "errorText": event.problem.detail}

    def _opened(self) -> Iterator[dict[str, Any]]:
        if not self._is_open:
            self._is_open = True
            yield {"type": "text-start", "id": _TEXT_ID}

    def _citations(self, done: Done) -> list[dict[str, Any]]:
        return [
            {
                "source": {"type": "source", "sourceType": "url", **_named(source, "id")},
                "startIndex": self._units_before(one.start),
                "endIndex": self._units_before(one.end),
                "citedText": source.snippet,
            }
            for one, source in cited_in(done)
        ]

    def _units_before(self, character: int) -> int:
        """A position as JavaScript counts: UTF-16 code units, of which an emoji has two."""
        return len(self._text[:character].encode("utf-16-le", "surrogatepass")) // 2


def _ended(done: Done) -> Iterator[dict[str, Any]]:
    for source in done.sources:
        yield {"type": "source-url", **_named(source, "sourceId")}
    if done.nearest:
        yield {"type": "data-nearest", "data": [_named(source, "id") for source in done.nearest]}
    told = {"outcome": done.outcome, "degraded": done.degraded, "mode": done.mode}
    yield {"type": "finish", "finishReason": _FINISH[done.finish_reason], "messageMetadata": told}


def _named(source: Source, identity: str) -> dict[str, str]:
    return {identity: source.id, "url": source.url, "title": source.full_title}
