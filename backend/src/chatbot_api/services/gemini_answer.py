"""How an answer is taken from Gemini's chunks, whichever SDK or stream brings them: its beginning, its pieces, its end."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from chatbot_api.errors import ModelBadResponse, ModelEmpty
from chatbot_api.models.answer_models import Piece
from chatbot_api.models.chat_models import FinishReason
from chatbot_api.reliability import Deadline
from chatbot_api.services.gemini_usage import Counts


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a reply, or a chunk of it, says. ``finish``: None when the answer goes on."""

    text: str
    finish: FinishReason | None
    counts: Counts | None
    """Tokens so far, a running total."""


Begun = tuple[Chunk, AsyncGenerator[Chunk, None]]
"""The first chunk with text, or with a refusal, and those behind it."""


async def begun(chunks: AsyncGenerator[Chunk, None]) -> Begun:
    """Read up to the first chunk that says something. Raises ModelEmpty, and what the chunks raise, with them closed."""
    try:
        async for chunk in chunks:
            if chunk.text or chunk.finish == "blocked":
                return chunk, chunks
            if chunk.finish is not None:
                raise ModelEmpty(f"finished ({chunk.finish}) without a text")
        raise ModelEmpty("a reply without candidates")
    except BaseException:
        await chunks.aclose()
        raise


async def pieces_of(answer: Begun, deadline: Deadline) -> AsyncGenerator[Piece, None]:
    """The answer piece by piece; the last says how it ended. Leaving closes the chunks.

    Raises ModelBadResponse when it breaks off, what the chunks raise, and DeadlineExceeded.
    """
    first, chunks = answer
    async with aclosing(chunks):
        finish = first.finish
        yield Piece(first.text)
        async with aclosing(deadline.each(chunks)) as rest:
            async for chunk in rest:
                finish = chunk.finish or finish
                if chunk.text:
                    yield Piece(chunk.text)
    if finish is None:
        raise ModelBadResponse("the stream ended without a finish reason")
    yield Piece("", finish)
