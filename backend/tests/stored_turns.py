"""Turns of a conversation as the store gives them back, made for a test."""

from typing import Any

from chatbot_api.models.chat_models import Citation, Done, Source
from chatbot_api.models.conversation_models import StoredTurn


def source(number: int, *path: str) -> Source:
    fields: dict[str, Any] = {"title": path[0], "page_title": path[0], "heading_path": list(path), "url": f"/{number}"}
    return Source(id=str(number), snippet="", score=None, version=None, locale="en", **fields)


def done(outcome: str = "answered", sources: tuple[Source, ...] = (), cited: tuple[str, ...] = ()) -> Done:
    citations = [Citation(source_id=one, start=0, end=0) for one in cited]
    values: dict[str, Any] = {"outcome": outcome, "mode": "generated", "finish_reason": "stop"}
    return Done(citations=citations, sources=list(sources), **values)


def turn(question: str | None, response: str | None = "So.", standalone: str | None = None, **values: Any) -> StoredTurn:
    return StoredTurn("m_1", question, standalone, response, values.get("done", done()), values.get("ids", ()))


DOCKER = turn("How do I install the hub with Docker?", "Run `docker run hub[1]` [1].")
