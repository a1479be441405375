"""How a door has a question answered: within the deadline, and no longer than its reader stays and the process is up."""

from collections.abc import AsyncGenerator

from fastapi import Request

from chatbot_api.client_presence import while_connected
from chatbot_api.draining import Draining
from chatbot_api.models.chat_models import ChatRequest, ChatResponse, Event, Problem
from chatbot_api.reliability import Deadline
from chatbot_api.wiring import Services


def answer_events(request: Request, ask: ChatRequest, visitor: str) -> AsyncGenerator[Event, None]:
    """The answer as it is written; the last event is Failed (shutting-down) where the process' end cuts it."""
    services, draining = _serving(request)
    return draining.each(services.chat.stream(ask, visitor, Deadline(services.settings.deadline_s)))


async def whole_answer(request: Request, ask: ChatRequest, visitor: str) -> ChatResponse | Problem:
    """The answer in one piece, or why there is none. Raises ClientGone, ShuttingDown."""
    services, draining = _serving(request)
    reply = services.chat.reply(ask, visitor, Deadline(services.settings.deadline_s))
    return await while_connected(request, draining.result(reply))


def _serving(request: Request) -> tuple[Services, Draining]:
    """From the lifespan's state; not as dependencies, which take FastAPI longer than this."""
    return request.state["services"], request.state["draining"]
