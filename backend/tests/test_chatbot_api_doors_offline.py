"""A conversation without any model, as OpenAI's client and the AI SDK hold it: a question, a follow-up, and what is not there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_sdk_reader import AISDKReader, part_of
from conftest import Service, index_book, serving
from lantern import settings_in
from openai_reader import QUESTION, openai_reader, text_of

pytest_plugins = ["ai_sdk_package"]
DOCKER, WINDOWS = "/docs/install#install-with-docker", "/docs/install#install-on-windows"
FOLLOW_UP = "and on Windows?"
UNKNOWN = "Who won the football world cup in 1990?"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, book: Path, embedder_there: None) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("doors-offline")
    settings = settings_in(folder, local_embedder=True, openai_compat_enabled=True, ai_sdk_enabled=True)
    index_book(settings, book)
    with serving(settings) as running:
        yield running


def test_openais_client_holds_a_conversation(service: Service) -> None:
    with openai_reader(service) as reader:
        first = reader.ask()
        assert "docker run lantern/hub" in (first.choices[0].message.content or "")
        told = first.model_extra or {}
        assert DOCKER in told["citations"]
        assert first.usage
        assert first.usage.total_tokens == 0
        second = reader.chunks(FOLLOW_UP, conversation_id=told["conversation_id"])
        assert "Download the installer" in text_of(second)
        assert WINDOWS in (second[-1].model_extra or {})["citations"]
        third = reader.ask(UNKNOWN, conversation_id=told["conversation_id"])
        assert ((third.model_extra or {})["outcome"], (third.model_extra or {})["citations"]) == ("not_in_docs", [])


def test_the_ai_sdk_holds_a_conversation(service: Service, ai_sdk_there: None) -> None:
    reader = AISDKReader(service)
    first = reader.ask(QUESTION)["message"]
    assert "docker run lantern/hub" in part_of(first, "text")["text"]
    assert DOCKER in {part["url"] for part in first["parts"] if part["type"] == "source-url"}
    second = reader.ask(FOLLOW_UP)["message"]
    assert "Download the installer" in part_of(second, "text")["text"]
    assert WINDOWS in {part["url"] for part in second["parts"] if part["type"] == "source-url"}
    third = reader.ask(UNKNOWN)["message"]
    assert third["metadata"]["outcome"] == "not_in_docs"
    assert [part["type"] for part in third["parts"]] == ["text", "data-nearest"]
    assert len({message["metadata"]["conversationId"] for message in (first, second, third)}) == 1
