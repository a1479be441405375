"""The readers of the soak: they ask, ask on, leave, rate and send nonsense, and write down what is not as it should be."""

import json
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

DEADLINE_S = 4.0
AFTER_FAULT_S = 2.0
QUESTIONS = (
    "How do I install Lantern with Docker?",
    "and on Windows?",
    "How do I reset a lamp?",
    "How do I pair a lamp with the hub?",
    "why?",
    "Which wine goes with a saffron risotto?",
    "What does radio.channelWidth do?",
)
NONSENSE = (b"{", b'{"query": ""}', b'{"query": NaN}', b"[]", b'{"query": "\\ud800"}', b'{"query": 1e999}')
SLUGS_OF_FAULTS = {
    *("model-unavailable", "model-busy", "model-bad-response", "model-empty", "deadline"),
    *("search-unavailable", "search-bad-response", "store-unavailable", "index-missing"),
}


@dataclass
class Record:
    """What was seen, by all threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    to_explain: list[str] = field(default_factory=list)
    """Ids of requests whose log lines tell why something broke."""
    faults: list[tuple[float, float]] = field(default_factory=list)
    slowest_s: float = 0.0

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def fault(self, what: str, request_id: str = "") -> None:
        with self.lock:
            self.broken.append(f"{time.strftime('%X')} {what} {request_id}".rstrip())
            if request_id:
                self.to_explain.append(request_id)

    def is_failing(self, since: float) -> bool:
        """Whether something failed at a moment between ``since`` and now, or shortly before."""
        with self.lock:
            return any(begun <= time.monotonic() and ended + AFTER_FAULT_S >= since for begun, ended in self.faults)


class Reader(threading.Thread):
    """One visitor, asking until told to stop."""

    def __init__(self, url: str, record: Record, seed: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._client = httpx.Client(
            base_url=url, timeout=30, trust_env=False, headers={"X-Visitor-Id": f"v_soak{seed:020d}", "X-Site-Key": ""}
        )
        self._record, self._chance, self._halt = record, random.Random(seed), stop
        self._conversation: str | None = None
        self.told: dict[str, list[str]] = {}
        """Conversation -> the message ids acknowledged as kept, in order."""

    def run(self) -> None:
        while not self._halt.is_set():
            try:
                self._chance.choices(
                    (self._ask, self._stream, self._leave, self._nonsense, self._rate, self._afresh), (10, 6, 2, 2, 1, 1)
                )[0]()
            except httpx.HTTPError as error:
                self._record.fault(f"no reply: {error!r}")
            self._halt.wait(self._chance.uniform(0.02, 0.15))

    def _body(self) -> dict[str, Any]:
        return {"query": self._chance.choice(QUESTIONS), "conversation_id": self._conversation}

    def _afresh(self) -> None:
        self._conversation = None

    def _ask(self) -> None:
        started = time.monotonic()
        reply = self._client.post("/chat", json=self._body())
        self._ended("/chat", started, reply)
        if reply.status_code == 200:
            self._answered(reply.json())

    def _stream(self) -> None:
        started = time.monotonic()
        events: list[dict[str, Any]] = []
        with self._client.stream("POST", "/chat/stream", json=self._body()) as reply:
            events.extend(json.loads(line[5:]) for line in reply.iter_lines() if line.startswith("data:"))
        self._ended("/chat/stream", started, reply)
        if reply.status_code != 200:
            return
        last = events[-1]["type"]
        if [event["type"] for event in events].count("done") + [event["type"] for event in events].count("error") != 1:
            self._record.fault("a stream without exactly one last event")
        if last == "error":
            self._problem(events[-1]["problem"], started)
        elif last == "done":
            self._answered({**events[-1], **{key: events[0][key] for key in ("conversation_id", "message_id")}})

    def _leave(self) -> None:
        with self._client.stream("POST", "/chat/stream", json=self._body()) as reply:
            for number, _ in enumerate(reply.iter_lines()):
                if number > self._chance.randrange(12):
                    break
        self._record.count("left")

    def _nonsense(self) -> None:
        headers = {"Content-Type": "application/json"}
        reply = self._client.post("/chat", content=self._chance.choice(NONSENSE), headers=headers)
        self._record.count(f"nonsense {reply.status_code}")
        if reply.status_code not in (200, 400, 422) and not (reply.status_code >= 500 and self._record.is_failing(0)):
            self._record.fault(f"nonsense got {reply.status_code}")

    def _rate(self) -> None:
        told = self.told.get(self._conversation or "")
        if told:
            body = {"message_id": self._chance.choice(told), "rating": self._chance.choice(("up", "down"))}
            started = time.monotonic()
            self._ended("/feedback", started, self._client.post("/feedback", json=body))

    def _ended(self, what: str, started: float, reply: httpx.Response) -> None:
        took_s = time.monotonic() - started
        self._record.count(f"{what} {reply.status_code}")
        self._record.slowest_s = max(self._record.slowest_s, took_s)
        if took_s > DEADLINE_S + 0.5:
            self._record.fault(f"{what} took {took_s:.2f} s")
        if reply.status_code >= 400:
            self._problem(reply.json(), started)

    def _problem(self, problem: dict[str, Any], started: float) -> None:
        slug = problem["type"].rpartition(":")[2]
        self._record.count(f"problem {slug}")
        if slug not in SLUGS_OF_FAULTS or not self._record.is_failing(started):
            self._record.fault(f"{slug} while nothing failed", problem["request_id"])

    def _answered(self, answer: dict[str, Any]) -> None:
        self._record.count(f"outcome {answer['outcome']} {','.join(answer['degraded'])}".strip())
        self._conversation = answer["conversation_id"]
        if "history" not in answer["degraded"]:
            self.told.setdefault(self._conversation, []).append(answer["message_id"])
        for source in answer["sources"]:
            if not re.match(r"/docs(/|$)", source["url"]):
                self._record.fault(f"a link out of the index: {source['url']}")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check_turns(self) -> int:
        """Read back every conversation; the turns read."""
        read = 0
        for conversation, told in self.told.items():
            reply = self._client.get(f"/conversations/{conversation}")
            kept = [turn["message_id"] for turn in reply.json().get("turns", ()) if turn["complete"]]
            if [one for one in kept if one in set(told)] != told or len(kept) != len(set(kept)):
                self._record.fault(f"{len(told)} turns were told, {len(kept)} are kept, or in another order")
            read += len(told)
        return read
