"""A transcript of the ChatKit door: requests that are sent again, and replies that come to the same but for ids and times.

Lines: ``### `` a title, ``= `` how the model fails this once, or what it answers from here on, ``> `` the request, ``< `` the
reply's status and type, then its body. Ids stand by their kind and in the order they came up.
"""

import json
import re
from dataclasses import dataclass

import httpx

from chatkit_reader import ALICE, BOB
from gemini_standin import GeminiStandin

VISITORS = {"Alice": ALICE, "Bob": BOB}
_ID = re.compile(r"\b([cmi])_[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])")
_TIME = re.compile(r'("created_at":")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"')
_REQUEST_ID = re.compile(r'("request_id":")[0-9a-f]{32}"')


@dataclass(frozen=True)
class Step:
    """One exchange as it is written down."""

    title: str
    model: str
    """``fail FAULT``, ``answer JSON`` or empty."""
    visitor: str
    request: str


def steps_of(text: str) -> list[Step]:
    """The requests of a transcript."""
    steps: list[Step] = []
    for block in text.split("\n### ")[1:]:
        title, *lines = block.split("\n")
        (first, request) = [line.removeprefix("> ") for line in lines if line.startswith("> ")]
        model = next((line.removeprefix("= ") for line in lines if line.startswith("= ")), "")
        steps.append(Step(title, model, first.removeprefix("POST /chatkit as "), request))
    return steps


class Replay:
    """Sends a transcript's requests to a service and writes down what comes back."""

    def __init__(self, client: httpx.Client, model: GeminiStandin) -> None:
        self._client, self._model = client, model
        self._names: dict[str, str] = {}

    def written(self, step: Step) -> str:
        """The step with the reply it got."""
        self._prepare(step.model)
        request = step.request
        for identity, name in self._names.items():
            request = request.replace(f'"{name}"', f'"{identity}"')
        headers = {"Content-Type": "application/json", "X-Visitor-Id": VISITORS[step.visitor]}
        reply = self._client.post("/chatkit", content=request.encode(), headers=headers)
        head = [f"### {step.title}", *([f"= {step.model}"] if step.model else [])]
        head += [f"> POST /chatkit as {step.visitor}", f"> {step.request}"]
        status = f"< {reply.status_code} {reply.headers['content-type']}"
        return "\n".join([*head, status, self._named(reply.text).strip("\n")])

    def _prepare(self, model: str) -> None:
        verb, _, value = model.partition(" ")
        self._model.heal()
        if verb == "fail":
            self._model.fail(value)
        elif verb == "answer":
            self._model.answer(json.loads(value), chunk_delay_s=0.1)  # each piece by itself

    def _named(self, text: str) -> str:
        text = _TIME.sub(r'\g<1>TIME"', _REQUEST_ID.sub(r'\g<1>REQUEST"', text))
        return _ID.sub(self._name, text)

    def _name(self, match: re.Match[str]) -> str:
        kind = {"c": "THREAD", "m": "ITEM", "i": "HIDDEN"}[match[1]]
        count = sum(name.startswith(kind) for name in self._names.values())
        return self._names.setdefault(match[0], f"{kind}-{count + 1}")
