"""Three replicas of the service as processes behind nginx, over a real PostgreSQL, a real Redis and the stand-ins.

QDRANT_TEST_URL names a real Qdrant server (QDRANT_TEST_KEY its key) to be used instead of the stand-in.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
from qdrant_client import QdrantClient

from chatbot_api.config import Settings
from conftest import KEY, index_book, with_gemini
from gemini_standin import GeminiStandin, gemini_standin
from lantern import settings_in
from loopback import listen
from nginx_server import NginxServer
from postgres_server import PostgresServer, bin_folder
from processes import environment
from qdrant_standin import qdrant_standin
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
    "ANSWER_CACHE_TTL_S": "0",  # readers ask the same things, and each is to be answered anew
    "EMBEDDING_CACHE_SIZE": "0",
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

    def lines(self) -> list[dict[str, Any]]:
        """What it logged, but for what is no JSON."""
        logged = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in logged if line.startswith("{") and line.endswith("}")]

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
        index_settings: Settings,
    ) -> None:
        self.folder, self.replicas, self.nginx = folder, replicas, nginx
        self.postgres, self.redis, self.gemini, self._index_settings = postgres, redis, gemini, index_settings

    @property
    def port(self) -> int:
        """nginx's."""
        return self.nginx.port

    def publish(self, book: Path) -> None:
        """Index these pages instead, while the replicas serve. Blocks; not on an event loop."""
        index_book(self._index_settings, book)

    def restart_in_turn(self) -> list[tuple[int, float, float]]:
        """SIGTERM for one replica after the other, each begun anew and ready before the next: code, seconds down, seconds up."""
        rounds: list[tuple[int, float, float]] = []
        for replica in self.replicas:
            code, down_s = replica.end()
            replica.start()
            rounds.append((code, down_s, replica.wait_until_ready()))
        return rounds

    def answered_by(self, request_ids: Iterable[str]) -> list[int]:
        """How many of these requests each replica answered, by their logs; its line may follow the answer by a moment."""
        wanted = set(request_ids)
        for _ in range(200):
            logged = [{line["request_id"] for line in replica.lines() if "request_id" in line} for replica in self.replicas]
            if wanted <= set[str]().union(*logged):
                return [len(wanted & ids) for ids in logged]
            time.sleep(0.05)
        raise AssertionError("requests that no replica's log has")

    def wait_until_all_are_sound(self) -> None:
        """Until no replica misses anything: what was stopped and started again is seen within seconds, not at once."""
        end = time.monotonic() + PATIENCE_S
        for replica in self.replicas:
            while (told := httpx.get(f"{replica.url}/health", trust_env=False, timeout=PATIENCE_S).json())["problems"]:
                assert time.monotonic() < end, told
                time.sleep(0.05)

    def logs(self) -> str:
        """What all replicas logged."""
        return "".join(replica.log.read_text(encoding="utf-8") for replica in self.replicas)


@contextmanager
def index_server() -> Iterator[dict[str, str]]:
    """Settings of the stand-in, or of the server that QDRANT_TEST_URL names, where nothing is left behind."""
    url, key = os.environ.get("QDRANT_TEST_URL"), os.environ.get("QDRANT_TEST_KEY", "")
    if not url:
        with qdrant_standin() as standin:
            yield {"qdrant_host": standin.url}
        return
    name = f"ask_ai_fleet_{token_hex(8)}"
    try:
        yield {"qdrant_host": url, "qdrant_collection_name": name, "qdrant_api_key": key}
    finally:
        client = QdrantClient(url=url, api_key=key or None)
        for collection in client.get_collections().collections:
            if collection.name.startswith(name):
                client.delete_collection(collection.name)
        client.close()


@contextmanager
def fleet(folder: Path, book: Path, postgres: PostgresServer, **changed: str) -> Iterator[Fleet]:
    """A fleet over BOOK, all replicas ready. ``postgres``: running; gets a database of the fleet's own.

    ``changed``: settings that differ from SETTINGS.
    """
    with ExitStack() as stack:
        gemini, qdrant = stack.enter_context(gemini_standin()), stack.enter_context(index_server())
        (folder / "redis").mkdir()
        redis = RedisServer(shutil.which("redis-server") or shutil.which("valkey-server") or "", folder / "redis")
        redis.start()
        stack.callback(redis.stop)
        index_settings = settings_in(folder, **with_gemini(gemini), **qdrant)
        index_book(index_settings, book)
        gemini.requests.clear()
        settings = {
            **SETTINGS,
            "GEMINI_API_KEY": KEY,
            "GEMINI_BASE_URL": gemini.url,
            **{name.upper(): value for name, value in qdrant.items()},
            "REPLICAS": str(REPLICAS),
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
        yield Fleet(folder, replicas, nginx, postgres, redis, gemini, index_settings)
