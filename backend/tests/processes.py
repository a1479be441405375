"""The service and the indexer as processes of their own: a clean environment, and what they leave behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "src"
LIMIT_S = 60


def environment(**settings: str) -> dict[str, str]:
    """What a process needs to run, and these settings; a search by words alone unless they say otherwise."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "SYSTEMROOT", "TMPDIR")}
    return {**kept, "PYTHONPATH": str(SOURCES), "LOCAL_EMBEDDER": "false", **settings}


def ran(command: list[str], folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A process of Python's that ended by itself."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@contextmanager
def running(command: list[str], folder: Path, stdout: int = subprocess.PIPE, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A process of Python's that is ended at the latest with the block."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=environment(**settings), stdout=stdout, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)
