"""The choice of the Gemini SDK: what each loads, what is said where the older one is missing, and how that differs."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from chatbot_api.config import Settings
from chatbot_api.engines import provider_of
from chatbot_api.errors import ModelBadResponse, ModelBusy, ModelMisconfigured
from chatbot_api.models.answer_models import Piece, Usage
from chatbot_api.reliability import Deadline
from conftest import index_book, with_gemini
from gemini_callers import PROMPT, Make, failure_of, services_of, written
from gemini_faults import document
from gemini_standin import GeminiStandin
from gemini_wire import Recorded, Reply, WireServer, chunked, whole
from lantern import settings_in
from processes import ran
from sdk_under_test import SDK, of_google_genai, of_google_generativeai

ByAGateway = Callable[[str], Awaitable[list[Piece]]]
LOADED = """if True:
    import asyncio, json, sys
    from chatbot_api.config import load_settings
    from chatbot_api.engines import provider_of
    async def opened():
        await provider_of(load_settings()).close()
    asyncio.run(opened())
    print(json.dumps([name for name in sys.modules if name.startswith("google.")]))
"""
WITHOUT = """if True:
    import sys
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name == "google.generativeai":
                raise ModuleNotFoundError("No module named " + name, name=name)
    sys.meta_path.insert(0, Missing())
    from chatbot_api.server import main
    sys.exit(main())
"""


@pytest.fixture
async def make(gemini: GeminiStandin) -> AsyncIterator[Make]:
    async with services_of(gemini) as new:
        yield new


@of_google_generativeai
def test_the_sdk_that_is_not_chosen_is_not_loaded(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path)
    assert [name for name in loaded if name.startswith("google.genai")] == []
    assert "google.generativeai" in loaded


@of_google_genai("it is loaded with the service")
def test_a_service_that_only_answers_loads_no_sdk_at_all(tmp_path: Path) -> None:
    assert _loaded(tmp_path) == []


def _loaded(tmp_path: Path) -> list[str]:
    """Packages of Google's that a service has loaded which was opened and closed."""
    done = ran(["-c", LOADED], tmp_path, GEMINI_API_KEY="key", GEMINI_SDK=SDK)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_where_the_older_sdk_is_missing_the_start_is_refused_with_the_way_to_get_it(tmp_path: Path, book: Path) -> None:
    index_book(settings_in(tmp_path), book)
    chosen = {"GEMINI_API_KEY": "key", "GEMINI_SDK": "google-generativeai"}
    done = ran(["-c", WITHOUT], tmp_path, DATA_DIR=str(tmp_path / "data"), PORT="0", **chosen)
    assert done.returncode == 78, done.stderr
    assert "Traceback" not in done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("  - ")]
    assert "GEMINI_SDK=google-generativeai needs that package" in sentence
    assert "pip install -r backend/requirements-legacy-sdk.txt" in sentence


async def test_offline_the_sdk_does_not_matter(settings_of: Callable[..., Settings]) -> None:
    model = provider_of(settings_of(gemini_sdk="google-generativeai", provider="offline"))
    assert model.mode == "extractive"
    await model.close()


# --- a gateway that names the reasons of an end, whatever it is asked for


@pytest.fixture
async def by_a_gateway() -> AsyncIterator[ByAGateway]:
    """Has an answer written, whose end the gateway gives this reason."""
    reason = ""

    def named(asked: Recorded) -> Reply:
        said = document("So [1].", reason).encode()
        if "alt=sse" in asked.path:
            return chunked([b"data: " + said + b"\r\n\r\n"], "text/event-stream")
        return whole(200, b"[" + said + b"]")

    async def ending(with_reason: str) -> list[Piece]:
        nonlocal reason
        reason = with_reason
        return await written(make())

    gateway = WireServer(named)
    gateway.start()
    async with services_of(gateway) as make:
        yield ending
    gateway.stop()


@pytest.mark.parametrize(("reason", "finish"), [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "blocked")])
async def test_a_named_reason_is_understood(by_a_gateway: ByAGateway, reason: str, finish: str) -> None:
    pieces = await by_a_gateway(reason)
    assert ("".join(piece.text for piece in pieces), pieces[-1].finish) == ("So [1].", finish)


@of_google_genai("drops a name that it doesn't know, so that the answer looks cut off")
async def test_a_name_that_nobody_knows_yet_is_an_ordinary_end(by_a_gateway: ByAGateway) -> None:
    assert (await by_a_gateway("COSMIC_RAY"))[-1].finish == "stop"


# --- google-generativeai alone


@of_google_generativeai
@pytest.mark.parametrize(("level", "told"), [("minimal", 1), ("high", 1), ("none", 0)])
async def test_a_thinking_level_that_is_not_sent_is_told_at_start(
    gemini: GeminiStandin, settings_of: Callable[..., Settings], level: str, told: int
) -> None:
    with structlog.testing.capture_logs() as lines:
        model = provider_of(settings_of(**with_gemini(gemini, thinking_level=level)))
    assert [line["thinking_level"] for line in lines if line["event"] == "thinking_level_not_sent"] == [level] * told
    await written(model)
    assert "thinkingConfig" not in gemini.requests[0].body["generationConfig"]
    await model.close()


@of_google_generativeai
async def test_tokens_of_thinking_are_what_the_total_has_above_the_others_and_embeddings_count_by_their_length() -> None:
    spent: list[Usage] = []
    counts = {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 25, "totalTokenCount": 40}
    body = {"candidates": [{"content": {"parts": [{"text": "So."}]}, "finishReason": 1}], "usageMetadata": counts}
    vectors = {"embeddings": [{"values": [3.0, 4.0]}]}
    server = WireServer(lambda asked: whole(200, json.dumps(vectors if "Embed" in asked.path else body).encode()))
    server.start()
    async with services_of(server) as make:
        service = make(on_usage=spent.append, dimensions=2)
        assert await service.rewrite(PROMPT, Deadline(5)) == "So."
        assert await service.embed_query("four" * 8, Deadline(5)) == [0.6, 0.8]
    server.stop()
    assert spent == [Usage(10, 30), Usage(8, 0)]


@of_google_generativeai
async def test_an_error_inside_a_begun_stream_is_a_reply_that_broke_off(gemini: GeminiStandin, make: Make) -> None:
    gemini.fail("sseerr")
    error, _ = await failure_of(written(make()))
    assert (type(error), error.cause) == (ModelBadResponse, "the stream ended without a finish reason")


@of_google_generativeai
@pytest.mark.parametrize(("fault", "expected"), [("400key", ModelMisconfigured), ("429ra", ModelBusy)])
async def test_an_error_that_gemini_wraps_in_a_list_is_named(
    gemini: GeminiStandin, make: Make, fault: str, expected: type[Exception]
) -> None:
    gemini.fail(fault)
    error: Any = (await failure_of(written(make())))[0]
    assert type(error) is expected
    assert error.retry_after_s == (7 if fault == "429ra" else None)


@of_google_generativeai
async def test_a_name_that_nobody_knows_yet_makes_an_answer_look_cut_off(by_a_gateway: ByAGateway) -> None:
    error, _ = await failure_of(by_a_gateway("COSMIC_RAY"))
    assert (type(error), error.cause) == (ModelBadResponse, "the stream ended without a finish reason")
