"""Reads an answer of Gemini's as server-sent events, over the process' own session.

The SDK makes three models and two JSON texts of every chunk: 16 times the CPU of reading it. It stays the oracle: tests compare
what both send, and what both say, for the same prompt and the same bytes on the wire (ADR 0018).
"""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any, cast

import aiohttp
from google.genai import errors
from yarl import URL

from chatbot_api.models.answer_models import Prompt
from chatbot_api.models.chat_models import FinishReason
from chatbot_api.services.gemini_answer import Chunk
from chatbot_api.services.gemini_finish import finish_named
from chatbot_api.services.gemini_usage import Counts

LONGEST_EVENT = 1024 * 1024
"""Bytes of an event that has no end yet; a whole answer is a tenth of it."""


class GeminiStream:
    """``streamGenerateContent`` of one model. Raises google-genai's APIError, aiohttp's errors, ValueError and its like."""

    def __init__(
        self, session: aiohttp.ClientSession, api_key: str, *, base_url: str, model: str, generation: Mapping[str, Any]
    ) -> None:
        """``generation``: generationConfig as the API has it."""
        name = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
        self._session, self._generation = session, generation
        self._url = URL(f"{base_url.rstrip('/')}/v1beta/{name}:streamGenerateContent?alt=sse")
        self._headers = {"x-goog-api-key": api_key, "Content-Type": "application/json"}

    async def chunks(self, prompt: Prompt) -> AsyncGenerator[Chunk, None]:
        """The chunks as they come, those that came together as one: a process that is busy reads less often, and more at once.

        Whoever closes this, or is cancelled in it, closes the connection at once.
        """
        body = json.dumps(_body(prompt, self._generation)).encode()
        timeout = aiohttp.ClientTimeout(total=None)  # who waits has a deadline
        async with self._session.post(self._url, data=body, headers=self._headers, timeout=timeout) as response:
            failures: Any = errors.APIError  # only partly typed
            await failures.raise_for_async_response(response)
            async for events in _events(response.content):
                wrong = next((at for at, event in enumerate(events) if "error" in event), len(events))
                if said := [_chunk(event) for event in events[:wrong]]:
                    yield _joined(said)
                for event in events[wrong : wrong + 1]:
                    failures.raise_error(event["error"].get("code"), event, response)


def _body(prompt: Prompt, generation: Mapping[str, Any]) -> dict[str, Any]:
    said = [(role, [text]) for turn in prompt.history for role, text in (("user", turn.question), ("model", turn.answer))]
    said.append(("user", [text for text in (prompt.material, prompt.question) if text]))
    body: dict[str, Any] = {
        "contents": [{"role": role, "parts": [{"text": text} for text in texts]} for role, texts in said],
        "generationConfig": dict(generation),
    }
    if prompt.rules:
        body["systemInstruction"] = {"role": "user", "parts": [{"text": prompt.rules}]}
    return body


async def _events(content: aiohttp.StreamReader) -> AsyncGenerator[list[dict[str, Any]], None]:
    """The JSON of the events that came together (WHATWG HTML, 9.2.6), at last of what is there beside events: an error may come
    as a bare object.
    """
    rest, data, bare = b"", list[bytes](), list[bytes]()
    async for received in content.iter_any():
        *lines, rest = (rest + received).split(b"\n")
        whole: list[dict[str, Any]] = []
        for line in lines:
            field = line.removesuffix(b"\r")
            if field.startswith(b"data:"):
                data.append(field[5:])
            elif not field and data:
                try:
                    whole.append(_object(b"\n".join(data)))
                except ValueError:
                    yield whole  # what came before it was well
                    raise
                data.clear()
            elif field and not field.startswith((b":", b"event:", b"id:", b"retry:")):
                bare.append(field)
        if len(rest) + sum(map(len, data)) + sum(map(len, bare)) > LONGEST_EVENT:
            raise ValueError("an event without an end")
        if whole:
            yield whole
    if left := [_object(text) for text in _left_over(rest, data, bare)]:
        yield left


def _left_over(rest: bytes, data: list[bytes], bare: list[bytes]) -> Iterator[bytes]:
    """What the stream ended with instead of an empty line."""
    if rest.startswith(b"data:"):
        data.append(rest[5:])
    elif rest.strip():
        bare.append(rest)
    if data:
        yield b"\n".join(data)
    if bare:
        yield b"\n".join(bare)


def _object(text: bytes) -> dict[str, Any]:
    """Another value than an object says nothing."""
    value: Any = json.loads(text)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _chunk(event: dict[str, Any]) -> Chunk:
    candidates: list[Any] = event.get("candidates") or [{}]
    first: dict[str, Any] = candidates[0]
    content: dict[str, Any] = first.get("content") or {}
    parts: list[dict[str, Any]] = content.get("parts") or []
    text = "".join(part["text"] for part in parts if part.get("text") and not part.get("thought"))
    feedback: dict[str, Any] = event.get("promptFeedback") or {}
    finish = "blocked" if feedback.get("blockReason") else finish_named(str(first.get("finishReason") or "").upper())
    return Chunk(text, finish, _counts(event.get("usageMetadata")))


def _joined(said: list[Chunk]) -> Chunk:
    """As one: all their text, what they say last of their end, and of their tokens."""
    if len(said) == 1:
        return said[0]
    ends: list[FinishReason] = [chunk.finish for chunk in said if chunk.finish]
    counts = [chunk.counts for chunk in said if chunk.counts]
    return Chunk("".join(chunk.text for chunk in said), ends[-1] if ends else None, counts[-1] if counts else None)


def _counts(told: Any) -> Counts | None:
    names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")
    return Counts(*(told.get(name) or 0 for name in names)) if told else None
