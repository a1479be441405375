"""The OpenAI-compatible door: POST /v1/chat/completions and GET /v1/models, answered by the one chat service.

To be imported only where OPENAI_COMPAT_ENABLED is set.
"""

from time import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from chatbot_api.admission import ASKING, COUNTED, Wired, known_site
from chatbot_api.client_messages import Messages, question_in
from chatbot_api.client_presence import while_connected
from chatbot_api.draining import Draining
from chatbot_api.event_streams import as_data
from chatbot_api.http_edge import PROBLEMS, problem_response
from chatbot_api.models.chat_models import Problem
from chatbot_api.openai_completion import CompletionChunks, completion_of
from chatbot_api.reliability import Deadline
from chatbot_api.visitors import VisitorId

openai_router = APIRouter(tags=["openai"])
_PROBLEMS = {status: told for status, told in PROBLEMS.items() if status != 404}
_MODEL_PROBLEMS: dict[int | str, dict[str, Any]] = {status: PROBLEMS[status] for status in (401, 429, 500, 503)}
_ANSWER: dict[str, Any] = {"application/json": {}, "text/event-stream": {}}
_BEGAN = int(time())


class StreamOptions(BaseModel):
    """What a stream is to hold."""

    model_config = ConfigDict(frozen=True)

    include_usage: bool = Field(default=False, description="End with a chunk that has no choices and tells the tokens.")


class CompletionRequest(BaseModel):
    """A request of OpenAI's chat completions. What is not named here is ignored: the owner chose the model and its settings."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messages: Messages
    model: str | None = Field(default=None, description="Any; one model answers.")
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    conversation_id: str | None = Field(default=None, description="Of an answer: goes on with its conversation.")
    metadata: dict[str, Any] | None = Field(default=None, description="May hold `conversation_id` instead.")

    @property
    def goes_on_with(self) -> str | None:
        """The conversation's id, from either of its places."""
        named = (self.metadata or {}).get("conversation_id")
        return self.conversation_id or (named if isinstance(named, str) else None)


@openai_router.post(
    "/v1/chat/completions", dependencies=ASKING, responses={**_PROBLEMS, 200: {"content": _ANSWER}}, response_model=None
)
async def completions(
    sent: CompletionRequest,
    visitor: VisitorId,
    wired: Wired,
    request: Request,
    key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=255, min_length=1)] = None,
) -> Response:
    """Answer the last message of the role `user`, as a completion or, with `"stream": true`, as its chunks."""
    ask = question_in(sent.messages, "content", conversation_id=sent.goes_on_with, client_message_id=key)
    draining: Draining = request.state["draining"]
    deadline, model = Deadline(wired.settings.deadline_s), wired.settings.site
    if sent.stream:
        chunks = CompletionChunks(model, with_usage=bool(sent.stream_options and sent.stream_options.include_usage))
        return as_data(draining.each(wired.chat.stream(ask, visitor, deadline)), chunks.told)
    reply = await while_connected(request, draining.result(wired.chat.reply(ask, visitor, deadline)))
    return problem_response(reply) if isinstance(reply, Problem) else JSONResponse(completion_of(reply, model))


@openai_router.get("/v1/models", dependencies=(Depends(known_site), *COUNTED), responses=_MODEL_PROBLEMS)
async def models(wired: Wired) -> dict[str, Any]:
    """The one model there is: this site's documentation, by its name in the index."""
    one = {"id": wired.settings.site, "object": "model", "created": _BEGAN, "owned_by": "ask-ai"}
    return {"object": "list", "data": [one]}
