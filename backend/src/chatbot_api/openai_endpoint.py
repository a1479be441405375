"""The OpenAI-compatible door: POST /v1/chat/completions and GET /v1/models, answered by the one chat service.

To be imported only where OPENAI_COMPAT_ENABLED is set.
"""

from time import time
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from chatbot_api.admission import ASKING, COUNTED, Wired, known_site
from chatbot_api.answering import answer_events, whole_answer
from chatbot_api.client_messages import ClientRequest, idempotency_key, question_in
from chatbot_api.event_streams import as_data
from chatbot_api.http_edge import PROBLEMS, problem_response
from chatbot_api.models.chat_models import Problem
from chatbot_api.openai_completion import CompletionChunks, completion_of
from chatbot_api.openapi_headers import OF_QUESTIONS, OF_SITES
from chatbot_api.visitors import visitor_of

openai_router = APIRouter(tags=["openai"])
_ANSWER: dict[int | str, Any] = {200: {"content": {"application/json": {}, "text/event-stream": {}}}}
_PROBLEMS = {status: told for status, told in PROBLEMS.items() if status != 404}
_BEGAN = int(time())


class StreamOptions(BaseModel, frozen=True):
    """What a stream is to hold."""

    include_usage: bool = Field(default=False, description="End with a chunk that has no choices and tells the tokens.")


class CompletionRequest(ClientRequest, frozen=True):
    """A request of OpenAI's chat completions. The owner chose the model and its settings: they are ignored."""

    model: str | None = Field(default=None, description="Any; one model answers.")
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: dict[str, Any] | None = Field(default=None, description="May hold `conversation_id` instead.")


@openai_router.post(
    "/v1/chat/completions", dependencies=ASKING, responses=_PROBLEMS | _ANSWER, response_model=None, openapi_extra=OF_QUESTIONS
)
async def completions(sent: CompletionRequest, wired: Wired, request: Request) -> Response:
    """Answer the last message of the role `user`, as a completion or, with `"stream": true`, as its chunks."""
    conversation_id: object = sent.conversation_id or (sent.metadata or {}).get("conversation_id")
    ask = question_in(sent.messages, "content", conversation_id=conversation_id, client_message_id=idempotency_key(request))
    model, visitor = wired.settings.site, visitor_of(request)
    if sent.stream:
        chunks = CompletionChunks(model, with_usage=bool(sent.stream_options and sent.stream_options.include_usage))
        return as_data(answer_events(request, ask, visitor), chunks.told)
    reply = await whole_answer(request, ask, visitor)
    return problem_response(reply) if isinstance(reply, Problem) else JSONResponse(completion_of(reply, model))


@openai_router.get(
    "/v1/models",
    dependencies=(Depends(known_site), *COUNTED),
    responses={status: PROBLEMS[status] for status in (401, 429, 500, 503)},
    openapi_extra=OF_SITES,
)
async def models(wired: Wired) -> dict[str, Any]:
    """The one model there is: this site's documentation, by its name in the index."""
    one = {"id": wired.settings.site, "object": "model", "created": _BEGAN, "owned_by": "ask-ai"}
    return {"object": "list", "data": [one]}
