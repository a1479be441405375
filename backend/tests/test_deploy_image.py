"""What deploy/Dockerfile does, done: a fresh environment, sealed, run by an account that can write nothing but its data."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy_files import REQUIRED
from dockerfile_steps import ACCOUNT, Steps
from loopback import listen

pytestmark = pytest.mark.skipif(not REQUIRED, reason="installs everything anew, which takes minutes: make test-deploy")
PATIENCE_S = 120


def interpreter(folder: Path) -> str:
    """A Python that the image's account may run; root's own, below its home, it may not."""
    account = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}
    for candidate in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            wanted = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
            if subprocess.run([candidate, "-c", wanted], cwd=folder, check=False, **account).returncode == 0:  # type: ignore[call-overload]
                return candidate
        except OSError:
            continue
    pytest.fail("no Python >= 3.11 that another account may run")


@pytest.fixture(scope="module")
def image() -> Iterator[Steps]:
    """All steps taken, and sealed."""
    # Not pytest's folder: nobody but the account that runs the tests gets there.
    folder = Path(tempfile.mkdtemp(prefix="ask-ai-image"))
    folder.chmod(0o755)
    try:
        steps = Steps(folder, interpreter(folder), {"EXTRAS": "redis,otel"})
        steps.take_all()
        steps.sealed()
        yield steps
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
        shutil.rmtree(folder)


def ended(process: subprocess.Popen[str]) -> str:
    """Its output; it has to end well by itself."""
    told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, told
    return told


def test_the_image_indexes_and_answers_as_an_account_that_can_write_only_its_data(image: Steps, book: Path) -> None:
    folder = image.folder / "docs"
    subprocess.run(["cp", "-r", str(book), str(folder)], check=True)
    told = ended(image.started(["python", "-m", "qdrant_indexer", "index", str(folder)]))
    assert '"published": true' in told
    with listen() as free:
        port = str(free.getsockname()[1])
    service = image.started(image.command, HOST="127.0.0.1", PORT=port)
    try:
        url, end = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE_S
        while True:
            try:
                if httpx.get(url + "/health/ready", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert time.monotonic() < end, "it did not become ready"
            assert service.poll() is None, "it ended"
            time.sleep(0.1)
        answer = httpx.post(url + "/chat", json={"query": "How do I install Lantern with Docker?"}, timeout=30, trust_env=False)
        assert answer.json()["outcome"] == "answered"
        assert answer.json()["degraded"] == [], "the local embedder is in the image"
        assert ended(image.started(image.healthcheck, HOST="127.0.0.1", PORT=port)) == ""
        service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE_S) == 0
    finally:
        service.kill()
        logged = service.communicate()[0]
    assert "Traceback" not in logged
    dead = image.started(image.healthcheck, HOST="127.0.0.1", PORT=port)
    assert (dead.communicate(timeout=PATIENCE_S)[0], dead.returncode) == ("not live: ConnectionRefusedError\n", 1)


def test_nothing_was_written_where_the_image_is_read_only_and_all_code_is_compiled(image: Steps) -> None:
    attempt = image.started(["python", "-c", f"open({str(image.folder / 'opt' / 'x')!r}, 'w')"])
    told = attempt.communicate(timeout=PATIENCE_S)[0]
    assert attempt.returncode == 1
    assert "PermissionError" in told
    package = next((image.folder / "opt").rglob("chatbot_api"))
    sources = {path.relative_to(package) for path in package.rglob("*.py")}
    compiled = {
        path.parent.parent.relative_to(package) / f"{path.name.split('.')[0]}.py" for path in package.rglob("__pycache__/*.pyc")
    }
    assert len(sources) > 50
    assert sources == compiled


def test_the_packages_of_the_image_fit_together(image: Steps) -> None:
    assert "No broken requirements" in ended(image.started(["python", "-m", "pip", "check"]))
