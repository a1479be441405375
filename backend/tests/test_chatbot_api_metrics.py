"""Metrics as Prometheus reads them: who may, what is counted, and that log line and counts agree."""

import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from chatbot_api.metrics import Metrics
from conftest import Service
from gemini_standin import GeminiStandin
from lantern_fixtures import lantern_running

TOKEN = "metrics-token-0123456789"
DOCKER = "How do I install Lantern with Docker?"
running = lantern_running(metrics_token=TOKEN)


def counts(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """(sample's name, its labels' values) -> value."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(service: Service) -> dict[tuple[str, tuple[str, ...]], float]:
    reply = service.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert reply.status_code == 200
    return counts(reply.text)


@pytest.mark.parametrize("sent", [None, "", TOKEN, f"Bearer {TOKEN}x", "Bearer x", "Basic " + TOKEN, f"bearer{TOKEN}"])
def test_who_has_no_token_reads_no_metrics(service: Service, sent: str | None) -> None:
    reply = service.client.get("/metrics", headers={} if sent is None else {"Authorization": sent})
    assert reply.status_code == 401
    assert reply.headers["content-type"] == "application/problem+json"
    assert "askai" not in reply.text


def test_without_a_token_in_the_settings_there_are_no_metrics(gemini_service: Callable[..., Service]) -> None:
    service = gemini_service()
    assert service.client.get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 404


def test_requests_answers_stages_and_problems_are_counted(service: Service, model: GeminiStandin) -> None:
    before = read(service)
    service.ask(DOCKER)
    service.events(DOCKER)
    service.ask("Which wine goes with a saffron risotto?")
    service.ask("")
    service.client.get("/nowhere/at/all")
    after = read(service)

    def grown(name: str, *labels: str) -> float:
        return after.get((name, labels), 0.0) - before.get((name, labels), 0.0)

    assert grown("askai_requests_total", "POST", "/chat", "200") == 2
    assert grown("askai_requests_total", "POST", "/chat", "422") == 1
    assert grown("askai_requests_total", "POST", "/chat/stream", "200") == 1
    assert grown("askai_requests_total", "GET", "none", "404") == 1
    assert grown("askai_answers_total", "generated", "answered") == 2
    assert grown("askai_answers_total", "generated", "not_in_docs") == 1
    assert grown("askai_problems_total", "invalid-request") == 1
    assert grown("askai_stage_seconds_count", "answer") == 3
    assert grown("askai_request_seconds_count", "/chat/stream") == 1


def test_what_failed_upstream_is_counted_by_kind_though_the_reader_got_an_answer(service: Service, model: GeminiStandin) -> None:
    before = read(service)
    model.fail("503")
    assert service.ask(DOCKER).json()["degraded"] == ["generation"]
    after = read(service)
    for sample in (("askai_upstream_errors_total", ("model-unavailable", "gemini")), ("askai_degraded_total", ("generation",))):
        assert after[sample] - before.get(sample, 0.0) == 1


def test_tokens_and_their_cost_are_counted(service: Service, model: GeminiStandin) -> None:
    before = read(service)
    service.ask(DOCKER)
    after = read(service)
    for kind in ("input", "output"):
        assert after[("askai_tokens_total", (kind,))] > before.get(("askai_tokens_total", (kind,)), 0.0)
    assert after[("askai_cost_usd_total", ())] > before[("askai_cost_usd_total", ())]


def test_nothing_is_in_flight_once_all_is_answered_or_left(service: Service, model: GeminiStandin) -> None:
    model.answer(["Run the image. "] * 100, chunk_delay_s=0.1)
    with service.client.stream("POST", "/chat/stream", json={"query": DOCKER}) as reply:
        lines = reply.iter_lines()  # let go, it would close the stream
        next(lines)
        _until_in_flight(service, 2)  # the stream, and who reads the metrics
    _until_in_flight(service, 1)


def _until_in_flight(service: Service, expected: int) -> None:
    end = time.monotonic() + 5
    while (seen := read(service)[("askai_requests_in_flight", ())]) != expected:
        assert time.monotonic() < end, seen
        time.sleep(0.02)


def test_the_process_tells_its_files_and_its_loops_lag(service: Service) -> None:
    told = read(service)
    assert told[("process_open_fds", ())] > 3
    assert told[("askai_loop_lag_seconds", ())] >= 0


def test_no_address_of_a_request_becomes_a_label(service: Service) -> None:
    for number in range(20):
        service.client.get(f"/conversations/c_{number}", headers={"X-Visitor-Id": "v_abcdefghijklmnopqrstuv"})
    labels = {labels for name, labels in read(service) if name == "askai_requests_total"}
    assert not [label for label in labels if "c_1" in str(label)]
    assert ("GET", "/conversations/{conversation_id}", "404") in labels


def test_metrics_have_a_port_of_their_own_where_one_is_set(gemini_service: Callable[..., Service]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = gemini_service(metrics_port=port)
    service.ask(DOCKER)
    told = counts(httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text)
    assert told[("askai_requests_total", ("POST", "/chat", "200"))] == 1
    assert service.client.get("/metrics").status_code == 404


ROOT = Path(__file__).resolve().parents[2]
NAMES = {
    f"{family.name}_total" if family.type == "counter" else family.name
    for family in text_string_to_metric_families(Metrics().text().decode())
    if family.name.startswith("askai_")
}


def test_the_page_of_operations_tells_every_metric_and_no_other() -> None:
    page = (ROOT / "website" / "docs" / "operations.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(askai_\w+)` \|", page, re.MULTILINE)) == NAMES


@pytest.mark.parametrize("file", ["website/docs/operations.md", "deploy/grafana/dashboard.json"])
def test_alerts_and_panels_ask_for_metrics_that_are_there(file: str) -> None:
    asked = set(re.findall(r"askai_[a-z_]+", (ROOT / file).read_text(encoding="utf-8"))) - {"askai_"}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} <= NAMES
    if file.endswith(".json"):
        panels = json.loads((ROOT / file).read_text(encoding="utf-8"))["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels) > 10
