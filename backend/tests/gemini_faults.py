"""What Gemini says when it fails: error bodies as google.rpc.Status, unusual answers, and the ways a reply breaks on the wire.

status     400 400key 401 403 404 408 429ri 429ra 429 429day 500 502html 503 504    (kw seconds on 429ri, 429ra, 429day)
body       badjson empty list null                                                  200, but no answer in it
answer     nocand safety recitation maxempty max unknownfinish functioncall         200, of a kind that needs care
stream     ssetrunc0 ssetrunc ssenofinish ssebad sseerr0 sseerr ssehang             what they mean for a whole reply: AS_WHOLE
vectors    wrongdims nan wrongcount
wire       trunc close slowhdr (kw seconds) drip (kw size, seconds) hang
"""

import json
import re
from typing import Any

from gemini_wire import Reply, whole

RPC = "type.googleapis.com/google.rpc."
NO_JSON = '{"candidates": [{"content": {"par'

STATUS_FAULTS = ("400", "400key", "401", "403", "404", "408", "429ri", "429ra", "429", "429day", "500", "502html", "503", "504")
BODY_FAULTS = {"badjson": NO_JSON, "empty": "{}", "list": "[]", "null": "null"}
ANSWER_FAULTS = ("nocand", "safety", "recitation", "maxempty", "max", "unknownfinish", "functioncall")
STREAM_FAULTS = ("ssetrunc0", "ssetrunc", "ssenofinish", "ssebad", "sseerr0", "sseerr", "ssehang")
VECTOR_FAULTS = ("wrongdims", "nan", "wrongcount")
WIRE_FAULTS = ("trunc", "close", "slowhdr", "drip", "hang")

AS_WHOLE = {"ssetrunc0": "close", "ssetrunc": "trunc", "ssebad": "badjson", "sseerr0": "503", "sseerr": "503", "ssehang": "hang"}
"""What a fault of a stream is when the answer was asked for in one piece."""
FINISH = {"max": "MAX_TOKENS", "unknownfinish": "COSMIC_RAY", "ssenofinish": ""}

NUMBERS = {
    "finishReason": {"STOP": 1, "MAX_TOKENS": 2, "SAFETY": 3, "RECITATION": 4},
    "blockReason": {"PROHIBITED_CONTENT": 4},
}
"""https://ai.google.dev/api/generate-content: the order of the values is that of their numbers."""

FAULTS = {
    "generate": {*STATUS_FAULTS, *BODY_FAULTS, *ANSWER_FAULTS, *STREAM_FAULTS, *WIRE_FAULTS},
    "embed": {*STATUS_FAULTS, *BODY_FAULTS, *VECTOR_FAULTS, *WIRE_FAULTS},
    "info": {*STATUS_FAULTS, *BODY_FAULTS, *WIRE_FAULTS},
}
"""Kind of call -> the faults that have a meaning there."""


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    """A google.rpc.Status as Gemini wraps it."""
    body: dict[str, Any] = {"code": code, "message": message, "status": status}
    return {"error": {**body, "details": list(details)} if details else body}


def _info(reason: str) -> dict[str, Any]:
    service = {"service": "generativelanguage.googleapis.com"}
    return {"@type": RPC + "ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": service}


def _quota(seconds: float, period: str) -> dict[str, Any]:
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": f"GenerateRequestsPer{period}PerProjectPerModel-FreeTier",
        "quotaDimensions": {"location": "global", "model": "gemini-3.5-flash-lite"},
        "quotaValue": "10",
    }
    link = {"description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/gemini-api/docs/rate-limits"}
    return error(
        429,
        "RESOURCE_EXHAUSTED",
        f"You exceeded your current quota, please check your plan and billing details. Please retry in {seconds:g}s.",
        {"@type": RPC + "QuotaFailure", "violations": [violation]},
        {"@type": RPC + "Help", "links": [link]},
        {"@type": RPC + "RetryInfo", "retryDelay": f"{seconds:g}s"},
    )


BAD_KEY = "API key not valid. Please pass a valid API key."
NO_KEY = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key."
EXHAUSTED = "Resource has been exhausted (e.g. check quota)."

PLAIN = {
    "400": error(400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    "400key": error(
        400,
        "INVALID_ARGUMENT",
        BAD_KEY,
        _info("API_KEY_INVALID"),
        {"@type": RPC + "LocalizedMessage", "locale": "en-US", "message": BAD_KEY},
    ),
    "401": error(
        401,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token.",
        _info("ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    ),
    "403": error(403, "PERMISSION_DENIED", "Permission denied: Consumer has been suspended.", _info("CONSUMER_SUSPENDED")),
    "404": error(
        404,
        "NOT_FOUND",
        "models/x is not found for API version v1beta, or is not supported for this method. Call ListModels.",
    ),
    "408": error(408, "CANCELLED", "Request timed out."),
    "429": error(429, "RESOURCE_EXHAUSTED", EXHAUSTED),
    "429ra": error(429, "RESOURCE_EXHAUSTED", EXHAUSTED),
    "500": error(
        500,
        "INTERNAL",
        "An internal error has occurred.",
    ),
    "503": error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "504": error(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}
PROXY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"


def status_reply(fault: str, kw: dict[str, Any], *, in_list: bool = False) -> Reply:
    """The reply of one of STATUS_FAULTS. ``in_list``: streams without alt=sse wrap their errors in a list."""
    if fault == "502html":
        return whole(502, PROXY_PAGE, "text/html")
    if fault in ("429ri", "429day"):
        body = _quota(kw.get("seconds", 7), "Day" if fault == "429day" else "Minute")
    else:
        body = PLAIN[fault]
    headers = {"Retry-After": str(kw.get("seconds", 7))} if fault == "429ra" else {}
    return error_reply(body, headers, in_list=in_list)


def error_reply(body: dict[str, Any], headers: dict[str, str] | None = None, *, in_list: bool = False) -> Reply:
    """A reply with the status that its error body names."""
    return whole(body["error"]["code"], json.dumps([body] if in_list else body).encode(), headers=headers)


def usage(words: int) -> dict[str, int]:
    """Token counts; every chunk of a stream repeats the running total."""
    return {"promptTokenCount": 12, "candidatesTokenCount": words, "totalTokenCount": 12 + words}


def document(text: str | None, finish: str, *, part: dict[str, Any] | None = None) -> str:
    """A GenerateContentResponse. ``text`` None: no parts. ``finish`` empty: no finishReason."""
    content: dict[str, Any] = {"role": "model"}
    if text is not None or part:
        content = {"parts": [part or {"text": text}], "role": "model"}
    candidate = {"content": content, **({"finishReason": finish} if finish else {}), "index": 0}
    return _dump({"candidates": [candidate], "usageMetadata": usage(len((text or "").split()))})


def _dump(body: dict[str, Any]) -> str:
    return json.dumps({**body, "modelVersion": "stand-in", "responseId": "r1"}, ensure_ascii=False)


def numbered(body: str) -> str:
    """The document with its enums as numbers, as `$alt=json;enum-encoding=int` asks for them; 99 for one nobody knows yet."""
    return re.sub(
        r'"(finishReason|blockReason)": "(\w+)"', lambda told: f'"{told[1]}": {NUMBERS[told[1]].get(told[2], 99)}', body
    )


def special_answer(fault: str) -> str | None:
    """The one document of a fault that leaves no text; None for the others."""
    if fault in BODY_FAULTS:
        return BODY_FAULTS[fault]
    if fault == "nocand":
        return _dump({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": usage(0)})
    if fault == "functioncall":
        return document(None, "STOP", part={"functionCall": {"name": "run", "args": {"command": "ls"}}})
    finish = {"safety": "SAFETY", "recitation": "RECITATION", "maxempty": "MAX_TOKENS"}.get(fault)
    return document(None, finish) if finish else None


def break_vectors(fault: str, vectors: list[list[float | str]]) -> list[list[float | str]]:
    """The vectors with one of VECTOR_FAULTS. NaN is the string "NaN" in proto3 JSON."""
    if fault == "wrongdims":
        return [vector[:-1] for vector in vectors]
    if fault == "nan":
        return [["NaN", *vector[1:]] for vector in vectors]
    if fault == "wrongcount":
        return vectors[:-1] or vectors * 2
    return vectors


def break_wire(fault: str, kw: dict[str, Any], reply: Reply) -> Reply:
    """The good reply, let go in the way of one of WIRE_FAULTS or of a stream's own breaks."""
    if fault in ("close", "hang"):
        return Reply(b"", [], end=fault)  # type: ignore[arg-type]
    if fault == "slowhdr":
        reply.before_s += kw.get("seconds", 6.0)
    elif fault == "drip":
        body, size = b"".join(reply.parts), kw.get("size", 16)
        reply.parts = [body[at : at + size] for at in range(0, len(body), size)]
        reply.between_s = kw.get("seconds", 0.5)
    elif fault == "trunc":
        reply.parts, reply.end = [b"".join(reply.parts)[:-20]], "close"
    elif fault == "ssetrunc0":
        reply.parts, reply.end = [], "close"
    elif fault in ("ssetrunc", "ssehang"):
        reply.parts, reply.end = reply.parts[:-2], "hang" if fault == "ssehang" else "close"
    return reply
