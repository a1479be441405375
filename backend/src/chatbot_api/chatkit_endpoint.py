"""The ChatKit door: POST /chatkit, the protocol of OpenAI's ChatKit front end, answered by the one chat service.

To be imported only where CHATKIT_ENABLED is set: the package costs seconds and tens of MiB. What can be refused is refused before
the first byte; what fails later is the stream's last event.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import anyio
from chatkit.server import ChatKitServer, NonStreamingResult, StreamingResult
from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageItem,
    ErrorEvent,
    FeedbackKind,
    ItemsFeedbackReq,
    Thread,
    ThreadItem,
    ThreadMetadata,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsListReq,
    ThreadsRetryAfterItemReq,
    ThreadStreamEvent,
    UserMessageItem,
)
from fastapi import APIRouter, Body, Request, Response
from typing_extensions import override

from chatbot_api.admission import ASKING
from chatbot_api.chatkit_answer import ChatKitAnswer
from chatbot_api.chatkit_request import Asked, checked, invalid, question_of, title_of
from chatbot_api.chatkit_store import ChatKitStore, StoreTrouble, aware
from chatbot_api.draining import Draining
from chatbot_api.errors import NoSuchConversation, NoSuchMessage, NotFound, ServiceError
from chatbot_api.event_streams import EventStream
from chatbot_api.http_edge import PROBLEMS
from chatbot_api.models.chat_models import MAX_QUERY_CHARS, AskContext, ChatRequest
from chatbot_api.models.conversation_models import FeedbackRequest
from chatbot_api.openapi_headers import OF_ASKING
from chatbot_api.reliability import Deadline
from chatbot_api.telemetry import logger, note
from chatbot_api.visitors import VisitorId
from chatbot_api.wiring import Services

log = logger(__name__)
chatkit_router = APIRouter(tags=["chatkit"])
_PROBLEMS = {status: PROBLEMS[status] for status in (400, 401, 403, 404, 413, 415, 422, 429, 500, 503)}
_STREAM: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}
Sent = Annotated[dict[str, Any], Body(description='`{"type": operation, "params": {...}}`, as ChatKit sends it.')]

# The package reads LOG_LEVEL too, and would write lines of its own form beside ours.
logging.getLogger("chatkit").handlers.clear()
logging.getLogger("chatkit").setLevel(logging.WARNING)


@dataclass(slots=True)
class Visit:
    """One request's context: ChatKit hands it to the store and to the server's methods."""

    visitor: str
    deadline_s: float
    draining: Draining
    answer: ChatKitAnswer | None = None
    """What is being told, once it is."""


class DocsChatKit(ChatKitServer[Visit]):
    """ChatKit's server over our services. Cheap to make: one a request."""

    def __init__(self, services: Services) -> None:
        """``services``: who answers, and who keeps."""
        super().__init__(ChatKitStore[Visit](services.threads))
        self._services = services

    @override
    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Visit
    ) -> AsyncIterator[ThreadStreamEvent]:
        """The answer to a message: a turn of the conversation that the thread is."""
        question = question_of(input_user_message)[:MAX_QUERY_CHARS]  # masking, before a retry, may have made it longer
        selection = input_user_message.quoted_text if input_user_message else None
        thread.title = thread.title or title_of(question)
        ask = ChatRequest(query=question, conversation_id=thread.id, context=AskContext(selection=selection))
        answer = context.answer = ChatKitAnswer(thread.id)
        stream = self._services.chat.stream(ask, context.visitor, Deadline(context.deadline_s))
        async with aclosing(context.draining.each(stream)) as events:
            async for event in events:
                for told in answer.told(event):
                    yield told

    @override
    async def add_feedback(self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: Visit) -> None:
        """Rate answers by their items' ids, which are our message ids. Raises NotFoundError."""
        for item_id in item_ids:
            given = FeedbackRequest.model_validate({"message_id": item_id, "rating": feedback})
            if not await self._services.store.rate(context.visitor, given):
                raise NotFoundError(item_id)

    @override
    async def handle_stream_cancelled(self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: Visit) -> None:
        """Keep what was written before the reader left, as ChatKit does; where nothing was, a hidden item in its place."""
        try:
            await super().handle_stream_cancelled(thread, pending_items, context)
            if context.answer and context.answer.id and not context.answer.is_over and not pending_items:
                await self.store.save_item(thread.id, context.answer.left_over().item, context)
        except (StoreTrouble, NotFoundError, ValueError) as error:  # ValueError: the whole item was kept at the last moment
            log.warning("partial_item_not_kept", problem=type(error).__name__)

    @override
    def _to_thread_response(self, thread: ThreadMetadata | Thread) -> Thread:
        """ChatKit's own, with a time that bears its zone."""
        shown = super()._to_thread_response(thread)
        shown.created_at = aware(shown.created_at)
        return shown


@chatkit_router.post(
    "/chatkit",
    dependencies=ASKING,
    responses={**_PROBLEMS, 200: {"content": _STREAM}},
    response_model=None,
    openapi_extra=OF_ASKING,
)
async def chatkit(sent: Sent, visitor: VisitorId, request: Request) -> Response:
    """One operation of the ChatKit protocol, on this visitor's own threads."""
    services: Services = request.state["services"]
    server, visit = DocsChatKit(services), Visit(visitor, services.settings.deadline_s, request.state["draining"])
    asked = checked(sent)
    note(operation=asked.type)
    await _refuse(asked, server, visit)
    with _as_ours(NoSuchMessage if isinstance(asked, ItemsFeedbackReq | ThreadsRetryAfterItemReq) else NoSuchConversation):
        result = await server.process(asked.model_dump_json(), visit)
        if isinstance(result, NonStreamingResult):
            return Response(result.json, media_type="application/json")
        return await _streamed(result)


@contextmanager
def _as_ours(missing: type[NotFound]) -> Generator[None, None, None]:
    """Failures that ChatKit knows as ours. ``missing``: what isn't there when something isn't; its id is never repeated."""
    try:
        yield
    except NotFoundError:
        raise missing from None
    except StoreTrouble as trouble:
        raise trouble.error from None


async def _refuse(asked: Asked, server: DocsChatKit, visit: Visit) -> None:
    """Raise what ChatKit would find out after the reply has begun, or never: what is there, and is this visitor's."""
    if isinstance(asked, ThreadsCreateReq | ThreadsListReq):
        return
    thread_id = asked.params.thread_id
    with _as_ours(NoSuchConversation):
        thread = await server.store.load_thread(thread_id, visit)
    writes = isinstance(asked, ThreadsAddUserMessageReq | ThreadsRetryAfterItemReq)
    if writes and thread.status.type != "active":
        raise invalid(["params", "thread_id"], "closed", "This thread takes no more messages.")
    if isinstance(asked, ThreadsRetryAfterItemReq):
        with _as_ours(NoSuchMessage):
            item = await server.store.load_item(thread_id, asked.params.item_id, visit)
        if not isinstance(item, UserMessageItem):
            raise invalid(["params", "item_id"], "kind", "Only a message of the reader's can be tried again.")
    if isinstance(asked, ItemsFeedbackReq):
        with _as_ours(NoSuchMessage):
            items = [await server.store.load_item(thread_id, item_id, visit) for item_id in asked.params.item_ids]
        if not all(isinstance(item, AssistantMessageItem) for item in items):
            raise invalid(["params", "item_ids"], "kind", "Only answers can be rated.")


async def _streamed(result: StreamingResult) -> EventStream:
    """The reply of a streaming operation, begun only when its first event is there. Raises what fails before it."""
    frames = _frames(result)
    first = await anext(frames, None)
    if first is None:
        raise NotFoundError("nothing to answer")  # the message went away between the check and the retry
    return EventStream(_resumed(first, frames), "text/event-stream")


async def _resumed(first: bytes, frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(frames):
        yield first
        async for frame in frames:
            yield frame


async def _frames(result: StreamingResult) -> AsyncGenerator[bytes, None]:
    """What ChatKit streams, told by a task of its own.

    ChatKit keeps the partial answer when it is cancelled, which takes awaiting; it learns of a reader who leaves only if that
    reaches it as a cancelling, and the server cancels whatever sends the reply over and over until it stops.
    """
    queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
    telling = asyncio.create_task(_tell(result, queue))
    try:
        while (frame := await queue.get()) is not None:
            if isinstance(frame, Exception):
                raise frame
            yield frame
    finally:
        telling.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({telling})


async def _tell(result: StreamingResult, queue: "asyncio.Queue[bytes | Exception | None]") -> None:
    """Put each frame, then None. A failure before the first is put as it is; a later one becomes the stream's last event."""
    begun = False
    try:
        async with aclosing(result.json_events) as frames:
            async for frame in frames:
                begun = True
                queue.put_nowait(frame)
    except (StoreTrouble, NotFoundError) as error:
        problem = error.error if isinstance(error, StoreTrouble) else NoSuchConversation()
        note(problem=problem.slug, cause=problem.cause)
        queue.put_nowait(_last(problem) if begun else error)
    except Exception as error:
        # Whatever the bug, a stream that has begun must end with a last event.
        log.exception("chatkit_broke")
        note(problem="internal")
        queue.put_nowait(_last(ServiceError()) if begun else error)
    finally:
        queue.put_nowait(None)


def _last(problem: ServiceError) -> bytes:
    event = ErrorEvent(message=problem.detail, allow_retry=problem.retryable)
    return b"data: " + event.model_dump_json(exclude_none=True).encode() + b"\n\n"
