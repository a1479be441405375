"""A real PostgreSQL in a folder of its own, on a socket in it: can be stopped, started again and frozen."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

ACCOUNTS = ("postgres", "nobody")
"""PostgreSQL does not run as root; one of these runs it then."""


def bin_folder() -> Path | None:
    """Where initdb and postgres are; None: nowhere."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return packaged[-1].parent if packaged else Path(on_path).parent if on_path else None


def _account() -> tuple[int, int] | None:
    if os.geteuid():
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    why = "PostgreSQL: running as root, and there is no account to run it as"
    if os.environ.get("REQUIRE_POSTGRES") == "1":
        pytest.fail(why)
    pytest.skip(why)


class PostgresServer:
    """One cluster. Every test has a schema or a database of its own, so that tests don't meet."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder = binaries, folder
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen = False
        self._made = 0
        folder.chmod(0o711)
        if self._account is not None:
            os.chown(folder, *self._account)
        self._run("initdb", "-D", str(folder / "data"), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "-N")

    def _as_account(self) -> dict[str, Any]:
        place: dict[str, Any] = {"cwd": str(self._folder)}
        if self._account is not None:
            place |= {"user": self._account[0], "group": self._account[1], "extra_groups": []}
        return place

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._binaries / program, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, **self._as_account())
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._binaries / "postgres"), "-D", str(self._folder / "data"), "-k", str(self._folder), "-h", ""),
                    *("-c", "fsync=off", "-c", "max_connections=60", "-c", "shared_buffers=16MB"),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_account(),
            )
        ready = [str(self._binaries / "pg_isready"), "-q", "-h", str(self._folder)]
        for _ in range(400):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.025)
        pytest.fail("PostgreSQL did not start")

    def stop(self, *, immediate: bool = False) -> None:
        """Stop, like ``pg_ctl stop -m fast``, or ``-m immediate``: as in a crash."""
        if self._process is None:
            return
        self.thaw()
        self._process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        self._process.wait(20)
        self._process = None

    def freeze(self) -> None:
        """Neither the server nor any of its connections answers; their sockets stay open."""
        self._signal(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        if self._frozen:
            self._signal(signal.SIGCONT)
            self._frozen = False

    def _signal(self, number: int) -> None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for process in [self._process.pid, *map(int, children)]:
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue

    def new_database(self) -> str:
        """DATABASE_URL of a new, empty database."""
        self._made += 1
        name = f"test{self._made}"
        self._run("createdb", "-h", str(self._folder), "-U", "postgres", "-T", "template0", name)
        return f"postgresql://postgres@/{name}?host={quote(str(self._folder), safe='')}"

    def new_schema(self) -> str:
        """DATABASE_URL of a new, empty schema in a database of all tests: a tenth of the time, and of the files."""
        self._made += 1
        name = f"test{self._made}"
        self._run("psql", "-h", str(self._folder), "-U", "postgres", "-q", "-c", f"CREATE SCHEMA {name}", "postgres")
        return f"postgresql://postgres@/postgres?host={quote(str(self._folder), safe='')}&search_path={name}"


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Callable[[], PostgresServer]]:
    """Gives the session's one server, made when first asked for. Skips, visibly, where there is no PostgreSQL."""
    servers: list[PostgresServer] = []
    # Not pytest's folder: a socket's path has at most 107 bytes, and another account has to get there.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))

    def give() -> PostgresServer:
        if not servers:
            binaries = bin_folder()
            if binaries is None:
                if os.environ.get("REQUIRE_POSTGRES") == "1":
                    pytest.fail("PostgreSQL is not installed (REQUIRE_POSTGRES=1)")
                pytest.skip("PostgreSQL is not installed")
            server = PostgresServer(binaries, folder)
            server.start()
            servers.append(server)
        return servers[0]

    yield give
    for server in servers:
        server.stop(immediate=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_cluster: Callable[[], PostgresServer]) -> Iterator[PostgresServer]:
    """The server, running, whatever the test before did to it."""
    server = postgres_cluster()
    yield server
    server.thaw()
    if server._process is None:
        server.start()
