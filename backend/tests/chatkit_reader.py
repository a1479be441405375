"""A reader at the ChatKit door: sends its operations as the front end does, and reads the events of its streams."""

import json
from typing import Any

import httpx

from conftest import Service

QUESTION = "How do I install Lantern with Docker?"
ALICE = "v_alice-0123456789-0123456"
BOB = "v_bob-0123456789-012345678"


def input_of(text: str = QUESTION, **fields: Any) -> dict[str, Any]:
    """A message as the front end sends it."""
    return {"content": [{"type": "input_text", "text": text}], "attachments": [], "inference_options": {}, **fields}


def events_in(body: str) -> list[dict[str, Any]]:
    """The events of a stream; nothing but ``data:`` lines, each with an empty one behind it, may be in it."""
    *frames, rest = body.split("\n\n")
    assert rest == ""
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames)
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


class ChatKitReader:
    """One visitor of a service."""

    def __init__(self, service: Service, visitor: str = ALICE) -> None:
        self.client, self.headers = service.client, {"X-Visitor-Id": visitor}

    def send(self, operation: str, **params: Any) -> httpx.Response:
        """The reply to one operation, read to its end."""
        return self.client.post("/chatkit", json={"type": operation, "params": params}, headers=self.headers)

    def told(self, operation: str, **params: Any) -> list[dict[str, Any]]:
        """The events of a streaming operation."""
        reply = self.send(operation, **params)
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"].startswith("text/event-stream")
        return events_in(reply.text)

    def got(self, operation: str, **params: Any) -> Any:
        """The result of an operation that does not stream."""
        reply = self.send(operation, **params)
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"] == "application/json"
        return reply.json()

    def begun(self, text: str = QUESTION, **fields: Any) -> str:
        """The id of a new thread, whose first message was answered."""
        return self.told("threads.create", input=input_of(text, **fields))[0]["thread"]["id"]

    def items(self, thread_id: str) -> list[dict[str, Any]]:
        """All that is shown of a thread, oldest first."""
        return self.got("items.list", thread_id=thread_id, order="asc", limit=100)["data"]


def done_items(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The finished items of a kind."""
    return [event["item"] for event in events if event["type"] == "thread.item.done" and event["item"]["type"] == kind]
