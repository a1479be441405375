"""The verbs beside ``index`` as their user runs them: status, rollback, check, search, eval and probe."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import models

from built_pages import document
from conftest import KEY
from gemini_standin import GeminiStandin
from processes import ran
from qdrant_standin import QdrantStandin
from site_folders import written

DONE, FAILED, USAGE, FOUND_WRONG, PROVIDER, CONFIGURATION = 0, 1, 2, 3, 4, 78
SIZE = 256


@pytest.fixture(params=["embedded", "server"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, qdrant: QdrantStandin) -> dict[str, str]:
    """Settings of one engine; words alone."""
    data = {"DATA_DIR": str(tmp_path / "data")}
    return data if request.param == "embedded" else {**data, "QDRANT_HOST": qdrant.url}


@pytest.fixture
def embedded(tmp_path: Path) -> dict[str, str]:
    """Settings of the embedded engine; words alone."""
    return {"DATA_DIR": str(tmp_path / "data")}


@pytest.fixture
def by_gemini(gemini: GeminiStandin, tmp_path: Path) -> dict[str, str]:
    """The embedded engine, embedded by the stand-in."""
    data = {"DATA_DIR": str(tmp_path / "data"), "EMBEDDING_DIMENSIONS": str(SIZE), "RELEVANCE_GATE": "0.2"}
    return {**data, "GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": gemini.url}


def run(folder: Path, settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """One verb; no traceback anywhere."""
    ended = ran(["-m", "qdrant_indexer", *arguments], folder, **settings)
    assert "Traceback" not in ended.stderr + ended.stdout, ended.stderr
    return ended


def told(folder: Path, settings: dict[str, str], *arguments: str, code: int = DONE) -> dict[str, Any]:
    """The JSON of a verb that ended with this code."""
    ended = run(folder, settings, *arguments, "--json")
    assert ended.returncode == code, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


def refused(folder: Path, settings: dict[str, str], *arguments: str, code: int) -> str:
    """The one line of a verb that failed."""
    ended = run(folder, settings, *arguments)
    assert (ended.returncode, ended.stdout) == (code, ""), ended.stdout + ended.stderr
    assert ended.stderr.startswith("qdrant_indexer: ")
    assert ended.stderr.count("\n") == 1
    assert KEY not in ended.stderr
    return ended.stderr


# --- status, rollback


def test_status_tells_the_run_its_parts_and_whether_it_fits(
    book: Path, tmp_path: Path, embedded: dict[str, str], gemini: GeminiStandin
) -> None:
    run(tmp_path, embedded, "index", str(book))
    run(tmp_path, {**embedded, "SITE": "other"}, "index", str(book))
    status = told(tmp_path, embedded, "status")
    own, other = status["parts"]
    assert (own["site"], other["site"], own["locale"], own["version"]) == ("docs", "other", "en", None)
    assert own["passages"] == other["passages"] == status["passages"] / 2
    assert (status["pages"], status["fits"], status["marker"]["embedding_model"]) == (6, True, "none")
    assert status["made_at"].startswith("20")
    key = {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": gemini.url}
    words = run(tmp_path, {**embedded, **key}, "status").stdout
    assert "does not fit the settings: embedding_model" in words
    assert f"site other, locale en: {other['passages']} passages" in words
    assert gemini.requests == []


def test_rollback_makes_the_run_before_live_again(book: Path, tmp_path: Path, engine: dict[str, str]) -> None:
    run(tmp_path, engine, "index", str(book))
    before = told(tmp_path, engine, "status")
    assert "before" in refused(tmp_path, engine, "rollback", code=FAILED)
    more = written(
        tmp_path / "docs", {**{path.name: path.read_text() for path in book.iterdir()}, "new.md": "# New\n\nA lamp.\n"}
    )
    run(tmp_path, engine, "index", str(more))
    assert told(tmp_path, engine, "status")["passages"] == before["passages"] + 1
    assert told(tmp_path, engine, "rollback") == {"run": before["run"]}
    assert told(tmp_path, engine, "status") == before


def test_without_an_index_every_verb_says_so_with_1(book: Path, tmp_path: Path) -> None:
    engine = {"DATA_DIR": str(tmp_path / "data")}
    questions = written(tmp_path, {"q.jsonl": '{"question": "How?", "gold_urls": ["/docs/install"]}\n'}) / "q.jsonl"
    for verb in (["status"], ["rollback"], ["check", str(book)], ["search", "lamp"], ["eval", str(questions)]):
        assert "no index yet" in refused(tmp_path, engine, *verb, code=FAILED)


def test_an_index_made_otherwise_is_not_searched_but_named_with_1(book: Path, tmp_path: Path, by_gemini: dict[str, str]) -> None:
    run(tmp_path, {"DATA_DIR": by_gemini["DATA_DIR"]}, "index", str(book))
    assert "does not fit" in refused(tmp_path, by_gemini, "search", "lamp", code=FAILED)


def test_a_server_that_is_down_ends_with_1_and_bad_settings_with_78(tmp_path: Path, qdrant: QdrantStandin) -> None:
    qdrant.stop()
    for verb in (["status"], ["search", "lamp"], ["probe"]):
        assert "the index can't be" in refused(tmp_path, {"QDRANT_HOST": qdrant.url}, *verb, code=FAILED)
    assert run(tmp_path, {"PROVIDER": "gemini"}, "status").returncode == CONFIGURATION


# --- check


def test_check_lists_the_stored_links_that_lead_nowhere_with_3(book: Path, tmp_path: Path, engine: dict[str, str]) -> None:
    run(tmp_path, engine, "index", str(book))
    sound = told(tmp_path, engine, "check", str(book))
    assert (sound["dead"], sound["pages"]) == ([], 3)
    files = {path.name: path.read_text() for path in book.iterdir()}
    files["lamps.md"] = files["lamps.md"].replace("## Reset a lamp", "## Start again")
    del files["install.md"]
    found = told(tmp_path, engine, "check", str(written(tmp_path / "docs", files)), code=FOUND_WRONG)
    assert {one["address"]: one["reason"] for one in found["dead"]} == {
        "/docs/install": "there is no such page to be found",
        "/docs/install#install-on-windows": "there is no such page to be found",
        "/docs/install#install-with-docker": "there is no such page to be found",
        "/docs/lamps#reset-a-lamp": "the page has no such heading",
    }
    assert found["links"] == sound["links"]


def test_check_compares_with_a_build_and_tells_a_page_that_moved_by_a_slash(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path / "data")}
    docs = written(tmp_path / "docs", {"x.md": "A lamp.\n", "y.md": "A hub.\n"})
    run(tmp_path, settings, "index", str(docs))
    pages = {"x.html": document("<p>A lamp.</p>", "/docs/x"), "y/index.html": document("<p>A hub.</p>", "/docs/y/")}
    found = told(tmp_path, settings, "check", str(written(tmp_path / "build", pages)), code=FOUND_WRONG)
    assert found["dead"] == [{"address": "/docs/y", "reason": "the page is at /docs/y/"}]
    words = run(tmp_path, settings, "check", str(tmp_path / "build")).stdout.splitlines()
    assert words[0] == "dead: /docs/y: the page is at /docs/y/"
    assert words[-1].endswith("1 dead")


# --- search, eval


def test_search_shows_hits_with_their_scores_and_the_gate(book: Path, tmp_path: Path, by_gemini: dict[str, str]) -> None:
    run(tmp_path, by_gemini, "index", str(book))
    found = told(tmp_path, by_gemini, "search", "How do I install Lantern with Docker?", "--top-k", "3")
    first = found["hits"][0]
    assert ([hit["rank"] for hit in found["hits"]], first["url"]) == ([1, 2, 3], "/docs/install#install-with-docker")
    assert found["gate"]["answered"] is True
    assert found["gate"]["value"] >= first["cosine"] > found["gate"]["least"] == 0.2
    assert "rank_by_meaning" not in first
    explained = told(tmp_path, by_gemini, "search", "How do I install Lantern with Docker?", "--explain")["hits"][0]
    assert (explained["rank_by_meaning"], explained["rank_by_words"], explained["words"] > 0) == (1, 1, True)
    declined = told(tmp_path, {**by_gemini, "RELEVANCE_GATE": "1"}, "search", "xylophone zebra lamp")
    assert declined["gate"]["answered"] is False
    words = run(tmp_path, by_gemini, "search", "install with docker", "--explain").stdout
    assert "by meaning" in words
    assert "gate: " in words.splitlines()[-1]
    assert "/docs/install#install-with-docker" in words


def test_search_keeps_to_the_version_and_locale_asked_for(tmp_path: Path, embedded: dict[str, str]) -> None:
    files = {"docusaurus.config.js": "", "versions.json": '["1.0"]', "docs/a.md": "A new lamp.\n"}
    site = written(tmp_path / "site", {**files, "versioned_docs/version-1.0/a.md": "An old lamp.\n"})
    run(tmp_path, embedded, "index", str(site))

    def urls(*options: str) -> list[str]:
        return [hit["url"] for hit in told(tmp_path, embedded, "search", "lamp", *options)["hits"]]

    assert urls() == ["/docs/a"]
    assert urls("--version", "current") == ["/docs/next/a"]
    assert urls("--version", "1.0", "--locale", "fr") == []
    assert "empty" in refused(tmp_path, embedded, "search", " ", code=USAGE)


def test_a_provider_that_fails_ends_a_search_with_4(
    book: Path, tmp_path: Path, gemini: GeminiStandin, by_gemini: dict[str, str]
) -> None:
    run(tmp_path, by_gemini, "index", str(book))
    for fault in ("401", "wrongdims"):
        gemini.fail(fault, on="embed")
        assert "provider" in refused(tmp_path, by_gemini, "search", "lamp", code=PROVIDER)


def test_eval_scores_the_live_index(book: Path, tmp_path: Path, by_gemini: dict[str, str]) -> None:
    run(tmp_path, by_gemini, "index", str(book))
    questions = [
        {"question": "Install Lantern with Docker", "gold_files": ["docs/install.md"], "gold_heading": "Install with `Docker`"},
        {"question": "Reset a lamp", "gold_files": ["docs/lamps.md"], "gold_heading": None, "kind": "typo"},
        {"question": "Reset a lamp", "gold_urls": ["/docs/nowhere"]},
        {"question": "zebra xylophone", "gold_files": [], "answerable": False},
    ]
    permalinks = {"docs/install.md": "/docs/install", "docs/lamps.md": "/docs/lamps"}
    lines = "".join(f"{json.dumps(one)}\n" for one in questions)
    written(tmp_path, {"q.jsonl": lines, "permalinks.json": json.dumps(permalinks)})
    scores = told(tmp_path, by_gemini, "eval", "q.jsonl", "--permalinks", "permalinks.json")
    assert scores["recall"] == dict.fromkeys(("1", "3", "5", "10"), pytest.approx(2 / 3))
    assert (scores["mrr"], scores["ndcg"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (scores["heading"], scores["auroc"], scores["refused"]) == (1.0, 1.0, 1)
    assert (scores["answerable"], scores["unanswerable"]) == (3, 1)
    assert scores["by_kind"] == {"question": [1, 2], "typo": [1, 1]}
    words = run(tmp_path, by_gemini, "eval", "q.jsonl", "--permalinks", "permalinks.json").stdout
    assert "R@5         0.667" in words
    assert "line 1" in refused(tmp_path, by_gemini, "eval", "q.jsonl", code=USAGE)


def test_questions_that_can_not_be_read_end_with_2(book: Path, tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path / "data")}
    run(tmp_path, settings, "index", str(book))
    files = {"broken.jsonl": "{\n", "list.jsonl": "[]\n", "open.jsonl": '{"question": "Why?", "answerable": false}\n'}
    written(tmp_path, {**files, "empty.jsonl": "", "list.json": "[]"})
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe")
    for name in (*files, "empty.jsonl", "binary.jsonl", "missing.jsonl"):
        assert name in refused(tmp_path, settings, "eval", name, code=USAGE)
    assert "list.json" in refused(tmp_path, settings, "eval", "open.jsonl", "--permalinks", "list.json", code=USAGE)


# --- probe


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
