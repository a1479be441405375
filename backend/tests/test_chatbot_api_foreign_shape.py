"""What is found out once about another tool's collection, and when it is refused with the setting that mends it."""

from typing import Any

import pytest

from chatbot_api.errors import IndexMismatch
from chatbot_api.services.foreign_fields import as_order
from chatbot_api.services.foreign_payload import ForeignKeys, VectorShape, detect, passage_of
from foreign_rows import BODY, ONE, PREDECESSOR, read


def test_language_version_order_and_model_are_read_where_they_are_what_they_seem() -> None:
    payload = {"text": BODY, "metadata": {"lang": "pt-BR", "version": "2.1", "chunk_part": 4.0, "embedding_model": "m-1"}}
    shape = detect(ONE, (), [payload], ForeignKeys())
    assert (shape.locale_key, shape.version_key, shape.order_key) == ("metadata.lang", "metadata.version", "metadata.chunk_part")
    assert shape.embedding_model == "m-1"
    passage = read(payload)
    assert (passage.locale, passage.version, passage.ordinal) == ("pt-BR", "2.1", 4)
    code = {"text": BODY, "language": "python", "version": 3, "chunk_index": "first", "": 5}
    shape = detect(ONE, (), [{**payload, "language": "en"}, code], ForeignKeys())
    assert shape.locale_key == "metadata.lang"
    shape = detect(ONE, (), [code], ForeignKeys())
    assert (shape.locale_key, shape.version_key, shape.order_key, shape.embedding_model) == ("", "", "", "")
    assert (read(code).locale, read(code).version, read(code).ordinal) == ("en", None, 0)
    assert [as_order(value) for value in (0, 2.0, 2.5, float("inf"), -1, True, "1", None)] == [
        0,
        2,
        None,
        None,
        None,
        None,
        None,
        None,
    ]


def test_a_distance_other_than_cosine_is_handed_on() -> None:
    vectors = {"": VectorShape("", 768, "Euclid")}
    assert detect(vectors, (), [PREDECESSOR.payload], ForeignKeys()).vector.distance == "Euclid"


TWO = {"a": VectorShape("a", 8, "Cosine"), "b": VectorShape("b", 16, "Dot")}


@pytest.mark.parametrize(
    ("vectors", "sample", "keys", "words"),
    [
        ({}, [{"text": BODY}], ForeignKeys(), ["no dense vector", "QDRANT_COLLECTION_NAME"]),
        (TWO, [{"text": BODY}], ForeignKeys(), ["several dense vectors", "QDRANT_VECTOR_NAME", "'a', 'b'"]),
        (TWO, [{"text": BODY}], ForeignKeys(vector="c"), ["no vector 'c'", "QDRANT_VECTOR_NAME", "'a', 'b'"]),
        (ONE, [], ForeignKeys(), ["0 points", "QDRANT_COLLECTION_NAME"]),
        (
            ONE,
            [{"words": BODY, "metadata": {"lines": 2}}],
            ForeignKeys(),
            ["no text", "words, metadata.lines", "QDRANT_TEXT_KEY"],
        ),
        (ONE, [{"text": BODY}], ForeignKeys(text="metadata.words"), ["'metadata.words'", "keys seen: text", "QDRANT_TEXT_KEY"]),
        (ONE, [{}], ForeignKeys(), ["keys seen: none"]),
        (ONE, [{"text": BODY, "tenant_id": "t1"}], ForeignKeys(), ["tenant_id", "'t1'", "QDRANT_FILTER"]),
        (ONE, [{"page_content": BODY, "group_id": 7}], ForeignKeys(), ["group_id", "'7'", "QDRANT_FILTER"]),
        (
            ONE,
            [{"page_content": BODY, "metadata": {"source_id": "s"}}],
            ForeignKeys(only=(("tenant_id", "t"),)),
            ["metadata.source_id", "QDRANT_FILTER"],
        ),
    ],
)
def test_a_collection_that_cannot_be_read_is_refused_with_the_setting_that_mends_it(
    vectors: dict[str, VectorShape], sample: list[dict[str, Any]], keys: ForeignKeys, words: list[str]
) -> None:
    with pytest.raises(IndexMismatch) as refusal:
        detect(vectors, (), sample, keys)
    assert [word for word in words if word not in refusal.value.cause] == []
    assert "\n" not in refusal.value.cause


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_setting_chooses_among_several_vectors(name: str) -> None:
    assert detect(TWO, (), [{"text": BODY}], ForeignKeys(vector=name)).vector == TWO[name]
    unnamed = {"": VectorShape("", 4, "Cosine"), **TWO}
    assert detect(unnamed, (), [{"text": BODY}], ForeignKeys(vector="")).vector.size == 4


def test_points_of_another_knowledge_base_are_never_read() -> None:
    keys = ForeignKeys(only=(("group_id", "7"),))
    shape = detect(ONE, (), [{"page_content": BODY, "group_id": 7}], keys)
    assert shape.only == keys.only
    assert passage_of("point", {"page_content": BODY, "group_id": 7}, shape) is not None
    assert passage_of("point", {"page_content": BODY, "group_id": "8"}, shape) is None
    assert passage_of("point", {"page_content": BODY}, shape) is None
