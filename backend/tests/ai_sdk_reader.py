"""A reader at the AI SDK's door: the ``ai`` package's own transport and reader of streams, run by Node."""

import json
import subprocess
from pathlib import Path
from secrets import token_hex
from typing import Any

from conftest import Service

CLIENT = Path(__file__).resolve().parent / "ai_sdk_client"
QUESTION = "How do I install Lantern with Docker?"
ALICE = "v_alice-0123456789-0123456"
BOB = "v_bob-0123456789-012345678"
LIMIT_S = 60


def said(text: str, identity: str = "u1") -> dict[str, Any]:
    """A message as the browser holds it."""
    return {"id": identity, "role": "user", "parts": [{"type": "text", "text": text}]}


class AISDKReader:
    """One visitor of a service. ``messages``: the chat so far, as the browser holds it."""

    def __init__(self, service: Service, visitor: str = ALICE, key: str = "") -> None:
        self._asking = {"api": f"{service.url}/api/chat", "visitor": visitor, "key": key, "chatId": token_hex(8)}
        self.messages: list[dict[str, Any]] = []

    def ask(self, text: str = QUESTION, **fields: Any) -> dict[str, Any]:
        """What came of a question; the answer joins the chat. ``fields``: beside the protocol's own in the body."""
        self.messages.append(said(text, f"u{len(self.messages)}"))
        told = self.send(body=fields)
        if told["message"]:
            self.messages.append(told["message"])
        return told

    def send(self, **values: Any) -> dict[str, Any]:
        """Send the chat as it is; see ask.mjs."""
        line = json.dumps({"trigger": "submit-message", "messages": self.messages, **self._asking, **values})
        options: dict[str, Any] = {"capture_output": True, "text": True, "encoding": "utf-8", "timeout": LIMIT_S}
        done = subprocess.run(["node", "ask.mjs"], check=False, input=line, cwd=CLIENT, **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def part_of(message: dict[str, Any], kind: str) -> dict[str, Any]:
    """The one part of a kind."""
    (part,) = [part for part in message["parts"] if part["type"] == kind]
    return part
