"""A real Redis or Valkey server on a free loopback port: can be stopped, started again at the same place, and frozen."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopback import listen

PASSWORD = "canary-redis-password"


class RedisServer:
    """One server without a disk: what it held is gone when it stops."""

    def __init__(self, binary: str, folder: Path) -> None:
        with listen() as free:
            self.port = free.getsockname()[1]
        self._binary, self._folder = binary, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen = False

    @property
    def url(self) -> str:
        """LIMITS_URL of it."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [
            *(self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
            *("--save", "", "--appendonly", "no", "--requirepass", PASSWORD),
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        for _ in range(400):
            try:
                if self.asked("PING") == b"+PONG\r\n":
                    return
            except OSError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.01)
        pytest.fail("Redis did not start")

    def asked(self, *words: str) -> bytes:
        """The raw reply to a command, up to 64 KiB of it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as wire:
            for command in (("AUTH", PASSWORD), words):
                parts = [f"${len(word)}\r\n{word}\r\n" for word in command]
                wire.sendall(f"*{len(command)}\r\n{''.join(parts)}".encode())
                reply = wire.recv(65536)
            return reply

    def stop(self) -> None:
        """As in a crash."""
        if self._process is not None:
            self.thaw()
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """It answers no more; its sockets stay open, and new connections are taken by the kernel."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        if self._frozen and self._process is not None:
            self._process.send_signal(signal.SIGCONT)
        self._frozen = False


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server of this test alone. Skips, visibly, where there is none; REQUIRE_REDIS=1 makes that a failure."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        if os.environ.get("REQUIRE_REDIS") == "1":
            pytest.fail("neither redis-server nor valkey-server is installed (REQUIRE_REDIS=1)")
        pytest.skip("neither redis-server nor valkey-server is installed")
    pytest.importorskip("redis.asyncio", reason="the package redis is not installed")
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(binary, folder)
    server.start()
    yield server
    server.stop()
