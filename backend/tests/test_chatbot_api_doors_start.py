"""What the optional doors cost where they are shut: nothing is imported, and nothing answers. In interpreters of their own."""

import json
from pathlib import Path

import pytest

from processes import ran

LOADED = """if True:
    import json, sys
    import chatbot_api.main as door
    app = door.app
    doors = ("chatbot_api.openai_", "chatbot_api.ai_sdk_", "chatbot_api.llms_")
    loaded = [name for name in sys.modules if name.startswith(doors)]
    print(json.dumps([sorted(loaded), sorted(app.openapi()["paths"])]))
"""
COST = """if True:
    import json, os, time
    import chatbot_api.main as door
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    before, started = resident(), time.process_time()
    door.app
    print(json.dumps([time.process_time() - started, resident() - before]))
"""
DOORS = {
    "OPENAI_COMPAT_ENABLED": ("chatbot_api.openai_endpoint", {"/v1/chat/completions", "/v1/models"}),
    "AI_SDK_ENABLED": ("chatbot_api.ai_sdk_endpoint", {"/api/chat", "/api/chat/{chat_id}/stream"}),
    "LLMS_TXT_ENABLED": ("chatbot_api.llms_endpoint", {"/llms.txt", "/{path}.md"}),
}
"""Setting -> what it loads, and the addresses that it opens."""


def loaded(folder: Path, **settings: str) -> tuple[set[str], set[str]]:
    """The modules of doors that an app with these settings loads, and all its addresses."""
    done = ran(["-c", LOADED], folder, **settings)
    assert done.returncode == 0, done.stderr
    modules, paths = json.loads(done.stdout.splitlines()[-1])
    return set(modules), set(paths)


def test_where_they_are_shut_nothing_of_them_is_loaded(tmp_path: Path) -> None:
    modules, paths = loaded(tmp_path)
    assert modules == set()
    assert paths.isdisjoint(set[str]().union(*(opened for _, opened in DOORS.values())))


@pytest.mark.parametrize("setting", DOORS)
def test_each_is_opened_by_its_own_setting_alone(tmp_path: Path, setting: str) -> None:
    modules, paths = loaded(tmp_path, **{setting: "true"})
    module, opened = DOORS[setting]
    assert module in modules
    assert opened <= paths
    for other, (its_module, its_paths) in DOORS.items():
        assert other == setting or (its_module not in modules and paths.isdisjoint(its_paths))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_what_each_costs_where_it_is_open_is_told(tmp_path: Path) -> None:
    def cost(**settings: str) -> tuple[float, float]:
        done = ran(["-c", COST], tmp_path, **settings)
        assert done.returncode == 0, done.stderr
        seconds, mebibytes = json.loads(done.stdout.splitlines()[-1])
        return seconds, mebibytes

    shut = cost()
    for setting in DOORS:
        is_open = cost(**{setting: "true"})
        print(f"{setting}: {1000 * (is_open[0] - shut[0]):+.0f} ms CPU, {is_open[1] - shut[1]:+.1f} MiB at start")
        assert is_open[1] - shut[1] < 16, "a door of no packages of its own takes as much as one"
