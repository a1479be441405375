"""The door for Vercel's AI SDK: POST /api/chat, where ``useChat`` asks by default, answered by the one chat service.

To be imported only where AI_SDK_ENABLED is set.
"""

import hashlib
from typing import Any, Literal, cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chatbot_api.admission import ASKING, COUNTED, Wired
from chatbot_api.ai_sdk_answer import UIMessageParts
from chatbot_api.client_messages import Messages, last_of_reader, question_in
from chatbot_api.draining import Draining
from chatbot_api.event_streams import as_data
from chatbot_api.http_edge import PROBLEMS
from chatbot_api.reliability import Deadline
from chatbot_api.visitors import VisitorId

ai_sdk_router = APIRouter(tags=["ai-sdk"])
_PROBLEMS = {status: PROBLEMS[status] for status in (400, 401, 403, 413, 415, 422, 429, 500, 503)}
_RESUME_PROBLEMS: dict[int | str, dict[str, Any]] = {status: PROBLEMS[status] for status in (422, 429, 500, 503)}
_STREAM: dict[str, Any] = {"text/event-stream": {}}


class UIChatRequest(BaseModel):
    """What ``DefaultChatTransport`` sends. What is not named here is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messages: Messages
    id: str | None = Field(default=None, description="The chat's id in the browser.")
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"
    conversation_id: str | None = Field(
        default=None, description="Goes on with this conversation; else with that of the last answer in `messages`."
    )

    @property
    def goes_on_with(self) -> str | None:
        """The conversation's id: the browser has it in the metadata of the answers that it sends back."""
        if self.conversation_id:
            return self.conversation_id
        for message in reversed(self.messages):
            metadata: object = message.get("metadata")
            if message.get("role") == "assistant" and isinstance(metadata, dict):
                named = cast("dict[str, object]", metadata).get("conversationId")
                return named if isinstance(named, str) else None
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


@ai_sdk_router.post("/api/chat", dependencies=ASKING, responses={**_PROBLEMS, 200: {"content": _STREAM}}, response_model=None)
async def chat(sent: UIChatRequest, visitor: VisitorId, wired: Wired, request: Request) -> Response:
    """Answer the last message of the role `user` as a UI message stream."""
    ask = question_in(sent.messages, "parts", conversation_id=sent.goes_on_with, client_message_id=sent.message_id)
    draining: Draining = request.state["draining"]
    events = draining.each(wired.chat.stream(ask, visitor, Deadline(wired.settings.deadline_s)))
    reply = as_data(events, UIMessageParts().told)
    reply.headers["x-vercel-ai-ui-message-stream"] = "v1"
    return reply


@ai_sdk_router.get("/api/chat/{chat_id}/stream", dependencies=COUNTED, status_code=204, responses=_RESUME_PROBLEMS)
async def nothing_to_resume(chat_id: str) -> Response:  # noqa: ARG001 - in the address
    """Tell a page that was loaded anew that no answer is under way: who leaves stops it. What was written by then is kept."""
    return Response(status_code=204)
