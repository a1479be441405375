"""Our wire to Gemini against the SDK's: the same request for the same prompt, the same answer for the same bytes."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import types

from chatbot_api.models.answer_models import Prompt
from chatbot_api.models.chat_models import Turn
from chatbot_api.services.gemini_embeddings import EmbeddingModel
from chatbot_api.services.gemini_service import THINKING_LEVELS
from chatbot_api.services.gemini_stream import LONGEST_EVENT, GeminiStream
from chatbot_api.services.gemini_wire import GeminiRefused, GeminiWire
from gemini_standin import GeminiStandin

MODEL = "gemini-3.5-flash-lite"
HISTORY = (Turn(question="What is a hub?", answer="It connects lamps [1]."), Turn(question="«Wo?» 🏠", answer="Im Keller."))
PROMPTS = {
    "bare": Prompt(rules="", history=(), material="", question="Which port?", passages=()),
    "whole": Prompt(rules="Answer from\nthe passages.", history=HISTORY, material="<p>8000</p>", question="Port?", passages=()),
}


def event(text: str | None = None, **more: Any) -> dict[str, Any]:
    content = {} if text is None else {"content": {"role": "model", "parts": [{"text": text}]}}
    return {"candidates": [{**content, "index": 0, **more}], "modelVersion": MODEL}


STREAMS: dict[str, list[dict[str, Any]]] = {
    "plain": [event("Port "), event("8000 [1].", finishReason="STOP")],
    "letters of every width": [event("é"), event("«🏠»\u2028"), event(' \\ "quoted"\n', finishReason="STOP")],
    "a finish of its own": [event("Half"), event(finishReason="MAX_TOKENS")],
    "thoughts": [
        {"candidates": [{"content": {"parts": [{"text": "Hm.", "thought": True}, {"text": "Yes."}], "role": "model"}}]},
        event(finishReason="STOP"),
    ],
    "a blocked question": [{"promptFeedback": {"blockReason": "SAFETY"}}],
    "a blocked answer": [event("Wel"), event(finishReason="SAFETY")],
    "counted": [
        {**event("A"), "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 1, "totalTokenCount": 8}},
        {
            **event("B", finishReason="STOP"),
            "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 5},
        },
    ],
    "fields nobody knows": [{**event("A", novelty={"x": [1]}), "responseId": "r"}, event("B", finishReason="STOP")],
}


@asynccontextmanager
async def saying(pieces: Sequence[bytes]) -> AsyncGenerator[str]:
    """A server whose body comes in these pieces, each on the wire by itself."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        await reader.readexactly(int(length[1]) if length else 0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


@asynccontextmanager
async def wire_to(url: str) -> AsyncGenerator[GeminiWire]:
    wire = GeminiWire("k" * 39, url)
    try:
        yield wire
    finally:
        await wire.close()


def client_at(url: str, session: aiohttp.ClientSession) -> genai.Client:
    options = types.HttpOptions(base_url=url, api_version="v1beta", aiohttp_client=session)
    return genai.Client(api_key="k" * 39, vertexai=False, http_options=options)


def camel(value: Any) -> Any:
    """The same JSON with names in the API's form: the API takes both, and the SDK mixes them."""
    if isinstance(value, list):
        return [camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {re.sub("_([a-z])", lambda found: found[1].upper(), name): camel(one) for name, one in value.items()}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
async def test_the_same_request_is_sent(prompt: Prompt, gemini: GeminiStandin, session: aiohttp.ClientSession) -> None:
    generation = {"maxOutputTokens": 64, "temperature": 0.5, "thinkingConfig": {"thinkingLevel": "MINIMAL"}}
    async with wire_to(gemini.url) as wire:
        async for _ in GeminiStream(wire, model=MODEL).chunks(prompt, generation):
            pass
    config = types.GenerateContentConfig(
        system_instruction=prompt.rules or None,
        max_output_tokens=64,
        temperature=0.5,
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.MINIMAL),
    )
    turns = [(role, [text]) for turn in prompt.history for role, text in (("user", turn.question), ("model", turn.answer))]
    turns.append(("user", [text for text in (prompt.material, prompt.question) if text]))
    contents: Any = [types.Content(role=role, parts=[types.Part(text=text) for text in texts]) for role, texts in turns]
    models: Any = client_at(gemini.url, session).aio.models
    async for _ in await models.generate_content_stream(model=MODEL, contents=contents, config=config):
        pass
    mine, theirs = gemini.requests
    assert mine.path == theirs.path
    assert camel(mine.body) == camel(theirs.body)
    for name in ("x-goog-api-key", "content-type", "accept", "accept-encoding"):
        assert mine.headers[name] == theirs.headers[name]


FRAMINGS: dict[str, Callable[[str], str]] = {
    "lf": lambda data: f"data: {data}\n\n",
    "crlf": lambda data: f"data: {data}\r\n\r\n",
}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
@pytest.mark.parametrize("events", STREAMS.values(), ids=STREAMS)
async def test_the_same_bytes_say_the_same_however_they_are_cut(
    events: list[dict[str, Any]], framing: Callable[[str], str], session: aiohttp.ClientSession
) -> None:
    wire = "".join(framing(json.dumps(one, ensure_ascii=False)) for one in events).encode()
    dice = Random(len(wire))
    for _ in range(5):
        cuts = sorted(dice.sample(range(1, len(wire)), 9))
        pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(saying(pieces))
            ours = GeminiStream(await stack.enter_async_context(wire_to(url)), model=MODEL)
            mine = [chunk async for chunk in ours.chunks(PROMPTS["bare"], {})]
            models: Any = client_at(url, session).aio.models
            theirs: list[types.GenerateContentResponse] = [
                chunk async for chunk in await models.generate_content_stream(model=MODEL, contents="Which port?")
            ]
        assert "".join(chunk.text for chunk in mine) == "".join(text_of(chunk) for chunk in theirs)
        assert [chunk.counts[:3] for chunk in mine if chunk.counts][-1:] == [told for one in theirs if (told := counts_of(one))][
            -1:
        ]
        assert mine[-1].finish is not None
        assert not goes_on(theirs[-1])


def text_of(chunk: types.GenerateContentResponse) -> str:
    content = chunk.candidates[0].content if chunk.candidates else None
    return "".join(part.text for part in (content.parts if content else None) or [] if part.text and not part.thought)


def counts_of(chunk: types.GenerateContentResponse) -> tuple[int, int, int] | None:
    told = chunk.usage_metadata
    if told is None:
        return None
    return (told.prompt_token_count or 0, told.candidates_token_count or 0, told.thoughts_token_count or 0)


def goes_on(chunk: types.GenerateContentResponse) -> bool:
    blocked = chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None
    return not blocked and not (chunk.candidates and chunk.candidates[0].finish_reason)


async def test_what_is_no_data_is_skipped_and_the_last_event_needs_no_empty_line() -> None:
    first = 'data: {"candidates": [{"content":\ndata: {"parts": [{"text": "A"}]}}]}'
    wire = f': hello\nevent: x\nid: 7\n{first}\n\ndata:{{"candidates": []}}'
    async with saying([wire.encode()]) as url, wire_to(url) as to:
        assert "".join([chunk.text async for chunk in GeminiStream(to, model=MODEL).chunks(PROMPTS["bare"], {})]) == "A"


async def test_an_event_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    async with saying([b"data: ", *[b"x" * 65536] * (LONGEST_EVENT // 65536 + 8)]) as url, wire_to(url) as wire:
        with pytest.raises(ValueError, match="without an end"):
            _ = [chunk async for chunk in GeminiStream(wire, model=MODEL).chunks(PROMPTS["bare"], {})]


@pytest.mark.parametrize(("model", "path"), [("models/m", "models/m"), ("tunedModels/t", "tunedModels/t"), ("m", "models/m")])
async def test_a_model_is_named_as_the_sdk_names_it(model: str, path: str, gemini: GeminiStandin) -> None:
    async with wire_to(f"{gemini.url}/") as wire:
        with suppress(GeminiRefused):  # the stand-in has no tuned models
            _ = [chunk async for chunk in GeminiStream(wire, model=model).chunks(PROMPTS["bare"], {})]
    assert gemini.requests[0].path == f"/v1beta/{path}:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
async def test_the_same_embedding_is_asked_for(model: str, gemini: GeminiStandin, session: aiohttp.ClientSession) -> None:
    embeddings = EmbeddingModel(model, 256)
    text = embeddings.query("«Wo?» 🏠")
    async with wire_to(gemini.url) as wire:
        address = wire.address(embeddings.name, "batchEmbedContents")
        async with await wire.post(address, embeddings.request(text, "RETRIEVAL_QUERY")) as response:
            mine = await response.json()
    config = types.EmbedContentConfig(output_dimensionality=256, task_type=None if embeddings.has_prefixes else "RETRIEVAL_QUERY")
    models: Any = client_at(gemini.url, session).aio.models
    contents: Any = [types.Content(parts=[types.Part(text=text)])]
    theirs: types.EmbedContentResponse = await models.embed_content(model=model, contents=contents, config=config)
    assert [one["values"] for one in mine["embeddings"]] == [one.values for one in theirs.embeddings or []]
    ours, sdks = gemini.requests
    assert ours.path == sdks.path
    assert camel(ours.body) == camel(sdks.body)


def test_the_thinking_levels_are_those_that_the_sdk_knows() -> None:
    known = {one.value.lower() for one in types.ThinkingLevel if not one.value.endswith("UNSPECIFIED")}
    assert set(THINKING_LEVELS) == known


async def test_a_redirection_is_a_refusal_and_the_key_goes_nowhere_else() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 307 Elsewhere\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    asked: list[bytes] = []
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, wire_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as wire:
        with pytest.raises(GeminiRefused) as refused:
            await wire.post(wire.address("m", "generateContent"), {})
    assert refused.value.status == 307
    assert len(asked) == 1
