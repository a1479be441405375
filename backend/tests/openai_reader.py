"""A reader at the OpenAI-compatible door: OpenAI's own Python client, pointed at a service of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from conftest import Service

QUESTION = "How do I install Lantern with Docker?"
ALICE = "v_alice-0123456789-0123456"
BOB = "v_bob-0123456789-012345678"


class OpenAIReader:
    """One visitor of a service."""

    def __init__(self, service: Service, visitor: str = ALICE, key: str = "none") -> None:
        self.client = OpenAI(
            base_url=f"{service.url}/v1", api_key=key, max_retries=0, timeout=20, default_headers={"X-Visitor-Id": visitor}
        )

    def ask(self, text: Any = QUESTION, *before: dict[str, Any], **fields: Any) -> ChatCompletion:
        """The whole answer. ``before``: the messages that stand before the question. ``fields``: beside OpenAI's own."""
        return self.client.chat.completions.create(
            model="any", messages=[*before, {"role": "user", "content": text}], extra_body=fields
        )

    def chunks(self, text: Any = QUESTION, *before: dict[str, Any], **fields: Any) -> list[ChatCompletionChunk]:
        """The answer's chunks. ``stream_options`` among the fields is OpenAI's."""
        messages = [*before, {"role": "user", "content": text}]
        return list(self.client.chat.completions.create(model="any", messages=messages, stream=True, extra_body=fields))


@contextmanager
def openai_reader(service: Service, visitor: str = ALICE, key: str = "none") -> Iterator[OpenAIReader]:
    """A reader whose connections are closed with the block."""
    reader = OpenAIReader(service, visitor, key)
    try:
        yield reader
    finally:
        reader.client.close()


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    """What the chunks add up to."""
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def error_of(error: openai.APIStatusError) -> dict[str, Any]:
    """What OpenAI's client found in the member ``error`` of a refusal."""
    assert isinstance(error.body, dict)
    return error.body
