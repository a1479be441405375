"""The service of the SDK under test with the real SDK on a real socket: what it sends, and what every fault becomes."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any
from urllib.parse import unquote

import pytest

from chatbot_api.errors import (
    DeadlineExceeded,
    IndexMismatch,
    ModelBadResponse,
    ModelBusy,
    ModelEmpty,
    ModelMisconfigured,
    ModelRejected,
    ModelUnavailable,
    ServiceError,
)
from chatbot_api.models.answer_models import Piece, Prompt
from chatbot_api.models.chat_models import Turn
from chatbot_api.models.index_models import Passage
from chatbot_api.reliability import Deadline
from conftest import KEY
from gemini_callers import PROMPT, WHOLE, GeminiService, Make, failure_of, services_of, written
from gemini_standin import GeminiStandin, bag_of_words
from sdk_under_test import IS_OLDER, of_google_genai

QUERY, DOCUMENT = (1, 2) if IS_OLDER else ("RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT")
"""google-generativeai writes enums as their numbers."""
STREAM = "$alt=json;enum-encoding=int" if IS_OLDER else "alt=sse"
HISTORY = (Turn(question="What is it?", answer="A hub [1]."), Turn(question="Is it free?", answer="Yes."))


@pytest.fixture
async def make(gemini: GeminiStandin) -> AsyncIterator[Make]:
    async with services_of(gemini) as new:
        yield new


def passage(text: str) -> Passage:
    return Passage(
        id="p", text=text, url="/docs/p", anchor="a", title="Page", heading_path=("Part",), page_id="p", ordinal=0, site="docs"
    )


# --- what is sent


async def test_a_question_and_passages_are_embedded_each_with_its_own_task(gemini: GeminiStandin, make: Make) -> None:
    service = make()
    question = await service.embed_query("pair a lamp", Deadline(2))
    vectors = await service.embed_passages([passage("Hold the button."), passage("Press it.")], Deadline(2))
    of_question, of_passages = gemini.requests
    assert of_question.path.partition("?")[0] == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert of_question.body["requests"] == [
        {
            "content": {"parts": [{"text": "pair a lamp"}]},
            "taskType": QUERY,
            "outputDimensionality": 256,
            "model": "models/gemini-embedding-001",
        }
    ]
    sent = of_passages.body["requests"]
    assert [one["content"]["parts"] for one in sent] == [
        [{"text": "Page > Part\nHold the button."}],
        [{"text": "Page > Part\nPress it."}],
    ]
    assert {one["taskType"] for one in sent} == {DOCUMENT}
    assert [len(vector) for vector in (question, *vectors)] == [256, 256, 256]
    assert vectors[0] != vectors[1]


@pytest.mark.parametrize("dimensions", [768, 256])
async def test_vectors_have_the_length_asked_for_and_norm_one(gemini: GeminiStandin, make: Make, dimensions: int) -> None:
    service = make(dimensions=dimensions)
    vector = await service.get_embedding("How do I pair a lamp?")
    raw = bag_of_words("How do I pair a lamp?", dimensions)
    assert gemini.requests[0].body["requests"][0]["outputDimensionality"] == dimensions
    assert len(vector) == dimensions
    assert math.hypot(*vector) == pytest.approx(1)
    assert vector == pytest.approx([value / math.hypot(*raw) for value in raw])
    assert (service.embedder.dimensions, service.embedder.task_format) == (dimensions, "retrieval")


async def test_the_second_embedding_model_is_told_the_task_in_the_text(gemini: GeminiStandin, make: Make) -> None:
    service = make(embedding_model="models/gemini-embedding-2")
    await service.embed_query("pair a lamp", Deadline(2))
    assert len(await service.embed_passages([passage("One."), passage("Two.")], Deadline(2))) == 2
    sent = [one for recorded in gemini.requests for one in recorded.body["requests"]]
    assert [one["content"]["parts"][0]["text"] for one in sent] == [
        "task: search result | query: pair a lamp",
        "title: Page > Part | text: One.",
        "title: Page > Part | text: Two.",
    ]
    assert all("taskType" not in one for one in sent)
    assert (service.embedder.model, service.embedder.task_format) == ("gemini-embedding-2", "prefixes")


async def test_an_answer_is_asked_for_with_rules_history_material_and_question_in_their_places(
    gemini: GeminiStandin, make: Make
) -> None:
    prompt = Prompt(rules="Be exact.", history=HISTORY, material="<<<passages>>>", question="How do I start?", passages=())
    assert "".join(piece.text for piece in await written(make(), prompt)) == WHOLE
    (asked,) = gemini.requests
    assert unquote(asked.path) == f"/v1beta/models/g-model:streamGenerateContent?{STREAM}"
    assert [part["text"] for part in asked.body["systemInstruction"]["parts"]] == ["Be exact."]
    said = [(content["role"], [part["text"] for part in content["parts"]]) for content in asked.body["contents"]]
    assert said == [
        ("user", ["What is it?"]),
        ("model", ["A hub [1]."]),
        ("user", ["Is it free?"]),
        ("model", ["Yes."]),
        ("user", ["<<<passages>>>", "How do I start?"]),
    ]
    assert "tools" not in asked.body


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"maxOutputTokens": 400, "thinkingConfig": {"thinkingLevel": "MINIMAL"}}),
        ({"thinking_level": "none", "max_output_tokens": 64}, {"maxOutputTokens": 64}),
        ({"thinking_level": "low", "temperature": 0.0}, {"temperature": 0.0, "thinkingConfig": {"thinkingLevel": "LOW"}}),
    ],
)
async def test_the_model_gets_no_sampling_values_but_those_that_are_set(
    gemini: GeminiStandin, make: Make, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    await written(make(**values))
    if IS_OLDER:
        expected = {name: value for name, value in expected.items() if name != "thinkingConfig"}
    assert gemini.requests[0].body["generationConfig"] == {"maxOutputTokens": 400, **expected}


@of_google_genai("it can't send a thinking level, so none is refused")
def test_an_unknown_thinking_level_is_refused_when_the_service_is_made(gemini: GeminiStandin) -> None:
    async def attempt() -> None:
        GeminiService(KEY, generative_model="g", embedding_model="e", dimensions=8, thinking_level="deep", base_url=gemini.url)

    with pytest.raises(ValueError, match="none of none, minimal, low, medium, high"):
        asyncio.run(attempt())


async def test_the_key_stands_in_one_header_and_the_upstream_is_told_no_time_limit(gemini: GeminiStandin, make: Make) -> None:
    service = make()
    await written(service)
    await service.get_embedding("hello")
    assert len(gemini.requests) == 2
    for asked in gemini.requests:
        assert [name for name, value in asked.headers.items() if KEY in value] == ["x-goog-api-key"]
        assert KEY not in asked.path + json.dumps(asked.body)
        assert "x-server-timeout" not in asked.headers


async def test_generate_content_takes_a_bare_text_and_gives_the_whole_answer(gemini: GeminiStandin, make: Make) -> None:
    assert await make().generate_content("Say hello.") == WHOLE
    assert gemini.requests[0].body["contents"] == [{"parts": [{"text": "Say hello."}], "role": "user"}]
    assert "systemInstruction" not in gemini.requests[0].body


async def test_an_answer_comes_piece_by_piece_and_the_last_alone_says_how_it_ended(gemini: GeminiStandin, make: Make) -> None:
    gemini.answer(["Zwei", "", " Teile \U0001f600"], chunk_delay_s=0.1)
    seen: list[tuple[Piece, float]] = []
    async for piece in make().write(PROMPT, Deadline(2)):
        seen.append((piece, monotonic()))
    assert [piece for piece, _ in seen] == [Piece("Zwei"), Piece(" Teile \U0001f600"), Piece("", "stop")]
    assert seen[1][1] - seen[0][1] > 0.15


# --- faults


BEFORE_TEXT = {
    "400": (ModelRejected, 1),
    "400key": (ModelMisconfigured, 1),
    "401": (ModelMisconfigured, 1),
    "403": (ModelMisconfigured, 1),
    "404": (ModelMisconfigured, 1),
    "408": (ModelUnavailable, 2),
    "429": (ModelBusy, 2),
    "429ri": (ModelBusy, 1),
    "429ra": (ModelBusy, 1),
    "429day": (ModelBusy, 1),
    "500": (ModelUnavailable, 2),
    "502html": (ModelUnavailable, 2),
    "503": (ModelUnavailable, 2),
    "504": (ModelUnavailable, 2),
    "badjson": (ModelBadResponse, 2),
    "close": (ModelBadResponse, 2),
}
"""Fault -> the class it becomes, and the calls the upstream gets. The same for both verbs."""
OF_GENERATION = {
    "empty": (ModelEmpty, 2),
    "list": (ModelEmpty, 2),
    "null": (ModelEmpty, 2),
    "maxempty": (ModelEmpty, 2),
    "functioncall": (ModelEmpty, 2),
    "ssetrunc0": (ModelBadResponse, 2),
    "sseerr0": (ModelEmpty if IS_OLDER else ModelUnavailable, 2),  # google-generativeai drops an error inside a stream
}
OF_EMBEDDING = {
    "empty": (ModelBadResponse, 2),
    "list": (ModelBadResponse, 2),
    "null": (ModelBadResponse, 2),
    "trunc": (ModelBadResponse, 2),
    "wrongcount": (ModelBadResponse, 2),
    "wrongdims": (IndexMismatch, 1),
    "nan": (IndexMismatch, 1),
}


@pytest.mark.parametrize(("fault", "expected"), (BEFORE_TEXT | OF_GENERATION).items())
async def test_a_fault_before_the_first_text_is_named_and_tried_again_only_when_that_may_help(
    gemini: GeminiStandin, make: Make, fault: str, expected: tuple[type[ServiceError], int]
) -> None:
    gemini.fail(fault)
    error, took_s = await failure_of(written(make()))
    assert (type(error), gemini.calls("generate")) == expected
    assert took_s < 1
    assert KEY not in error.cause
    assert len(error.cause) <= 200


@pytest.mark.parametrize(("fault", "expected"), (BEFORE_TEXT | OF_EMBEDDING).items())
async def test_a_fault_of_embedding_is_named_and_tried_again_only_when_that_may_help(
    gemini: GeminiStandin, make: Make, fault: str, expected: tuple[type[ServiceError], int]
) -> None:
    gemini.fail(fault, on="embed")
    error, took_s = await failure_of(make().embed_query("hello", Deadline(2)))
    assert (type(error), gemini.calls("embed")) == expected
    assert took_s < 1


@pytest.mark.parametrize("fault", [fault for fault, (_, calls) in (BEFORE_TEXT | OF_GENERATION).items() if calls == 2])
async def test_what_fails_once_is_answered_at_the_second_try(gemini: GeminiStandin, make: Make, fault: str) -> None:
    gemini.fail(fault, times=1)
    assert await make().generate_content("hi") == WHOLE
    assert gemini.calls("generate") == 2


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("ssetrunc", ModelBadResponse),
        ("trunc", ModelBadResponse),
        ("ssebad", ModelBadResponse),
        ("sseerr", ModelBadResponse if IS_OLDER else ModelUnavailable),
        ("ssehang", DeadlineExceeded),
    ],
)
async def test_an_answer_that_breaks_off_after_text_fails_and_is_not_begun_again(
    gemini: GeminiStandin, make: Make, fault: str, expected: type[ServiceError]
) -> None:
    gemini.fail(fault)
    pieces: list[Piece] = []

    async def collect() -> None:
        async for piece in make().write(PROMPT, Deadline(1)):
            pieces.append(piece)

    error, took_s = await failure_of(collect())
    assert type(error) is expected
    assert pieces == [Piece("Answer from ")]
    assert gemini.calls("generate") == 1
    assert took_s < 2


async def test_an_answer_without_a_finish_reason_is_taken_for_cut_off(gemini: GeminiStandin, make: Make) -> None:
    gemini.fail("ssenofinish")
    error, _ = await failure_of(written(make()))
    assert type(error) is ModelBadResponse
    assert gemini.calls("generate") == 1


@pytest.mark.filterwarnings("ignore:COSMIC_RAY is not a valid")
@pytest.mark.parametrize(
    ("fault", "text", "finish"),
    [
        ("nocand", "", "blocked"),
        ("safety", "", "blocked"),
        ("recitation", "", "blocked"),
        ("max", WHOLE, "length"),
        ("unknownfinish", WHOLE, "stop"),
    ],
)
async def test_an_unusual_end_is_told_and_not_tried_again(
    gemini: GeminiStandin, make: Make, fault: str, text: str, finish: str
) -> None:
    gemini.fail(fault)
    pieces = await written(make())
    assert ("".join(piece.text for piece in pieces), pieces[-1].finish) == (text, finish)
    assert [piece.finish for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert gemini.calls("generate") == 1


async def test_nobody_at_the_address_is_named_unavailable(gemini: GeminiStandin, make: Make) -> None:
    service = make()
    gemini.stop()
    for call in (written(service), service.get_embedding("hello")):
        error, took_s = await failure_of(call)
        assert type(error) is ModelUnavailable
        assert took_s < 1
    gemini.start()
    assert await service.generate_content("hi") == WHOLE


async def test_a_hundred_passages_go_in_one_call_and_one_more_is_refused(gemini: GeminiStandin, make: Make) -> None:
    service = make()
    assert len(await service.embed_passages([passage(str(number)) for number in range(100)], Deadline(2))) == 100
    error, _ = await failure_of(service.embed_passages([passage(str(number)) for number in range(101)], Deadline(2)))
    assert (type(error), gemini.calls("embed")) == (ModelRejected, 2)
