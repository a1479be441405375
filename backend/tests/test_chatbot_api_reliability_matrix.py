"""The fault matrix: every way an upstream fails, and the tests that hold the service to what it promises then; counted."""

import importlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatbot_api.errors import ModelUnavailable
from dead_port import dead_port
from gemini_callers import Make, failure_of, services_of, written
from gemini_faults import FAULTS as GEMINI_FAULTS
from gemini_standin import GeminiStandin
from qdrant_faults import FAULTS as QDRANT_FAULTS
from qdrant_grpc_side import PLAYED
from qdrant_standin import QdrantStandin
from test_chatbot_api_gemini_faults import AFTER_TEXT, EMBEDDING, GENERATION
from test_chatbot_api_qdrant_faults import SLUGS

FEWEST_CASES = 90
GEMINI, QDRANT, HERE = "test_chatbot_api_gemini_faults", "test_chatbot_api_qdrant_faults", __name__
STOOD_IN, SEARCHED_BY_WORDS = (
    "test_a_model_that_fails_before_its_first_text_is_replaced_by_the_passages",
    ("test_a_question_that_cannot_be_embedded_is_searched_by_words_and_answered"),
)
NO_WAY = "test_an_address_that_leads_nowhere_is_a_model_that_is_unavailable"
MANY = "test_every_fault_is_a_503_with_its_slug_and_never_an_answer"


def rows(test: str, module: str, upstream: str, faults: Any) -> list[tuple[str, str, str, str]]:
    return [(upstream, fault, module, test) for fault in faults]


CASES: list[tuple[str, str, str, str]] = [
    *rows(NO_WAY, HERE, "generate", ["refused", "unknown host", "no TLS"]),
    *rows(NO_WAY, HERE, "embed", ["refused", "unknown host", "no TLS"]),
    *rows(STOOD_IN, GEMINI, "generate", GENERATION),
    *rows(SEARCHED_BY_WORDS, GEMINI, "embed", EMBEDDING),
    *rows("test_the_same_break_behind_the_json_door_is_made_good_by_the_passages", GEMINI, "generate", AFTER_TEXT),
    *rows(
        "test_a_blocked_answer_is_a_fixed_refusal_with_the_closest_sections",
        GEMINI,
        "generate",
        ["nocand", "safety", "recitation"],
    ),
    *rows("test_an_answer_that_ends_oddly_is_still_an_answer", GEMINI, "generate", ["max", "unknownfinish"]),
    ("generate, embed", "gone", GEMINI, "test_with_nothing_of_the_model_left_words_find_and_passages_answer"),
    *rows(MANY, QDRANT, "search", SLUGS),
    (
        "search",
        "restart",
        QDRANT,
        "test_a_server_lost_between_two_questions_is_a_503_and_the_first_question_after_its_return_is_answered",
    ),
    (
        "search",
        "down at start",
        QDRANT,
        "test_a_service_whose_server_is_down_boots_and_is_ready_soon_after_the_server_appears",
    ),
    ("search", "no index yet", QDRANT, "test_a_service_without_an_index_boots_and_takes_up_the_one_that_is_made"),
    ("search", "nothing found", QDRANT, "test_without_a_match_the_answer_is_that_the_docs_do_not_hold_it"),
    ("search", "key refused, again", QDRANT, "test_a_refused_key_shows_in_health_without_another_call"),
    (
        "search",
        "index of another model",
        QDRANT,
        "test_an_index_made_with_another_model_refuses_the_start_with_both_values_and_the_command",
    ),
    *rows(
        "test_an_index_that_waiting_will_not_mend_ends_with_78_and_one_clear_line",
        QDRANT,
        "embedded index",
        ["_made_otherwise", "_segment_damaged", "_engine_panics", "_run_emptied"],
    ),
    *rows(
        "test_a_fault_has_its_name_is_asked_so_often_and_ends_in_time",
        "test_chatbot_api_qdrant_search_faults",
        "search by gRPC",
        sorted(PLAYED),  # every process that shares the tests out has to see them in one order
    ),
]
"""Sections 4.1 and 4.2 of the matrix: who fails, how, and the test of it."""


@pytest.fixture
async def make(gemini: GeminiStandin) -> AsyncIterator[Make]:
    async with services_of(gemini) as new:
        yield new


@pytest.mark.parametrize("way", ["refused", "unknown host", "no TLS"])
@pytest.mark.parametrize("verb", ["generate", "embed"])
async def test_an_address_that_leads_nowhere_is_a_model_that_is_unavailable(
    gemini: GeminiStandin, qdrant: QdrantStandin, make: Make, verb: str, way: str
) -> None:
    with dead_port() as port:
        plain = qdrant.url.removeprefix("http://")  # any server that does not speak TLS
        addresses = {"refused": f"http://127.0.0.1:{port}", "unknown host": "http://gemini.invalid", "no TLS": f"https://{plain}"}
        service = make(base_url=addresses[way])
        error, took_s = await failure_of(written(service, budget_s=5) if verb == "generate" else service.get_embedding("hello"))
    assert type(error) is ModelUnavailable
    assert took_s < 5
    assert gemini.calls("both") == 0


def values_of(test: Any) -> set[str]:
    """The values a test is parametrised with, by name."""
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    told = [value for mark in marks for value in mark.args[1]]
    flat = [part for value in told for part in (value if isinstance(value, tuple) else (value,))]
    return {getattr(part, "__name__", str(part)) for part in flat}


@pytest.mark.parametrize(("upstream", "fault", "module", "test"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_a_case_of_the_matrix_has_its_test(upstream: str, fault: str, module: str, test: str) -> None:
    found = getattr(importlib.import_module(module), test)
    if test == MANY:
        assert fault in SLUGS
    elif sum(case[3] == test for case in CASES) > 1:
        assert fault in values_of(found), f"{upstream}: {test} does not try it"
    assert found.__code__.co_argcount, "a test of a fault needs something that fails"


def test_every_fault_the_stand_ins_can_play_is_in_the_matrix_and_there_are_enough() -> None:
    played = {on: {fault for upstream, fault, _, _ in CASES if upstream == on} for on in ("generate", "embed", "search")}
    as_whole_only = {"trunc"}  # a stream that is cut is ssetrunc
    assert GEMINI_FAULTS["generate"] - as_whole_only <= played["generate"]
    assert GEMINI_FAULTS["embed"] <= played["embed"]
    assert played["search"] >= QDRANT_FAULTS
    counted = len({case[:2] for case in CASES})
    print(f"{counted} cases: {len(CASES)} rows, {sum(case[2] != QDRANT for case in CASES)} of Gemini's")
    assert counted == len(CASES), "no case counts twice"
    assert counted >= FEWEST_CASES
