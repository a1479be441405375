"""The indexer as its user runs it: settings for it, its exit codes, and what it told."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import KEY
from gemini_standin import GeminiStandin
from processes import ran

INDEX = ["-m", "qdrant_indexer", "index"]
DONE, FAILED, USAGE, FOUND_WRONG, PROVIDER, REFUSED, CONFIGURATION, INTERRUPTED = 0, 1, 2, 3, 4, 5, 78, 130
SIZE = 256
"""Of the stand-in's vectors."""


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    """A data folder of the test's own; words alone."""
    return {"DATA_DIR": str(tmp_path / "data")}


@pytest.fixture
def by_gemini(gemini: GeminiStandin, data: dict[str, str]) -> dict[str, str]:
    """The same, embedded by the stand-in."""
    stand_in = {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": gemini.url, "EMBEDDING_DIMENSIONS": str(SIZE)}
    return {**data, **stand_in, "RELEVANCE_GATE": "0.2"}


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


def lines(ended: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The JSON lines of a run; not one word beside them, and no traceback anywhere."""
    assert "Traceback" not in ended.stderr + ended.stdout, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def gave_up(ended: subprocess.CompletedProcess[str], code: int) -> str:
    """What a run that failed said, on one line of stderr (settings: one more for each problem)."""
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert [line for line in lines(ended) if line["event"] == "indexed"] == []
    first, *more = ended.stderr.splitlines()
    assert first.startswith("qdrant_indexer: ")
    assert all(line.startswith("  - ") for line in more)
    assert KEY not in ended.stderr
    return ended.stderr
