"""Passages and vectors for the tests of the index, and how they are marked; light, for a process that is started often."""

import random
from math import sqrt
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from chatbot_api.models.index_models import IndexMarker, Passage
from chatbot_api.services.sparse_encoder import SparseEncoder

SPARSE = SparseEncoder("english")
SIZE = 16
MARKER = IndexMarker("model-a", SIZE, "plain", SPARSE.settings)


def passage(name: str, text: str, **values: Any) -> Passage:
    fields: dict[str, Any] = {
        "url": f"/{name}",
        "anchor": "",
        "title": "Page",
        "heading_path": (),
        "page_id": name,
        "ordinal": 0,
        "site": "docs",
        **values,
    }
    number = fields["ordinal"]
    return Passage(id=str(uuid5(NAMESPACE_URL, f"{name}|{number}|{fields['site']}")), text=text, **fields)


def vector_of(text: str) -> list[float]:
    """Any unit vector, the same for the same text; no two texts are equally near to a third."""
    values = random.Random(text)
    vector = [values.gauss(0, 1) for _ in range(SIZE)]
    norm = sqrt(sum(value * value for value in vector))
    return [value / norm for value in vector]
