"""Collections as other tools leave them on the Qdrant stand-in, and services over them, answered by the Gemini stand-in."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import sqrt
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest
from qdrant_client import models

from chatbot_api.config import Settings
from chatbot_api.errors import StartRefused
from chatbot_api.wiring import open_services
from conftest import Service, serving, with_gemini
from foreign_rows import BODY, Row
from gemini_standin import GeminiStandin, bag_of_words
from qdrant_standin import QdrantStandin

QUESTION = "How do I install the stack with Docker Compose?"
OTHERS = ("Hold the button of the lamp to pair it.", "Switch the radio off at night.")
"""Texts that are not about the question; on pages of their own."""
Payload = Mapping[str, Any]


def told_otherwise(payload: Payload, number: int) -> dict[str, Any]:
    """The same tool's point of another page: other text, other address."""
    written = json.dumps(payload).replace(BODY, OTHERS[number]).replace("install", f"other-{number}")
    return json.loads(written.replace("9f", f"9f{number}"))


def unit_vector(text: str, size: int) -> list[float]:
    """What the Gemini stand-in embeds a text to, of unit length."""
    vector = bag_of_words(text, size)
    norm = sqrt(sum(value * value for value in vector))
    return [value / norm for value in vector]


@dataclass(frozen=True)
class World:
    """The stand-ins, and services over them."""

    qdrant: QdrantStandin
    gemini: GeminiStandin
    settings_of: Callable[..., Settings]

    def fill(
        self,
        points: Sequence[tuple[str, Payload]],
        *,
        names: Sequence[str] = ("",),
        sparse: Sequence[str] = (),
        distance: models.Distance = models.Distance.COSINE,
        size: int = 256,
    ) -> None:
        """The collection ``made``, of these texts and payloads, with a vector of each name (the empty one: unnamed)."""
        params = models.VectorParams(size=size, distance=distance)
        self.qdrant.client.create_collection(
            "made",
            vectors_config=params if tuple(names) == ("",) else dict.fromkeys(names, params),
            sparse_vectors_config={name: models.SparseVectorParams() for name in sparse},
        )
        if not points:
            return
        vectors: list[Any] = [unit_vector(text, size) for text, _ in points]
        self.qdrant.client.upsert(
            "made",
            [
                models.PointStruct(
                    id=str(uuid5(NAMESPACE_URL, str(number))),
                    vector=vectors[number] if tuple(names) == ("",) else dict.fromkeys(names, vectors[number]),
                    payload=dict(payload),
                )
                for number, (_, payload) in enumerate(points)
            ],
        )

    def settings(self, **values: Any) -> Settings:
        host = {"qdrant_host": self.qdrant.url, "qdrant_collection_name": "made"}
        return self.settings_of(**with_gemini(self.gemini, **{**host, **values}))

    @contextmanager
    def serving(self, **values: Any) -> Iterator[Service]:
        with serving(self.settings(**values)) as service:
            yield service

    async def refusal(self, **values: Any) -> str:
        """The one sentence that the service refuses to start with."""
        with pytest.raises(StartRefused) as refused:
            async with open_services(self.settings(**values)):
                pass
        (sentence,) = refused.value.problems
        return sentence


def plain(text: str, **values: Any) -> tuple[str, dict[str, Any]]:
    """A point of no known tool, on a page named by its text."""
    return text, {"text": text, "url": "/docs/" + text.split(maxsplit=1)[0].lower(), **values}


def filled_as(world: World, row: Row) -> None:
    texts = [BODY, *OTHERS]
    payloads = [row.payload, *(told_otherwise(row.payload, number) for number in range(len(OTHERS)))]
    world.fill(list(zip(texts, payloads, strict=True)), names=row.names, sparse=row.sparse)


def found(service: Service, query: str = QUESTION, **fields: Any) -> list[dict[str, Any]]:
    reply = service.client.post("/search", json={"query": query, **fields})
    assert reply.status_code == 200, reply.text
    return reply.json()["results"]


def slug_of(reply: httpx.Response) -> str:
    return reply.json()["type"].rpartition(":")[2]
