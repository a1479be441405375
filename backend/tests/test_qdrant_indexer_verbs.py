"""The verbs beside ``index`` as their user runs them: status, rollback, check, search and eval."""

import json
from pathlib import Path

import pytest

from built_pages import document
from conftest import KEY
from gemini_standin import GeminiStandin
from indexer_process import CONFIGURATION, FAILED, FOUND_WRONG, PROVIDER, USAGE, refused, run, told
from qdrant_standin import QdrantStandin
from site_folders import written


@pytest.fixture(params=["embedded", "server"])
def engine(request: pytest.FixtureRequest, data: dict[str, str], qdrant: QdrantStandin) -> dict[str, str]:
    """Settings of one engine; words alone."""
    return data if request.param == "embedded" else {**data, "QDRANT_HOST": qdrant.url}


# --- status, rollback


def test_status_tells_the_run_its_parts_and_whether_it_fits(
    book: Path, tmp_path: Path, data: dict[str, str], gemini: GeminiStandin
) -> None:
    run(tmp_path, data, "index", str(book))
    run(tmp_path, {**data, "SITE": "other"}, "index", str(book))
    status = told(tmp_path, data, "status")
    own, other = status["parts"]
    assert (own["site"], other["site"], own["locale"], own["version"]) == ("docs", "other", "en", None)
    assert own["passages"] == other["passages"] == status["passages"] / 2
    assert (status["pages"], status["fits"], status["marker"]["embedding_model"]) == (6, True, "none")
    assert status["made_at"].startswith("20")
    key = {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": gemini.url}
    words = run(tmp_path, {**data, **key}, "status").stdout
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


def test_search_keeps_to_the_version_and_locale_asked_for(tmp_path: Path, data: dict[str, str]) -> None:
    files = {"docusaurus.config.js": "", "versions.json": '["1.0"]', "docs/a.md": "A new lamp.\n"}
    site = written(tmp_path / "site", {**files, "versioned_docs/version-1.0/a.md": "An old lamp.\n"})
    run(tmp_path, data, "index", str(site))

    def urls(*options: str) -> list[str]:
        return [hit["url"] for hit in told(tmp_path, data, "search", "lamp", *options)["hits"]]

    assert urls() == ["/docs/a"]
    assert urls("--version", "current") == ["/docs/next/a"]
    assert urls("--version", "1.0", "--locale", "fr") == []
    assert "empty" in refused(tmp_path, data, "search", " ", code=USAGE)


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
