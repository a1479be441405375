"""Takes the steps of deploy/Dockerfile without a container: its paths in a folder of ours, its account a real other one.

What this can't show: that the base image is there and has what the steps want of it, and the layers themselves.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from deploy_files import DEPLOY, ROOT

ACCOUNT = 10001
"""Of the image. Where the steps are not taken as root, all is one account."""
LIMIT_S = 900


class Steps:
    """The instructions of the Dockerfile, taken one after the other below ``folder``."""

    def __init__(self, folder: Path, python: str, arguments: dict[str, str]) -> None:
        """``python``: the interpreter of the base image. ``arguments``: --build-arg."""
        from dockerfile_parse import DockerfileParser  # noqa: PLC0415 - may be missing

        self.folder, self._given = folder, arguments
        parsed = DockerfileParser(fileobj=BytesIO((DEPLOY / "Dockerfile").read_bytes()))
        self._structure = [(one["instruction"], one["value"]) for one in parsed.structure if one["instruction"] != "COMMENT"]
        self.environment = {"PATH": f"{folder}/interpreter:{os.environ['PATH']}"}
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "HOME", "SSL_CERT_FILE"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        (folder / "interpreter").mkdir()
        (folder / "interpreter" / "python").symlink_to(python)
        self.workdir = folder
        self.command: list[str] = []
        self.healthcheck: list[str] = []

    def here(self, text: str) -> str:
        """The image's folders as they are called here."""
        return re.sub(r"(?<![\w./])/(opt|build|data)\b", rf"{self.folder}/\1", text)

    def take_all(self) -> None:
        """Every instruction of every stage."""
        for word, value in self._structure:
            getattr(self, f"_{word.lower()}", self._nothing)(value)

    def _nothing(self, value: str) -> None:
        """FROM, USER, EXPOSE: what they say is looked at elsewhere."""

    def _arg(self, value: str) -> None:
        name, _, default = value.partition("=")
        self.environment[name] = self._given.get(name, default)

    def _env(self, value: str) -> None:
        for name, quoted in re.findall(r"(\w+)=(\S+)", value):
            self.environment[name] = self.here(quoted).replace("$PATH", self.environment["PATH"])

    def _workdir(self, value: str) -> None:
        self.workdir = Path(self.here(value))
        self.workdir.mkdir(parents=True, exist_ok=True)

    def _copy(self, value: str) -> None:
        if value.startswith("--from="):  # the stages share their folders here
            return
        *sources, target = value.split()
        for source in sources:
            goal = self.workdir if target == "./" else self.workdir / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, goal, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(ROOT / source, goal)

    def _run(self, value: str) -> None:
        script = self.here(value) if os.geteuid() == 0 else re.sub(r"--(owner|group)=\d+ ?", "", self.here(value))
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=self.workdir,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{value}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"

    def _cmd(self, value: str) -> None:
        self.command = exec_form(value)

    def _healthcheck(self, value: str) -> None:
        self.healthcheck = exec_form(value.partition("CMD ")[2])

    def sealed(self) -> None:
        """Nobody writes to what was installed any more, as in an image whose root is mounted read-only."""
        subprocess.run(["chmod", "-R", "a-w", str(self.folder / "opt")], check=True)

    def started(self, command: Sequence[str], **settings: str) -> subprocess.Popen[str]:
        """The command as the image's account, in /data."""
        account = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}
        program = shutil.which(command[0], path=self.environment["PATH"])
        assert program
        return subprocess.Popen(
            [program, *command[1:]],
            cwd=self.folder / "data",
            env={**self.environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **account,  # type: ignore[call-overload]
        )


def exec_form(value: str) -> list[str]:
    """The words of ``["a", "b"]``."""
    return re.findall(r'"([^"]*)"', value)
