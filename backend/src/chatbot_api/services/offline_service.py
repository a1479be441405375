"""The two verbs of a language model with no key and no account: local vectors, and answers made of the pages' own sentences."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from chatbot_api.errors import ModelUnavailable
from chatbot_api.models.answer_models import Piece, Prompt
from chatbot_api.models.index_models import Embedder, Passage
from chatbot_api.reliability import Deadline
from chatbot_api.services.extractive import extract
from chatbot_api.services.minilm import DIMENSIONS, MODEL, EmbedderUnavailable, MiniLM

GATE, WORDS_WEIGHT, COSINE_GATE = 1.0, 2.0, 0.34
"""The gate of MiniLM and what the covered share of the question's words counts in it; see website/docs/retrieval-quality.md."""
LEXICAL = Embedder(model="none", dimensions=0, task_format="none", gate=None)
"""What an index is made with where the local embedder can't be had."""


class OfflineService:
    """Embeds by MiniLM, when it is there, and answers by extraction."""

    mode = "extractive"
    batch_size = 32
    """Passages to embed at once: about a second's work, so that progress is seen and little is lost when it is broken off."""

    def __init__(self, minilm: MiniLM | None, *, gate: float | None = None) -> None:
        """``minilm``: None where it can't be had; search is lexical then. ``gate``: instead of GATE."""
        self._minilm = minilm
        gates = (GATE, COSINE_GATE) if gate is None else (gate, gate)
        measured = Embedder(MODEL, DIMENSIONS, "plain", gates[0], words_weight=WORDS_WEIGHT, cosine_gate=gates[1])
        self.embedder = measured if minilm else LEXICAL

    @property
    def problems(self) -> list[str]:
        """What this provider lacks."""
        return ["embedding: local embedder unavailable"] if self._minilm is None or self._minilm.failure else []

    async def embed_query(self, text: str, deadline: Deadline) -> list[float] | None:
        """The question's unit vector; None where there is no embedder. Raises ModelUnavailable, DeadlineExceeded."""
        if self._minilm is None:
            return None
        try:
            return await deadline.wait(asyncio.to_thread(self._minilm.embed, text))
        except EmbedderUnavailable as error:  # found when it was loaded, after the start
            raise ModelUnavailable(str(error)) from error

    async def embed_passages(self, passages: Sequence[Passage], deadline: Deadline) -> list[list[float]] | None:
        """Unit vectors of passages, in step; None where there is no embedder."""
        if self._minilm is None:
            return None
        return await deadline.wait(asyncio.to_thread(self._embed_all, self._minilm, [p.embedded_text for p in passages]))

    async def write(
        self,
        prompt: Prompt,
        deadline: Deadline,
        *,
        whole: bool = False,  # noqa: ARG002 - it is one piece either way
    ) -> AsyncGenerator[Piece, None]:
        """Sentences and code of the passages that answer the question, each numbered to its source."""
        yield Piece(await deadline.wait(asyncio.to_thread(self._extract, prompt)))
        yield Piece("", "stop")

    async def rewrite(self, prompt: Prompt, deadline: Deadline) -> None:
        """Nothing: there is no model to say what a follow-up means."""

    def _extract(self, prompt: Prompt) -> str:
        told = prompt.history[-1].answer if prompt.asked and prompt.history else ""
        if self._minilm is None or self._minilm.failure:
            return extract(prompt.question, prompt.passages, nearness=prompt.nearness, told_before=told)
        minilm, question = self._minilm, self._minilm.embed(prompt.question)
        if prompt.asked:  # what the reader wants to know now counts as much as what the conversation is about
            question = [(a + b) / 2 for a, b in zip(question, self._minilm.embed(prompt.asked), strict=True)]

        def scorer(texts: Sequence[str]) -> list[float]:
            return [sum(a * b for a, b in zip(question, minilm.embed(text), strict=True)) for text in texts]

        return extract(prompt.question, prompt.passages, scorer, prompt.nearness, told_before=told)

    @staticmethod
    def _embed_all(minilm: MiniLM, texts: Sequence[str]) -> list[list[float]]:
        return [minilm.embed(text) for text in texts]

    async def close(self) -> None:
        """Nothing is held open."""
