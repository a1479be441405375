"""The indexer's command as its user runs it: what it prints, what it leaves, and how it ends."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatbot_api.config import Settings
from conftest import KEY, with_gemini
from gemini_standin import GeminiStandin
from processes import ran, running
from qdrant_standin import QdrantStandin
from test_qdrant_indexer_sync import found, stored

INDEX = ["-m", "qdrant_indexer", "index"]
DONE, FAILED, USAGE, PROVIDER, CONFIGURATION, INTERRUPTED = 0, 1, 2, 4, 78, 130


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    """A data folder of the test's own; words alone."""
    return {"DATA_DIR": str(tmp_path / "data")}


@pytest.fixture
def by_gemini(gemini: GeminiStandin, data: dict[str, str]) -> dict[str, str]:
    """The same, embedded by the stand-in."""
    return {**data, "GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": gemini.url, "EMBEDDING_DIMENSIONS": "256"}


def lines(ended: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The JSON lines of a run; not one word beside them, and no traceback anywhere."""
    assert "Traceback" not in ended.stderr + ended.stdout, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def refused(ended: subprocess.CompletedProcess[str], code: int) -> str:
    """What a run that failed said, on one line of stderr (settings: one more for each problem)."""
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert [line for line in lines(ended) if line["event"] == "indexed"] == []
    first, *more = ended.stderr.splitlines()
    assert first.startswith("qdrant_indexer: ")
    assert all(line.startswith("  - ") for line in more)
    assert KEY not in ended.stderr
    return ended.stderr


def test_a_run_on_a_pipe_ends_with_0_and_tells_json_lines(book: Path, tmp_path: Path, by_gemini: dict[str, str]) -> None:
    ended = ran([*INDEX, str(book)], tmp_path, **by_gemini)
    assert (ended.returncode, ended.stderr) == (DONE, "")
    *progress, last = lines(ended)
    assert [line["event"] for line in progress] == ["progress"] * len(progress)
    assert progress[-1]["done"] == progress[-1]["all"] == last["passages"]
    told = {key: last[key] for key in ("event", "pages", "embedded", "unchanged", "removed", "other_sites", "skipped")}
    assert told == {
        "event": "indexed",
        "pages": 3,
        "embedded": last["passages"],
        "unchanged": 0,
        "removed": 0,
        "other_sites": 0,
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
    last = lines(ran([*INDEX, str(docs)], tmp_path, **by_gemini))[-1]
    assert (last["embedded"], last["unchanged"], last["removed"]) == (1, 0, 1)
    settings = settings_of(**with_gemini(gemini))
    assert await found(settings, "zirconium") == ["docs/one"]
    assert await found(settings, "hub") == []


def test_a_file_that_can_not_be_read_is_told_and_passed_over(tmp_path: Path, data: dict[str, str]) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "good.md").write_text("# Good\n\nA lamp.\n")
    (docs / "bad.md").write_bytes(b"# Bad\n\n\xff\xfe\n")
    ended = ran([*INDEX, str(docs)], tmp_path, **data)
    first, *_, last = lines(ended)
    assert (ended.returncode, first["event"], first["source"]) == (DONE, "skipped", "bad.md")
    assert (last["pages"], last["skipped"]) == (1, 1)


def test_a_lexical_run_on_a_server_needs_no_key_and_no_model(book: Path, tmp_path: Path, qdrant: QdrantStandin) -> None:
    ended = ran([*INDEX, str(book)], tmp_path, QDRANT_HOST=qdrant.url, QDRANT_COLLECTION_NAME="book")
    last = lines(ended)[-1]
    assert (ended.returncode, last["embedded"]) == (DONE, 0)
    assert qdrant.client.count("book").count == last["passages"]


# --- how it ends


def test_a_folder_that_is_missing_or_holds_no_markdown_ends_with_2(tmp_path: Path, data: dict[str, str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no page")
    for folder in ("nowhere", "empty"):
        assert folder in refused(ran([*INDEX, str(tmp_path / folder)], tmp_path, **data), USAGE)
    assert not (tmp_path / "data").exists()


def test_wrong_usage_ends_with_2_and_shows_the_usage(tmp_path: Path, data: dict[str, str]) -> None:
    for arguments in ([], ["index"], ["destroy", "."]):
        ended = ran(["-m", "qdrant_indexer", *arguments], tmp_path, **data)
        assert (ended.returncode, ended.stdout) == (USAGE, "")
        assert ended.stderr.startswith("usage: qdrant_indexer")


def test_a_provider_that_is_down_or_refuses_the_key_ends_with_4(
    book: Path, tmp_path: Path, gemini: GeminiStandin, by_gemini: dict[str, str]
) -> None:
    gemini.fail("401", on="embed")
    assert "provider" in refused(ran([*INDEX, str(book)], tmp_path, **by_gemini), PROVIDER)
    gemini.heal()
    gemini.fail("wrongdims", on="embed")
    assert "provider" in refused(ran([*INDEX, str(book)], tmp_path, **by_gemini), PROVIDER)
    gemini.stop()
    assert "provider" in refused(ran([*INDEX, str(book)], tmp_path, **by_gemini), PROVIDER)
    assert list((tmp_path / "data" / "index").iterdir()) == [], "no half run is left"


def test_bad_settings_end_with_78_and_are_all_named(book: Path, tmp_path: Path, data: dict[str, str]) -> None:
    said = refused(ran([*INDEX, str(book)], tmp_path, **data, PROVIDER="gemini", QDRANT_API_KEY=KEY, TOP_K="x"), CONFIGURATION)
    assert all(name in said for name in ("PROVIDER", "QDRANT_API_KEY", "TOP_K"))
    assert "BM25_LANGUAGE" in refused(ran([*INDEX, str(book)], tmp_path, **data, BM25_LANGUAGE="klingon"), CONFIGURATION)


def test_a_data_folder_that_can_not_be_made_ends_with_1(book: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(ran([*INDEX, str(book)], tmp_path, DATA_DIR=str(tmp_path / "file" / "data")), FAILED)
    assert "can't be written" in said


def test_a_server_that_is_down_refuses_or_is_no_server_ends_with_1(
    book: Path, tmp_path: Path, qdrant: QdrantStandin, gemini: GeminiStandin
) -> None:
    qdrant.fail("507", on="all")
    assert "can't be written" in refused(ran([*INDEX, str(book)], tmp_path, QDRANT_HOST=qdrant.url), FAILED)
    qdrant.stop()
    assert "can't be written" in refused(ran([*INDEX, str(book)], tmp_path, QDRANT_HOST=qdrant.url), FAILED)
    assert "can't be written" in refused(ran([*INDEX, str(book)], tmp_path, QDRANT_HOST=gemini.url), FAILED)


async def test_an_interrupted_run_ends_with_130_and_leaves_the_old_index(
    book: Path, tmp_path: Path, gemini: GeminiStandin, by_gemini: dict[str, str], settings_of: Callable[..., Settings]
) -> None:
    assert ran([*INDEX, str(book)], tmp_path, **by_gemini).returncode == DONE
    settings = settings_of(**with_gemini(gemini))
    before = set(await stored(settings))
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "new.md").write_text("# New\n\nA lamp.\n")
    gemini.fail("hang", on="embed")
    gemini.requests.clear()
    with running([*INDEX, str(docs)], tmp_path, **by_gemini) as process:
        while not gemini.calls("embed"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, "Traceback" in err) == (INTERRUPTED, False), err
    assert "old index" in err
    assert set(await stored(settings)) == before
    assert len([path for path in settings.index_dir.iterdir() if path.is_dir()]) == 1


async def test_a_reader_of_its_output_that_leaves_does_not_stop_it(
    book: Path, tmp_path: Path, data: dict[str, str], settings_of: Callable[..., Settings]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with running([*INDEX, str(book)], tmp_path, stdout=writing, **data) as process:
            _, err = process.communicate(timeout=30)
    finally:
        os.close(writing)
    assert (process.returncode, err) == (DONE, "")
    assert await found(settings_of(), "docker") == ["docs/install"]
