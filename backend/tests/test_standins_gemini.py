"""The Gemini stand-in against google-genai: what other tests prove with it is worth what is proved here."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from http.client import HTTPConnection
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import errors, types

from gemini_faults import STATUS_FAULTS
from gemini_standin import GeminiStandin, bag_of_words, gemini_standin

CONFIG = types.GenerateContentConfig(automatic_continuation=False)
WHOLE = "Answer from the stand-in [1]."
NO_WARNING = "ignore:(COSMIC_RAY is not a valid|there are non-text parts)"


@pytest.fixture
def gemini() -> Iterator[GeminiStandin]:
    with gemini_standin() as standin:
        yield standin


@pytest.fixture
async def sdk(gemini: GeminiStandin) -> AsyncIterator[Any]:
    async with aiohttp.ClientSession() as session:
        options = types.HttpOptions(
            api_version="v1beta",
            base_url=gemini.url,
            aiohttp_client=session,
            retry_options=types.HttpRetryOptions(attempts=1),
        )
        client = genai.Client(api_key="test-key", http_options=options)
        yield client.aio.models
        await client.aio.aclose()
        client.close()


async def generated(sdk: Any) -> tuple[str | None, str | None]:
    """Text and finish reason."""
    response = await sdk.generate_content(model="m", contents="How do I start?", config=CONFIG)
    return response.text, response.candidates[0].finish_reason if response.candidates else None


async def streamed(sdk: Any, into: list[str | None]) -> str | None:
    """The texts of the events, and the last finish reason."""
    finish = None
    async for event in await sdk.generate_content_stream(model="m", contents="How do I start?", config=CONFIG):
        into.append(event.text)
        finish = event.candidates[0].finish_reason if event.candidates else None
    return finish


async def embedded(sdk: Any, *texts: str, size: int | None = 64) -> list[list[float]] | None:
    contents = [types.Content(parts=[types.Part(text=text)]) for text in texts or ("one", "two")]
    config = types.EmbedContentConfig(output_dimensionality=size, task_type="RETRIEVAL_QUERY")
    response = await sdk.embed_content(model="gemini-embedding-001", contents=contents, config=config)
    return response.embeddings and [one.values for one in response.embeddings]


async def test_gemini_answers_whole_and_in_events(gemini: GeminiStandin, sdk: Any) -> None:
    events: list[str | None] = []
    assert await generated(sdk) == (WHOLE, "STOP")
    assert await streamed(sdk, events) == "STOP"
    assert events == ["Answer from ", "the stand-in [1]."]
    gemini.answer(["Zwei", " Teile \U0001f600"], finish="MAX_TOKENS", chunk_delay_s=0.05)
    started = time.monotonic()
    assert await streamed(sdk, events := []) == "MAX_TOKENS"
    assert events == ["Zwei", " Teile \U0001f600"]
    assert time.monotonic() - started >= 0.1
    asked = gemini.requests[0]
    assert (asked.method, asked.path, asked.headers["x-goog-api-key"]) == ("POST", "/v1beta/models/m:generateContent", "test-key")
    assert asked.body["contents"][0]["parts"] == [{"text": "How do I start?"}]
    assert (gemini.calls("generate"), gemini.calls("embed"), gemini.calls("both")) == (3, 0, 3)


async def test_gemini_describes_models_and_counts_tokens(sdk: Any) -> None:
    assert (await sdk.get(model="gemini-embedding-001")).name == "models/gemini-embedding-001"
    assert (await sdk.count_tokens(model="m", contents="a b c")).total_tokens > 0


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


@pytest.mark.parametrize("size", [None, 256])
async def test_texts_that_share_words_are_near_and_others_are_not(sdk: Any, size: int | None) -> None:
    texts = ("How do I configure the sidebar?", "Sidebar configuration", "Deploying to GitHub Pages")
    question, near, far = await embedded(sdk, *texts, size=size) or []
    assert len(question) == (size or 3072)
    assert cosine(question, near) > 0.9 > 0.2 > cosine(question, far)
    assert math.hypot(*question) > 1.5
    assert near == bag_of_words(texts[1], size or 3072)


@pytest.mark.parametrize("fault", STATUS_FAULTS)
async def test_every_status_of_gemini_reaches_the_client(gemini: GeminiStandin, sdk: Any, fault: str) -> None:
    gemini.fail(fault, on="both", times=3, seconds=7)
    for call in (lambda: generated(sdk), lambda: streamed(sdk, []), lambda: embedded(sdk)):
        with pytest.raises(errors.APIError) as raised:
            await call()
        assert raised.value.code == int(fault[:3])
    told = json.dumps(raised.value.details)
    assert ('"retryDelay": "7s"' in told) == (fault in ("429ri", "429day"))
    assert ("PerDay" in told) == (fault == "429day")
    assert ("API_KEY_INVALID" in told) == (fault == "400key")
    assert ("<html>" in told) == (fault == "502html")
    assert raised.value.response.headers.get("Retry-After") == ("7" if fault == "429ra" else None)


BROKEN = [
    ("badjson", json.JSONDecodeError, [], errors.UnknownApiResponseError),
    ("trunc", aiohttp.ClientPayloadError, ["Answer from "], aiohttp.ClientPayloadError),
    ("close", aiohttp.ServerDisconnectedError, [], aiohttp.ServerDisconnectedError),
    ("hang", TimeoutError, [], TimeoutError),
    ("ssetrunc0", aiohttp.ServerDisconnectedError, [], aiohttp.ClientPayloadError),
    ("ssetrunc", aiohttp.ClientPayloadError, ["Answer from "], aiohttp.ClientPayloadError),
    ("ssebad", json.JSONDecodeError, ["Answer from "], errors.UnknownApiResponseError),
    ("sseerr0", errors.ServerError, [], errors.ServerError),
    ("sseerr", errors.ServerError, ["Answer from "], errors.ServerError),
    ("ssehang", TimeoutError, ["Answer from "], TimeoutError),
]


@pytest.mark.parametrize(("fault", "whole", "before", "in_stream"), BROKEN)
async def test_a_broken_reply_of_gemini_is_seen_as_broken(
    gemini: GeminiStandin, sdk: Any, fault: str, whole: type[Exception], before: list[str], in_stream: type[Exception]
) -> None:
    gemini.fail(fault)
    limit_s = 0.6 if whole is TimeoutError else 10
    with pytest.raises(whole):
        async with asyncio.timeout(limit_s):
            await generated(sdk)
    events: list[str | None] = []
    with pytest.raises(in_stream):
        async with asyncio.timeout(limit_s):
            await streamed(sdk, events)
    assert events == before
    gemini.heal()
    assert await generated(sdk) == (WHOLE, "STOP")


@pytest.mark.filterwarnings(NO_WARNING)
@pytest.mark.parametrize(
    ("fault", "text", "finish"),
    [
        *((fault, None, None) for fault in ("empty", "list", "null", "nocand")),
        *(("safety", None, "SAFETY"), ("recitation", None, "RECITATION"), ("maxempty", None, "MAX_TOKENS")),
        *(("functioncall", None, "STOP"), ("max", WHOLE, "MAX_TOKENS"), ("unknownfinish", WHOLE, "COSMIC_RAY")),
        ("ssenofinish", WHOLE, None),
    ],
)
async def test_an_unusual_answer_of_gemini_is_no_exception(
    gemini: GeminiStandin, sdk: Any, fault: str, text: str | None, finish: str | None
) -> None:
    gemini.fail(fault)
    events: list[str | None] = []
    assert await generated(sdk) == (text, finish)
    assert await streamed(sdk, events) == finish
    assert "".join(event or "" for event in events) == (text or "")


async def test_broken_embeddings_are_only_numbers(gemini: GeminiStandin, sdk: Any) -> None:
    gemini.fail("wrongdims", on="embed")
    assert [len(vector) for vector in await embedded(sdk) or []] == [63, 63]
    gemini.fail("wrongcount", on="embed")
    assert (len(await embedded(sdk) or []), len(await embedded(sdk, "one") or [])) == (1, 2)
    gemini.fail("nan", on="embed")
    assert all(math.isnan(vector[0]) for vector in await embedded(sdk) or [[0.0]])
    for fault in ("empty", "list", "null"):
        gemini.fail(fault, on="embed")
        assert await embedded(sdk) is None


async def test_slow_headers_and_a_dripping_body_come_late_but_whole(gemini: GeminiStandin, sdk: Any) -> None:
    for fault, least_s in (("slowhdr", 0.2), ("drip", 0.3)):
        gemini.fail(fault, seconds=0.2 if fault == "slowhdr" else 0.1, size=80)
        for call in (lambda: generated(sdk), lambda: streamed(sdk, [])):
            started = time.monotonic()
            await call()
            assert time.monotonic() - started >= least_s
    with pytest.raises(TimeoutError):  # each read is quick, so only a deadline around the call ends it
        async with asyncio.timeout(0.15):
            await generated(sdk)


async def test_a_client_that_leaves_is_noticed_and_one_that_stays_is_not_accused(gemini: GeminiStandin, sdk: Any) -> None:
    gemini.answer(["one ", "two ", "three", "four"], chunk_delay_s=0.1)
    await streamed(sdk, [])
    task = asyncio.create_task(streamed(sdk, events := []))
    while not events:  # noqa: ASYNC110 - a list has no event
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = gemini.requests[-1]
    assert await asyncio.to_thread(left.closed.wait, 2)
    assert left.disconnected_at is not None
    assert 0.05 < left.disconnected_at - left.received_at < 2
    assert not gemini.requests[0].closed.is_set()
    assert gemini.requests[0].disconnected_at is None


async def test_a_fault_lasts_as_many_calls_as_asked_for(gemini: GeminiStandin, sdk: Any) -> None:
    gemini.fail("503", on="both", times=1)
    for call in (generated, embedded):
        with pytest.raises(errors.ServerError):
            await call(sdk)
        await call(sdk)
    assert (gemini.calls("generate"), gemini.calls("embed")) == (2, 2)
    with pytest.raises(ValueError, match="no meaning"):
        gemini.fail("safety", on="embed")


async def test_gemini_refuses_what_the_real_one_refuses(gemini: GeminiStandin, sdk: Any) -> None:
    assert len(await embedded(sdk, *["text"] * 100) or []) == 100
    with pytest.raises(errors.ClientError, match="at most 100 requests can be in one batch"):
        await embedded(sdk, *["text"] * 101)
    hasty = types.GenerateContentConfig(http_options=types.HttpOptions(timeout=5000))
    with pytest.raises(errors.ClientError, match="Minimum allowed deadline is 10s"):
        await sdk.generate_content(model="m", contents="hi", config=hasty)
    both = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(thinking_level="minimal", thinking_budget=0))
    with pytest.raises(errors.ClientError, match="thinking budget and thinking level"):
        await sdk.generate_content(model="m", contents="hi", config=both)


def test_the_dialect_of_the_older_client_is_understood_on_one_connection(gemini: GeminiStandin) -> None:
    connection = HTTPConnection("127.0.0.1", int(gemini.url.rsplit(":", 1)[1]), timeout=5)

    def post(path: str, body: Any, key: str = "?key=k") -> tuple[int, Any]:
        connection.request("POST", path + key, json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())

    content = {"parts": [{"text": "sidebar"}]}
    one = {"content": content, "task_type": 1, "output_dimensionality": 16}
    expected = {"values": bag_of_words("sidebar", 16)}
    assert post("/v1/models/e:embedContent", one) == (200, {"embedding": expected})
    assert post("/v1/models/e:batchEmbedContents", {"requests": [one, one]}) == (200, {"embeddings": [expected, expected]})
    status, documents = post("/v1beta/models/m:streamGenerateContent", {"contents": [content]})
    texts = [document["candidates"][0]["content"]["parts"][0]["text"] for document in documents]
    assert (status, texts) == (200, ["Answer from ", "the stand-in [1]."])
    gemini.fail("503", times=1)
    status, documents = post("/v1beta/models/m:streamGenerateContent", {"contents": [content]})
    assert (status, documents[0]["error"]["status"]) == (503, "UNAVAILABLE")
    assert post("/v1beta/models/m:generateContent", {}, key="")[0] == 403
    connection.close()


async def test_gemini_goes_down_and_comes_back_at_its_address(gemini: GeminiStandin, sdk: Any) -> None:
    address = gemini.url
    await generated(sdk)
    gemini.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await generated(sdk)
    gemini.start()
    assert gemini.url == address
    assert await generated(sdk) == (WHOLE, "STOP")
