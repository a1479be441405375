"""Upstream's own tests of a ChatKit store and of its server pass on ours, on SQLite and on PostgreSQL.

They come with openai-chatkit's source distribution: the folder ``tests`` in CHATKIT_TESTS, else in ``backend/.chatkit-tests``
(``make chatkit-tests``). Without it the tests are skipped; REQUIRE_CHATKIT=1 makes that a failure. What the distribution leaves
out stands in ``chatkit_upstream``.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from processes import SOURCES, environment

pytest_plugins = ["chatkit_package", "postgres_server"]
PARTS = Path(__file__).parent / "chatkit_upstream"
UNPACKED = Path(__file__).parents[1] / ".chatkit-tests" / "tests"
SUITES = ("test_store.py", "test_chatkit_server.py")
TESTS = 78
"""How many the two files of 1.6.5 are."""
LONGEST_S = 240


@pytest.fixture
def suites(chatkit_there: None) -> Path:
    """The folder of upstream's tests."""
    folder = Path(os.environ.get("CHATKIT_TESTS") or UNPACKED)
    if missing := [name for name in SUITES if not (folder / name).is_file()]:
        reason = f"upstream's {', '.join(missing)} can't be had: make chatkit-tests"
        if os.environ.get("REQUIRE_CHATKIT") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def laid_out(suites: Path, place: Path) -> None:
    """Upstream's files and ours in the layout of its checkout."""
    helpers = place / "tests" / "helpers"
    helpers.mkdir(parents=True)
    for name in SUITES:
        shutil.copy(suites / name, place / "tests")
    shutil.copy(PARTS / "request_context.py", place / "tests" / "_types.py")
    shutil.copy(PARTS / "mock_store.py", helpers / "mock_store.py")
    shutil.copy(PARTS / "closing.py", place / "tests" / "conftest.py")


def outcomes_of(place: Path, **settings: str) -> dict[str, str]:
    """What came of every test, by its name: passed, or why not."""
    command = ["-m", "pytest", "-q", "-o", "asyncio_mode=auto", "--junitxml=out.xml", "--rootdir=.", "-p", "no:cacheprovider"]
    path = os.pathsep.join(map(str, (place, place / "tests", SOURCES)))
    done = subprocess.run(
        [sys.executable, *command, *(f"tests/{name}" for name in SUITES)],
        cwd=place,
        env={**environment(**settings), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert (place / "out.xml").is_file(), done.stdout + done.stderr
    cases = ElementTree.parse(place / "out.xml").iter("testcase")
    return {f"{case.get('classname')}.{case.get('name')}": _outcome(case) for case in cases}


def _outcome(case: ElementTree.Element) -> str:
    return (
        "passed"
        if not (worse := [child for child in case if child.tag in ("failure", "error", "skipped")])
        else (f"{worse[0].tag}: {worse[0].get('message')}")
    )


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_upstreams_tests_pass_on_our_store(suites: Path, engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("postgres").new_database() if engine == "postgresql" else ""
    laid_out(suites, tmp_path / "run")
    outcomes = outcomes_of(tmp_path / "run", STORE_URL=url, STORE_FILE=str(tmp_path / "store.db"))
    assert {name: outcome for name, outcome in outcomes.items() if outcome != "passed"} == {}
    assert len(outcomes) == TESTS
