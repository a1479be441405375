"""RagService with its real parts over four passages: by words alone, or answered by the Gemini stand-in."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chatbot_api.models.chat_models import AskContext
from chatbot_api.models.conversation_models import StoredTurn
from chatbot_api.models.index_models import Passage
from chatbot_api.reliability import Deadline
from chatbot_api.services.draft import Draft, Found
from chatbot_api.services.rag_service import RagService
from chatbot_api.wiring import open_services
from conftest import with_gemini, write_index
from gemini_standin import GeminiStandin
from lantern import passage, settings_in

PAIR = passage("Hold the button of the lamp for three seconds to pair it.", url="/docs/lamps", anchor="pair", ordinal=1)
RESET = passage("Switch the lamp off and on five times to reset it.", url="/docs/lamps", anchor="reset", ordinal=2)
DOCKER = passage("Run the image to install the hub with Docker.", url="/docs/install", anchor="docker")
WINDOWS = passage("Open the installer to install the hub on Windows.", url="/docs/install", anchor="windows", ordinal=1)
BOOK = (PAIR, RESET, DOCKER, WINDOWS)
QUESTION = "How do I install the hub with Docker?"
DECLINED = "The documentation does not seem to answer this question."
RagOf = Callable[..., AbstractAsyncContextManager[RagService]]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Awaitable[Path]]:
    """The folder of an index of these passages, made once for all tests: with the stand-in's vectors, or of words alone."""
    made: dict[tuple[object, ...], Path] = {}

    async def index(passages: Sequence[Passage], values: dict[str, Any]) -> Path:
        key = (*passages, "gemini_api_key" in values)
        if key not in made:
            folder = tmp_path_factory.mktemp("rag")
            await write_index(settings_in(folder, **values), passages)
            made[key] = folder
        return made[key]

    return index


@pytest.fixture
def rag_of(indexed: Callable[..., Awaitable[Path]]) -> RagOf:
    """Opens a RagService over these passages; offline by words alone unless the values say otherwise."""

    @asynccontextmanager
    async def opened(passages: Sequence[Passage] = BOOK, **values: Any) -> AsyncGenerator[RagService, None]:
        async with open_services(settings_in(await indexed(passages, values), **values)) as services:
            yield services.rag

    return opened


@pytest.fixture
def asked(gemini: GeminiStandin, rag_of: RagOf) -> RagOf:
    """The same, answered by the Gemini stand-in."""

    @asynccontextmanager
    async def opened(passages: Sequence[Passage] = BOOK, **values: Any) -> AsyncGenerator[RagService, None]:
        async with rag_of(passages, **with_gemini(gemini, **values)) as rag:
            gemini.requests.clear()
            yield rag

    return opened


async def found_by(rag: RagService, question: str = QUESTION, top_k: int | None = None, **context: str) -> Found:
    return await rag.find(question, AskContext(**context) if context else None, top_k, Deadline(5))


async def written(
    rag: RagService, found: Found, history: Sequence[StoredTurn] = (), *, whole: bool = False, budget_s: float = 5
) -> tuple[Draft, list[str]]:
    draft = rag.draft(found)
    return draft, [text async for text in rag.write(draft, history, Deadline(budget_s), whole=whole) if text]
