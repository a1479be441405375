"""The verb ``probe`` as its user runs it: what it says of a collection that another tool made."""

from pathlib import Path

import httpx
from qdrant_client import models

from conftest import KEY
from gemini_standin import GeminiStandin
from indexer_process import FAILED, FOUND_WRONG, SIZE, USAGE, refused, run, told
from qdrant_standin import QdrantStandin


def collection(qdrant: QdrantStandin, name: str, points: list[models.PointStruct], size: int = SIZE) -> None:
    qdrant.client.create_collection(name, models.VectorParams(size=size, distance=models.Distance.COSINE))
    if points:
        qdrant.client.upsert(name, points)


def langchain_points(gemini: GeminiStandin, texts: list[str]) -> list[models.PointStruct]:
    """As LangChain writes them, embedded by the stand-in: text and metadata, one unnamed vector."""
    request = {
        "requests": [
            {"model": "models/x", "content": {"parts": [{"text": text}]}, "outputDimensionality": SIZE} for text in texts
        ]
    }
    url = f"{gemini.url}/v1beta/models/gemini-embedding-001:batchEmbedContents"
    made = httpx.post(url, json=request, headers={"x-goog-api-key": KEY}, trust_env=False).json()["embeddings"]
    payloads = [
        {"page_content": text, "metadata": {"source": f"docs/{number}.md", "title": "Lamps"}} for number, text in enumerate(texts)
    ]
    return [
        models.PointStruct(id=number, vector=one["values"], payload=payload)
        for number, (one, payload) in enumerate(zip(made, payloads, strict=True))
    ]


TEXTS = [
    "A lamp needs a hub.",
    "Hold the button to pair.",
    "Switch it off five times.",
    "Docker runs the hub.",
    "The radio reaches far.",
]


def test_probe_tells_maker_mapping_and_that_our_model_made_the_vectors(
    tmp_path: Path, qdrant: QdrantStandin, gemini: GeminiStandin, by_gemini: dict[str, str]
) -> None:
    collection(qdrant, "theirs", langchain_points(gemini, TEXTS))
    settings = {**by_gemini, "QDRANT_HOST": qdrant.url}
    asked = len(qdrant.requests)
    found = told(tmp_path, settings, "probe", "--collection", "theirs")
    assert (found["points"], found["maker"], found["missing"]) == (5, "langchain", [])
    assert found["vectors"] == [{"name": "", "size": SIZE, "distance": "Cosine"}]
    assert (found["keys"]["text"], found["keys"]["title"]) == (["page_content"], ["metadata.title"])
    assert found["mapping"][0] == {"text": TEXTS[0], "url": "/docs/0", "title": "Lamps", "section": ""}
    assert "it made them" in found["model"]
    assert {method for method, _ in qdrant.requests[asked:]} <= {"GET", "POST"}
    words = run(tmp_path, settings, "probe", "--collection", "theirs").stdout
    assert words.splitlines()[-1] == "nothing is missing"
    assert qdrant.client.count("theirs").count == 5


def test_probe_says_loudly_that_a_collection_is_empty_or_its_vectors_are_none(
    tmp_path: Path, qdrant: QdrantStandin, gemini: GeminiStandin, by_gemini: dict[str, str]
) -> None:
    settings = {**by_gemini, "QDRANT_HOST": qdrant.url, "QDRANT_COLLECTION_NAME": "empty"}
    collection(qdrant, "empty", [])
    assert "0 POINTS" in run(tmp_path, settings, "probe").stdout
    assert told(tmp_path, settings, "probe", code=FOUND_WRONG)["points"] == 0
    points = langchain_points(gemini, TEXTS)
    collection(qdrant, "constant", [point.model_copy(update={"vector": [0.1] * SIZE}) for point in points])
    missing = told(tmp_path, settings, "probe", "--collection", "constant", code=FOUND_WRONG)["missing"]
    assert any("5 of 5 vectors are constant" in one for one in missing)
    assert any("10 pairs of different texts have the same vector" in one for one in missing)
    assert any("not gemini-embedding-001's" in one for one in missing)
    shifted = [point.model_copy(update={"vector": points[number - 1].vector}) for number, point in enumerate(points)]
    collection(qdrant, "shifted", shifted)
    found = told(tmp_path, settings, "probe", "--collection", "shifted", code=FOUND_WRONG)
    assert "it did not make them" in found["model"]


def test_probe_names_what_no_reader_can_do_without(tmp_path: Path, qdrant: QdrantStandin) -> None:
    settings = {"DATA_DIR": str(tmp_path / "data"), "QDRANT_HOST": qdrant.url}
    vector = [1.0, 0.5, 0.2, 0.1]
    bare = [models.PointStruct(id=number, vector=vector, payload={"text": "The same text."}) for number in range(2)]
    collection(qdrant, "bare", bare, size=4)
    found = told(tmp_path, settings, "probe", "--collection", "bare", code=FOUND_WRONG)
    assert any("no address" in one for one in found["missing"])
    assert any("twice" in one for one in found["missing"])
    assert "not compared" in found["model"]
    collection(qdrant, "textless", [models.PointStruct(id=1, vector=vector, payload={"n": 1})], size=4)
    assert any(
        "no text" in one for one in told(tmp_path, settings, "probe", "--collection", "textless", code=FOUND_WRONG)["missing"]
    )
    assert "no index yet" in refused(tmp_path, settings, "probe", "--collection", "nowhere", code=FAILED)


def test_probe_keeps_to_the_keys_and_the_part_the_settings_name(tmp_path: Path, qdrant: QdrantStandin) -> None:
    payloads = [{"tenant_id": one, "words": {"said": f"Text of {one}."}, "url": f"/docs/{one}"} for one in ("a", "b")]
    points = [models.PointStruct(id=number, vector=[1, 2, 3, 4], payload=one) for number, one in enumerate(payloads)]
    collection(qdrant, "shared", points, size=4)
    settings = {"DATA_DIR": str(tmp_path / "data"), "QDRANT_HOST": qdrant.url, "QDRANT_COLLECTION_NAME": "shared"}
    assert "QDRANT_FILTER" in told(tmp_path, settings, "probe", code=FOUND_WRONG)["missing"][0]
    part = {**settings, "QDRANT_FILTER": "tenant_id=b", "QDRANT_TEXT_KEY": "words.said"}
    assert [one["text"] for one in told(tmp_path, part, "probe")["mapping"]] == ["Text of b."]
    nobody = {**part, "QDRANT_FILTER": "tenant_id=c"}
    assert "QDRANT_FILTER" in told(tmp_path, nobody, "probe", code=FOUND_WRONG)["missing"][0]


def test_probe_looks_at_servers_alone(tmp_path: Path) -> None:
    assert "QDRANT_HOST" in refused(tmp_path, {"DATA_DIR": str(tmp_path)}, "probe", code=USAGE)
