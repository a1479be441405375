"""The workflow for forks: the gate of .ci/run, with no right to write, no moving action, and an end to every job."""

import re
import subprocess
from typing import Any

import yaml

from deploy_files import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"


def workflow() -> dict[str, Any]:
    return yaml.safe_load((WORKFLOWS / "ci.yml").read_text(encoding="utf-8"))


def steps() -> list[dict[str, Any]]:
    return [step for job in workflow()["jobs"].values() for step in job["steps"]]


def test_no_job_may_write_and_none_goes_on_for_ever() -> None:
    assert workflow()["permissions"] == {"contents": "read"}
    for job in workflow()["jobs"].values():
        assert "permissions" not in job
        assert 0 < job["timeout-minutes"] <= 60


def test_every_action_is_pinned_by_its_commit_and_keeps_no_credentials() -> None:
    used = [step for step in steps() if "uses" in step]
    assert used
    for step in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]), step
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_no_step_puts_what_a_stranger_wrote_into_a_script() -> None:
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_the_gate_is_run_and_every_verb_that_is_asked_for_is_there() -> None:
    scripts = "\n".join(step.get("run", "") for step in steps())
    assert ".ci/run" in scripts.splitlines()
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    asked = [words.split() for words in re.findall(r"^make ([a-z -]+)", f"{scripts}\n{gate}", re.MULTILINE)]
    assert {verb for words in asked for verb in words} <= known


def test_scripts_can_be_read_by_a_shell() -> None:
    for script in [(ROOT / ".ci" / "run").read_text(encoding="utf-8"), *(step["run"] for step in steps() if "run" in step)]:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
