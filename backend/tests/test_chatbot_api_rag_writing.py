"""What RagService writes: text as it comes, what stands in when the model fails, its refusals, and a reader who leaves."""

import asyncio
import time

import pytest

from chatbot_api.errors import ModelError, ModelUnavailable
from chatbot_api.reliability import Deadline
from chatbot_api.services.draft import Draft
from chatbot_api.services.prompt import NOT_IN_DOCS
from chatbot_api.services.rag_service import RagService
from gemini_standin import GeminiStandin
from rag_fixtures import DECLINED, DOCKER, RagOf, found_by, written


async def fill(rag: RagService, draft: Draft) -> None:
    async for _ in rag.write(draft, (), Deadline(5)):
        pass


async def test_a_stream_gives_text_as_it_comes_and_a_whole_answer_at_once(asked: RagOf, gemini: GeminiStandin) -> None:
    gemini.answer(["Run the image. ", "Then open the page. ", "That is all [1]."], chunk_delay_s=0.1)
    async with asked() as rag:
        found = await found_by(rag)
        streamed, pieces = await written(rag, found)
        whole, one = await written(rag, found, whole=True)
    assert len(pieces) >= 3
    assert len(one) == 1
    assert "".join(pieces) == "".join(one) == "Run the image. Then open the page. That is all [1]."
    assert streamed.done() == whole.done()


async def test_a_model_that_breaks_off_is_made_good_only_while_nothing_was_given_out(asked: RagOf, gemini: GeminiStandin) -> None:
    gemini.answer(["Run the image. ", "Then open the page. ", "That is all [1]."])
    async with asked() as rag:
        found = await found_by(rag)
        gemini.fail("ssetrunc")
        draft, texts = await written(rag, found, whole=True)
        streamed = rag.draft(found)
        with pytest.raises(ModelError):
            await fill(rag, streamed)
    assert "".join(texts).startswith(DOCKER.text)
    assert (draft.outcome, draft.mode, draft.degraded) == ("degraded", "extractive", ["generation"])
    assert streamed.cited.text.startswith("Run the image.")


@pytest.mark.parametrize("whole", [False, True])
async def test_a_model_that_fails_at_once_is_replaced_by_the_passages_or_not_as_the_settings_say(
    asked: RagOf, gemini: GeminiStandin, whole: bool
) -> None:
    gemini.fail("503")
    async with asked() as rag:
        draft, texts = await written(rag, await found_by(rag), whole=whole)
    assert "".join(texts).startswith(f"{DOCKER.text} [1]")
    assert (draft.outcome, draft.mode, draft.degraded) == ("degraded", "extractive", ["generation"])
    assert draft.done().sources[0].url == "/docs/install#docker"
    async with asked(on_model_failure="error") as rag:
        found = await found_by(rag)
        with pytest.raises(ModelUnavailable):
            await written(rag, found, whole=whole)


async def test_a_model_that_hangs_is_replaced_by_the_passages_before_the_deadline(asked: RagOf, gemini: GeminiStandin) -> None:
    gemini.fail("hang")
    async with asked() as rag:
        found = await found_by(rag)
        started = time.monotonic()
        draft, texts = await written(rag, found, budget_s=1)
    assert time.monotonic() - started < 1.3
    assert draft.degraded == ["generation"]
    assert "".join(texts).startswith(DOCKER.text)


@pytest.mark.parametrize(
    "answer", [[NOT_IN_DOCS], ["NOT_", "IN_", "DOCS", ".\n"], [f" **{NOT_IN_DOCS}**"], [f"`{NOT_IN_DOCS}`", " x"]]
)
@pytest.mark.parametrize("whole", [False, True])
async def test_a_model_that_finds_no_answer_is_put_into_our_words(
    asked: RagOf, gemini: GeminiStandin, answer: list[str], whole: bool
) -> None:
    gemini.answer(answer)
    async with asked() as rag:
        draft, texts = await written(rag, await found_by(rag), whole=whole)
    assert "".join(texts) == DECLINED
    assert (draft.outcome, draft.done().sources) == ("not_in_docs", [])
    assert len(draft.done().nearest) == 3


@pytest.mark.parametrize(
    "answer", [["NOT", "E: run the image [1]."], ["N", "o [1]."], ["Not_in_docs [1]"], ["It is NOT_IN_DOCS [1]"]]
)
async def test_a_text_that_only_begins_like_the_sign_is_passed_on(asked: RagOf, gemini: GeminiStandin, answer: list[str]) -> None:
    gemini.answer(answer)
    async with asked() as rag:
        draft, texts = await written(rag, await found_by(rag))
    assert "".join(texts) == "".join(answer)
    assert draft.outcome == "answered"


async def test_an_answer_that_cites_nothing_says_that_its_citations_are_missing(asked: RagOf, gemini: GeminiStandin) -> None:
    gemini.answer("Run the image [9].")
    async with asked() as rag:
        draft, texts = await written(rag, await found_by(rag))
    assert "".join(texts) == "Run the image."
    assert (draft.outcome, draft.degraded, draft.done().sources) == ("degraded", ["citations"], [])
    assert draft.done().nearest[0].url == "/docs/install#docker"


async def test_a_blocked_answer_names_the_closest_sections_instead(asked: RagOf, gemini: GeminiStandin) -> None:
    gemini.fail("safety")
    async with asked() as rag:
        draft, texts = await written(rag, await found_by(rag))
    assert "".join(texts).startswith("The language model declined to answer this question.")
    assert (draft.outcome, draft.finish_reason) == ("degraded", "blocked")
    assert len(draft.done().sources) == 3


async def test_leaving_the_text_stops_the_model(asked: RagOf, gemini: GeminiStandin) -> None:
    gemini.answer(["Run the image. "] * 100, chunk_delay_s=0.05)
    async with asked() as rag:
        writing = rag.write(rag.draft(await found_by(rag)), (), Deadline(5))
        while not await anext(writing):
            pass
        await writing.aclose()
        (request,) = [request for request in gemini.requests if request.kind == "generate"]
        assert await asyncio.to_thread(request.closed.wait, 1.0)
