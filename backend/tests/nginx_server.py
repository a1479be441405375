"""A real nginx over deploy/nginx/ask-ai.conf, with other ports: what an owner is told to write is what is tested."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from loopback import listen

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx" / "ask-ai.conf"
AROUND = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 2;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    {ours}
}}
"""


def with_ports(written: str, port: int, replicas: Sequence[int]) -> str:
    """The configuration, listening on 127.0.0.1:``port``, over these replicas."""
    remaining = iter(replicas)
    moved, servers = re.subn(r"server 127\.0\.0\.1:\d+", lambda _: f"server 127.0.0.1:{next(remaining)}", written)
    moved, listeners = re.subn(r"listen 80;", f"listen 127.0.0.1:{port};", moved)
    assert (servers, listeners) == (len(replicas), 1), "the documented configuration is not of the form this test knows"
    return moved


class NginxServer:
    """One nginx in a folder of its own; ``error.log`` and ``access.log`` are there."""

    def __init__(self, folder: Path, replicas: Sequence[int]) -> None:
        """``replicas``: ports on 127.0.0.1."""
        with listen() as free:
            self.port = free.getsockname()[1]
        self.folder = folder
        folder.mkdir()
        ours = with_ports(CONFIGURATION.read_text(encoding="utf-8"), self.port, replicas)
        user = "" if os.geteuid() else "user root;"  # its workers have to get at the folder
        (folder / "nginx.conf").write_text(AROUND.format(user=user, folder=folder, ours=ours), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        binary = shutil.which("nginx") or "nginx"
        command = [binary, "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", str(self.folder / "nginx.conf")]
        with (self.folder / "start.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        for _ in range(400):
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/health/live", trust_env=False, timeout=5)
                return
            except httpx.TransportError:
                assert self._process.poll() is None, (self.folder / "start.log").read_text()
                time.sleep(0.025)
        raise AssertionError("nginx did not start")

    def stop(self) -> None:
        """Workers included."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None
