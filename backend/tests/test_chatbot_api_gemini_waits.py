"""While Gemini fails or is silent: one log line a request, no secret in it, health at once, nobody waits past the deadline."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from conftest import KEY, Service
from gemini_standin import GeminiStandin

SECRET_QUESTION = "How do I install Xylophone on Docker?"
Start = Callable[..., Service]


def lines_of(capfd: pytest.CaptureFixture[str], requests: int) -> tuple[str, list[dict[str, Any]]]:
    """All that was written, and the lines of so many requests: a line is written just after its reply has gone."""
    written, done = "", []
    for _ in range(100):
        captured = capfd.readouterr()
        written += captured.out + captured.err
        events = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
        done = [line for line in events if line["event"] == "request_done"]
        if len(done) >= requests:
            break
        sleep(0.02)
    return written, done


def test_a_request_leaves_one_line_with_its_outcome_and_neither_key_nor_question(
    capfd: pytest.CaptureFixture[str], gemini: GeminiStandin, gemini_service: Start
) -> None:
    service = gemini_service(log_level="info", deadline_s=0.8)
    for fault in ("", "429ri", "502html", "badjson", "ssebad", "hang", "safety", "400key"):
        gemini.heal()
        if fault:
            gemini.fail(fault)
        service.ask(SECRET_QUESTION)
        service.events(SECRET_QUESTION)
        written, done = lines_of(capfd, 2)
        assert [line["route"] for line in done] == ["/chat", "/chat/stream"], fault
        for line in done:
            assert ("outcome" in line) != ("problem" in line), fault
            assert line["status"] == 200
            assert line["request_id"]
        assert KEY not in written
        assert "Xylophone" not in written


def test_an_error_of_the_json_door_is_one_line_too_with_its_slug(
    capfd: pytest.CaptureFixture[str], gemini: GeminiStandin, gemini_service: Start
) -> None:
    gemini.fail("401")
    service = gemini_service(log_level="info", on_model_failure="error")
    reply = service.ask(SECRET_QUESTION)
    written, (line,) = lines_of(capfd, 1)
    assert (line["problem"], line["status"], line["level"]) == ("model-misconfigured", 503, "error")
    assert line["request_id"] == reply.json()["request_id"]
    assert KEY not in written
    assert "Xylophone" not in written


def test_health_answers_at_once_while_gemini_hangs(gemini: GeminiStandin, gemini_service: Start) -> None:
    service = gemini_service(deadline_s=4.0, embed_timeout_s=3.5)
    gemini.fail("hang", on="both")
    with ThreadPoolExecutor(8) as threads, httpx.Client(base_url=service.url, trust_env=False) as client:
        asked = [threads.submit(service.ask) for _ in range(8)]
        limit = monotonic() + 3
        while gemini.calls("embed") < 8 and monotonic() < limit:
            sleep(0.01)
        took_s: list[float] = []
        for _ in range(20):
            started = monotonic()
            assert client.get("/health").json()["status"] == "ok"
            took_s.append(monotonic() - started)
        assert not any(one.done() for one in asked)
        gemini.stop()
        assert {one.result().status_code for one in asked} == {200}
    assert median(took_s) < 0.01


def test_health_tells_of_a_refused_key(gemini: GeminiStandin, gemini_service: Start) -> None:
    service = gemini_service()
    gemini.fail("400key")
    service.ask()
    health = service.client.get("/health").json()
    assert (health["status"], health["problems"]) == ("degraded", ["generation: model-misconfigured"])
    assert service.client.get("/health/ready").status_code == 200


@pytest.mark.parametrize("fault", ["hang", "drip", "slowhdr"])
def test_nobody_waits_past_the_deadline(gemini: GeminiStandin, gemini_service: Start, fault: str) -> None:
    service = gemini_service(deadline_s=1.0, embed_timeout_s=60, first_text_timeout_s=60)

    def took_s(ask: Callable[[], Any]) -> float:
        started = monotonic()
        ask()
        return monotonic() - started

    with ThreadPoolExecutor(2) as threads:
        for on in ("generate", "embed", "both"):
            gemini.heal()
            gemini.fail(fault, on=on, seconds=0.1 if fault == "drip" else 7, size=4)
            for waited_s in threads.map(took_s, [service.ask, service.events]):
                assert 0.5 < waited_s < 1.5, on


def test_a_stream_that_falls_silent_after_text_ends_at_the_deadline(gemini: GeminiStandin, gemini_service: Start) -> None:
    service = gemini_service(deadline_s=1.0)
    gemini.fail("ssehang")
    started = monotonic()
    events = service.events()
    assert monotonic() - started < 1.5
    assert events[-1]["problem"]["type"].endswith("deadline")


def test_a_reader_who_leaves_the_stream_closes_the_upstream(gemini: GeminiStandin, gemini_service: Start) -> None:
    service = gemini_service()
    gemini.answer(["one ", *["more "] * 60], chunk_delay_s=0.05)
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        with client.stream("POST", "/chat/stream", json={"query": "How do I pair a lamp?"}) as reply:
            assert any("delta" in line for line in reply.iter_lines())
        left_at = monotonic()
        upstream = gemini.requests[-1]
        assert upstream.closed.wait(2)
        assert upstream.disconnected_at is not None
        assert upstream.disconnected_at - left_at < 0.3
