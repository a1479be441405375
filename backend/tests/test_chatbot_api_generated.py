"""Generated requests, by the description and beyond it: no reply is a fault of ours, late, undeclared or an echo.

``benchmarks/generated_requests.py`` sends as many of them as are wanted.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Service
from generated_bodies import ROUTES, send_generated
from generated_by_schema import GeneratedBySchema, as_read, marked
from generated_replies import Reply, Tally, faults_of
from guarded_service import guarded_lantern
from hostile_requests import CANARY

EXAMPLES = 15
"""Of schemathesis, for each operation in each phase."""
BODIES = 150
"""For each route."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Iterator[Service]:
    with guarded_lantern(tmp_path_factory.mktemp("generated"), book) as running:
        yield running


@pytest.fixture(scope="module")
def description(service: Service) -> dict[str, Any]:
    return service.client.get("/openapi.json").json()


def test_schemathesis_finds_nothing_in_what_it_makes_of_the_description(service: Service, description: dict[str, Any]) -> None:
    generated, tally = GeneratedBySchema(service.url, description), Tally(description)
    for reply in generated.replies(seed=1, examples=EXAMPLES):
        tally.take(reply)
    assert generated.failures == []
    assert tally.faults == []
    assert tally.cases > 500
    seen = {name for name, _ in tally.counts}
    assert {f"{verb.upper()} {path}" for path, verbs in description["paths"].items() for verb in verbs} <= seen
    for route, fit in (("/chat", 200), ("/chat/stream", 200), ("/search", 200)):
        assert tally.counts[f"POST {route}", fit], route


@pytest.mark.parametrize("route", ROUTES)
def test_bodies_beyond_any_schema_are_answered_or_refused(service: Service, description: dict[str, Any], route: str) -> None:
    tally = Tally(description)

    def judged(reply: Reply) -> None:
        assert tally.take(reply) == []

    send_generated(service.url, route, judged, requests=BODIES, start=1)
    statuses = {status for _, status in tally.counts}
    assert {400, 415, 422} <= statuses, statuses
    assert statuses & {200, 404}, "nothing was taken: the bodies are all alike"


def test_after_all_of_this_the_service_answers(service: Service) -> None:
    assert service.ask().json()["sources"]


# --- the judge itself


def reply(status: int, body: bytes, media: str = "application/problem+json", **headers: str) -> Reply:
    return Reply("POST", "/chat", status, {"content-type": media, "x-request-id": "r" * 8, **headers}, body, 0.1)


WHOLE = '{"type":"urn:x","title":"t","status":422,"detail":"d","request_id":"rrrrrrrr","retryable":false}'
JUDGED = {
    "a whole problem": (reply(422, WHOLE.encode()), set[str]()),
    "an echo": (reply(422, WHOLE.replace('"d"', f'"{CANARY}"').encode()), {"echo"}),
    "an echo in a header": (reply(422, WHOLE.encode(), location=CANARY), {"echo"}),
    "a status nobody declared": (reply(418, WHOLE.replace("422", "418").encode()), {"undeclared"}),
    "another status inside": (reply(400, WHOLE.encode()), {"shape"}),
    "a field too many": (reply(422, WHOLE.replace("}", ',"input":1}').encode()), {"shape"}),
    "an error as plain JSON": (reply(422, WHOLE.encode(), "application/json"), {"shape"}),
    "a fault of ours": (reply(503, WHOLE.replace("422", "503").encode()), {"5xx"}),
    "a trace": (reply(422, WHOLE.replace('"d"', '"Traceback"').encode()), {"leak"}),
    "an answer of another shape": (reply(200, b'{"answer":"x"}', "application/json"), {"shape"}),
    "a stream without an end": (reply(200, b'data: {"type":"start"}\n\n', "text/event-stream"), {"shape"}),
    "a stream that ends with an error": (reply(200, b'data: {"type":"error"}\n\n', "text/event-stream"), {"5xx"}),
    "an echo in a stream": (reply(200, f'data: {{"type":"done","x":"{CANARY}"}}\n\n'.encode(), "text/event-stream"), {"echo"}),
    "the question as it was understood": (
        reply(200, f'data: {{"type":"done","understood_as":"{CANARY}"}}\n\n'.encode(), "text/event-stream"),
        set[str](),
    ),
    "silence": (Reply("POST", "/chat", 0, {}, b"", 10.0), {"hang"}),
    "a connection closed instead": (Reply("POST", "/chat", 0, {}, b"", 0.1), {"lost"}),
}


@pytest.mark.parametrize(("given_reply", "kinds"), JUDGED.values(), ids=JUDGED)
def test_the_judge_finds_each_kind_of_fault(description: dict[str, Any], given_reply: Reply, kinds: set[str]) -> None:
    assert {kind for kind, _ in faults_of(given_reply, description)} == kinds


def test_what_is_sent_bears_the_canary_and_is_read_as_the_service_reads_it() -> None:
    sent = {"query": "0", "stream": 0, "rating": "up", "history": [{"text": "\u200b "}], "page": "a" * 40}
    assert marked(sent) == {**sent, "query": CANARY, "page": CANARY + "a" * (40 - len(CANARY))}
    read = as_read({"query": " \u0000", "stream": "YES", "top_k": "7", "context": "page", "rating": "good", "reason": "x"})
    assert read == {"query": "", "stream": True, "top_k": 7, "context": {}, "rating": "up", "reason": "other"}
    assert as_read({"stream": [], "top_k": "many", "rating": 1}) == {"stream": [], "top_k": "many", "rating": 1}
