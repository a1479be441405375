"""The door for Vercel's AI SDK: POST /api/chat, where ``useChat`` asks by default, answered by the one chat service.

To be imported only where AI_SDK_ENABLED is set.
"""

import hashlib
from typing import Any, Literal, cast

from fastapi import APIRouter, Request, Response
from pydantic import Field

from chatbot_api.admission import ASKING, COUNTED
from chatbot_api.ai_sdk_answer import UIMessageParts
from chatbot_api.answering import answer_events
from chatbot_api.client_messages import ClientRequest, last_of_reader, question_in
from chatbot_api.event_streams import as_data
from chatbot_api.http_edge import PROBLEMS
from chatbot_api.openapi_headers import OF_ASKING
from chatbot_api.visitors import visitor_of

ai_sdk_router = APIRouter(tags=["ai-sdk"])
_PROBLEMS = {status: PROBLEMS[status] for status in (400, 401, 403, 413, 415, 422, 429, 500, 503)}
_RESUME_PROBLEMS: dict[int | str, dict[str, Any]] = {status: PROBLEMS[status] for status in (422, 429, 500, 503)}
_STREAM: dict[str, Any] = {"text/event-stream": {}}


class UIChatRequest(ClientRequest, frozen=True):
    """What ``DefaultChatTransport`` sends; without a `conversation_id` it goes on with that of the last answer in `messages`."""

    id: str | None = Field(default=None, description="The chat's id in the browser.")
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"

    @property
    def goes_on_with(self) -> object:
        """The conversation's id: the browser has it in the metadata of the answers that it sends back."""
        if self.conversation_id:
            return self.conversation_id
        for message in reversed(self.messages):
            metadata: object = message.get("metadata")
            if message.get("role") == "assistant" and isinstance(metadata, dict):
                return cast("dict[str, object]", metadata).get("conversationId")
        return None

    @property
    def message_id(self) -> str | None:
        """Of the chat, the message and its words: the same when a lost reply is asked for again, another when they were edited.

        None for a message without an id, and where another answer is asked for.
        """
        _, message = last_of_reader(self.messages)
        own = message.get("id")
        if self.trigger == "regenerate-message" or not isinstance(own, str) or not own:
            return None
        words = repr([self.id, own, message.get("parts")]).encode("utf-8", "surrogatepass")
        return hashlib.sha256(words).hexdigest()


@ai_sdk_router.post(
    "/api/chat",
    dependencies=ASKING,
    responses={**_PROBLEMS, 200: {"content": _STREAM}},
    response_model=None,
    openapi_extra=OF_ASKING,
)
async def chat(sent: UIChatRequest, request: Request) -> Response:
    """Answer the last message of the role `user` as a UI message stream."""
    ask = question_in(sent.messages, "parts", conversation_id=sent.goes_on_with, client_message_id=sent.message_id)
    reply = as_data(answer_events(request, ask, visitor_of(request)), UIMessageParts().told)
    reply.headers["x-vercel-ai-ui-message-stream"] = "v1"
    return reply


@ai_sdk_router.get("/api/chat/{chat_id}/stream", dependencies=COUNTED, status_code=204, responses=_RESUME_PROBLEMS)
async def nothing_to_resume(chat_id: str) -> Response:  # noqa: ARG001 - in the address
    """Tell a page that was loaded anew that no answer is under way: who leaves stops it. What was written by then is kept."""
    return Response(status_code=204)
