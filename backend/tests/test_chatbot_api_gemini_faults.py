"""What a reader gets while Gemini fails: the whole service on real sockets, both doors, every fault of its stand-in."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import time
from typing import Any

import httpx
import pytest

from chatbot_api.config import Settings
from chatbot_api.services.gemini_quota import day_quota_wait_s
from conftest import KEY, Service, index_book, serving, with_gemini
from gemini_faults import PLAIN
from gemini_standin import GeminiStandin, gemini_standin
from sdk_under_test import IS_OLDER

Start = Callable[..., Service]
QUESTION = "How do I install Lantern with Docker?"
GENERATION = {
    "400": (502, "model-rejected"),
    "400key": (503, "model-misconfigured"),
    "401": (503, "model-misconfigured"),
    "403": (503, "model-misconfigured"),
    "404": (503, "model-misconfigured"),
    "408": (503, "model-unavailable"),
    "429": (503, "model-busy"),
    "429ri": (503, "model-busy"),
    "429ra": (503, "model-busy"),
    "429day": (503, "model-busy"),
    "500": (503, "model-unavailable"),
    "502html": (503, "model-unavailable"),
    "503": (503, "model-unavailable"),
    "504": (503, "model-unavailable"),
    "badjson": (502, "model-bad-response"),
    "close": (502, "model-bad-response"),
    "ssetrunc0": (502, "model-bad-response"),
    "sseerr0": (502, "model-empty") if IS_OLDER else (503, "model-unavailable"),
    "empty": (502, "model-empty"),
    "list": (502, "model-empty"),
    "null": (502, "model-empty"),
    "maxempty": (502, "model-empty"),
    "functioncall": (502, "model-empty"),
    "hang": (504, "deadline"),
    "slowhdr": (504, "deadline"),
    "drip": (504, "deadline"),
}
"""Fault before the first text -> status and slug when errors are wanted."""
AFTER_TEXT = {
    "ssetrunc": "model-bad-response",
    "ssenofinish": "model-bad-response",
    "ssebad": "model-bad-response",
    "sseerr": "model-bad-response" if IS_OLDER else "model-unavailable",
    "ssehang": "deadline",
}
EMBEDDING = {
    **{fault: wanted for fault, wanted in GENERATION.items() if fault in PLAIN or fault in ("429ri", "429day", "502html")},
    **dict.fromkeys(("badjson", "close", "trunc", "wrongcount", "empty", "list", "null"), (502, "model-bad-response")),
    **dict.fromkeys(("wrongdims", "nan"), (503, "index-mismatch")),
    **dict.fromkeys(("hang", "slowhdr", "drip"), (504, "deadline")),
}
FAULTS = {"generate": GENERATION, "embed": EMBEDDING}
UNTOLD = [KEY, "Traceback", "127.0.0.1", "google", "<html", "candidates", *(body["error"]["message"] for body in PLAIN.values())]
"""What no reply may hold."""


class Kept:
    """Services that are kept from test to test: starting one takes longer than most questions to it."""

    def __init__(self, gemini: GeminiStandin, data_dir: Path, stack: ExitStack) -> None:
        self.gemini, self._data_dir, self._stack = gemini, data_dir, stack
        self._services: dict[str, Service] = {}

    def start(self, **values: Any) -> Service:
        """A service that gives up soon: 0.7 s for an embedding, 0.9 s for the first text, 2 s in all. A new one where the old
        holds off a refused key.
        """
        name = repr(values)
        if name not in self._services or self._services[name].client.get("/health").json()["problems"]:
            soon = {"data_dir": self._data_dir, "embed_timeout_s": 0.7, "first_text_timeout_s": 0.9, "deadline_s": 2.0}
            asked_anew = {"answer_cache_ttl_s": 0, "embedding_cache_size": 0}
            wanted = with_gemini(self.gemini, local_embedder=False, site_title="Lantern", **asked_anew, **soon, **values)
            settings = Settings(_env_file=None, **wanted)  # type: ignore[call-arg]
            self._services[name] = self._stack.enter_context(serving(settings))
        return self._services[name]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Iterator[Kept]:
    """One stand-in, and one index of BOOK as it embeds it."""
    folder = tmp_path_factory.mktemp("indexed")
    with gemini_standin() as standin, ExitStack() as stack:
        index_book(Settings(_env_file=None, data_dir=folder, **with_gemini(standin)), book)  # type: ignore[call-arg]
        yield Kept(standin, folder, stack)


@pytest.fixture
def gemini(kept: Kept) -> GeminiStandin:
    """The kept stand-in, well and asked nothing yet."""
    kept.gemini.heal()
    kept.gemini.answer(["Answer from ", "the stand-in [1]."])
    kept.gemini.requests.clear()
    return kept.gemini


@pytest.fixture
def start(kept: Kept) -> Start:
    return kept.start


def fail(gemini: GeminiStandin, fault: str, on: str = "generate") -> None:
    gemini.fail(fault, on=on, seconds=0.1 if fault == "drip" else 7, size=4)


def both_doors(service: Service) -> tuple[httpx.Response, list[dict[str, Any]]]:
    """The reply of POST /chat and the events of POST /chat/stream, asked for at the same time."""
    with ThreadPoolExecutor(2) as threads:
        reply, events = threads.submit(service.ask, QUESTION), threads.submit(service.events, QUESTION)
        return reply.result(), events.result()


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in events if event["type"] == "delta")


def assert_cited(body: dict[str, Any], text: str) -> None:
    """Every citation points to its marker and to a source that is given."""
    assert body["citations"]
    for citation in body["citations"]:
        assert text[citation["start"] : citation["end"]] == f"[{citation['source_id']}]"
        assert citation["source_id"] in [source["id"] for source in body["sources"]]


def assert_discreet(reply: str) -> None:
    assert [text for text in UNTOLD if text.lower() in reply.lower()] == []


def assert_problem(problem: dict[str, Any], status: int, slug: str) -> None:
    assert (problem["type"].rpartition(":")[2], problem["status"]) == (slug, status)
    assert problem["request_id"]
    assert_discreet(json.dumps(problem))


# --- the answer stands in


@pytest.mark.parametrize("fault", GENERATION)
def test_a_model_that_fails_before_its_first_text_is_replaced_by_the_passages(
    gemini: GeminiStandin, start: Start, fault: str
) -> None:
    fail(gemini, fault)
    reply, events = both_doors(start())
    assert reply.status_code == 200
    for body, text in ((reply.json(), reply.json()["response"]), (events[-1], text_of(events))):
        assert (body["outcome"], body["degraded"], body["mode"]) == ("degraded", ["generation"], "extractive")
        assert "docker run lantern/hub" in text
        assert_cited(body, text)
    assert [event["type"] for event in events].count("done") == 1
    assert_discreet(reply.text + json.dumps(events))


@pytest.mark.parametrize("fault", EMBEDDING)
def test_a_question_that_cannot_be_embedded_is_searched_by_words_and_answered(
    gemini: GeminiStandin, start: Start, fault: str
) -> None:
    fail(gemini, fault, on="embed")
    service = start()
    with ThreadPoolExecutor(2) as threads:
        searching = threads.submit(service.client.post, "/search", json={"query": QUESTION})
        reply, found = service.ask(QUESTION), searching.result().json()
    body = reply.json()
    assert (reply.status_code, body["outcome"], body["degraded"], body["mode"]) == (200, "degraded", ["dense"], "generated")
    assert body["sources"][0]["url"] == "/docs/install#install-with-docker"
    assert body["sources"][0]["score"] is None
    assert_cited(body, body["response"])
    assert_discreet(reply.text)
    assert (found["degraded"], found["answerable"], bool(found["results"])) == (["dense"], None, True)


def test_with_nothing_of_the_model_left_words_find_and_passages_answer(gemini: GeminiStandin, start: Start) -> None:
    service = start()
    gemini.stop()
    body = service.ask(QUESTION).json()
    assert (body["outcome"], body["degraded"], body["mode"]) == ("degraded", ["dense", "generation"], "extractive")
    assert_cited(body, body["response"])
    gemini.start()
    assert service.ask(QUESTION).json()["outcome"] == "answered"


# --- errors are wanted


@pytest.mark.parametrize(("on", "fault"), [(on, name) for on, faults in FAULTS.items() for name in faults])
def test_where_errors_are_wanted_each_fault_has_its_status_and_slug(
    gemini: GeminiStandin, start: Start, on: str, fault: str
) -> None:
    status, slug = FAULTS[on][fault]
    fail(gemini, fault, on)
    reply, (*before, last) = both_doors(start(on_model_failure="error"))
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert_problem(reply.json(), status, slug)
    assert reply.json()["request_id"] == reply.headers["x-request-id"]
    expected = {"429ri": 7, "429ra": 7, "429day": min(3600, day_quota_wait_s(time()))}.get(fault, 5) if status == 503 else None
    told = reply.headers.get("retry-after")
    assert (told and int(told)) == (expected and pytest.approx(expected, abs=2))  # the later of both doors is told what is left
    assert last["type"] == "error"
    assert_problem(last["problem"], status, slug)
    assert {event["type"] for event in before} <= {"start", "status", "sources"}


# --- the answer breaks off


@pytest.mark.parametrize("wanted", ["extractive", "error"])
@pytest.mark.parametrize(("fault", "slug"), AFTER_TEXT.items())
def test_a_stream_that_breaks_off_after_text_ends_with_one_error_and_never_with_done(
    gemini: GeminiStandin, start: Start, fault: str, slug: str, wanted: str
) -> None:
    gemini.fail(fault)
    service = start(on_model_failure=wanted)
    events = service.events(QUESTION)
    kinds = [event["type"] for event in events]
    assert text_of(events).startswith("Answer from")
    assert kinds[-1] == "error"
    assert (kinds.count("error"), kinds.count("done")) == (1, 0)
    assert_problem(events[-1]["problem"], events[-1]["problem"]["status"], slug)
    assert gemini.calls("generate") == 1


@pytest.mark.parametrize("fault", AFTER_TEXT)
def test_the_same_break_behind_the_json_door_is_made_good_by_the_passages(
    gemini: GeminiStandin, start: Start, fault: str
) -> None:
    gemini.fail(fault)
    body = start().ask(QUESTION).json()
    assert (body["outcome"], body["degraded"], body["mode"]) == ("degraded", ["generation"], "extractive")
    assert "Answer from" not in body["response"]
    assert_cited(body, body["response"])


def test_an_answer_that_breaks_off_before_any_of_it_was_shown_leaves_nothing_behind(gemini: GeminiStandin, start: Start) -> None:
    gemini.answer(["[", "1] is how."])
    gemini.fail("ssetrunc")
    service = start()
    assert text_of(service.events(QUESTION)) == service.ask(QUESTION).json()["response"]


# --- the model declines, is blocked, or ends oddly


@pytest.mark.parametrize("fault", ["nocand", "safety", "recitation"])
def test_a_blocked_answer_is_a_fixed_refusal_with_the_closest_sections(gemini: GeminiStandin, start: Start, fault: str) -> None:
    gemini.fail(fault)
    reply, events = both_doors(start())
    assert reply.status_code == 200
    for body, text in ((reply.json(), reply.json()["response"]), (events[-1], text_of(events))):
        assert (body["outcome"], body["degraded"], body["finish_reason"]) == ("degraded", ["generation"], "blocked")
        assert text.startswith("The language model declined to answer this question.")
        assert_cited(body, text)
    assert gemini.calls("generate") == 2


def test_an_answer_blocked_halfway_is_the_same_behind_both_doors(gemini: GeminiStandin, start: Start) -> None:
    gemini.answer(["Run the ", "image [1]."], finish="SAFETY")
    service = start()
    assert text_of(service.events(QUESTION)) == service.ask(QUESTION).json()["response"]


@pytest.mark.filterwarnings("ignore:COSMIC_RAY is not a valid")
@pytest.mark.parametrize(("fault", "finish"), [("max", "length"), ("unknownfinish", "stop")])
def test_an_answer_that_ends_oddly_is_still_an_answer(gemini: GeminiStandin, start: Start, fault: str, finish: str) -> None:
    gemini.fail(fault)
    body = start().ask(QUESTION).json()
    assert (body["response"], body["finish_reason"]) == ("Answer from the stand-in [1].", finish)
    assert (body["outcome"], body["mode"]) == ("answered", "generated")


@pytest.mark.parametrize(
    "pieces", [["NOT_IN_DOCS"], ["NOT_", "IN_DOCS"], ["N", "OT_IN", "_DOCS", "\n"], ["NOT_IN_DOCS\n"], ["`NOT_IN_DOCS`"]]
)
def test_a_model_that_declines_gives_no_sources_but_the_nearest_sections(
    gemini: GeminiStandin, start: Start, pieces: list[str]
) -> None:
    gemini.answer(pieces)
    service = start()
    reply, events = service.ask(QUESTION).json(), service.events(QUESTION)
    for body, text in ((reply, reply["response"]), (events[-1], text_of(events))):
        assert (body["outcome"], body["degraded"], body["sources"], body["citations"]) == ("not_in_docs", [], [], [])
        assert "NOT_IN_DOCS" not in text
        assert text.startswith("The documentation does not seem to answer this question.")
        assert body["nearest"][0]["url"] == "/docs/install#install-with-docker"


@pytest.mark.parametrize("pieces", [["NOT", " at all, use the image [1]."], ["NOT_", "INSTALLED means so [1]."], ["N", "o [1]."]])
def test_an_answer_that_only_begins_like_a_refusal_is_let_through(gemini: GeminiStandin, start: Start, pieces: list[str]) -> None:
    gemini.answer(pieces)
    service = start()
    assert service.ask(QUESTION).json()["response"] == "".join(pieces)
    events = service.events(QUESTION)
    assert (text_of(events), events[-1]["outcome"]) == ("".join(pieces), "answered")


def test_when_nothing_is_near_enough_the_model_is_not_asked(gemini: GeminiStandin, start: Start) -> None:
    service = start()
    body = service.ask("Zebras juggle bananas beyond Jupiter?").json()
    assert (body["outcome"], body["sources"]) == ("not_in_docs", [])
    assert body["nearest"]
    assert (gemini.calls("generate"), gemini.calls("embed")) == (0, 1)


# --- the model's text


def test_an_answer_without_a_marker_says_that_its_citations_are_missing(gemini: GeminiStandin, start: Start) -> None:
    gemini.answer("Run the image.")
    body = start().ask(QUESTION).json()
    assert (body["response"], body["outcome"], body["degraded"]) == ("Run the image.", "degraded", ["citations"])
    assert (body["sources"], bool(body["nearest"])) == ([], True)


def test_a_marker_that_names_no_source_is_taken_out(gemini: GeminiStandin, start: Start) -> None:
    gemini.answer(["Run it ", "[9]. Then ", "wait [", "1][77].", " Or [8, 2]."])
    service = start()
    reply, events = service.ask(QUESTION).json(), service.events(QUESTION)
    for body, text in ((reply, reply["response"]), (events[-1], text_of(events))):
        assert text == "Run it. Then wait [1]. Or [2]."
        assert_cited(body, text)
        assert [source["id"] for source in body["sources"]] == ["1", "2"]


def test_what_loads_or_leads_elsewhere_is_taken_out_of_prose_and_left_in_code(gemini: GeminiStandin, start: Start) -> None:
    code = "```html\n<img src=https://evil.test/a.png> [x](https://evil.test)\n```\n"
    prose = [
        "See ![",
        "a pixel](https://evil.te",
        "st/p.png?q=secret), <scr",
        "ipt>alert(1)</script> and [this",
        "](//evil.test/x) or [that](/docs/lamps) and https://evil.test/y [1].\n\n",
    ]
    gemini.answer([*prose, code[:9], code[9:40], code[40:], "Ask `[in](https://evil.test/code)`."])
    service = start()
    expected = (
        "See a pixel, alert(1) and this or [that](/docs/lamps) and `https://evil.test/y` [1].\n\n"
        f"{code}Ask `[in](https://evil.test/code)`."
    )
    assert service.ask(QUESTION).json()["response"] == expected
    assert text_of(service.events(QUESTION)) == expected
