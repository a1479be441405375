"""What the ChatKit door costs where it is off, and what is said where its package is missing: in interpreters of their own."""

import json
from pathlib import Path

import pytest

from conftest import index_book
from lantern import settings_in
from processes import ran

pytest_plugins = ["chatkit_package"]
BLOCKED = """if True:
    import sys
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == {name!r}:
                raise ModuleNotFoundError("No module named " + name, name=name)
    sys.meta_path.insert(0, Missing())
    from chatbot_api.server import main
    sys.exit(main())
"""
LOADED = """if True:
    import json, sys
    import chatbot_api.main as door
    app = door.app
    names = sorted({name.partition(".")[0] for name in sys.modules} & {"chatkit", "agents", "openai", "mcp", "jinja2"})
    print(json.dumps([names, "/chatkit" in app.openapi()["paths"]]))
"""


def test_where_it_is_off_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    done = ran(["-c", LOADED], tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[], False]


def test_where_it_is_on_it_is_loaded_and_in_the_reference(tmp_path: Path, chatkit_there: None) -> None:
    done = ran(["-c", LOADED], tmp_path, CHATKIT_ENABLED="true")
    assert done.returncode == 0, done.stderr
    names, is_there = json.loads(done.stdout.splitlines()[-1])
    assert {"chatkit", "agents", "openai"} <= set(names)
    assert is_there


@pytest.mark.parametrize("name", ["chatkit", "agents"])
def test_a_service_that_is_to_speak_chatkit_without_its_package_says_how_to_get_it(tmp_path: Path, book: Path, name: str) -> None:
    index_book(settings_in(tmp_path), book)
    done = ran(["-c", BLOCKED.format(name=name)], tmp_path, CHATKIT_ENABLED="true", DATA_DIR=str(tmp_path / "data"), PORT="0")
    assert done.returncode == 78, done.stderr
    assert "Traceback" not in done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("  - ")]
    assert "CHATKIT_ENABLED=true" in sentence
    assert "pip install -r backend/requirements-chatkit.txt" in sentence
    assert f"needs the package {name}" in sentence
