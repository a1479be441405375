"""POST requests made by hypothesis, written as text: what no JSON library would write can stand in them too."""

import http.client
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from chatbot_api.ai_sdk_endpoint import UIChatRequest
from chatbot_api.models.chat_models import AskContext, ChatRequest, ClaimedTurn, SearchRequest
from chatbot_api.models.conversation_models import FeedbackRequest
from chatbot_api.openai_endpoint import CompletionRequest
from generated_replies import LIMIT_S, Reply
from hostile_requests import CANARY

ROUTES: dict[str, type[BaseModel]] = {
    "/chat": ChatRequest,
    "/chat/stream": ChatRequest,
    "/search": SearchRequest,
    "/feedback": FeedbackRequest,
}
"""Every POST route of our own API, and what it takes."""
DOOR_ROUTES: dict[str, type[BaseModel]] = {"/v1/chat/completions": CompletionRequest, "/api/chat": UIChatRequest}
"""Those of other protocols, which are open where a setting says so."""


class Sent(NamedTuple):
    """One request."""

    route: str
    body: bytes
    headers: dict[str, str]


# --- JSON as text

_ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
"""Lone surrogates among it."""
_TEXT = st.one_of(_ANY_TEXT, st.builds(lambda before, after: before + CANARY + after, _ANY_TEXT, _ANY_TEXT))
_LONG = st.builds(lambda sign, many: CANARY + sign * many, st.sampled_from("aä😀 \u200b\u0000"), st.integers(1, 6_000))
_ODD_STRINGS = st.sampled_from([
    r'"\ud800"', r'"\udfff\ud800"', r'"\ud83d\ude00"', r'"\u0000"', r'"\x41"', r'"\u12"', '"\x01"', '"', "'a'", r'"\/"', '"\n"',
    r'"\u202e\u2066"', '"\U000e0041\ufe00"', '"\ufeff"', r'"a\u0301"', '"{0.__class__} {{7*7}} %s"', '"c_x"', '"good"', '"up"',
])  # fmt: skip
_STRINGS = st.one_of(
    _TEXT.map(json.dumps), _TEXT.map(lambda text: json.dumps(text, ensure_ascii=False)), _LONG.map(json.dumps), _ODD_STRINGS
)
_NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats().map(json.dumps),  # NaN and Infinity as Python's json writes and reads them
    st.builds(
        lambda sign, digit, many: sign + digit * many, st.sampled_from(["", "-"]), st.sampled_from("19"), st.integers(1, 6000)
    ),
    st.sampled_from(
        ["1e999", "-1e999", "1e-999", "-0", "0.0", "1.0", "01", "+1", ".5", "1.", "0x1", "1_0", "nan", "1e5000000000"]
    ),
)
_SCALARS = st.one_of(_STRINGS, _NUMBERS, st.sampled_from(["null", "true", "false", "True", "undefined", "", "/**/1"]))
_KEYS = st.one_of(_STRINGS, st.sampled_from(['"__proto__"', '"constructor"', '"query"', '"type"', '""', "query", "1"]))


def _list(items: list[str]) -> str:
    return "[" + ",".join(items) + "]"


def _object(pairs: list[tuple[str, str]]) -> str:
    """A key may stand in it twice."""
    return "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"


_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=6).map(_list), st.lists(st.tuples(_KEYS, inner), max_size=6).map(_object)),
    max_leaves=12,
)
_DEEP = st.builds(
    lambda signs, depth, middle, lost: signs[0] * depth + middle + signs[1] * (depth - lost),
    st.sampled_from([("[", "]"), ('{"a":', "}"), ('[{"query":', "}]")]),
    st.integers(1, 5_000),
    _SCALARS,
    st.sampled_from([0, 0, 0, 1]),
)


# --- the bodies of the routes


def _fields(model: type[BaseModel]) -> st.SearchStrategy[str]:
    """An object with fields of this model, each with a value that may fit, or any at all."""
    names = st.sampled_from([f'"{name}"' for name in model.model_fields])
    pair = st.one_of(*(st.tuples(st.just(f'"{name}"'), _fitting(name)) for name in model.model_fields))
    return st.lists(st.one_of(pair, pair, st.tuples(names, _VALUES), st.tuples(_KEYS, _VALUES)), max_size=7).map(_object)


def _fitting(name: str) -> st.SearchStrategy[str]:
    if name == "context":
        return st.one_of(st.deferred(lambda: _fields(AskContext)), _STRINGS)
    if name == "history":
        return st.lists(st.deferred(lambda: _fields(ClaimedTurn)), max_size=22).map(_list)
    if name == "messages":
        return st.lists(st.one_of(_MESSAGES, _VALUES), max_size=6).map(_list)
    if name == "trigger":
        return st.sampled_from(['"submit-message"', '"regenerate-message"'])
    if name in ("metadata", "stream_options"):
        return st.lists(st.tuples(_INNER_KEYS, _VALUES), max_size=2).map(_object)
    if name == "top_k":
        return st.integers(-1, 22).map(str)
    if name == "stream":
        return st.sampled_from(["true", "false", "0", '"yes"'])
    if name == "rating":
        return st.sampled_from(['"up"', '"down"', '"good"', '"bad"'])
    return _STRINGS


_INNER_KEYS = st.one_of(st.sampled_from(['"conversation_id"', '"conversationId"', '"include_usage"']), _KEYS)
_PARTS = st.lists(
    st.one_of(_STRINGS.map(lambda text: f'{{"type":"text","text":{text}}}'), _VALUES), max_size=3
).map(_list)  # fmt: skip
_MESSAGES = st.builds(
    lambda role, content, identity: (
        f'{{"role":{role},"content":{content},"parts":{content},"id":{identity},"metadata":{content}}}'
    ),
    st.sampled_from(['"user"', '"user"', '"assistant"', '"system"', "null", f'"{CANARY}"']),
    st.one_of(_STRINGS, _PARTS, _VALUES),
    _SCALARS,
)
_QUESTION = json.dumps(f"How do I pair a lamp? {CANARY}")
_MESSAGE = f'{{"role":"user","content":{_QUESTION},"parts":[{{"type":"text","text":{_QUESTION}}}]}}'


def _asked(text: str) -> str:
    """The same object with what it can't do without, so that its other fields are looked at."""
    needed = f'"query":{_QUESTION},"message_id":"m_{CANARY}","rating":"up","messages":[{_MESSAGE}]'
    return "{" + needed + ("," if text != "{}" else "") + text[1:]


def _texts(model: type[BaseModel]) -> st.SearchStrategy[str]:
    fields = _fields(model)
    return st.one_of(
        fields, fields.map(_asked), fields.map(_asked), _VALUES, _DEEP, st.builds(lambda a, b: a + b, fields, _VALUES)
    )


def _encoded(text: str, coding: str) -> bytes:
    return b"\xef\xbb\xbf" + text.encode("utf-8", "surrogatepass") if coding == "bom" else text.encode(coding, "surrogatepass")


_CODINGS = st.sampled_from(["utf-8"] * 8 + ["bom", "utf-16", "utf-16-be", "utf-32", "utf-32-le"])


def _bodies(model: type[BaseModel]) -> st.SearchStrategy[bytes]:
    whole = st.builds(_encoded, _texts(model), _CODINGS)
    cut = st.builds(lambda body, at: body[: at % (len(body) + 1)], whole, st.integers(0, 500))
    return st.one_of(
        whole, whole, whole, cut, st.binary(max_size=300), st.builds(lambda a, b: a + b, whole, st.binary(max_size=9))
    )


# --- the requests

_PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)
_MARKED = _PRINTABLE.map(lambda text: f"{CANARY} {text}")
_MEDIA = st.sampled_from(
    ["application/json"] * 12 + ["application/json; charset=utf-7", "APPLICATION/JSON", "text/plain", "", f"x/{CANARY}"]
)
_OPTIONAL = {
    "Accept": st.sampled_from(["text/event-stream", "*/*", "application/json", "text/html;q=0.1", f"x/{CANARY}"]),
    "X-Stream-Response": st.sampled_from(["true", "TRUE", "1", CANARY]),
    "Idempotency-Key": st.one_of(st.just(""), _MARKED, st.just(CANARY * 20)),
    "X-Visitor-Id": _MARKED,
    "X-Site-Key": _MARKED,
    "Origin": st.sampled_from([f"https://{CANARY}.example", "null", CANARY, "http://[", "https://[::1"]),
    "Content-Encoding": st.sampled_from(["identity", "identity", "gzip", CANARY]),
    "Cookie": _MARKED,
}


def _headers() -> st.SearchStrategy[dict[str, str]]:
    some = st.lists(st.sampled_from(sorted(_OPTIONAL)), max_size=2, unique=True)
    optional = some.flatmap(lambda names: st.fixed_dictionaries({name: _OPTIONAL[name] for name in names}))
    return st.builds(lambda media, more: {"Content-Type": media, **more}, _MEDIA, optional)


def requests_of(route: str) -> st.SearchStrategy[Sent]:
    """Requests to one of ROUTES or DOOR_ROUTES; bodies over the limit are rare among them."""
    return st.builds(Sent, st.just(route), _bodies({**ROUTES, **DOOR_ROUTES}[route]), _headers())


class Caller:
    """Sends requests one after another on one connection, and reads each reply to its end."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT_S)

    def reply_to(self, sent: Sent) -> Reply:
        """The reply; status 0 where the service hung up or said nothing in time."""
        started = time.monotonic()
        status, headers, body = 0, dict[str, str](), b""
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # a body that is refused before its end: read the refusal
                self._connection.request("POST", sent.route, sent.body, sent.headers)
            response = self._connection.getresponse()
            body = response.read()
            status, headers = response.status, {name.lower(): value for name, value in response.getheaders()}
        except (OSError, http.client.HTTPException):
            self._connection.close()
        return Reply("POST", sent.route, status, headers, body, time.monotonic() - started, sent.body)

    def close(self) -> None:
        self._connection.close()


def send_generated(
    url: str, route: str, take: Callable[[Reply], object], *, requests: int, start: int, shrink: bool = True
) -> None:
    """Send so many requests to a route; each reply is taken. ``start``: the same makes the same ones.

    What ``take`` raises is raised, for the smallest request that makes it so where ``shrink`` is asked for.
    """
    caller = Caller(url)

    @seed(start)
    @settings(
        max_examples=requests,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests_of(route))
    def ask(sent: Sent) -> None:
        take(caller.reply_to(sent))

    try:
        ask()
    finally:
        caller.close()
