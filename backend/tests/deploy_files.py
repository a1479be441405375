"""The files of deploy/ as tests read them, and the tools that judge them."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chatbot_api.config import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
REQUIRED = os.environ.get("REQUIRE_DEPLOY") == "1"
SECRETS = {
    "GEMINI_API_KEY": "canary-key-0123456789-never-shown",
    "QDRANT_API_KEY": "canary-qdrant-key",
    "DATABASE_URL": "postgresql://ask_ai:canary@db.example.com/ask_ai",
    "LIMITS_URL": "redis://:canary@limits.example.com:6379/0",
}
"""What an owner puts into the secrets; none of it may stand in a file."""
OF_OTHERS = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PATH"}
"""Variables of Python's and the shell's."""


def documents(path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file."""
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def containers(found: object) -> Iterator[dict[str, Any]]:
    """Every container of a document, wherever it is."""
    if isinstance(found, dict):
        yield from found.get("containers", ())
        for inner in found.values():
            yield from containers(inner)
    elif isinstance(found, list):
        for inner in found:
            yield from containers(inner)


def settings_from(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings a container with this environment has; raises StartRefused when it would not start.

    Fails for a variable that is no setting: it would be ignored without a word.
    """
    unknown = {name for name in environment if name.lower() not in Settings.model_fields} - OF_OTHERS
    assert not unknown
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    nothing = tmp_path / "empty.env"
    nothing.touch()
    return load_settings(nothing)


def tool(name: str, package: str) -> str:
    """Where a program is. Skips, visibly, where it is not; REQUIRE_DEPLOY=1 turns the skip into a failure."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    return found or missing(f"{name} is not installed ({package})")


def missing(why: str) -> Any:
    """Skip for want of a part, or fail where nothing may be skipped."""
    if REQUIRED:
        pytest.fail(f"{why} (REQUIRE_DEPLOY=1)")
    pytest.skip(why)


def ran_well(*command: str) -> str:
    """What a program printed; its own words when it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def assert_named_by_tag(image: str) -> None:
    """An image is named shortly, without a registry's host, and by a tag that is no moving one; ours is built here."""
    assert re.fullmatch(r"[a-z0-9-]+(/[a-z0-9-]+)?:v?\d[\w.-]*|ask-ai", image), image
