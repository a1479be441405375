"""What every reply to a generated request has to be: soon, declared, a whole problem where it refuses, and no echo."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from chatbot_api.models.chat_models import ChatResponse, Problem, SearchResponse
from hostile_requests import CANARY

LIMIT_S = 10.0
"""An answer that takes longer counts as a hang."""
STREAM_ENDS = ("done", "error")
DOOR_STREAM_END = "[DONE]"
"""Behind the last event of other protocols' streams."""
LEAKS = ("Traceback", "pydantic", "starlette", "site-packages")
OWN_WORDS = {"understood_as", "version", "locale"}
"""Fields of an answer that repeat the question on purpose: as it was understood, and where it was searched for."""
_SHAPES = {"/chat": ChatResponse, "/search": SearchResponse}
_DOOR_ENDS = {"/v1/chat/completions": ("chunk",), "/api/chat": ("finish", "error")}


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, read to its end. ``status`` 0: none came."""

    method: str
    route: str
    """As the description names it: /conversations/{conversation_id}."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    seconds: float
    sent: bytes = b""
    """The request's body, to show it where its reply is wrong."""


@dataclass(slots=True)
class Tally:
    """Replies, counted and judged. ``description``: the service's OpenAPI document."""

    description: Mapping[str, Any]
    counts: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    kinds: Counter[str] = field(default_factory=Counter[str])
    """Of faults."""
    faults: list[str] = field(default_factory=list[str])
    slowest: tuple[float, str] = (0.0, "")

    @property
    def cases(self) -> int:
        """Replies taken."""
        return self.counts.total()

    def take(self, reply: Reply) -> list[str]:
        """Count the reply; its faults."""
        name = f"{reply.method} {reply.route}"
        self.counts[name, reply.status] += 1
        self.slowest = max(self.slowest, (reply.seconds, name))
        found = list(faults_of(reply, self.description))
        self.kinds.update(kind for kind, _ in found)
        told = [f"{name} {reply.status}: {kind}: {words}; sent {reply.sent[:400]!r}" for kind, words in found]
        self.faults += told
        return told


def faults_of(reply: Reply, description: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with a reply: the kind, and words about it."""
    if reply.seconds >= LIMIT_S:
        yield "hang", f"{reply.seconds:.1f} s"
    if reply.status == 0:
        if reply.seconds < LIMIT_S:
            yield "lost", f"hung up on {len(reply.sent)} bytes"
        return
    if reply.status >= 500:
        yield "5xx", repr(reply.body[:300])
    operation = description["paths"][reply.route].get(reply.method.lower())
    if operation and str(reply.status) not in operation["responses"]:
        yield "undeclared", "the description names no such status"
    if not operation and reply.status != 405:
        yield "undeclared", "the description names no such method"
    if CANARY in "\n".join(f"{name}: {value}" for name, value in reply.headers.items()):
        yield "echo", "in a header"
    if reply.status >= 400:
        yield from _faults_of_problem(reply)
    elif reply.status != 204:
        yield from _faults_of_answer(reply)
    if reply.status == 204 and reply.body:
        yield "shape", "204 with a body"


def _faults_of_problem(reply: Reply) -> Iterator[tuple[str, str]]:
    text = reply.body.decode("utf-8", "replace")
    if CANARY in text:
        yield "echo", text[:300]
    if leaks := [word for word in LEAKS if word in text]:
        yield "leak", str(leaks)
    if reply.headers.get("content-type") != "application/problem+json":
        yield "shape", f"an error as {reply.headers.get('content-type')}"
        return
    try:
        values = json.loads(reply.body)
        if reply.route.startswith("/v1/") and values.pop("error")["code"] != values["type"].rpartition(":")[2]:
            yield "shape", "its clients are told of another problem"
        problem = Problem.model_validate(values, strict=True, extra="forbid")
    except (ValueError, KeyError) as error:
        yield "shape", str(error)[:300]
        return
    if (problem.status, problem.request_id) != (reply.status, reply.headers.get("x-request-id")):
        yield "shape", "status or request id is another than the reply's"
    if not set(reply.body) <= set(range(32, 127)):
        yield "shape", "a problem that is not plain ASCII"


def _faults_of_answer(reply: Reply) -> Iterator[tuple[str, str]]:
    media = reply.headers.get("content-type", "").partition(";")[0]
    try:
        said = _said(media, reply.body)
    except ValueError as error:
        yield "shape", f"{media} that can't be read: {error}"
        return
    if any(CANARY in text for text in _texts(said)):
        yield "echo", repr(reply.body[:300])
    if media != "application/json":
        is_ours = reply.route not in _DOOR_ENDS
        last = said[-1].get("type", "chunk") if said else ""
        if last not in (STREAM_ENDS if is_ours else _DOOR_ENDS[reply.route]):
            yield "shape", "a stream without an end"
        if not is_ours and not reply.body.endswith(f"data: {DOOR_STREAM_END}\n\n".encode()):
            yield "shape", "a stream that does not say that it is done"
        if last == "error":
            yield "5xx", f"in a stream: {said[-1]}"
    elif reply.route in _SHAPES:
        try:
            _SHAPES[reply.route].model_validate_json(reply.body)
        except ValidationError as error:
            yield "shape", str(error)[:300]


def _said(media: str, body: bytes) -> Any:
    """What stands in a body: one value, or a stream's events. Raises ValueError."""
    text = body.decode()
    if media == "application/json":
        return json.loads(text)
    if media == "text/event-stream":
        data = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
        return [json.loads(one) for one in data if one != DOOR_STREAM_END]
    if media == "application/x-ndjson":
        return [json.loads(line) for line in text.splitlines() if line]
    raise ValueError("not a declared kind")


def _texts(value: Any) -> Iterator[str]:
    """All keys and strings but those that may repeat the question."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from value
        for key, item in value.items():
            if key not in OWN_WORDS:
                yield from _texts(item)
