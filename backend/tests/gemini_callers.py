"""The service of the SDK under test pointed at the stand-in, and what its tests ask of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import Any

import pytest

from chatbot_api.errors import ServiceError
from chatbot_api.models.answer_models import Piece, Prompt
from chatbot_api.reliability import Deadline
from conftest import KEY
from gemini_standin import GeminiStandin
from sdk_under_test import IS_OLDER

if IS_OLDER:
    from chatbot_api.services.generativeai_service import GenerativeAIService as GeminiService
else:
    from chatbot_api.services.gemini_service import GeminiService

WHOLE = "Answer from the stand-in [1]."
PROMPT = Prompt(rules="Be exact.", history=(), material="<<<passages>>>", question="How do I start?", passages=())
Make = Callable[..., GeminiService]


@asynccontextmanager
async def services_of(gemini: GeminiStandin) -> AsyncIterator[Make]:
    """Makes services of the stand-in, closed at the end."""
    async with AsyncExitStack() as stack:

        def new(**values: Any) -> GeminiService:
            chosen = {"generative_model": "g-model", "embedding_model": "gemini-embedding-001", "dimensions": 256}
            if IS_OLDER:
                values.pop("thinking_level", None)
            service = GeminiService(KEY, **{"base_url": gemini.url, **chosen, **values})
            stack.push_async_callback(service.close)
            return service

        yield new


async def written(service: GeminiService, prompt: Prompt = PROMPT, *, budget_s: float = 2.0) -> list[Piece]:
    """All pieces of an answer."""
    return [piece async for piece in service.write(prompt, Deadline(budget_s))]


async def failure_of(call: Awaitable[Any]) -> tuple[ServiceError, float]:
    """The ServiceError a call ends with, and after how many seconds."""
    started = monotonic()
    with pytest.raises(ServiceError) as raised:
        await call
    return raised.value, monotonic() - started
