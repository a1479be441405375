"""Embeds and writes with the Gemini API, through google-genai; every failure of it becomes one of ours.

The SDK keeps no deadline, so it gets a session of our own, no time-out, no retries. Answers are read by ``GeminiStream`` over the
same session. Wiring imports this module only when a key is set: the SDK costs a second of CPU and 57 MiB.
"""

import os
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import aiohttp
import certifi
from google import genai
from google.genai import types

from chatbot_api.models.answer_models import Piece, Prompt, Usage
from chatbot_api.models.chat_models import FinishReason
from chatbot_api.models.index_models import Passage
from chatbot_api.reliability import Deadline, Guard
from chatbot_api.services.gemini_answer import Begun, Chunk, begun, pieces_of
from chatbot_api.services.gemini_embeddings import MOST_PER_BATCH, EmbeddingModel
from chatbot_api.services.gemini_errors import TRANSPORT_ERRORS, named
from chatbot_api.services.gemini_finish import finish_named
from chatbot_api.services.gemini_stream import GeminiStream
from chatbot_api.services.gemini_usage import Meter
from chatbot_api.telemetry import span, tally, upstream_log

PUBLIC_URL = "https://generativelanguage.googleapis.com"
DEFAULT_BUDGET_S = 10.0
REWRITE_TOKENS = 120
"""A question is a line; more is an answer, which was not asked for."""
_SHORT: dict[str, Any] = {"max_output_tokens": REWRITE_TOKENS}


class GeminiService:
    """One client for the process: ``write`` an answer, embed a question or passages. Close it at shutdown."""

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

        ``on_usage``: told what each call cost. Raises ValueError for a thinking level that the SDK doesn't know.
        """
        # Before anything is opened: it may be refused.
        self._generation = _generation(max_output_tokens, thinking_level, temperature)
        trusted = _trusted()
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256, ssl=trusted), trust_env=False)
        address = base_url or PUBLIC_URL
        self._client = _client_of(api_key, address, self._session, trusted)
        self._stream = GeminiStream(
            self._session,
            api_key,
            base_url=address,
            model=generative_model,
            generation=_as_sent(self._generation),
        )
        self._models: Any = self._client.aio.models  # its overloads are only partly typed
        self._model = generative_model
        self._embeddings = EmbeddingModel(embedding_model, dimensions, gate)
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
        vectors = await self._guarded_embed([self._embeddings.query(text)], "RETRIEVAL_QUERY", deadline)
        return vectors[0]

    async def embed_passages(self, passages: Sequence[Passage], deadline: Deadline) -> list[list[float]]:
        """Unit vectors of passages, in step. At most MOST_PER_BATCH of them."""
        texts = [self._embeddings.document(passage) for passage in passages]
        return await self._guarded_embed(texts, "RETRIEVAL_DOCUMENT", deadline)

    async def _guarded_embed(self, texts: list[str], task: str, deadline: Deadline) -> list[list[float]]:
        return await self._embedding.call(lambda: self._embed(texts, task), deadline)

    async def _embed(self, texts: list[str], task: str) -> list[list[float]]:
        tally("embedding_attempts")
        # A list of plain strings would come back from gemini-embedding-2 as one vector of all of them.
        contents: Any = [types.Content(parts=[types.Part(text=text)]) for text in texts]
        model = self._embeddings
        config = types.EmbedContentConfig(output_dimensionality=model.dimensions, task_type=None if model.has_prefixes else task)
        try:
            with span("embeddings", model.name), Meter(sum(map(len, texts)), self._on_usage) as meter:
                reply: types.EmbedContentResponse = await self._models.embed_content(
                    model=model.name, contents=contents, config=config
                )
                meter.saw(reply.usage_metadata)
        except TRANSPORT_ERRORS as error:
            raise named(error) from error
        return model.units([embedding.values or [] for embedding in reply.embeddings or []], asked=len(texts))

    # --- write

    async def generate_content(self, prompt: str) -> str:
        """The model's answer to a bare text: the fold of ``write``."""
        bare = Prompt(rules="", history=(), material="", question=prompt, passages=())
        return "".join([piece.text async for piece in self.write(bare, Deadline(DEFAULT_BUDGET_S))])

    async def write(self, prompt: Prompt, deadline: Deadline) -> AsyncGenerator[Piece, None]:
        """The answer piece by piece; the last says how it ended. Leaving the loop closes the upstream connection at once.

        Raises ModelEmpty when there is no text, ModelBadResponse when it breaks off, other ModelErrors, DeadlineExceeded. Only
        what fails before the first text is tried again.
        """
        answer = await self._writing.call(lambda: self._begun(prompt), deadline.within(self._first_text_timeout_s))
        async with aclosing(pieces_of(answer, deadline)) as pieces:
            async for piece in pieces:
                yield piece

    async def rewrite(self, prompt: Prompt, deadline: Deadline) -> str | None:
        """The reply to a short prompt, as it came; None when it was cut off or blocked. Raises ModelError, DeadlineExceeded.

        One try alone: what it is for can be done without.
        """
        said = await self._rewriting.call(lambda: self._once(prompt), deadline, again=False)
        return _text(said) if _finish(said) == "stop" else None

    async def _once(self, prompt: Prompt) -> types.GenerateContentResponse:
        tally("rewrite_attempts")
        config = types.GenerateContentConfig(system_instruction=prompt.rules, **{**self._generation, **_SHORT})
        try:
            with span("chat", self._model), Meter(prompt.length, self._on_usage) as meter:
                said: types.GenerateContentResponse = await self._models.generate_content(
                    model=self._model, contents=self._contents(prompt), config=config
                )
                meter.saw(said.usage_metadata, _text(said))
            return said
        except TRANSPORT_ERRORS as error:
            raise named(error) from error

    async def _begun(self, prompt: Prompt) -> Begun:
        tally("model_attempts")
        return await begun(self._chunks(prompt))

    async def _chunks(self, prompt: Prompt) -> AsyncGenerator[Chunk, None]:
        try:
            with span("chat", self._model), Meter(prompt.length, self._on_usage) as meter:
                async with aclosing(self._stream.chunks(prompt)) as chunks:
                    async for chunk in chunks:
                        meter.saw(chunk.counts, chunk.text)
                        yield chunk
        except TRANSPORT_ERRORS as error:
            raise named(error) from error

    def _contents(self, prompt: Prompt) -> Any:
        turns = [
            types.Content(role=role, parts=[types.Part(text=text)])
            for turn in prompt.history
            for role, text in (("user", turn.question), ("model", turn.answer))
        ]
        parts = [types.Part(text=text) for text in (prompt.material, prompt.question) if text]
        return [*turns, types.Content(role="user", parts=parts)]

    async def close(self) -> None:
        """Close the SDK's client and our session."""
        await self._client.aio.aclose()
        await self._session.close()


def _client_of(api_key: str, base_url: str, session: aiohttp.ClientSession, trusted: ssl.SSLContext) -> genai.Client:
    options = types.HttpOptions(
        api_version="v1beta",
        base_url=base_url,
        aiohttp_client=session,
        # Or it makes three contexts of its own, which takes longer than all else at start.
        client_args={"verify": trusted},
        async_client_args={"verify": trusted, "ssl": trusted},
        retry_options=types.HttpRetryOptions(attempts=1),
    )
    return genai.Client(api_key=api_key, vertexai=False, http_options=options)


def _trusted() -> ssl.SSLContext:
    """The roots that the SDK trusts: certifi's, or those that SSL_CERT_FILE and SSL_CERT_DIR name. The system may have none."""
    return ssl.create_default_context(
        cafile=os.environ.get("SSL_CERT_FILE", certifi.where()), capath=os.environ.get("SSL_CERT_DIR")
    )


def _generation(max_output_tokens: int, thinking_level: str, temperature: float | None) -> dict[str, Any]:
    """What every request to write is sent with; what is not set is left to the model."""
    settings: dict[str, Any] = {"max_output_tokens": max_output_tokens, "automatic_continuation": False}
    if thinking_level != "none":
        settings["thinking_config"] = _thinking(thinking_level)
    if temperature is not None:
        settings["temperature"] = temperature
    return settings


def _as_sent(generation: dict[str, Any]) -> dict[str, Any]:
    """The same as the API has it."""
    names = {"max_output_tokens": "maxOutputTokens", "temperature": "temperature"}
    sent = {names[name]: value for name, value in generation.items() if name in names}
    thinking: types.ThinkingConfig | None = generation.get("thinking_config")
    if thinking and thinking.thinking_level:
        sent["thinkingConfig"] = {"thinkingLevel": thinking.thinking_level.value}
    return sent


def _thinking(level: str) -> types.ThinkingConfig:
    # The SDK itself only warns of a level it does not know, and sends it.
    known = [one.value for one in types.ThinkingLevel if not one.value.endswith("UNSPECIFIED")]
    if level.upper() not in known:
        raise ValueError(f"it is none of none, {', '.join(known).lower()}")
    return types.ThinkingConfig(thinking_level=types.ThinkingLevel(level.upper()))


def _text(chunk: types.GenerateContentResponse) -> str:
    parts = (chunk.candidates[0].content.parts if chunk.candidates and chunk.candidates[0].content else None) or []
    return "".join(part.text for part in parts if part.text and not part.thought)


def _finish(chunk: types.GenerateContentResponse) -> FinishReason | None:
    """How the chunk says the answer ended: None when it goes on; reasons that nobody knows yet count as an ordinary end."""
    if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
        return "blocked"
    reason = chunk.candidates[0].finish_reason if chunk.candidates else None
    if reason is None:
        return None
    return finish_named(str(getattr(reason, "value", reason)).upper())
