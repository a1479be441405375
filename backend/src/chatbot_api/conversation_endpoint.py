"""The door to what is kept: a visitor's own conversations, to read and to delete, and ratings of answers."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from chatbot_api.admission import COUNTED, RATING
from chatbot_api.errors import NoSuchConversation, NoSuchMessage
from chatbot_api.http_edge import PROBLEMS
from chatbot_api.models.conversation_models import ConversationView, FeedbackRequest, StoredTurn, TurnView
from chatbot_api.openapi_headers import OF_ASKING, OF_VISITORS
from chatbot_api.services.conversation_store import ConversationStore
from chatbot_api.services.masking import masked
from chatbot_api.telemetry import note
from chatbot_api.visitors import VisitorId

router = APIRouter(tags=["conversations"])


async def _store_of(request: Request) -> ConversationStore:
    return request.state["services"].store


Kept = Annotated[ConversationStore, Depends(_store_of)]
_PROBLEMS: dict[int | str, dict[str, Any]] = {status: PROBLEMS[status] for status in (404, 422, 429, 500, 503)}
_RATING_PROBLEMS: dict[int | str, dict[str, Any]] = {status: PROBLEMS[status] for status in (400, 401, 403, 413, 415)}


@router.get("/conversations/{conversation_id}", responses=_PROBLEMS, dependencies=COUNTED, openapi_extra=OF_VISITORS)
async def conversation(conversation_id: str, visitor: VisitorId, kept: Kept) -> ConversationView:
    """A conversation of this visitor (X-Visitor-Id) with all its turns. 404 for any other, whether it exists or not."""
    found = await kept.conversation(visitor, conversation_id)
    if found is None:
        raise NoSuchConversation
    return ConversationView(conversation_id=found.id, created_at=found.created_at, turns=[_shown(turn) for turn in found.turns])


@router.delete(
    "/conversations/{conversation_id}", status_code=204, responses=_PROBLEMS, dependencies=COUNTED, openapi_extra=OF_VISITORS
)
async def forget(conversation_id: str, visitor: VisitorId, kept: Kept) -> Response:
    """Delete a conversation of this visitor, with its ratings."""
    if not await kept.delete(visitor, conversation_id):
        raise NoSuchConversation
    return Response(status_code=204)


@router.post(
    "/feedback", status_code=204, responses={**_PROBLEMS, **_RATING_PROBLEMS}, dependencies=RATING, openapi_extra=OF_ASKING
)
async def feedback(given: FeedbackRequest, visitor: VisitorId, kept: Kept) -> Response:
    """Rate an answer of this visitor's by its message id; sent again, the rating is replaced."""
    if given.comment:
        given = given.model_copy(update={"comment": masked(given.comment)})
    if not await kept.rate(visitor, given):
        raise NoSuchMessage
    note(rating=given.rating)
    return Response(status_code=204)


def _shown(turn: StoredTurn) -> TurnView:
    done = turn.done
    return TurnView(
        message_id=turn.message_id,
        query=turn.question,
        response=turn.response,
        complete=done is not None,
        outcome=done.outcome if done else None,
        citations=done.citations if done else [],
        sources=done.sources if done else [],
        rating=turn.rating,
        created_at=turn.created_at,
    )
