"""What the service takes before it answers anything: time to start, memory, and megabytes to install."""

from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from speed.contestants import Arena, Contestant
from speed.load import Load, request
from speed.processes import BACKEND, python_of
from speed.results import Results
from speed.upstreams import Delays

REQUESTS = 1000
CONNECTIONS = 16


async def starts(arena: Arena, who: Sequence[Contestant], results: Results) -> None:
    """One round of ``start_s``, from the process' start to the first 200 of /health, and of ``start_cpu_s`` until then."""
    results.begin("start_s")
    results.begin("start_cpu_s")
    for one in who:
        async with arena.fresh(one) as running:
            results.put("start_cpu_s", one.name, running.cpu_ms() / 1000)
            results.put("start_s", one.name, running.ready_s)


async def memory(arena: Arena, who: Sequence[Contestant], results: Results) -> None:
    """One round of ``rss_mb``: resident memory after a thousand answers."""
    arena.upstreams.set(Delays())
    results.begin("rss_mb")
    for one in who:
        async with arena.fresh(one) as running:
            load = await Load(running.port, CONNECTIONS).opened()
            try:
                answers = await load.closed_loop(at_least=REQUESTS, asked=lambda: request("/chat"))
            finally:
                load.close()
            results.note_others(f"memory of {one.name}", answers)
            results.put("rss_mb", one.name, running.rss_mb())


def install(peers: Iterable[Contestant], results: Results) -> None:
    """``install_mb`` and ``distributions``: of requirements.txt, and of the peers' environments; without .pyc files."""
    results.begin("install_mb")
    results.begin("distributions")
    ours = [one for one in map(_installed, _required()) if one]
    results.put("install_mb", "ours", sum(map(_size, ours)) / 1e6)
    results.put("distributions", "ours", len(ours))
    for peer in peers:
        folder = next((Path(python_of(peer.venv)).parents[1] / "lib").glob("python*/site-packages"))
        those = [one for one in Distribution.discover(path=[str(folder)]) if one.name not in ("pip", "setuptools")]
        results.put("install_mb", peer.name, sum(map(_size, those)) / 1e6)
        results.put("distributions", peer.name, len(those))


def _required() -> Iterable[str]:
    lines = (BACKEND / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.strip() and not line.lstrip().startswith(("#", "-")):
            requirement = Requirement(line.partition(" #")[0])
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement.name


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _size(one: Distribution) -> int:
    files = [Path(str(one.locate_file(file))) for file in one.files or [] if file.suffix != ".pyc"]
    return sum(file.stat().st_size for file in files if file.is_file())
