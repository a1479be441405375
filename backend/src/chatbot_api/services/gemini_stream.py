"""Reads an answer of Gemini's: as server-sent events, or a short one whole."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any, cast

import aiohttp
from pydantic_core import from_json

from chatbot_api.models.answer_models import Prompt
from chatbot_api.models.chat_models import FinishReason
from chatbot_api.services.gemini_answer import Chunk
from chatbot_api.services.gemini_finish import finish_named
from chatbot_api.services.gemini_usage import counts_of
from chatbot_api.services.gemini_wire import GeminiRefused, GeminiWire

LONGEST_EVENT = 1024 * 1024
"""Bytes of an event that has no end yet; a whole answer is a tenth of it."""


class GeminiStream:
    """``streamGenerateContent`` of one model, and its ``generateContent``.

    Both raise GeminiRefused, aiohttp's errors, ValueError and its like for what is no chunk. ``generation``: generationConfig as
    the API has it.
    """

    def __init__(self, wire: GeminiWire, *, model: str) -> None:
        """``model``: with or without ``models/``."""
        self._wire = wire
        self._of_streams, self._of_wholes = (
            wire.address(model, verb) for verb in ("streamGenerateContent?alt=sse", "generateContent")
        )

    async def chunks(self, prompt: Prompt, generation: Mapping[str, Any], *, whole: bool = False) -> AsyncGenerator[Chunk, None]:
        """The chunks as they come, those that came together as one: a process that is busy reads less often, and more at once.

        ``whole``: the first ones as they come, which says that the model is there, and all others at the end. Whoever closes
        this, or is cancelled in it, closes the connection at once.
        """
        async with await self._wire.post(self._of_streams, _body(prompt, generation)) as response:
            async for events in _events(response.content, whole=whole):
                wrong = next((at for at, event in enumerate(events) if "error" in event), len(events))
                if wrong:
                    yield _chunk(events[:wrong])
                for event in events[wrong : wrong + 1]:
                    raise GeminiRefused(event["error"].get("code"), event, response.headers)

    async def whole(self, prompt: Prompt, generation: Mapping[str, Any]) -> Chunk:
        """A reply that is too short to be read in pieces."""
        async with await self._wire.post(self._of_wholes, _body(prompt, generation)) as response:
            return _chunk([_object(from_json(await response.read()))])


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


async def _events(content: aiohttp.StreamReader, *, whole: bool) -> AsyncGenerator[list[dict[str, Any]], None]:
    """The JSON of the events that came together (WHATWG HTML, 9.2.6), at last of what is there beside events: an error may come
    as a bare object.
    """
    rest, data, bare = b"", list[bytes](), list[bytes]()
    async for received in content.iter_any():
        *lines, rest = (rest + received).split(b"\n")
        texts: list[bytes] = []
        for line in lines:
            field = line.removesuffix(b"\r")
            if field.startswith(b"data:"):
                data.append(field[5:])
            elif not field and data:
                texts.append(b"\n".join(data))
                data.clear()
            elif field and not field.startswith((b":", b"event:", b"id:", b"retry:")):
                bare.append(field)
        if len(rest) + sum(map(len, data)) + sum(map(len, bare)) > LONGEST_EVENT:
            raise ValueError("an event without an end")
        events, wrong = _objects(texts)
        if events:
            yield events
        if wrong:
            raise wrong
        if events and whole and content.exception() is None:
            await content.wait_eof()
    events, wrong = _objects(_left_over(rest, data, bare))
    if events:
        yield events
    if wrong:
        raise wrong


def _left_over(rest: bytes, data: list[bytes], bare: list[bytes]) -> list[bytes]:
    """What the stream ended with instead of an empty line."""
    if rest.startswith(b"data:"):
        data.append(rest[5:])
    elif rest.strip():
        bare.append(rest)
    return [b"\n".join(lines) for lines in (data, bare) if lines]


def _objects(texts: list[bytes]) -> tuple[list[dict[str, Any]], ValueError | None]:
    """What the texts say, up to one that is no JSON, and why that is none. Another value than an object says nothing."""
    read: list[Any] = []
    with suppress(ValueError):
        read = from_json(b"[%b]" % b",".join(texts))  # at once, which takes half the time
    if len(read) == len(texts):
        return [_object(value) for value in read], None
    read = []
    for text in texts:
        try:
            read.append(_object(from_json(text)))
        except ValueError as error:
            return read, error
    return read, None


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _chunk(events: list[dict[str, Any]]) -> Chunk:
    """Events as one chunk: all their text, what they say last of their end, and of their tokens."""
    texts: list[str] = []
    finish: FinishReason | None = None
    counts: Any = None
    for event in events:
        candidates: list[dict[str, Any]] = event.get("candidates") or [{}]
        content: dict[str, Any] = candidates[0].get("content") or {}
        parts: list[dict[str, Any]] = content.get("parts") or []
        texts += [part["text"] for part in parts if part.get("text") and not part.get("thought")]
        feedback: dict[str, Any] = event.get("promptFeedback") or {}
        if feedback.get("blockReason"):
            finish = "blocked"
        elif reason := candidates[0].get("finishReason"):
            finish = finish_named(str(reason).upper()) or finish
        counts = event.get("usageMetadata") or counts
    return Chunk("".join(texts), finish, counts_of(counts))
