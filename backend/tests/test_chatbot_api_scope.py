"""Version and language at question time: a real service over a versioned and translated site, on both engines."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chatbot_api.models.index_models import Passage
from conftest import Service, serving, with_gemini, write_index
from gemini_standin import GeminiStandin, gemini_standin
from lantern import healed, settings_in
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.source_site import read_source
from qdrant_standin import qdrant_standin
from site_folders import written

FRENCH = "i18n/fr/docusaurus-plugin-content-docs/version-2.0"
SITE = {
    "versions.json": '["2.0", "1.0"]',
    "docs/pair.md": "# Pair a lamp\n\n## Pair\n\nWave at the lamp to pair it.\n",
    "versioned_docs/version-2.0/pair.md": "# Pair a lamp\n\n## Pair\n\nPress the button twice to pair a lamp.\n",
    f"{FRENCH}/pair.md": "# Associer une lampe\n\n## Associer\n\nAppuyez deux fois pour associer une lampe.\n",
    "versioned_docs/version-1.0/pair.md": "# Pair a lamp\n\n## Pair\n\nPoint the infrared remote at the lamp to pair it.\n",
    "versioned_docs/version-1.0/intro.md": "---\nslug: /\n---\n\n# Welcome\n\nGarden lanterns for beginners.\n",
    "versioned_docs/version-1.0/größe.md": "# Dimensions\n\nThe hub is ten centimetres wide.\n",
    "versioned_docs/version-1.0/legacy.md": "# Remote batteries\n\n## Batteries\n\nThe remote takes two AAA batteries.\n",
    "blog/2024-05-01-party.md": "---\ntitle: Spring party\n---\n\nThe spring party takes place in Lisbon.\n",
    "src/pages/about.md": "# Gardener\n\nWrite a letter to the gardener.\n",
}
PAIR = "pair lamp"
"""A question that every version answers, in English."""
BATTERIES = "remote batteries"
"""One that version 1.0 alone answers."""
NOWHERE = "sourdough bread"
DEFAULT = {"version": None, "locale": None, "widened": False}


@dataclass(frozen=True)
class Asked:
    """A running service and its model."""

    service: Service
    gemini: GeminiStandin

    def search(self, query: str, **context: str) -> dict[str, Any]:
        """The reply of /search, to many results."""
        return self.service.client.post("/search", json={"query": query, "top_k": 20, "context": context}).json()


def site_passages(folder: Path) -> list[Passage]:
    return [passage for page in read_source(written(folder, SITE)).pages for passage in passages_of(page, "docs")]


@pytest.fixture(scope="module", params=["embedded", "server"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("scope")
    with ExitStack() as stack:
        gemini = stack.enter_context(gemini_standin())
        values = with_gemini(gemini, relevance_gate=0.5)
        if request.param == "server":
            values["qdrant_host"] = stack.enter_context(qdrant_standin()).url
        settings = settings_in(folder, **values)
        asyncio.run(write_index(settings, site_passages(folder / "site")))
        yield Asked(stack.enter_context(serving(settings)), gemini)


@pytest.fixture
def asked(running: Asked) -> Asked:
    healed(running.gemini)
    return running


def addresses(found: dict[str, Any]) -> set[str]:
    return {source["url"].split("#")[0] for source in found["results"]}


# --- by default


def test_without_context_the_default_version_is_searched_in_every_language(asked: Asked) -> None:
    found = asked.search("pair lamp associer lampe")
    assert found["scope"] == DEFAULT
    assert {source["version"] for source in found["results"]} == {"2.0", None}
    assert {"/docs/pair", "/fr/docs/pair"} <= addresses(found)
    assert not addresses(found) & {"/docs/next/pair", "/docs/1.0/pair", "/docs/1.0/legacy"}


def test_what_only_an_older_version_says_is_not_answered_to_who_named_none(asked: Asked) -> None:
    body = asked.service.ask(BATTERIES).json()
    assert (body["outcome"], body["sources"], body["scope"]) == ("not_in_docs", [], DEFAULT)
    assert asked.gemini.calls("generate") == 0


@pytest.mark.parametrize(
    ("question", "address"), [("spring party Lisbon", "/blog/2024/05/01/party"), ("letter gardener", "/about")]
)
@pytest.mark.parametrize("context", [{}, {"page_url": "https://lantern.example/docs/pair"}], ids=["nowhere", "last version"])
def test_the_blog_and_the_pages_are_found_from_the_default_version(
    asked: Asked, question: str, address: str, context: dict[str, str]
) -> None:
    found = asked.search(question, **context)
    assert found["results"][0]["url"] == address
    assert (found["answerable"], found["scope"]["widened"]) == (True, False)


# --- named by the widget


@pytest.mark.parametrize(("version", "prefix"), [("1.0", "/docs/1.0/"), ("2.0", "/docs/"), ("current", "/docs/next/")])
def test_a_version_that_is_named_is_the_only_one_searched(asked: Asked, version: str, prefix: str) -> None:
    found = asked.search(PAIR, version=version, locale="en")
    assert found["scope"] == {"version": version, "locale": "en", "widened": False}
    assert {source["version"] for source in found["results"]} == {version}
    assert found["results"][0]["url"] == f"{prefix}pair#pair"


def test_a_language_that_is_named_is_the_only_one_searched_in_the_default_version(asked: Asked) -> None:
    found = asked.search("associer une lampe", locale="fr")
    assert found["scope"] == {"version": None, "locale": "fr", "widened": False}
    assert addresses(found) == {"/fr/docs/pair"}


def test_what_is_named_outweighs_the_readers_page(asked: Asked) -> None:
    page = "https://lantern.example/docs/1.0/pair"
    assert asked.search(PAIR, page_url=page, version="current")["scope"] == {
        "version": "current",
        "locale": "en",
        "widened": False,
    }
    found = asked.search(PAIR, page_url="https://lantern.example/fr/docs/pair", locale="en")
    assert found["scope"] == {"version": None, "locale": "en", "widened": False}


# --- by the reader's page


@pytest.mark.parametrize(
    "path",
    [
        "/docs/1.0/pair",
        "/docs/1.0/pair/",
        "/docs/1.0/pair#pair",
        "/docs/1.0/pair/?q=lamp#pair",
        "/docs/1.0/gr%C3%B6%C3%9Fe",
        "/docs/1.0/gr%c3%b6%c3%9fe/#top",
        "/docs/1.0/größe",
        "/docs/1.0",
        "/docs/1.0/",
    ],
)
@pytest.mark.parametrize("origin", ["https://lantern.example", ""], ids=["absolute", "relative"])
def test_a_reader_on_an_old_version_gets_links_into_that_version(asked: Asked, origin: str, path: str) -> None:
    body = asked.service.ask(PAIR, context={"page_url": origin + path}).json()
    assert body["scope"] == {"version": "1.0", "locale": "en", "widened": False}
    assert body["outcome"] == "answered"
    assert {(source["url"], source["version"]) for source in body["sources"]} == {("/docs/1.0/pair#pair", "1.0")}


@pytest.mark.parametrize(
    ("path", "version", "locale", "address"),
    [
        ("/docs/pair", None, "en", "/docs/pair#pair"),
        ("/docs/next/pair", "current", "en", "/docs/next/pair#pair"),
        ("/fr/docs/pair", None, "fr", "/fr/docs/pair#associer"),
        ("/blog/2024/05/01/party", None, "en", "/docs/pair#pair"),
    ],
)
def test_the_readers_page_gives_the_version_and_the_language(
    asked: Asked, path: str, version: str | None, locale: str, address: str
) -> None:
    found = asked.search("associer lampe" if locale == "fr" else PAIR, page_url=f"https://lantern.example{path}")
    assert found["scope"] == {"version": version, "locale": locale, "widened": False}
    assert found["results"][0]["url"] == address


@pytest.mark.parametrize(
    "page_url",
    [
        "https://lantern.example/docs/unknown",
        "https://lantern.example",
        "/",
        "http://[",
        "%",
        "%ff%00",
        "?",
        "#",
        "a" * 2000,
        "\n",
    ],
)
def test_a_page_that_is_not_known_or_no_address_at_all_narrows_nothing(asked: Asked, page_url: str) -> None:
    found = asked.search(PAIR, page_url=page_url)
    assert (found["scope"], found["answerable"]) == (DEFAULT, True)
    assert found["results"][0]["url"] == "/docs/pair#pair"


# --- widened


def test_a_reader_of_another_language_is_led_to_every_language_but_not_to_old_versions(asked: Asked) -> None:
    assert asked.search(BATTERIES, locale="fr")["answerable"] is False
    found = asked.search(BATTERIES, version="1.0", locale="fr")
    assert (found["answerable"], found["scope"]["widened"]) == (True, True)


@pytest.mark.parametrize(
    "context",
    [{"version": "2.0"}, {"page_url": "https://lantern.example/docs/next/pair"}, {"version": "9.9"}],
    ids=["version", "page", "unknown version"],
)
def test_where_nothing_near_enough_is_found_the_whole_site_is_searched_and_that_is_said(
    asked: Asked, context: dict[str, str]
) -> None:
    found = asked.search(BATTERIES, **context)
    assert (found["answerable"], found["scope"]["widened"]) == (True, True)
    assert found["results"][0]["url"] == "/docs/1.0/legacy#batteries"
    body = asked.service.ask(BATTERIES, context=context).json()
    assert (body["outcome"], body["scope"]) == ("answered", found["scope"])
    assert body["sources"][0]["url"] == "/docs/1.0/legacy#batteries"


def test_a_stream_says_that_it_searched_the_whole_site_before_it_names_the_sources(asked: Asked) -> None:
    events = asked.service.events(BATTERIES, context={"version": "2.0"})
    told = [event.get("stage", event["type"]) for event in events]
    assert told[:5] == ["start", "searching", "widened", "sources", "writing"]
    assert told.count("widened") == 1
    assert events[2]["type"] == "status"
    assert events[2]["text"]
    assert events[-1]["scope"] == {"version": "2.0", "locale": None, "widened": True}


def test_a_stream_that_kept_to_its_scope_says_nothing_of_the_whole_site(asked: Asked) -> None:
    events = asked.service.events(PAIR, context={"version": "1.0"})
    assert "widened" not in [event.get("stage") for event in events]
    assert events[-1]["scope"] == {"version": "1.0", "locale": None, "widened": False}


def test_what_is_near_nowhere_is_declined_with_the_nearest_of_the_scope_that_was_asked_for(asked: Asked) -> None:
    body = asked.service.ask(NOWHERE, context={"version": "1.0", "locale": "en"}).json()
    assert (body["outcome"], body["sources"]) == ("not_in_docs", [])
    assert body["scope"] == {"version": "1.0", "locale": "en", "widened": False}
    assert {source["version"] for source in body["nearest"]} == {"1.0"}
    stages = [event.get("stage") for event in asked.service.events(NOWHERE, context={"version": "1.0"})]
    assert "widened" not in stages


def test_the_chat_and_the_search_keep_to_the_same_scope(asked: Asked) -> None:
    for context in ({}, {"version": "1.0"}, {"locale": "fr"}, {"page_url": "/docs/1.0/pair"}, {"version": "9.9"}):
        chat = asked.service.ask(PAIR, context=context).json()["scope"]
        streamed = asked.service.events(PAIR, context=context)[-1]["scope"]
        assert chat == streamed == asked.search(PAIR, **context)["scope"], context
