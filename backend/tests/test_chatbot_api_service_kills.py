"""The service killed while it answers: what a reader was told is kept, once, and a message sent again is not answered twice."""

import json
import random
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import httpx

from chatbot_api.config import Settings
from conftest import index_book
from processes import running

ROUNDS, READERS = 6, 6
SERVER = ["-m", "chatbot_api.server"]
UNBOUND = {"RATE_LIMIT_PER_VISITOR": "none", "RATE_LIMIT_PER_ADDRESS": "none", "ANSWER_CACHE_TTL_S": "0"}
"""Readers ask as fast as they are answered, and each answer is to be made and kept."""


@dataclass
class Reader:
    """One visitor who asks on and on, each message with an id of its own."""

    visitor: str
    conversation: str | None = None
    told: dict[str, str] = field(default_factory=dict)
    """Client message id -> the message id that was told with status 200."""
    unsure: str = ""
    """The message whose reply was lost."""
    sent: int = 0

    def ask_until_cut(self, url: str, cut: threading.Event) -> None:
        with httpx.Client(base_url=url, timeout=10, trust_env=False, headers={"X-Visitor-Id": self.visitor}) as client:
            while not cut.is_set():
                message = self.unsure or f"message-{self.sent}"
                self.sent += not self.unsure
                self.unsure = message
                body = {"query": "How do I reset a lamp?", "client_message_id": message, "conversation_id": self.conversation}
                try:
                    reply = client.post("/chat", json=body)
                except httpx.HTTPError:
                    return
                assert reply.status_code == 200, reply.text
                answer = reply.json()
                assert "history" not in answer["degraded"]
                self.conversation = answer["conversation_id"]
                self.told[message], self.unsure = answer["message_id"], ""


def address_of(server: "Popen[str]") -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if match := re.search(r"http://127\.0\.0\.1:\d+", json.loads(line)["event"]):
            return match[0]
    raise AssertionError("the service did not start")


def test_no_turn_a_reader_was_told_of_is_lost_or_doubled_by_kills(
    settings_of: Callable[..., Settings], book: Path, tmp_path: Path
) -> None:
    settings = settings_of()
    index_book(settings, book)
    chance = random.Random(4)
    readers = [Reader(f"v_reader{number:020d}") for number in range(READERS)]
    for _ in range(ROUNDS):
        with running(SERVER, tmp_path, DATA_DIR=str(settings.data_dir), PORT="0", **UNBOUND) as server:
            url, cut = address_of(server), threading.Event()
            with ThreadPoolExecutor(READERS) as pool:
                asking = [pool.submit(reader.ask_until_cut, url, cut) for reader in readers]
                time.sleep(chance.uniform(0.2, 0.8))
                server.kill()
                cut.set()
                for one in asking:
                    one.result()
    assert sum(len(reader.told) for reader in readers) > ROUNDS * READERS
    with running(SERVER, tmp_path, DATA_DIR=str(settings.data_dir), PORT="0", **UNBOUND) as server:
        url = address_of(server)
        for reader in readers:
            _same_turns(reader, url)


def _same_turns(reader: Reader, url: str) -> None:
    """Every turn told is there once, in its order; at most the one whose reply was lost is there besides."""
    kept = httpx.get(f"{url}/conversations/{reader.conversation}", headers={"X-Visitor-Id": reader.visitor}, trust_env=False)
    ids = [turn["message_id"] for turn in kept.json()["turns"] if turn["complete"]]
    assert len(ids) == len(set(ids))
    assert ids[: len(reader.told)] == list(reader.told.values())
    assert len(ids) <= len(reader.told) + 1
