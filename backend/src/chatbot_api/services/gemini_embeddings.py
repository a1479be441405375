"""How Gemini's embedding models want texts and give vectors, whichever SDK asks: the task's form, the gate, the unit length."""

from collections.abc import Sequence
from math import hypot, isfinite, nan
from typing import Any

from chatbot_api.errors import IndexMismatch, ModelBadResponse
from chatbot_api.models.index_models import Embedder, Passage

MOST_PER_BATCH = 100
"""The API refuses a batch of more embedding requests."""
GATES = {"gemini-embedding-001": 0.55, "gemini-embedding-2": 0.35}
"""Lowest best cosine that counts as found. Cautious: the model is told to decline too. RELEVANCE_GATE overrides."""


class EmbeddingModel:
    """One model at one length of vectors. The second one is told the task in the text, the first one in a field."""

    def __init__(self, name: str, dimensions: int, gate: float | None = None) -> None:
        """``name``: with or without ``models/``. ``gate``: instead of the model's own."""
        self.name, self.dimensions = name.removeprefix("models/"), dimensions
        self.has_prefixes = self.name.startswith("gemini-embedding-2")
        own_gate = next((value for start, value in GATES.items() if self.name.startswith(start)), None)
        task_format = "prefixes" if self.has_prefixes else "retrieval"
        self.embedder = Embedder(self.name, dimensions, task_format, own_gate if gate is None else gate)

    def query(self, text: str) -> str:
        """A question as the model is to see it."""
        return f"task: search result | query: {text}" if self.has_prefixes else text

    def document(self, passage: Passage) -> str:
        """A passage as the model is to see it."""
        return f"title: {passage.breadcrumb} | text: {passage.text}" if self.has_prefixes else passage.embedded_text

    def request(self, text: str, task: str) -> dict[str, Any]:
        """The body of a batchEmbedContents for one text, as it is to be seen. ``task``: by the API's name."""
        asked: dict[str, Any] = {
            "model": f"models/{self.name}",
            "content": {"parts": [{"text": text}]},
            "outputDimensionality": self.dimensions,
        }
        return {"requests": [asked if self.has_prefixes else {**asked, "taskType": task}]}

    def units(self, vectors: Sequence[Sequence[float]], asked: int) -> list[list[float]]:
        """The vectors at length 1, for the API gives them so at full dimensions alone.

        Raises ModelBadResponse when they are not as many as ``asked``, IndexMismatch when they are of another shape.
        """
        if len(vectors) != asked:
            raise ModelBadResponse(f"asked for {asked} vectors, got {len(vectors)}")
        return [self._unit(vector) for vector in vectors]

    def _unit(self, vector: Sequence[float]) -> list[float]:
        if len(vector) != self.dimensions:
            raise IndexMismatch(f"a vector of {len(vector)} instead of {self.dimensions} dimensions")
        try:
            norm = hypot(*vector)
        except TypeError:  # JSON has no numbers for those that are not finite: protobuf writes them as texts
            norm = nan
        if not isfinite(norm) or norm == 0:
            raise IndexMismatch("a vector that is zero or not finite")
        return [value / norm for value in vector]
