"""What the Gemini stand-in says: vectors that lie near each other, and one answer, whole or in twenty pieces.

Delays: ``embed`` and ``generate`` until the whole reply, ``first`` until a stream's first piece. A stream's last piece is sent
when a whole reply would be, so that both ways to ask take equally long.
"""

import random
from itertools import cycle
from math import hypot
from typing import Any

import orjson

from speed.wire import Reply, StandIn, json_reply

DIMENSIONS = 768
PIECES = 20
POOL = 64
"""Different vectors for questions; more would only be more memory."""
DELAYS = {"embed": 0.0, "first": 0.0, "generate": 0.0}
SENTENCE = "Set the option in the configuration file and restart the service, then check the log for its name [1]. "
ANSWER = SENTENCE * 12
"""1.2 kB, some 250 tokens: what an answer of three paragraphs takes."""
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _direction(dice: random.Random) -> list[float]:
    return _unit([dice.gauss(0, 1) for _ in range(DIMENSIONS)])


def _unit(vector: list[float]) -> list[float]:
    length = hypot(*vector)
    return [round(value / length, 9) for value in vector]


_CENTRE = _direction(random.Random(0))


def vectors(count: int, seed: int) -> list[list[float]]:
    """Unit vectors whose cosines with each other are about 0.7, as those of one site's passages are: all pass the gate."""
    dice = random.Random(seed)
    return [_unit([near + 0.65 * off for near, off in zip(_CENTRE, _direction(dice), strict=True)]) for _ in range(count)]


def _document(text: str, tokens: int, *, last: bool) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    usage = {
        "promptTokenCount": 1200,
        "candidatesTokenCount": tokens,
        "totalTokenCount": 1200 + tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1200}],
    }
    version = {"modelVersion": "gemini-3.5-flash-lite", "responseId": "mR8faYzMD9-vkdUPu5yPyAk"}
    return orjson.dumps({"candidates": [candidate], "usageMetadata": usage, **version})


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _stream() -> tuple[bytes, ...]:
    size = -(-len(ANSWER) // PIECES)
    texts = [ANSWER[at : at + size] for at in range(0, len(ANSWER), size)]
    documents = [_document(text, 12 * (at + 1), last=at == len(texts) - 1) for at, text in enumerate(texts)]
    events = [_chunk(b"data: %b\r\n\r\n" % one) for one in documents]
    return (STREAM_HEAD + events[0], *events[1:-1], events[-1] + b"0\r\n\r\n")


_WHOLE = (json_reply(_document(ANSWER, 12 * PIECES, last=True)),)
_STREAM = _stream()
_VECTORS = [orjson.dumps({"values": vector}) for vector in vectors(POOL, seed=1)]
_SINGLE = cycle([(json_reply(b'{"embedding":%b}' % one),) for one in _VECTORS])
_BATCH_OF_ONE = cycle([(json_reply(b'{"embeddings":[%b]}' % one),) for one in _VECTORS])
_PASSAGES = random.Random(2)


def answer(stand_in: StandIn, path: str, body: bytes) -> Reply:
    """The reply to a request of the Gemini API; what it does not know is told by a 404."""
    delays = stand_in.delays
    verb = path.partition("?")[0].rpartition(":")[2]
    stand_in.counts[verb] += 1
    match verb:
        case "embedContent":
            return Reply(next(_SINGLE), delays["embed"])
        case "batchEmbedContents":
            return Reply(_batch(body), delays["embed"])
        case "generateContent":
            return Reply(_WHOLE, delays["generate"])
        case "streamGenerateContent":
            return Reply(_STREAM, delays["first"], (delays["generate"] - delays["first"]) / (PIECES - 1))
        case _:
            return Reply((json_reply(b"{}", b"404 Not Found"),))


def _batch(body: bytes) -> tuple[bytes, ...]:
    """One vector a text; only passages come more than one at once, and each batch of them gets vectors of its own."""
    texts = body.count(b'"parts"')
    if texts == 1:
        return next(_BATCH_OF_ONE)
    made = vectors(texts, seed=_PASSAGES.getrandbits(32))
    return (json_reply(orjson.dumps({"embeddings": [{"values": vector} for vector in made]})),)
