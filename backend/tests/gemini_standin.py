"""A stand-in for the Gemini API: speaks its wire on 127.0.0.1, embeds texts as bags of words, and fails on demand.

Both prefixes (/v1, /v1beta), both spellings of fields (camelCase, snake_case), enums by name or number (in replies by number
where $alt=json;enum-encoding=int asks for it), with and without alt=sse, so that google-genai and google-generativeai can both be
pointed at it. Refuses what the real service refuses: no key, more than 100 texts in a batch, X-Server-Timeout below 10, a
thinking level together with a thinking budget.
"""

import json
import re
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gemini_faults import (
    AS_WHOLE,
    FAULTS,
    FINISH,
    NO_JSON,
    NO_KEY,
    PLAIN,
    STATUS_FAULTS,
    break_vectors,
    break_wire,
    document,
    error,
    error_reply,
    numbered,
    special_answer,
    status_reply,
)
from gemini_wire import Recorded, Reply, WireServer, chunked, whole

ROUTE = re.compile(r"/(?:v1|v1beta)/models/(?P<model>[^:/]+)(?::(?P<verb>\w+))?$")
KINDS = {
    "generateContent": "generate",
    "streamGenerateContent": "generate",
    "embedContent": "embed",
    "batchEmbedContents": "embed",
    "countTokens": "info",
    None: "info",
}
GROUPS = {"both": ("generate", "embed"), "all": ("generate", "embed", "info")}
BATCH_LIMIT = 100
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can do does for from how i if in is it its my of on or that the this to was what when"
        " where which who why will with you your",
    )
)


@dataclass
class _Fault:
    name: str = ""
    left: float = 0.0
    kw: dict[str, Any] = field(default_factory=dict)


class GeminiStandin:
    """One stand-in: what it says, how it fails, and what it was asked. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._server = WireServer(self._handle)
        self._lock = threading.Lock()
        self._faults: dict[str, _Fault] = {}
        self.answer(["Answer from ", "the stand-in [1]."])

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``, without a prefix."""
        return self._server.url

    @property
    def requests(self) -> list[Recorded]:
        """Every request, in the order received."""
        return self._server.requests

    def answer(self, text: str | list[str], *, finish: str = "STOP", chunk_delay_s: float = 0.0) -> None:
        """What generate and stream say from now on; a list is a stream's events. Each event waits ``chunk_delay_s`` before it."""
        self._answer = ([text] if isinstance(text, str) else text, finish, chunk_delay_s)

    def fail(self, fault: str, *, on: str = "generate", times: int | None = None, **kw: Any) -> None:
        """Fail from now on as gemini_faults lists it. ``on``: generate | embed | info | both (generate, embed) | all.

        ``times``: for so many calls of each kind, None for ever. ``kw``: seconds, size.
        ValueError: the fault means nothing there.
        """
        kinds = GROUPS.get(on, (on,))
        if wrong := [kind for kind in kinds if fault not in FAULTS[kind]]:
            raise ValueError(f"fault {fault!r} has no meaning on {wrong}")
        with self._lock:
            for kind in kinds:
                self._faults[kind] = _Fault(fault, float("inf") if times is None else times, kw)

    def heal(self) -> None:
        """Answer well again; answers under way stay as they are."""
        with self._lock:
            self._faults.clear()

    def calls(self, on: str) -> int:
        """How many calls of a kind (as in ``fail``) came in, failed ones too."""
        return sum(recorded.kind in GROUPS.get(on, (on,)) for recorded in list(self.requests))

    def stop(self) -> None:
        """Cut every connection and refuse new ones: the service is down."""
        self._server.stop()

    def start(self) -> None:
        """Up; after a stop, at the same address."""
        self._server.start()

    def _handle(self, recorded: Recorded) -> Reply:
        target = urlsplit(recorded.path)
        query = parse_qs(target.query)
        route = ROUTE.match(target.path)
        if route is None or route["verb"] not in KINDS:
            return whole(404, b"<html><title>Error 404 (Not Found)!!1</title></html>", "text/html")
        recorded.kind = KINDS[route["verb"]]
        if "x-goog-api-key" not in recorded.headers and "key" not in query:
            return error_reply(error(403, "PERMISSION_DENIED", NO_KEY))
        framing = ""
        if route["verb"] == "streamGenerateContent":
            framing = "sse" if query.get("alt") == ["sse"] else "array"
        fault = self._take(recorded.kind)
        name = fault.name if framing else AS_WHOLE.get(fault.name, fault.name)
        if name in STATUS_FAULTS:
            return status_reply(name, fault.kw, in_list=framing == "array")
        if refused := _refusal(recorded):
            return error_reply(error(400, "INVALID_ARGUMENT", refused), in_list=framing == "array")
        told = numbered if query.get("$alt") == ["json;enum-encoding=int"] else str
        reply = self._reply(recorded, route, framing, name, told)
        return break_wire("ssetrunc" if framing and name == "trunc" else name, fault.kw, reply)

    def _take(self, kind: str) -> _Fault:
        with self._lock:
            fault = self._faults.get(kind, _Fault())
            if fault.left <= 0:
                return _Fault()
            fault.left -= 1
            return fault

    def _reply(self, recorded: Recorded, route: re.Match[str], framing: str, fault: str, told: Callable[[str], str]) -> Reply:
        if framing:
            return self._stream(framing, fault, told)
        if route["verb"] in ("embedContent", "batchEmbedContents"):
            return _json(_embeddings(recorded.body, fault, single=route["verb"] == "embedContent"))
        if route["verb"] == "generateContent":
            texts, finish, delay_s = self._answer
            reply = _json(told(special_answer(fault) or document("".join(texts), FINISH.get(fault, finish))))
            reply.before_s = delay_s * len(texts)
            return reply
        if special := special_answer(fault):
            return _json(special)
        if route["verb"] == "countTokens":
            return _json(json.dumps({"totalTokens": len(json.dumps(_get(recorded.body, "contents")).split())}))
        methods = ["generateContent", "countTokens", "embedContent"]
        return _json(
            json.dumps({"name": f"models/{route['model']}", "inputTokenLimit": 2048, "supportedGenerationMethods": methods})
        )

    def _stream(self, framing: str, fault: str, told: Callable[[str], str]) -> Reply:
        texts, finish, delay_s = self._answer
        if len(texts) == 1 and fault:  # a stream breaks between two events
            middle = len(texts[0]) // 2
            texts = [texts[0][:middle], texts[0][middle:]]
        finish = FINISH.get(fault, finish)
        documents = [document(text, "") for text in texts[:-1]] + [document(texts[-1], finish)]
        if special := special_answer(fault):
            documents = [special]
        elif fault in ("ssebad", "sseerr", "sseerr0"):
            kept = [] if fault == "sseerr0" else documents[:-1]
            documents = [*kept, NO_JSON if fault == "ssebad" else json.dumps(PLAIN["503"])]
        documents = [told(one) for one in documents]
        if framing == "sse":
            reply = chunked([f"data: {one}\r\n\r\n".encode() for one in documents], "text/event-stream")
        else:
            opened = [("[" if at == 0 else ",\r\n") + one for at, one in enumerate(documents)]
            reply = chunked([one.encode() for one in [*opened[:-1], opened[-1] + "]"]], "application/json; charset=UTF-8")
        reply.between_s = delay_s
        return reply


def _json(body: str) -> Reply:
    return whole(200, body.encode())


def _get(body: Any, name: str) -> Any:
    """A field by its camelCase name or its snake_case one; None when absent."""
    if not isinstance(body, dict):
        return None
    return body.get(name, body.get(re.sub(r"([A-Z])", lambda capital: "_" + capital[1].lower(), name)))


def _refusal(recorded: Recorded) -> str | None:
    """Why the real service would answer 400."""
    timeout_s = recorded.headers.get("x-server-timeout")
    if timeout_s is not None and float(timeout_s) < 10:
        return f"Manually set deadline {timeout_s}s is too short. Minimum allowed deadline is 10s."
    if recorded.method == "POST" and not isinstance(recorded.body, dict):
        return "Invalid JSON payload received."
    if len(_get(recorded.body, "requests") or ()) > BATCH_LIMIT:
        return "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch"
    thinking = _get(_get(recorded.body, "generationConfig"), "thinkingConfig")
    if None not in (_get(thinking, "thinkingLevel"), _get(thinking, "thinkingBudget")):
        return "You can only set only one of thinking budget and thinking level."
    return None


def _embeddings(body: dict[str, Any], fault: str, *, single: bool) -> str:
    if special := special_answer(fault):
        return special
    asked = [body] if single else _get(body, "requests") or []
    texts = [" ".join(part.get("text", "") for part in _get(_get(one, "content"), "parts") or ()) for one in asked]
    dimensions = [_get(one, "outputDimensionality") or 3072 for one in asked]
    if not fault:
        rendered = [f'{{"values": {_rendered(text, size)}}}' for text, size in zip(texts, dimensions, strict=True)]
        return f'{{"embedding": {rendered[0]}}}' if single else f'{{"embeddings": [{", ".join(rendered)}]}}'
    vectors: list[list[float | str]] = [[*bag_of_words(text, size)] for text, size in zip(texts, dimensions, strict=True)]
    values = [{"values": vector} for vector in break_vectors(fault, vectors)]
    return json.dumps({"embedding": values[0]} if single else {"embeddings": values})


def bag_of_words(text: str, dimensions: int) -> list[float]:
    """Counts of word stems (first 6 letters), hashed into ``dimensions`` places: similar texts are near; never of unit length."""
    vector = [0.0] * dimensions
    vector[0] = 0.25  # a text of function words alone has a direction too
    for word in re.findall(r"\w+", text.lower()):
        if word not in FUNCTION_WORDS:
            vector[zlib.crc32(word[:6].encode()) % dimensions] += 1.5
    return vector


@lru_cache(maxsize=4096)
def _rendered(text: str, dimensions: int) -> str:
    return json.dumps(bag_of_words(text, dimensions))


@contextmanager
def gemini_standin() -> Iterator[GeminiStandin]:
    """A running stand-in, stopped afterwards with every connection."""
    standin = GeminiStandin()
    standin.start()
    try:
        yield standin
    finally:
        standin.stop()
