"""Embeds and writes with the Gemini API; every failure of it becomes one of ours.

What a reader waits for goes over ``GeminiWire``, what the indexer embeds through google-genai, which is imported for that alone.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from pydantic_core import from_json

from chatbot_api.models.answer_models import Piece, Prompt, Usage
from chatbot_api.models.index_models import Passage
from chatbot_api.reliability import Deadline, Guard
from chatbot_api.services.gemini_answer import Begun, Chunk, begun, pieces_of
from chatbot_api.services.gemini_embeddings import MOST_PER_BATCH, EmbeddingModel
from chatbot_api.services.gemini_errors import TRANSPORT_ERRORS, named
from chatbot_api.services.gemini_stream import GeminiStream
from chatbot_api.services.gemini_usage import Meter, counts_of
from chatbot_api.services.gemini_wire import GeminiWire
from chatbot_api.telemetry import span, tally, upstream_log

DEFAULT_BUDGET_S = 10.0
REWRITE_TOKENS = 120
"""A question is a line; more is an answer, which was not asked for."""
THINKING_LEVELS = ("minimal", "low", "medium", "high", "xhigh")
"""https://ai.google.dev/gemini-api/docs/thinking; a test compares them with the SDK's."""


class GeminiService:
    """One session for the process: ``write`` an answer, embed a question or passages. Close it at shutdown."""

    mode = "generated"
    batch_size = MOST_PER_BATCH
    """Passages to embed at once."""

    def __init__(
        self,
        api_key: str,
        *,
        generative_model: str,
        embedding_model: str,
        dimensions: int,
        max_output_tokens: int = 400,
        thinking_level: str = "minimal",
        temperature: float | None = None,
        base_url: str = "",
        gate: float | None = None,
        first_text_timeout_s: float = DEFAULT_BUDGET_S,
        on_usage: Callable[[Usage], None] = lambda _usage: None,
    ) -> None:
        """``dimensions``: length of a vector. ``base_url``: another address than Google's. Needs a running event loop.

        ``on_usage``: told what each call cost. Raises ValueError for a thinking level that the API doesn't know.
        """
        # Before anything is opened: it may be refused.
        self._generation = _generation(max_output_tokens, thinking_level, temperature)
        self._api_key, self._wire = api_key, GeminiWire(api_key, base_url)
        self._stream = GeminiStream(self._wire, model=generative_model)
        self._model = generative_model
        self._embeddings = EmbeddingModel(embedding_model, dimensions, gate)
        self._of_embeddings = self._wire.address(self._embeddings.name, "batchEmbedContents")
        self._batches: Any = None
        self.embedder = self._embeddings.embedder
        self._first_text_timeout_s, self._on_usage = first_text_timeout_s, on_usage
        self._writing, self._embedding = Guard(upstream_log("generation")), Guard(upstream_log("embedding"))
        # Of its own: it has less time, and what it failed to do in it says nothing about writing.
        self._rewriting = Guard(upstream_log("rewriting"))

    @property
    def problems(self) -> list[str]:
        """Slugs of what this upstream is left alone for at the moment."""
        verbs = {"generation": self._writing, "embedding": self._embedding, "rewriting": self._rewriting}
        return [f"{verb}: {held.slug}" for verb, guard in verbs.items() if (held := guard.held)]

    # --- embed

    async def get_embedding(self, text: str) -> list[float]:
        """The unit vector of a question."""
        return await self.embed_query(text, Deadline(DEFAULT_BUDGET_S))

    async def embed_query(self, text: str, deadline: Deadline) -> list[float]:
        """The unit vector of a question. Raises ModelError, IndexMismatch (vectors of another shape), DeadlineExceeded."""
        return await self._embedding.call(lambda: self._embed(self._embeddings.query(text)), deadline)

    async def embed_passages(self, passages: Sequence[Passage], deadline: Deadline) -> list[list[float]]:
        """Unit vectors of passages, in step. At most MOST_PER_BATCH of them."""
        if self._batches is None:
            from chatbot_api.services.gemini_batches import GeminiBatches  # noqa: PLC0415 - for the indexer alone

            self._batches = GeminiBatches(self._api_key, self._wire, self._embeddings, self._on_usage)
        texts = [self._embeddings.document(passage) for passage in passages]
        return await self._embedding.call(lambda: self._batches.vectors(texts, "RETRIEVAL_DOCUMENT"), deadline)

    async def _embed(self, text: str) -> list[float]:
        tally("embedding_attempts")
        body = self._embeddings.request(text, "RETRIEVAL_QUERY")
        try:
            with span("embeddings", self._embeddings.name), Meter(len(text), self._on_usage) as meter:
                async with await self._wire.post(self._of_embeddings, body) as response:
                    reply: dict[str, Any] = from_json(await response.read())  # json takes ten times as long over 768 numbers
                meter.saw(counts_of(reply.get("usageMetadata")))
            embeddings: list[dict[str, Any]] = reply.get("embeddings") or []
            return self._embeddings.units([embedding.get("values") or [] for embedding in embeddings], asked=1)[0]
        except TRANSPORT_ERRORS as error:
            raise named(error) from error

    # --- write

    async def generate_content(self, prompt: str) -> str:
        """The model's answer to a bare text: the fold of ``write``."""
        bare = Prompt(rules="", history=(), material="", question=prompt, passages=())
        return "".join([piece.text async for piece in self.write(bare, Deadline(DEFAULT_BUDGET_S))])

    async def write(self, prompt: Prompt, deadline: Deadline, *, whole: bool = False) -> AsyncGenerator[Piece, None]:
        """The answer piece by piece; the last says how it ended. Leaving the loop closes the upstream connection at once.

        ``whole``: nobody sees a piece before the last, so few large ones will do, which cost a fraction.

        Raises ModelEmpty when there is no text, ModelBadResponse when it breaks off, other ModelErrors, DeadlineExceeded. Only
        what fails before the first text is tried again.
        """
        answer = await self._writing.call(lambda: self._begun(prompt, whole=whole), deadline.within(self._first_text_timeout_s))
        async with aclosing(pieces_of(answer, deadline)) as pieces:
            async for piece in pieces:
                yield piece

    async def rewrite(self, prompt: Prompt, deadline: Deadline) -> str | None:
        """The reply to a short prompt, as it came; None when it was cut off or blocked. Raises ModelError, DeadlineExceeded.

        One try alone: what it is for can be done without.
        """
        said = await self._rewriting.call(lambda: self._once(prompt), deadline, again=False)
        return said.text if said.finish == "stop" else None

    async def _once(self, prompt: Prompt) -> Chunk:
        tally("rewrite_attempts")
        try:
            with span("chat", self._model), Meter(prompt.length, self._on_usage) as meter:
                said = await self._stream.whole(prompt, {**self._generation, "maxOutputTokens": REWRITE_TOKENS})
                meter.saw(said.counts, said.text)
            return said
        except TRANSPORT_ERRORS as error:
            raise named(error) from error

    async def _begun(self, prompt: Prompt, *, whole: bool) -> Begun:
        tally("model_attempts")
        return await begun(self._chunks(prompt, whole=whole))

    async def _chunks(self, prompt: Prompt, *, whole: bool) -> AsyncGenerator[Chunk, None]:
        try:
            with span("chat", self._model), Meter(prompt.length, self._on_usage) as meter:
                async with aclosing(self._stream.chunks(prompt, self._generation, whole=whole)) as chunks:
                    async for chunk in chunks:
                        meter.saw(chunk.counts, chunk.text)
                        yield chunk
        except TRANSPORT_ERRORS as error:
            raise named(error) from error

    async def close(self) -> None:
        """Close the session, and the SDK's client where there is one."""
        if self._batches:
            await self._batches.close()
        await self._wire.close()


def _generation(max_output_tokens: int, thinking_level: str, temperature: float | None) -> dict[str, Any]:
    """What every request to write is sent with; what is not set is left to the model."""
    settings: dict[str, Any] = {"maxOutputTokens": max_output_tokens}
    if thinking_level != "none":
        # The API would refuse it with each answer.
        if thinking_level.lower() not in THINKING_LEVELS:
            raise ValueError(f"it is none of none, {', '.join(THINKING_LEVELS)}")
        settings["thinkingConfig"] = {"thinkingLevel": thinking_level.upper()}
    if temperature is not None:
        settings["temperature"] = temperature
    return settings
