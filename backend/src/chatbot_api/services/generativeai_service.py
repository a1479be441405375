"""Embeds and writes with the Gemini API through google-generativeai, the SDK that google-genai replaced, for who asks for it.

It is synchronous over HTTP, so its calls run in threads. It can't send a thinking level. Engines imports this module only when
the SDK is set.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from chatbot_api.models.answer_models import Piece, Prompt, Usage
from chatbot_api.models.chat_models import FinishReason
from chatbot_api.models.index_models import Passage
from chatbot_api.reliability import Deadline, Guard
from chatbot_api.services.gemini_answer import Begun, Chunk, begun, pieces_of
from chatbot_api.services.gemini_embeddings import MOST_PER_BATCH, EmbeddingModel
from chatbot_api.services.gemini_finish import finish_named
from chatbot_api.services.gemini_usage import Counts, Meter
from chatbot_api.services.generativeai_errors import TRANSPORT_ERRORS, named
from chatbot_api.services.generativeai_package import client_of, genai, message_of
from chatbot_api.services.threaded_calls import ThreadedCalls
from chatbot_api.telemetry import span, tally, upstream_log

DEFAULT_BUDGET_S = 10.0
GRACE_S = 1.0
"""A request's own time-out is so much behind the deadline: it ends only what can't be cut."""
REWRITE_TOKENS = 120
"""A question is a line; more is an answer, which was not asked for."""


class GenerativeAIService:
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
        temperature: float | None = None,
        base_url: str = "",
        gate: float | None = None,
        first_text_timeout_s: float = DEFAULT_BUDGET_S,
        most_calls: int = 64,
        on_usage: Callable[[Usage], None] = lambda _usage: None,
    ) -> None:
        """``dimensions``: length of a vector. ``base_url``: another address than Google's.

        ``most_calls``: at once, a thread each; others wait. ``on_usage``: told what each call cost.
        """
        self._client, self._session = client_of(api_key, base_url, most_calls)
        self._model = generative_model
        sampling = {} if temperature is None else {"temperature": temperature}
        self._generation = {"max_output_tokens": max_output_tokens, **sampling}
        self._embeddings = EmbeddingModel(embedding_model, dimensions, gate)
        self.embedder = self._embeddings.embedder
        self._first_text_timeout_s, self._on_usage = first_text_timeout_s, on_usage
        self._calls = ThreadedCalls(most_calls)
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
        texts = [self._embeddings.query(text)]
        return (await self._embedding.call(lambda: self._embed(texts, "RETRIEVAL_QUERY", deadline), deadline))[0]

    async def embed_passages(self, passages: Sequence[Passage], deadline: Deadline) -> list[list[float]]:
        """Unit vectors of passages, in step. At most MOST_PER_BATCH of them."""
        texts = [self._embeddings.document(passage) for passage in passages]
        return await self._embedding.call(lambda: self._embed(texts, "RETRIEVAL_DOCUMENT", deadline), deadline)

    async def _embed(self, texts: list[str], task: str, deadline: Deadline) -> list[list[float]]:
        tally("embedding_attempts")
        model = self._embeddings
        one: dict[str, Any] = {"model": _path_of(model.name), "output_dimensionality": model.dimensions}
        if not model.has_prefixes:
            one["task_type"] = genai.protos.TaskType[task]

        def embed() -> list[list[float]]:
            requests = [genai.protos.EmbedContentRequest(content=_content("", text), **one) for text in texts]
            request = genai.protos.BatchEmbedContentsRequest(model=one["model"], requests=requests)
            said = message_of(self._client.batch_embed_contents(request, **_options(deadline)))
            return [list(embedding.values) for embedding in said.embeddings]

        try:
            # Its replies' counts of tokens are unknown to the package: they are counted by their length.
            with span("embeddings", model.name), Meter(sum(map(len, texts)), self._on_usage):
                vectors = await self._calls.result(embed)
        except TRANSPORT_ERRORS as error:
            raise named(error) from error
        return model.units(vectors, asked=len(texts))

    # --- write

    async def generate_content(self, prompt: str) -> str:
        """The model's answer to a bare text: the fold of ``write``."""
        bare = Prompt(rules="", history=(), material="", question=prompt, passages=())
        return "".join([piece.text async for piece in self.write(bare, Deadline(DEFAULT_BUDGET_S))])

    async def write(
        self,
        prompt: Prompt,
        deadline: Deadline,
        *,
        whole: bool = False,  # noqa: ARG002 - the package reads chunk by chunk
    ) -> AsyncGenerator[Piece, None]:
        """The answer piece by piece; the last says how it ended. Leaving the loop closes the upstream connection at once.

        Raises ModelEmpty when there is no text, ModelBadResponse when it breaks off, other ModelErrors, DeadlineExceeded. Only
        what fails before the first text is tried again.
        """
        answer = await self._writing.call(lambda: self._begun(prompt, deadline), deadline.within(self._first_text_timeout_s))
        async with aclosing(pieces_of(answer, deadline)) as pieces:
            async for piece in pieces:
                yield piece

    async def rewrite(self, prompt: Prompt, deadline: Deadline) -> str | None:
        """The reply to a short prompt, as it came; None when it was cut off or blocked. Raises ModelError, DeadlineExceeded.

        One try alone: what it is for can be done without.
        """
        said = await self._rewriting.call(lambda: self._once(prompt, deadline), deadline, again=False)
        return said.text if said.finish == "stop" else None

    async def _once(self, prompt: Prompt, deadline: Deadline) -> Chunk:
        tally("rewrite_attempts")
        request = self._request(prompt, max_output_tokens=REWRITE_TOKENS)
        try:
            with span("chat", self._model), Meter(prompt.length, self._on_usage) as meter:
                said = await self._calls.result(lambda: _read(self._client.generate_content(request, **_options(deadline))))
                meter.saw(said.counts, said.text)
            return said
        except TRANSPORT_ERRORS as error:
            raise named(error) from error

    async def _begun(self, prompt: Prompt, deadline: Deadline) -> Begun:
        tally("model_attempts")
        return await begun(self._said(prompt, deadline))

    async def _said(self, prompt: Prompt, deadline: Deadline) -> AsyncGenerator[Chunk, None]:
        request = self._request(prompt)

        def chunks() -> Any:
            return map(_read, self._client.stream_generate_content(request, **_options(deadline)))

        try:
            with span("chat", self._model), Meter(prompt.length, self._on_usage) as meter:
                async with aclosing(self._calls.items(chunks)) as said:
                    async for chunk in said:
                        meter.saw(chunk.counts, chunk.text)
                        yield chunk
        except TRANSPORT_ERRORS as error:
            raise named(error) from error

    def _request(self, prompt: Prompt, **generation: Any) -> Any:
        turns = [
            _content(role, text) for turn in prompt.history for role, text in (("user", turn.question), ("model", turn.answer))
        ]
        return genai.protos.GenerateContentRequest(
            model=_path_of(self._model),
            contents=[*turns, _content("user", *(text for text in (prompt.material, prompt.question) if text))],
            system_instruction=_content("user", prompt.rules) if prompt.rules else None,
            generation_config={**self._generation, **generation},
        )

    async def close(self) -> None:
        """Cut the calls under way, and close the connections."""
        self._calls.close()
        self._session.close()


def _options(deadline: Deadline) -> dict[str, Any]:
    """Without ``retry`` the package repeats a 503 for up to ten minutes."""
    return {"timeout": deadline.remaining_s + GRACE_S, "retry": None}


def _path_of(model: str) -> str:
    return model if "/" in model else f"models/{model}"


def _content(role: str, *texts: str) -> Any:
    return genai.protos.Content(role=role, parts=[genai.protos.Part(text=text) for text in texts])


def _read(reply: Any) -> Chunk:
    said = message_of(reply)
    usage = said.usage_metadata
    # The package knows no count of thinking: it is what the total has above the others.
    thoughts = max(0, usage.total_token_count - usage.prompt_token_count - usage.candidates_token_count)
    counts = Counts(usage.prompt_token_count, usage.candidates_token_count, thoughts)
    if said.prompt_feedback.block_reason:
        return Chunk("", "blocked", counts)
    if not said.candidates:
        return Chunk("", None, counts)
    candidate = said.candidates[0]
    return Chunk("".join(part.text for part in candidate.content.parts), _finish(candidate.finish_reason), counts)


def _finish(reason: int) -> FinishReason | None:
    reasons = genai.protos.Candidate.FinishReason
    return finish_named(reasons(reason).name if reason in {*reasons} else f"REASON_{reason}")
