"""Questions' vectors, the last ones kept: readers ask the same things, and an embedding takes a call of the model."""

from array import array
from collections import OrderedDict
from typing import Protocol

from chatbot_api.reliability import Deadline


class Embeds(Protocol):
    """Who makes them. Raises ModelError, IndexMismatch, DeadlineExceeded."""

    async def embed_query(self, text: str, deadline: Deadline) -> list[float] | None: ...  # noqa: D102


class QuestionVectors:
    """A model's vectors by text; whoever was asked for longest ago is forgotten first."""

    def __init__(self, model: Embeds, most: int) -> None:
        """``most``: kept, 4 bytes a dimension each; 0: none."""
        self._model, self._most = model, most
        self._kept: OrderedDict[str, array[float]] = OrderedDict()

    async def of(self, text: str, deadline: Deadline) -> list[float] | None:
        """The vector; None where the model makes none. Raises what the model raises, and keeps nothing then."""
        if (known := self._kept.get(text)) is not None:
            self._kept.move_to_end(text)
            return known.tolist()
        vector = await self._model.embed_query(text, deadline)
        if vector is not None and self._most:
            self._kept[text] = array("f", vector)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return vector
