"""The probes over a real socket: well, without an index, and with one that is made while the service runs."""

import time
from collections.abc import Callable
from pathlib import Path

from chatbot_api.config import Settings
from chatbot_api.models.chat_models import Problem
from conftest import Service, index_book
from gemini_standin import GeminiStandin
from lantern_fixtures import lantern_running

DOCKER = "/docs/install#install-with-docker"
running = lantern_running()


def test_a_healthy_service_says_so_at_every_probe(service: Service, model: GeminiStandin) -> None:
    body = service.client.get("/health").json()
    assert body["status"] == "ok"
    assert body["provider"] == "gemini"
    assert body["index"] == {"engine": "embedded", "ready": True, "passages": 8}
    assert body["problems"] == []
    assert service.client.get("/health/live").json() == {"status": "ok"}
    assert service.client.get("/health/ready").json() == {"status": "ready"}
    assert [service.client.head(f"/health{probe}").status_code for probe in ("", "/live", "/ready")] == [200] * 3
    assert model.requests == []


def test_without_an_index_the_service_lives_is_not_ready_and_answers_503(
    settings_of: Callable[..., Settings], serve: Callable[[Settings], Service]
) -> None:
    client = (service := serve(settings_of())).client
    health, live, ready = (client.get(f"/health{probe}") for probe in ("", "/live", "/ready"))
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert "index: index-missing" in health.json()["problems"]
    assert health.json()["provider"] == "offline"
    assert live.status_code == 200
    assert (ready.status_code, ready.json()) == (503, {"status": "not ready", "problem": "index-missing"})
    assert int(ready.headers["retry-after"]) >= 1
    for reply in (service.ask(), client.post("/search", json={"query": "lamp"})):
        problem = Problem.model_validate(reply.json())
        assert (reply.status_code, problem.type) == (503, "urn:ask-ai:problem:index-missing")
        assert int(reply.headers["retry-after"]) == problem.retry_after
    assert [event["type"] for event in service.events()] == ["start", "status", "error"]


def test_an_index_made_while_the_service_runs_is_taken_up(
    settings_of: Callable[..., Settings], serve: Callable[[Settings], Service], book: Path
) -> None:
    settings = settings_of()
    service = serve(settings)
    assert service.ask().status_code == 503
    index_book(settings, book)
    for _ in range(80):
        if (reply := service.ask()).status_code == 200:
            break
        time.sleep(0.05)
    assert reply.json()["sources"][0]["url"] == DOCKER
