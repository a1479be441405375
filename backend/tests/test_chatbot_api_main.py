"""The HTTP door over a real socket: what a widget, a probe and a developer see."""

from collections.abc import Callable
from pathlib import Path

from chatbot_api.config import Settings
from conftest import Service, index_book
from gemini_standin import GeminiStandin


def test_a_bare_query_is_answered_by_the_model_with_the_cited_source(gemini_service: Callable[..., Service], gemini: GeminiStandin) -> None:
    gemini.answer(["Run the ", "image [1]."])
    reply = gemini_service().ask()
    assert reply.status_code == 200
    body = reply.json()
    assert body["response"] == "Run the image [1]."
    assert (body["outcome"], body["degraded"], body["mode"]) == ("answered", [], "generated")
    assert [source["url"] for source in body["sources"]] == ["/docs/install#install-with-docker"]
    assert body["citations"] == [{"source_id": "1", "start": 14, "end": 17}]


def test_without_a_key_the_answer_is_made_of_the_pages_own_words(
    embedder_there: None, settings_of: Callable[..., Settings], book: Path, serve: Callable[[Settings], Service]
) -> None:
    settings = settings_of(local_embedder=True)
    index_book(settings, book)
    body = serve(settings).ask().json()
    assert (body["outcome"], body["mode"]) == ("answered", "extractive")
    assert "docker run lantern/hub" in body["response"]
    assert body["sources"][0]["url"] == "/docs/install#install-with-docker"
