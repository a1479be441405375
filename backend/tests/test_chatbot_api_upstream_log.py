"""What the log tells of upstreams: how often each was asked for an answer, and when one is left alone."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from conftest import Service
from gemini_standin import GeminiStandin
from qdrant_standin import QdrantStandin

QUESTION = "How do I install Lantern with Docker?"


def lines(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def test_the_line_of_an_answer_tells_how_often_each_upstream_was_asked(
    gemini_service: Callable[..., Service], gemini: GeminiStandin, qdrant: QdrantStandin, capsys: pytest.CaptureFixture[str]
) -> None:
    service = gemini_service(log_level="info", qdrant_host=qdrant.url)
    capsys.readouterr()
    gemini.fail("503", on="generate", times=1)
    assert service.ask(QUESTION).json()["outcome"] == "answered"
    service.client.get("/health")
    line = next(one for one in lines(capsys.readouterr().out) if one.get("route") == "/chat")
    attempts = {name: line.get(name) for name in ("embedding_attempts", "search_attempts", "model_attempts", "rewrite_attempts")}
    assert attempts == {"embedding_attempts": 1, "search_attempts": 1, "model_attempts": 2, "rewrite_attempts": None}


def test_an_upstream_that_is_left_alone_and_asked_again_is_told_once_each(
    gemini_service: Callable[..., Service], gemini: GeminiStandin, capsys: pytest.CaptureFixture[str]
) -> None:
    service = gemini_service(log_level="info")
    capsys.readouterr()
    gemini.fail("503", on="generate")
    for _ in range(40):
        service.ask(QUESTION)
    gemini.heal()
    told: list[dict[str, Any]] = []
    limit = time.monotonic() + 30
    while not any(one["event"] == "upstream_asked_again" for one in told):
        assert time.monotonic() < limit, told
        service.ask(QUESTION)
        told += [one for one in lines(capsys.readouterr().out) if one["event"].startswith("upstream_")]
    assert [(one["event"], one["verb"], one.get("problem")) for one in told] == [
        ("upstream_throttled", "generation", "model-unavailable"),
        ("upstream_asked_again", "generation", None),
    ]
    assert QUESTION not in json.dumps(told)
