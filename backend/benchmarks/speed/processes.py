"""Processes of the benchmark: started on the cores they belong to, watched through /proc, ended with their block."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from socket import socket
from time import perf_counter

from speed.load import Load, request

BENCHMARKS = Path(__file__).resolve().parents[1]
BACKEND = BENCHMARKS.parent
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
START_LIMIT_S = 60.0
POLL_S = 0.005
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
"""Of the environment; a proxy or a key of the machine's is nothing a measurement may depend on."""


@cache
def cores() -> tuple[set[int], set[int]]:
    """The core of the service that is measured, and those of everything else; the same where there is one core.

    Of those this process was given at first: it leaves the service's core itself.
    """
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}


def pin_this_process() -> None:
    """Leave the first core to the service."""
    os.sched_setaffinity(0, cores()[1])


def environment(**settings: str) -> dict[str, str]:
    """What a process needs to run, and these settings."""
    paths = [str(BACKEND / "src"), str(BENCHMARKS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**{name: os.environ[name] for name in KEPT if name in os.environ}, "PYTHONPATH": os.pathsep.join(paths), **settings}


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on."""
    with socket() as free:
        free.bind((host, 0))
        return free.getsockname()[1]


class NotStarted(Exception):
    """A service that did not come up."""


@dataclass(frozen=True, slots=True)
class Running:
    """A service that is measured."""

    port: int
    pid: int
    ready_s: float
    """From its start to the first 200 of /health."""

    def cpu_ms(self) -> float:
        """Processor time that it and its children have used."""
        return TICK_MS * sum(_ticks(pid) for pid in _family(self.pid))

    def rss_mb(self) -> float:
        """Resident memory of it and its children, MB."""
        return sum(rss_mb_of(pid) for pid in _family(self.pid))


def _family(pid: int) -> list[int]:
    members = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            for child in (task / "children").read_text().split():
                members += _family(int(child))
    return members


def _ticks(pid: int) -> int:
    # The name in parentheses may hold blanks; user and system time, and those of children that have ended.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(value) for value in fields[11:15])


def rss_mb_of(pid: int) -> float:
    """Resident memory of a process, MB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) * 1024 / 1e6


@asynccontextmanager
async def started(command: Sequence[str], settings: Mapping[str, str], folder: Path) -> AsyncGenerator[Running, None]:
    """A service on the first core, answering /health; its output is a file in ``folder``. Ended with the block.

    Raises NotStarted with the end of its output.
    """
    port, output = free_port(), folder / "output.log"
    begun = perf_counter()
    process = _begun(command, {**environment(**settings), "PORT": str(port)}, output)
    try:
        while not await is_answering(port):
            if process.poll() is not None or perf_counter() - begun > START_LIMIT_S:
                raise NotStarted(f"{command[-1]} did not start:\n{output.read_text(errors='replace')[-3000:]}")
            await asyncio.sleep(POLL_S)
        yield Running(port, process.pid, perf_counter() - begun)
    finally:
        _ended(process)


async def is_answering(port: int) -> bool:
    """Whether /health says 200."""
    try:
        load = await Load(port, 1).opened()
    except OSError:
        return False
    try:
        return (await load.at_once(lambda: request("/health", method="GET"))).answered == 1
    finally:
        load.close()


def _begun(command: Sequence[str], surroundings: dict[str, str], output: Path) -> "subprocess.Popen[bytes]":
    with output.open("wb") as log:
        process = subprocess.Popen(command, env=surroundings, cwd=output.parent, stdout=log, stderr=subprocess.STDOUT)
    os.sched_setaffinity(process.pid, cores()[0])
    return process


def _ended(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(12)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def python_of(environment_name: str = "") -> str:
    """The interpreter of a peer's environment, or the one that runs this."""
    return str(BACKEND / ".bench-venvs" / environment_name / "bin" / "python") if environment_name else sys.executable
