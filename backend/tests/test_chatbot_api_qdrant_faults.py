"""A running service whose search fails: a 503 with its name, never an answer, never "not in the docs"; and how it starts."""

import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from chatbot_api.config import Settings
from chatbot_api.errors import EX_CONFIG, StartRefused
from chatbot_api.wiring import open_services
from conftest import KEY, Service, index_book, with_gemini, write_index
from gemini_standin import GeminiStandin
from loopback import listen
from processes import SOURCES, ran, running
from qdrant_faults import FAULTS
from qdrant_standin import QdrantStandin

SETTINGS = {"search_timeout_s": 0.8, "demo_page": False}
SLUGS: dict[str, tuple[str, dict[str, Any]]] = {
    "404": ("index-missing", {}),
    "dims": ("index-mismatch", {"expected": 768, "got": 256}),
    "408": ("search-unavailable", {}),
    "429": ("search-unavailable", {"seconds": 7}),
    "429n": ("search-unavailable", {}),
    "500": ("search-unavailable", {}),
    "503": ("search-unavailable", {}),
    "507": ("search-unavailable", {}),
    "reset": ("search-unavailable", {}),
    "slow": ("search-unavailable", {}),
    "drip": ("search-unavailable", {"seconds": 0.3}),
    "hang": ("search-unavailable", {}),
    "badjson": ("search-bad-response", {}),
    "null": ("search-bad-response", {}),
    "shape": ("search-bad-response", {}),
    "trunc": ("search-bad-response", {}),
    "payloadnone": ("search-bad-response", {}),
    # Last: after these the server is left alone for a minute.
    "401": ("search-misconfigured", {}),
    "403": ("search-misconfigured", {}),
}
"""Fault -> the slug its reader gets, and the fault's values."""
UNKNOWN = "Which zebra plays the xylophone?"


@pytest.fixture
def over_qdrant(
    qdrant: QdrantStandin, settings_of: Callable[..., Settings], book: Path, serve: Callable[[Settings], Service]
) -> Callable[..., Service]:
    """Starts a service over BOOK in the Qdrant stand-in."""

    def start(**values: Any) -> Service:
        settings = settings_of(qdrant_host=qdrant.url, **{**SETTINGS, **values})
        index_book(settings, book)
        qdrant.requests.clear()
        return serve(settings)

    return start


def told(reply: httpx.Response) -> tuple[int, str, str | None]:
    """Status, slug and Retry-After of a problem."""
    body = reply.json()
    assert reply.headers["content-type"] == "application/problem+json"
    assert not {"response", "outcome", "results"} & set(body)
    return reply.status_code, body["type"].rpartition(":")[2], reply.headers.get("retry-after")


def until(true: Callable[[], bool], limit_s: float) -> float:
    """Seconds until it was true."""
    started = monotonic()
    while not true():
        assert monotonic() - started < limit_s, f"not within {limit_s} s"
        sleep(0.02)
    return monotonic() - started


def test_every_fault_of_the_stand_in_has_a_slug() -> None:
    assert set(SLUGS) == FAULTS


def test_every_fault_is_a_503_with_its_slug_and_never_an_answer(
    over_qdrant: Callable[..., Service], qdrant: QdrantStandin, gemini: GeminiStandin
) -> None:
    service = over_qdrant(**with_gemini(gemini))
    assert service.ask().json()["outcome"] == "answered"
    asked = gemini.calls("generate")
    got, expected = {}, {}
    for fault, (slug, kw) in SLUGS.items():
        qdrant.fail(fault, **kw)
        started = monotonic()
        got[fault] = told(service.ask()), monotonic() - started < 1.6
        expected[fault] = (503, slug, "7" if fault == "429" else "5"), True
        qdrant.heal()
    assert got == expected
    assert gemini.calls("generate") == asked, "without passages the model is not called"


def test_search_and_stream_tell_the_same_problem_and_a_stream_ends_with_it(
    over_qdrant: Callable[..., Service], qdrant: QdrantStandin
) -> None:
    service = over_qdrant()
    for fault in ("503", "429", "badjson", "404", "payloadnone", "401"):
        qdrant.fail(fault, **({"seconds": 7} if fault == "429" else {}))
        problem = told(service.client.post("/search", json={"query": "install"}))
        assert problem == (503, SLUGS[fault][0], "7" if fault == "429" else "5")
        *before, last = service.events()
        assert [event["type"] for event in before] == ["start", "status"]
        assert (last["type"], last["problem"]["status"]) == ("error", 503)
        assert last["problem"]["type"].endswith(f":{SLUGS[fault][0]}")


def test_without_a_match_the_answer_is_that_the_docs_do_not_hold_it(over_qdrant: Callable[..., Service]) -> None:
    service = over_qdrant()
    body = service.ask(UNKNOWN).json()
    assert (body["outcome"], body["citations"], body["sources"]) == ("not_in_docs", [], [])


def test_a_server_lost_between_two_questions_is_a_503_and_the_first_question_after_its_return_is_answered(
    over_qdrant: Callable[..., Service], qdrant: QdrantStandin
) -> None:
    service = over_qdrant()
    assert service.ask().status_code == 200
    for _ in range(2):
        qdrant.stop()
        assert told(service.ask()) == (503, "search-unavailable", "5")
        assert told(service.ask(UNKNOWN)) == (503, "search-unavailable", "5")
        assert service.client.get("/health/live").status_code == 200
        qdrant.start()
        assert service.ask().status_code == 200


def test_what_the_server_said_reaches_no_reader(over_qdrant: Callable[..., Service], qdrant: QdrantStandin) -> None:
    service = over_qdrant()
    for fault in ("500", "507", "dims", "404", "401"):
        qdrant.fail(fault)
        text = service.ask().text
        for secret in ("panicked", "disk", "dimension", "Collection", "JWT", "127.0.0.1", str(qdrant.url), "docs"):
            assert secret not in text.replace("documentation", ""), fault


# --- health


def test_health_answers_at_once_while_the_server_hangs_and_says_degraded(
    over_qdrant: Callable[..., Service], qdrant: QdrantStandin, gemini: GeminiStandin
) -> None:
    service = over_qdrant(**with_gemini(gemini))
    assert service.client.get("/health").json()["status"] == "ok"
    assert service.client.get("/health/ready").status_code == 200
    qdrant.fail("hang", on="all")
    until(lambda: service.client.get("/health").json()["status"] == "degraded", 6)
    askers = [threading.Thread(target=service.ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    took_ms: list[float] = []
    for _ in range(30):
        for path in ("/health/live", "/health"):
            started = monotonic()
            reply = service.client.get(path)
            took_ms.append((monotonic() - started) * 1000)
            assert reply.status_code == 200
    for asker in askers:
        asker.join()
    body = service.client.get("/health").json()
    assert body["status"] == "degraded"
    assert body["index"]["ready"] is False
    assert body["problems"] == ["index: search-unavailable"]
    assert service.client.get("/health/ready").status_code == 503
    assert median(took_ms) < 10
    qdrant.heal()
    until(lambda: service.client.get("/health/ready").status_code == 200, 5)


def test_a_refused_key_shows_in_health_without_another_call(over_qdrant: Callable[..., Service], qdrant: QdrantStandin) -> None:
    service = over_qdrant()
    qdrant.fail("401", times=1)
    assert told(service.ask())[1] == "search-misconfigured"
    assert "search: search-misconfigured" in service.client.get("/health").json()["problems"]
    queries = [path for _, path in qdrant.requests if path.endswith("/query/batch")]
    assert told(service.ask())[1] == "search-misconfigured"
    assert [path for _, path in qdrant.requests if path.endswith("/query/batch")] == queries


def test_a_service_whose_server_is_down_boots_and_is_ready_soon_after_the_server_appears(
    qdrant: QdrantStandin, settings_of: Callable[..., Settings], book: Path, serve: Callable[[Settings], Service]
) -> None:
    settings = settings_of(qdrant_host=qdrant.url, **SETTINGS)
    index_book(settings, book)
    qdrant.stop()
    service = serve(settings)
    assert service.client.get("/health/live").status_code == 200
    reply = service.client.get("/health/ready")
    assert (reply.status_code, reply.json()) == (503, {"status": "not ready", "problem": "search-unavailable"})
    assert told(service.ask())[1] == "search-unavailable"
    qdrant.start()
    assert service.ask().status_code == 200, "questions need not wait for the next look"
    until(lambda: service.client.get("/health/ready").status_code == 200, 5)


@pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "server"])
def test_a_service_without_an_index_boots_and_takes_up_the_one_that_is_made(
    qdrant: QdrantStandin, settings_of: Callable[..., Settings], book: Path, serve: Callable[[Settings], Service], embedded: bool
) -> None:
    settings = settings_of(qdrant_host="" if embedded else qdrant.url, **SETTINGS)
    service = serve(settings)
    assert service.client.get("/health/ready").json()["problem"] == "index-missing"
    assert told(service.ask())[1] == "index-missing"
    index_book(settings, book)
    until(lambda: service.client.get("/health/ready").status_code == 200, 5)
    assert service.ask().json()["sources"][0]["url"] == "/docs/install#install-with-docker"


# --- refusing to start


@pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "server"])
async def test_an_index_made_with_another_model_refuses_the_start_with_both_values_and_the_command(
    qdrant: QdrantStandin, gemini: GeminiStandin, settings_of: Callable[..., Settings], embedded: bool
) -> None:
    place = {"qdrant_host": "" if embedded else qdrant.url}
    await write_index(settings_of(**place), [])
    with pytest.raises(StartRefused) as caught:
        async with open_services(settings_of(**place, **with_gemini(gemini))):
            pytest.fail("it started")
    (problem,) = caught.value.problems
    for said in ("'none'", "'gemini-embedding-001'", "has 0", "say 256", "python -m qdrant_indexer index"):
        assert said in problem
    assert KEY not in problem


SERVER = ["-m", "chatbot_api.server"]
UVICORN = ["-m", "uvicorn", "chatbot_api.main:app", "--app-dir", str(SOURCES)]
CONTRADICTIONS = {
    "PROVIDER": "gemini",
    "QDRANT_API_KEY": KEY,
    "CORS_ORIGINS": "*",
    "CORS_ALLOW_CREDENTIALS": "true",
    "TOP_K": "many",
    "SITE_URL": "ftp://docs",
}


@pytest.mark.parametrize("command", [SERVER, UVICORN], ids=["python -m", "uvicorn"])
def test_contradictory_settings_end_with_78_and_are_all_named_at_once(command: list[str], tmp_path: Path) -> None:
    ended = ran(command, tmp_path, **CONTRADICTIONS)
    assert ended.returncode == EX_CONFIG, ended.stderr
    for name in ("PROVIDER", "QDRANT_API_KEY", "CORS_ORIGINS", "TOP_K", "SITE_URL"):
        assert ended.stderr.count(f"  - {name}") == 1, ended.stderr
    assert "does not start, 5 problem(s)" in ended.stderr
    assert KEY not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def _made_otherwise(index: Path) -> None:
    (run,) = (path for path in index.iterdir() if path.is_dir())
    marker = run / "marker.json"
    marker.write_text(marker.read_text().replace('"english"', '"german"'))


def _segment_damaged(index: Path) -> None:
    for path in index.rglob("segment.json"):
        path.write_bytes(b"\x93" * 40)


def _engine_panics(index: Path) -> None:
    for path in index.rglob("status.dat"):
        path.write_bytes(b"")


def _run_emptied(index: Path) -> None:
    for path in index.glob("*/shard"):
        shutil.rmtree(path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_made_otherwise, ["made with other settings", "german", "english"]),
        (_segment_damaged, ["can't be opened"]),
        (_engine_panics, ["can't be opened"]),
        (_run_emptied, ["can't be opened"]),
    ],
)
def test_an_index_that_waiting_will_not_mend_ends_with_78_and_one_clear_line(
    settings_of: Callable[..., Settings], book: Path, tmp_path: Path, damage: Callable[[Path], None], said: list[str]
) -> None:
    settings = settings_of()
    index_book(settings, book)
    damage(settings.index_dir)
    ended = ran(SERVER, tmp_path, DATA_DIR=str(settings.data_dir))
    assert ended.returncode == EX_CONFIG, ended.stderr
    (line,) = (line for line in ended.stderr.splitlines() if line.startswith("  - "))
    for words in [*said, "python -m qdrant_indexer index"]:
        assert words in line
    assert "Traceback" not in ended.stderr


@pytest.fixture
def free_port() -> int:
    """A port that was free a moment ago."""
    with listen() as listener:
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("command", [SERVER, UVICORN], ids=["python -m", "uvicorn"])
def test_good_settings_serve_health_until_sigterm(
    command: list[str],
    settings_of: Callable[..., Settings],
    book: Path,
    tmp_path: Path,
    free_port: int,
) -> None:
    settings = settings_of()
    index_book(settings, book)
    arguments = [*command, "--port", str(free_port)] if command is UVICORN else command
    url = f"http://127.0.0.1:{free_port}"
    with running(arguments, tmp_path, PORT=str(free_port), DATA_DIR=str(settings.data_dir)) as process:
        until(lambda: answers(f"{url}/health/ready") or process.poll() is not None, 20)
        body = httpx.get(f"{url}/health", trust_env=False).json()
        assert (body["provider"], body["index"]["engine"], body["index"]["ready"]) == ("offline", "embedded", True)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in out + err
