"""How a run of the indexer ends: the exit code, one sentence, and the old index left whole."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from chatbot_api.config import Settings
from conftest import KEY, with_gemini
from gemini_standin import GeminiStandin
from indexer_process import CONFIGURATION, DONE, FAILED, INDEX, INTERRUPTED, PROVIDER, USAGE, gave_up
from live_index import found, stored
from processes import ran, running
from qdrant_indexer.arguments import parser
from qdrant_standin import QdrantStandin


def test_a_folder_that_is_missing_or_holds_no_markdown_ends_with_2(tmp_path: Path, data: dict[str, str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no page")
    for folder in ("nowhere", "empty"):
        assert folder in gave_up(ran([*INDEX, str(tmp_path / folder)], tmp_path, **data), USAGE)
    assert not (tmp_path / "data").exists()


def test_wrong_usage_ends_with_2_and_shows_the_usage(
    tmp_path: Path, data: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["destroy", "."]):
        ended = ran(["-m", "qdrant_indexer", *arguments], tmp_path, **data)
        assert (ended.returncode, ended.stdout) == (USAGE, "")
        assert ended.stderr.startswith("usage: qdrant_indexer")
    index = ("index", ".")
    wrong = ([*index, "--prune-max", "30"], [*index, "--trailing-slash", "no"], [*index, "--version-path", "2.0"])
    for arguments in (*wrong, [*index, "--kind", "x"], ["search"], ["search", "q", "--top-k", "0"], ["check"]):
        with pytest.raises(SystemExit) as exit_of:
            parser().parse_args(arguments)
        assert exit_of.value.code == USAGE
        assert capsys.readouterr().err.startswith(f"usage: qdrant_indexer {arguments[0]}")


def test_a_share_may_be_a_percentage_or_a_fraction() -> None:
    given = ("30%", "0.3", "0%", "100%", "1")
    assert [parser().parse_args(["index", "--prune-max", one]).prune_max for one in given] == [0.3, 0.3, 0, 1, 1]


def test_the_help_of_every_verb_tells_the_exit_codes(tmp_path: Path, data: dict[str, str]) -> None:
    said = ran(["-m", "qdrant_indexer", "--help"], tmp_path, **data).stdout
    assert [int(code) for code in re.findall(r"^  (\d+) ", said, re.MULTILINE)] == [0, 1, 2, 3, 4, 5, 78, 130]
    for verb in ("index", "status", "rollback", "check", "search", "eval", "probe"):
        assert f"    {verb} " in said
    assert "exit codes:" in ran([*INDEX, "--help"], tmp_path, **data).stdout


def test_a_provider_that_is_down_or_refuses_the_key_ends_with_4(
    book: Path, tmp_path: Path, gemini: GeminiStandin, by_gemini: dict[str, str]
) -> None:
    gemini.fail("401", on="embed")
    assert "provider" in gave_up(ran([*INDEX, str(book)], tmp_path, **by_gemini), PROVIDER)
    gemini.heal()
    gemini.fail("wrongdims", on="embed")
    assert "provider" in gave_up(ran([*INDEX, str(book)], tmp_path, **by_gemini), PROVIDER)
    gemini.stop()
    assert "provider" in gave_up(ran([*INDEX, str(book)], tmp_path, **by_gemini), PROVIDER)
    left = [path for path in (tmp_path / "data" / "index").iterdir() if path.is_dir()]
    assert left == [], "no half run is left"


def test_bad_settings_end_with_78_and_are_all_named(book: Path, tmp_path: Path, data: dict[str, str]) -> None:
    said = gave_up(ran([*INDEX, str(book)], tmp_path, **data, PROVIDER="gemini", QDRANT_API_KEY=KEY, TOP_K="x"), CONFIGURATION)
    assert all(name in said for name in ("PROVIDER", "QDRANT_API_KEY", "TOP_K"))
    assert "BM25_LANGUAGE" in gave_up(ran([*INDEX, str(book)], tmp_path, **data, BM25_LANGUAGE="klingon"), CONFIGURATION)


def test_a_data_folder_that_can_not_be_made_ends_with_1(book: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = gave_up(ran([*INDEX, str(book)], tmp_path, DATA_DIR=str(tmp_path / "file" / "data")), FAILED)
    assert "can't be written" in said


def test_a_server_that_is_down_refuses_or_is_no_server_ends_with_1(
    book: Path, tmp_path: Path, qdrant: QdrantStandin, gemini: GeminiStandin
) -> None:
    qdrant.fail("507", on="all")
    assert "can't be written" in gave_up(ran([*INDEX, str(book)], tmp_path, QDRANT_HOST=qdrant.url), FAILED)
    qdrant.stop()
    assert "can't be written" in gave_up(ran([*INDEX, str(book)], tmp_path, QDRANT_HOST=qdrant.url), FAILED)
    assert "can't be written" in gave_up(ran([*INDEX, str(book)], tmp_path, QDRANT_HOST=gemini.url), FAILED)


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
    with running([*INDEX, str(docs), "--force"], tmp_path, **by_gemini) as process:
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
