"""One turn of a conversation. There is one way to answer: ``stream``; ``reply`` is its fold, every protocol an adapter of it."""

from asyncio import CancelledError
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic
from typing import assert_never

from chatbot_api.errors import ServiceError
from chatbot_api.models.answer_models import Told
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
from chatbot_api.models.conversation_models import StoredTurn
from chatbot_api.models.index_models import Scope
from chatbot_api.reliability import Deadline
from chatbot_api.services.conversation_memory import ConversationMemory, Recalled
from chatbot_api.services.draft import lacking
from chatbot_api.services.problems import problem_of
from chatbot_api.services.rag_service import RagService
from chatbot_api.services.shared_answers import Answering, FirstQuestion, SharedAnswers
from chatbot_api.telemetry import logger, note, request_id, timed

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Asking:
    """A question on its way to an answer."""

    ask: ChatRequest
    question: str
    """What is meant: the reader's words, or what they mean after earlier turns."""
    recalled: Recalled
    deadline: Deadline
    whole: bool

    @property
    def is_personal(self) -> bool:
        """Whether something else than the question decides the answer."""
        return bool(self.recalled.turns or (self.ask.context and self.ask.context.selection))


class ChatService:
    """Speaks one turn: recalls the conversation, finds passages, names the sources, writes the answer, remembers the turn."""

    def __init__(self, rag: RagService, memory: ConversationMemory, shared: SharedAnswers | None = None) -> None:
        """``rag``: who finds and writes. ``memory``: who knows the turns before. ``shared``: who knows answers given before."""
        self._rag, self._memory, self._shared = rag, memory, shared

    async def stream(
        self, ask: ChatRequest, visitor: str, deadline: Deadline, *, whole: bool = False
    ) -> AsyncGenerator[Event, None]:
        """The events of one answer; always ends with Done or Failed. ``whole``: see RagService.write.

        ``visitor``: whose conversation it is, an opaque id. Who leaves before the end stops the model at once.
        """
        recalled = await timed("recall_ms", self._memory.recall(ask, visitor))
        yield Start(conversation_id=recalled.conversation_id, message_id=recalled.message_id)
        try:
            before = recalled.answer_again(ask)
            async with aclosing(_told_again(before) if before else self._answer(ask, recalled, deadline, whole)) as events:
                async for event in events:
                    yield event
        except ServiceError as error:
            note(problem=error.slug, cause=error.cause)
            yield Failed(problem=problem_of(error, request_id()))
        except Exception:
            # Whatever the bug, a stream that has begun must end with a last event.
            log.exception("answer_broke")
            note(problem="internal")
            yield Failed(problem=problem_of(ServiceError(), request_id()))

    async def _answer(self, ask: ChatRequest, recalled: Recalled, deadline: Deadline, whole: bool) -> AsyncGenerator[Event, None]:
        started = monotonic()
        yield Status(stage="searching", text="Searching the documentation")
        # With a selection "this" means what was selected, not what was spoken of before.
        leant_on = () if ask.context and ask.context.selection else recalled.turns
        question = await timed("standalone_ms", self._rag.standalone(ask.query, leant_on, deadline))
        told, events = await self._answering(_Asking(ask, question, recalled, deadline, whole))
        waiting = True
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Delta) and waiting:
                        waiting = False
                        note(first_text_ms=_since(started))
                    if not isinstance(event, Done):
                        yield event
            kept = await timed("keep_ms", self._memory.remember(recalled, ask, told))
        except (CancelledError, GeneratorExit, ServiceError):
            self._memory.remember_partial(recalled, ask, told)
            raise
        if told.done is None:
            raise ServiceError("the answer has no end")
        done = told.done if kept and not recalled.failed else lacking(told.done, "history")
        _note(done, started)
        yield done

    async def _answering(self, asking: _Asking) -> Answering:
        """An answer of the reader's own; the one that all get who ask the same, where nothing but the question decides it."""
        scope = await self._rag.scope(asking.ask.context, asking.deadline)

        def begin() -> Answering:
            told = Told(understood_as=asking.question if asking.question != asking.ask.query else None)
            return told, self._written(told, asking, scope)

        if self._shared is None or asking.is_personal:
            return begin()
        return await self._shared.answer(FirstQuestion(asking.question, scope, asking.ask.top_k), asking.whole, begin)

    async def _written(self, told: Told, asking: _Asking, scope: Scope) -> AsyncGenerator[Event, None]:
        ask, question, recalled, deadline = asking.ask, asking.question, asking.recalled, asking.deadline
        earlier = recalled.passage_ids if question != ask.query else ()
        finding = self._rag.find(question, ask.context, ask.top_k, deadline, earlier=earlier, asked=ask.query, scope=scope)
        found = await timed("find_ms", finding)
        if found.scope.widened:
            yield Status(stage="widened", text="Nothing was found for this version and language; the whole site was searched")
        draft = self._rag.draft(found)
        told.has_begun, told.passage_ids = True, draft.passage_ids
        yield Sources(sources=list(found.sources), nearest=list(found.closest if found.nearest else ()))
        yield Status(stage="writing", text="Writing the answer")
        async with aclosing(self._rag.write(draft, recalled.turns, deadline, whole=asking.whole)) as pieces:
            async for text in pieces:
                told.text += text
                if text:
                    yield Delta(text=text)
        told.passage_ids, told.done = draft.passage_ids, draft.done()
        yield told.done

    async def reply(self, ask: ChatRequest, visitor: str, deadline: Deadline) -> ChatResponse | Problem:
        """The fold of ``stream``: the whole answer, or the problem it ended with."""
        start: Start | None = None
        text: list[str] = []
        async with aclosing(self.stream(ask, visitor, deadline, whole=True)) as events:
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
        understood_as=done.understood_as,
    )


async def _told_again(before: StoredTurn) -> AsyncGenerator[Event, None]:
    """The answer that a repeated message got when it first came."""
    if before.done is None:
        raise ServiceError("an answer without its end can't be told again")
    note(outcome=before.done.outcome, repeated=True)
    yield Sources(sources=before.done.sources, nearest=before.done.nearest)
    yield Delta(text=before.response or "")
    yield before.done


def _note(done: Done, started: float) -> None:
    note(
        outcome=done.outcome,
        degraded=done.degraded,
        mode=done.mode,
        cited=len({citation.source_id for citation in done.citations}),
        answer_ms=_since(started),
    )


def _since(started: float) -> int:
    return round((monotonic() - started) * 1000)
