"""One turn of a conversation. There is one way to answer: ``stream``; ``reply`` is its fold, every protocol an adapter of it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from re import fullmatch
from secrets import token_urlsafe
from time import monotonic
from typing import assert_never

from chatbot_api.errors import ServiceError
from chatbot_api.models.chat_models import (
    ChatRequest,
    ChatResponse,
    Delta,
    Done,
    Event,
    Failed,
    Problem,
    Sources,
    Start,
    Status,
)
from chatbot_api.reliability import Deadline
from chatbot_api.services.draft import Draft
from chatbot_api.services.problems import problem_of
from chatbot_api.services.rag_service import RagService
from chatbot_api.telemetry import logger, note, request_id

log = logger(__name__)


class ChatService:
    """Speaks one turn: finds passages, names the sources, writes the answer."""

    def __init__(self, rag: RagService) -> None:
        """``rag``: who finds and writes."""
        self._rag = rag

    async def stream(self, ask: ChatRequest, deadline: Deadline, *, whole: bool = False) -> AsyncGenerator[Event, None]:
        """The events of one answer; always ends with Done or Failed. ``whole``: see RagService.write."""
        started = monotonic()
        yield Start(conversation_id=_conversation_id(ask), message_id=f"m_{token_urlsafe(16)}")
        try:
            yield Status(stage="searching", text="Searching the documentation")
            found = await self._rag.find(ask.query, ask.context, ask.top_k, deadline)
            note(find_ms=_since(started))
            if found.scope.widened:
                yield Status(stage="widened", text="Nothing was found for this version and language; the whole site was searched")
            draft = self._rag.draft(found)
            yield Sources(sources=list(found.sources), nearest=list(found.closest if found.nearest else ()))
            yield Status(stage="writing", text="Writing the answer")
            async with aclosing(self._rag.write(draft, (), deadline, whole=whole)) as pieces:
                async for text in pieces:
                    if text:
                        yield Delta(text=text)
            _note(draft, started)
            yield draft.done()
        except ServiceError as error:
            note(problem=error.slug, cause=error.cause)
            yield Failed(problem=problem_of(error, request_id()))
        except Exception:
            # Whatever the bug, a stream that has begun must end with a last event.
            log.exception("answer_broke")
            note(problem="internal")
            yield Failed(problem=problem_of(ServiceError(), request_id()))

    async def reply(self, ask: ChatRequest, deadline: Deadline) -> ChatResponse | Problem:
        """The fold of ``stream``: the whole answer, or the problem it ended with."""
        start: Start | None = None
        text: list[str] = []
        async with aclosing(self.stream(ask, deadline, whole=True)) as events:
            async for event in events:
                match event:
                    case Start():
                        start = event
                    case Status() | Sources():
                        pass
                    case Delta():
                        text.append(event.text)
                    case Done() if start:
                        return _folded(start, "".join(text), event)
                    case Failed():
                        return event.problem
                    case Done():
                        break
                    case _:
                        assert_never(event)
        raise ServiceError("the stream ended without a last event")


def _folded(start: Start, text: str, done: Done) -> ChatResponse:
    return ChatResponse(
        response=text,
        conversation_id=start.conversation_id,
        message_id=start.message_id,
        outcome=done.outcome,
        degraded=done.degraded,
        mode=done.mode,
        finish_reason=done.finish_reason,
        citations=done.citations,
        sources=done.sources,
        nearest=done.nearest,
        scope=done.scope,
    )


def _conversation_id(ask: ChatRequest) -> str:
    """The client's own id when it is one of ours by its form, else a new one of 128 random bits."""
    given = ask.conversation_id or ""
    return given if fullmatch(r"c_[A-Za-z0-9_-]{22,62}", given) else f"c_{token_urlsafe(16)}"


def _note(draft: Draft, started: float) -> None:
    note(
        outcome=draft.outcome,
        degraded=draft.degraded,
        mode=draft.mode,
        cited=len({citation.source_id for citation in draft.cited.citations}),
        answer_ms=_since(started),
    )


def _since(started: float) -> int:
    return round((monotonic() - started) * 1000)
