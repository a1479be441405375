"""One round of a shutdown under load: questions in flight from many clients, SIGTERM in their midst, and what became of each."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from conftest import KEY, index_book
from gemini_standin import GeminiStandin
from lantern import settings_in
from loopback import listen
from processes import running

SERVER = ["-m", "chatbot_api.server"]
SLOW_APP = [str(Path(__file__).with_name("guarded_service.py"))]


def environment_of(folder: Path, book: Path, gemini: GeminiStandin) -> dict[str, str]:
    """The service over BOOK, answered by the stand-in, as a process' settings."""
    settings = settings_in(folder, gemini_api_key=KEY, gemini_base_url=gemini.url, embedding_dimensions=256)
    index_book(settings, book)
    return {
        "DATA_DIR": str(settings.data_dir),
        "GEMINI_API_KEY": KEY,
        "GEMINI_BASE_URL": gemini.url,
        "EMBEDDING_DIMENSIONS": "256",
        "RELEVANCE_GATE": "0.2",
        "FIRST_TEXT_TIMEOUT_S": "60",
        "DEADLINE_S": "60",
        "RATE_LIMIT_PER_VISITOR": "none",
        "RATE_LIMIT_PER_ADDRESS": "none",
        "ANSWER_CACHE_TTL_S": "0",  # all ask the same, and each answer is to take its time
    }


@contextmanager
def started(
    command: list[str], folder: Path, probe: str = "/health/live", **settings: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server's process that answers, and its address. What it logs is left in ``server.log``."""
    with listen() as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (
        (folder / "server.log").open("w") as logged,
        running(command, folder, stdout=logged.fileno(), PORT=str(port), **settings) as process,
    ):
        end = time.monotonic() + 30
        while time.monotonic() < end and process.poll() is None:
            try:
                if httpx.get(url + probe, trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.05)
        else:
            raise AssertionError(f"the server did not start: {process.stderr and process.stderr.read()}")
        yield process, url


@dataclass
class Round:
    """What one round saw."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    """In flight when the signal came and not answered, or answered with another status than 200."""
    refused: int = 0
    """Came after the signal, and no answer was begun: the connection was refused, or dropped with the listener."""
    exit_s: float = 0.0
    exit_code: int | None = None


def one_round(process: subprocess.Popen[str], url: str, request: httpx.Request, clients: int = 50, after_s: float = 0.4) -> Round:
    """Each client asks one question, and another when it was answered; all have one in flight when SIGTERM comes."""
    seen, lock = Round(), threading.Lock()
    signalled_at = [float("inf")]
    all_ask = threading.Barrier(clients + 1)

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=20) as client:
            all_ask.wait()  # on a busy machine fifty clients are not there at once
            while True:
                began = time.monotonic()
                try:
                    status = client.send(request).status_code
                    problem = "" if status == 200 else str(status)
                except httpx.TransportError as error:
                    if began > signalled_at[0]:
                        with lock:
                            seen.refused += 1
                        return
                    problem = type(error).__name__
                with lock:
                    seen.answered += not problem
                    if problem:
                        seen.failed.append(f"{problem} {began - signalled_at[0]:+.3f} s after the signal")
                if problem or began > signalled_at[0]:
                    return

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    all_ask.wait()
    time.sleep(after_s)
    signalled_at[0] = time.monotonic()
    process.send_signal(signal.SIGTERM)
    seen.exit_code = process.wait(20)
    seen.exit_s = time.monotonic() - signalled_at[0]
    for thread in threads:
        thread.join(20)
    return seen


def problem_of_stream(body: str) -> dict[str, object]:
    """The last event of an event stream that was read to its end."""
    last = [line for line in body.split("\n") if line.startswith("data: ")][-1]
    return dict(json.loads(last.removeprefix("data: ")))
