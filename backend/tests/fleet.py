"""Three replicas of the service as processes behind nginx, over a real PostgreSQL, a real Redis and the stand-ins."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from conftest import KEY, index_book, with_gemini
from gemini_standin import GeminiStandin, gemini_standin
from lantern import settings_in
from loopback import listen
from nginx_server import NginxServer
from postgres_server import PostgresServer, bin_folder
from processes import environment
from qdrant_standin import QdrantStandin, qdrant_standin
from redis_server import RedisServer

REPLICAS = 3
LIMIT, WINDOW_S = 20, 3
"""Requests of an address, and of a visitor, in a window."""
PATIENCE_S = 60
_PATIENT = {
    "DEADLINE_S": "40",  # deploy/nginx/ask-ai.conf waits for 60
    "SEARCH_TIMEOUT_S": "10",
    "EMBED_TIMEOUT_S": "10",
    "FIRST_TEXT_TIMEOUT_S": "20",
    "STORE_TIMEOUT_S": "10",
}
"""All of it runs on one small machine, and replicas start meanwhile: slow is no failure here."""
SETTINGS = {
    **_PATIENT,
    "DRAIN_DELAY_S": "3",  # as deploy/nginx/ask-ai.conf says
    "TRUSTED_PROXY_HOPS": "1",
    "RATE_LIMIT_PER_VISITOR": f"{LIMIT}/{WINDOW_S}seconds",
    "RATE_LIMIT_PER_ADDRESS": f"{LIMIT}/{WINDOW_S}seconds",
    "EMBEDDING_DIMENSIONS": "256",
    "RELEVANCE_GATE": "0.2",
    "LOG_LEVEL": "info",
    "DEMO_PAGE": "false",
}


def missing_parts() -> list[str]:
    """The programs a fleet needs and that are not here."""
    parts = {
        "nginx": shutil.which("nginx"),
        "PostgreSQL": bin_folder(),
        "Redis": shutil.which("redis-server") or shutil.which("valkey-server"),
    }
    return [name for name, found in parts.items() if not found]


class Replica:
    """One process of the service, on a port that it keeps when it is started again."""

    def __init__(self, name: str, folder: Path, settings: dict[str, str]) -> None:
        """``folder``: where its log is, ``<name>.log``."""
        with listen() as free:
            self.port = free.getsockname()[1]
        self.log = folder / f"{name}.log"
        self._folder, self._settings = folder, settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Past nginx."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start; ``wait_until_ready`` waits."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chatbot_api.server"],
                cwd=self._folder,
                env=environment(**self._settings, PORT=str(self.port)),
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self) -> float:
        """Until /health/ready says so; the seconds that took."""
        began = time.monotonic()
        with httpx.Client(base_url=self.url, trust_env=False, timeout=PATIENCE_S) as client:
            while time.monotonic() - began < PATIENCE_S:
                assert self._process is not None
                assert self._process.poll() is None, self.log.read_text()[-2000:]
                try:
                    if client.get("/health/ready").status_code == 200:
                        return time.monotonic() - began
                except httpx.TransportError:
                    pass
                time.sleep(0.1)
        raise AssertionError(f"not ready: {self.log.read_text()[-2000:]}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send the signal and wait for the process' end: its exit code, and the seconds that took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE_S)
        return code, time.monotonic() - began

    def kill(self) -> None:
        """Whatever state it is in."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


class Fleet:
    """The running whole."""

    def __init__(
        self,
        folder: Path,
        replicas: list[Replica],
        nginx: NginxServer,
        postgres: PostgresServer,
        redis: RedisServer,
        gemini: GeminiStandin,
        qdrant: QdrantStandin,
    ) -> None:
        self.folder, self.replicas, self.nginx = folder, replicas, nginx
        self.postgres, self.redis, self.gemini, self.qdrant = postgres, redis, gemini, qdrant

    @property
    def port(self) -> int:
        """nginx's."""
        return self.nginx.port

    def restart_in_turn(self) -> list[tuple[int, float, float]]:
        """SIGTERM for one replica after the other, each begun anew and ready before the next: code, seconds down, seconds up."""
        rounds: list[tuple[int, float, float]] = []
        for replica in self.replicas:
            code, down_s = replica.end()
            replica.start()
            rounds.append((code, down_s, replica.wait_until_ready()))
        return rounds

    def logs(self) -> str:
        """What all replicas logged."""
        return "".join(replica.log.read_text(encoding="utf-8") for replica in self.replicas)


@contextmanager
def fleet(folder: Path, book: Path, postgres: PostgresServer, **changed: str) -> Iterator[Fleet]:
    """A fleet over BOOK, all replicas ready. ``postgres``: running; gets a database of the fleet's own.

    ``changed``: settings that differ from SETTINGS.
    """
    with ExitStack() as stack:
        gemini, qdrant = stack.enter_context(gemini_standin()), stack.enter_context(qdrant_standin())
        (folder / "redis").mkdir()
        redis = RedisServer(shutil.which("redis-server") or shutil.which("valkey-server") or "", folder / "redis")
        redis.start()
        stack.callback(redis.stop)
        index_book(settings_in(folder, **with_gemini(gemini), qdrant_host=qdrant.url), book)
        gemini.requests.clear()
        settings = {
            **SETTINGS,
            "GEMINI_API_KEY": KEY,
            "GEMINI_BASE_URL": gemini.url,
            "QDRANT_HOST": qdrant.url,
            "DATABASE_URL": postgres.new_database(),
            "LIMITS_URL": redis.url,
            "DATA_DIR": str(folder / "data"),
            **changed,
        }
        replicas = [Replica(f"replica{number}", folder, settings) for number in range(1, REPLICAS + 1)]
        for replica in replicas:
            stack.callback(replica.kill)
            replica.start()
        for replica in replicas:
            replica.wait_until_ready()
        nginx = NginxServer(folder / "nginx", [replica.port for replica in replicas])
        stack.callback(nginx.stop)
        nginx.start()
        yield Fleet(folder, replicas, nginx, postgres, redis, gemini, qdrant)
