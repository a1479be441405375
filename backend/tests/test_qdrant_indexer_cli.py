"""The verb ``index`` as its user runs it: what it prints and what it leaves."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from built_pages import document
from chatbot_api.config import Settings
from conftest import with_gemini
from gemini_standin import GeminiStandin
from indexer_process import DONE, FOUND_WRONG, INDEX, REFUSED, USAGE, gave_up, lines
from live_index import found, stored
from processes import ran
from qdrant_standin import QdrantStandin
from site_folders import written
from site_server import Answer, SiteServer, site_server


@pytest.fixture
def site() -> Iterator[SiteServer]:
    """An empty site on a socket of its own."""
    with site_server() as running_site:
        yield running_site


def test_a_run_on_a_pipe_ends_with_0_and_tells_json_lines(book: Path, tmp_path: Path, by_gemini: dict[str, str]) -> None:
    ended = ran([*INDEX, str(book)], tmp_path, **by_gemini)
    assert (ended.returncode, ended.stderr) == (DONE, "")
    first, *progress, last = lines(ended)
    assert first == {"event": "source", "place": str(book), "mode": "markdown"}
    assert [line["event"] for line in progress] == ["progress"] * len(progress)
    assert progress[-1]["done"] == progress[-1]["all"] == last["passages"]
    keys = ("event", "pages", "embedded", "unchanged", "removed", "other_sites", "published", "skipped")
    told = {key: last[key] for key in keys}
    assert told == {
        "event": "indexed",
        "pages": 3,
        "embedded": last["passages"],
        "unchanged": 0,
        "removed": 0,
        "other_sites": 0,
        "published": True,
        "skipped": 0,
    }


async def test_a_repeated_run_embeds_nothing_and_keeps_every_id(
    book: Path, tmp_path: Path, gemini: GeminiStandin, by_gemini: dict[str, str], settings_of: Callable[..., Settings]
) -> None:
    settings = settings_of(**with_gemini(gemini))
    kept: list[set[str]] = []
    for _ in range(2):
        gemini.requests.clear()
        ended = ran([*INDEX, str(book)], tmp_path, **by_gemini)
        kept.append(set(await stored(settings)))
    last = lines(ended)[-1]
    assert (last["embedded"], last["unchanged"], gemini.calls("embed")) == (0, len(kept[0]), 0)
    assert kept[0] == kept[1]


async def test_an_edited_page_is_followed_and_a_deleted_one_forgotten(
    tmp_path: Path, gemini: GeminiStandin, by_gemini: dict[str, str], settings_of: Callable[..., Settings]
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "one.md").write_text("# One\n\nA lamp.\n")
    (docs / "two.md").write_text("# Two\n\nA hub.\n")
    ran([*INDEX, str(docs)], tmp_path, **by_gemini)
    (docs / "one.md").write_text("# One\n\nA zirconium lamp.\n")
    (docs / "two.md").unlink()
    last = lines(ran([*INDEX, str(docs), "--prune-max", "50%"], tmp_path, **by_gemini))[-1]
    assert (last["embedded"], last["unchanged"], last["removed"]) == (1, 0, 1)
    settings = settings_of(**with_gemini(gemini))
    assert await found(settings, "zirconium") == ["docs/one"]
    assert await found(settings, "hub") == []


def test_a_page_that_can_not_be_read_is_told_and_ends_with_3_though_the_others_are_indexed(
    tmp_path: Path, data: dict[str, str]
) -> None:
    docs = written(tmp_path / "docs", {"good.md": "# Good\n\nA lamp.\n", "a/draft.md": "---\ndraft: true\n---\n\nLater.\n"})
    (docs / "bad.md").write_bytes(b"# Bad\n\n\xff\xfe\n")
    ended = ran([*INDEX, str(docs)], tmp_path, **data)
    _, *skipped, _, last = lines(ended)
    assert ended.returncode == FOUND_WRONG
    assert {line["reason"]: (line["count"], line["sources"], line["fault"]) for line in skipped} == {
        "draft": (1, ["a/draft.md"], False),
        "unreadable: not UTF-8 text": (1, ["bad.md"], True),
    }
    assert (last["pages"], last["skipped"]) == (1, 2)


def test_pages_passed_over_are_grouped_by_reason_and_each_named_when_asked(tmp_path: Path, data: dict[str, str]) -> None:
    drafts = {f"draft-{number}.md": "---\ndraft: true\n---\n\nLater.\n" for number in range(5)}
    docs = written(tmp_path / "docs", {"good.md": "# Good\n\nA lamp.\n", **drafts})
    grouped = [line for line in lines(ran([*INDEX, str(docs)], tmp_path, **data)) if line["event"] == "skipped"]
    assert [(line["reason"], line["count"], len(line["sources"])) for line in grouped] == [("draft", 5, 3)]
    each = [line for line in lines(ran([*INDEX, str(docs), "--verbose"], tmp_path, **data)) if line["event"] == "skipped"]
    assert [line["source"] for line in each] == sorted(drafts)


def test_a_built_site_is_told_from_its_sources_and_says_its_addresses_itself(tmp_path: Path, data: dict[str, str]) -> None:
    pages = {"intro.html": document("<p>A lamp.</p>", "/base/intro"), "lamp/index.html": document("<p>A hub.</p>", "/base/lamp/")}
    build = written(tmp_path / "build", pages)
    first, *_, last = lines(ran([*INDEX, str(build)], tmp_path, **data))
    assert (first["mode"], last["pages"]) == ("html", 2)
    said = gave_up(ran([*INDEX, str(build), "--base-url", "/x/"], tmp_path, **data), USAGE)
    assert "--base-url" in said
    assert "built site" in said


def test_a_live_site_is_read_by_its_sitemap_and_a_page_it_lacks_ends_with_3(
    site: SiteServer, tmp_path: Path, data: dict[str, str]
) -> None:
    site.routes["/docs/intro"] = Answer(document("<p>A lamp.</p>", "/docs/intro"))
    site.list_pages("/docs/intro")
    ended = ran([*INDEX, site.url], tmp_path, **data)
    first, *_, last = lines(ended)
    assert (ended.returncode, first["mode"], first["place"], last["pages"]) == (DONE, "live", site.sitemap_url, 1)
    site.list_pages("/docs/intro", "/docs/gone")
    ended = ran([*INDEX, site.sitemap_url], tmp_path, **data)
    told = next(line for line in lines(ended) if line["event"] == "skipped")
    assert (ended.returncode, told["sources"], told["fault"]) == (FOUND_WRONG, [f"{site.url}/docs/gone"], True)
    assert "404" in told["reason"]


def test_the_site_in_the_folder_is_indexed_when_no_source_is_named(tmp_path: Path, data: dict[str, str]) -> None:
    folder = written(tmp_path / "site", {"docusaurus.config.js": "", "docs/a.md": "A.\n", "blog/2024-01-02-b.md": "B.\n"})
    first, *_, last = lines(ran(INDEX, folder, **data))
    assert (first["place"], first["mode"], last["pages"]) == (".", "markdown", 2)
    assert "SOURCE" in gave_up(ran(INDEX, tmp_path / "data", **data), USAGE)


def test_only_the_pages_asked_for_are_indexed(tmp_path: Path, data: dict[str, str]) -> None:
    files = {"docs/a.md": "A.\n", "docs/api/b.md": "B.\n", "blog/2024-01-02-c.md": "C.\n", "docusaurus.config.js": ""}
    folder = written(tmp_path / "site", {**files, "i18n/fr/docusaurus-plugin-content-docs/current/a.md": "A en francais.\n"})

    def pages(*options: str) -> int:
        return int(lines(ran([*INDEX, str(folder), "--dry-run", *options], tmp_path, **data))[-1]["pages"])

    assert pages() == 4
    assert pages("--kind", "doc", "--kind", "page") == 3
    assert pages("--locale", "en") == 3
    assert pages("--include", "/docs/*") == 2
    assert pages("--include", "docs/*", "--exclude", "*/api/*") == 1
    assert "nothing to index" in gave_up(ran([*INDEX, str(folder), "--include", "none"], tmp_path, **data), USAGE)


def test_a_dry_run_tells_what_it_would_do_and_cost_calls_nothing_and_writes_nothing(
    book: Path, tmp_path: Path, gemini: GeminiStandin, by_gemini: dict[str, str]
) -> None:
    last = lines(ran([*INDEX, str(book), "--dry-run"], tmp_path, **by_gemini))[-1]
    assert (last["event"], last["pages"], last["changed"], last["removed"]) == ("planned", 3, 0, 0)
    assert last["added"] == last["to_embed"] > 0
    assert last["dollars"] == pytest.approx(last["tokens"] * 0.15 / 1e6, abs=1e-6)
    characters = sum(len(path.read_text()) for path in book.iterdir())
    assert characters / 8 < last["tokens"] < characters / 2
    assert "4 characters a token" in last["estimated_by"]
    assert (gemini.requests, (tmp_path / "data").exists()) == ([], False)
    ran([*INDEX, str(book)], tmp_path, **by_gemini)
    gemini.requests.clear()
    (edited := tmp_path / "docs").mkdir()
    for path in book.iterdir():
        (edited / path.name).write_text(path.read_text())
    (edited / "install.md").unlink()
    (edited / "new.md").write_text("# New\n\nA new page.\n")
    again = lines(ran([*INDEX, str(edited), "--dry-run"], tmp_path, **by_gemini))[-1]
    assert (again["added"], again["removed"], again["to_embed"], gemini.requests) == (1, 3, 1, [])


def test_a_run_that_would_remove_much_is_refused_with_5_unless_it_is_forced(
    book: Path, tmp_path: Path, data: dict[str, str]
) -> None:
    ran([*INDEX, str(book)], tmp_path, **data)
    docs = written(tmp_path / "docs", {"new.md": "# New\n\nA lamp.\n"})
    assert "--force" in gave_up(ran([*INDEX, str(docs)], tmp_path, **data), REFUSED)
    assert "100%" in gave_up(ran([*INDEX, str(docs), "--prune-max", "0.9"], tmp_path, **data), REFUSED)
    forced = ran([*INDEX, str(docs), "--force"], tmp_path, **data)
    assert (forced.returncode, lines(forced)[-1]["passages"]) == (DONE, 1)


def test_a_run_that_would_lose_other_sites_is_refused_with_5(
    book: Path, tmp_path: Path, data: dict[str, str], by_gemini: dict[str, str]
) -> None:
    ran([*INDEX, str(book)], tmp_path, **data, SITE="other")
    assert "other" in gave_up(ran([*INDEX, str(book)], tmp_path, **by_gemini), REFUSED)


def test_a_lexical_run_on_a_server_needs_no_key_and_no_model(book: Path, tmp_path: Path, qdrant: QdrantStandin) -> None:
    ended = ran([*INDEX, str(book)], tmp_path, QDRANT_HOST=qdrant.url, QDRANT_COLLECTION_NAME="book")
    last = lines(ended)[-1]
    assert (ended.returncode, last["embedded"]) == (DONE, 0)
    assert qdrant.client.count("book").count == last["passages"]
