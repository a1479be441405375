"""Who is measured: how each is started, which settings it gets, and what it asks the upstreams for."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from speed.gemini_replies import DIMENSIONS
from speed.processes import BENCHMARKS, Running, python_of, started
from speed.upstreams import Upstreams

KEY = "stand-in-key"
NO_CACHES = {"ANSWER_CACHE_TTL_S": "0", "EMBEDDING_CACHE_SIZE": "0"}
CACHES = {"ANSWER_CACHE_TTL_S": "3600", "EMBEDDING_CACHE_SIZE": "1000"}


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to build the service."""

    name: str
    script: str
    """Module with -m, or a file of peers/."""
    venv: str = ""
    """Environment of its own; empty: the one that runs the benchmark."""
    is_ours: bool = False
    searches_remotely: bool = True
    by_grpc: bool = False
    """Whether it searches by Qdrant's other interface."""
    streams: bool = True
    settings: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def is_installed(self) -> bool:
        """Whether its environment is there."""
        return not self.venv or Path(python_of(self.venv)).exists()

    def command(self) -> list[str]:
        """How it is started; it finds its port in PORT."""
        if self.is_ours or not self.script.endswith(".py"):
            return [python_of(self.venv), "-m", self.script]
        return [python_of(self.venv), str(BENCHMARKS / "speed" / "peers" / self.script)]


FLOOR = Contestant("floor", "speed.floor")
EMBEDDED = Contestant("embedded", "chatbot_api.server", is_ours=True, searches_remotely=False)
REMOTE = Contestant("remote", "chatbot_api.server", is_ours=True)
GRPC = Contestant("grpc", "chatbot_api.server", is_ours=True, by_grpc=True)
OFFLINE = Contestant("offline", "chatbot_api.server", is_ours=True, searches_remotely=False, settings={"PROVIDER": "offline"})
SDKS = Contestant("sdks", "sdks.py")
LANGCHAIN = Contestant("langchain", "langchain_peer.py", venv="langchain")
LLAMAINDEX = Contestant("llamaindex", "llamaindex_peer.py", venv="llamaindex")
HAYSTACK = Contestant("haystack", "haystack_peer.py", venv="haystack", streams=False)
NAIVE = Contestant("naive", "naive.py", venv="naive", streams=False)
OURS = (EMBEDDED, REMOTE, GRPC)
PEERS = (LANGCHAIN, LLAMAINDEX, HAYSTACK, NAIVE)
ALL = {one.name: one for one in (FLOOR, EMBEDDED, REMOTE, GRPC, OFFLINE, SDKS, *PEERS)}


@dataclass(frozen=True, slots=True)
class Arena:
    """What a round needs: the upstreams, and the data folders with an index, by contestant."""

    upstreams: Upstreams
    indexes: dict[str, Path] = field(default_factory=dict[str, Path])

    @asynccontextmanager
    async def fresh(self, contestant: Contestant, **settings: str) -> AsyncGenerator[Running, None]:
        """A new process of it, with an empty store. ``settings``: beside those it always gets."""
        with TemporaryDirectory(prefix="speed-") as name:
            folder = Path(name)
            chosen = {**self._settings(contestant, folder), **contestant.settings, **settings}
            async with started(contestant.command(), chosen, folder) as running:
                yield running

    def _settings(self, contestant: Contestant, folder: Path) -> dict[str, str]:
        if not contestant.is_ours:
            places = {"GEMINI_URL": self.upstreams.gemini_url, "QDRANT_URL": self.upstreams.qdrant_url}
            return {**places, "PYTHONPATH": ""} if contestant.venv else places
        if made := self.indexes.get(contestant.name):
            shutil.copytree(made, folder / "data")
        place = {"QDRANT_HOST": self.upstreams.qdrant_url} if contestant.searches_remotely else {}
        if contestant.by_grpc:
            place["QDRANT_GRPC_PORT"] = str(self.upstreams.qdrant_grpc_port)
        return {**service_settings(self.upstreams), **NO_CACHES, **place, "DATA_DIR": str(folder / "data")}


def service_settings(upstreams: Upstreams) -> dict[str, str]:
    """Our service as deployed, with limits that count and never refuse."""
    return {
        "GEMINI_API_KEY": KEY,
        "GEMINI_BASE_URL": upstreams.gemini_url,
        "EMBEDDING_DIMENSIONS": str(DIMENSIONS),
        "RATE_LIMIT_PER_VISITOR": "10000/1second;10000/5second",
        "RATE_LIMIT_PER_ADDRESS": "10000/1second;10000/5second",
        "MAX_ANSWERS_IN_FLIGHT": "1000",
        "METRICS_TOKEN": "a-token-for-the-benchmark",
    }
