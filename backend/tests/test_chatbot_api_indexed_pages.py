"""Whole pages from the passages of the index, on both engines: the list, one page's text, and what an outage is."""

import asyncio
from pathlib import Path

import pytest

from chatbot_api.errors import SearchError, SearchUnavailable
from chatbot_api.models.index_models import Passage
from chatbot_api.models.page_models import ListedPage, PassagePlace
from chatbot_api.services.indexed_pages import FRESH_S, IndexedPages, markdown_of
from conftest import BOOK
from index_engines import Engine, embedded, on_server, opened, passage
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.docusaurus import read_docs

pytest_plugins = ["index_engine_fixtures"]

SITE_URL = "https://docs.example.com"


async def pages_over(engine: Engine, passages: list[Passage], site_url: str = SITE_URL) -> IndexedPages:
    return IndexedPages(await opened(engine, passages), site="docs", site_url=site_url)


async def markdown(pages: IndexedPages, url: str) -> str | None:
    found = await pages.page(url)
    return found.markdown if found else None


def book_passages(book: Path) -> list[Passage]:
    return [one for page in read_docs(book).pages for one in passages_of(page, "docs")]


# --- the engines' own verbs


async def test_a_pages_passages_are_those_of_its_addresses_and_its_site_and_no_more_than_asked_for(engine: Engine) -> None:
    page = [passage("a", f"A {at}.", ordinal=at, heading_path=("One",)) for at in range(7)]
    reader = await opened(engine, [*page, passage("b", "B."), passage("a", "Else.", site="blog")])
    read = await reader.of_page(["/a", "/a/"], "docs", 100)
    assert sorted(read, key=lambda one: one.ordinal) == page
    assert len(await reader.of_page(["/a"], "docs", 3)) == 3
    assert {one.url for one in await reader.of_page(["/a", "/b", "/c"], "docs", 100)} == {"/a", "/b"}
    assert await reader.of_page(["/c"], "docs", 100) == []


async def test_the_places_of_all_passages_of_a_site_come_once_each_in_batches(engine: Engine) -> None:
    passages = [passage(f"p{at}", f"Text {at}.", version="2.0", locale="de", is_last_version=at % 2 == 0) for at in range(1100)]
    reader = await opened(engine, [*passages, passage("other", "Else.", site="blog")])
    batches = [batch async for batch in reader.places("docs")]
    assert len(batches) == 3
    places = sorted((place for batch in batches for place in batch), key=lambda place: place.id)
    assert places == sorted((PassagePlace.of(one) for one in passages), key=lambda place: place.id)
    assert [batch async for batch in reader.places("nobody")] == [[]]


# --- one page


async def test_a_page_of_the_book_is_had_back_word_for_word(engine: Engine, book: Path) -> None:
    pages = await pages_over(engine, book_passages(book))
    for name, path in (("intro.md", "/docs/"), ("install.md", "/docs/install"), ("lamps.md", "/docs/lamps")):
        found = await pages.page(path)
        assert found
        _, front_matter, body = BOOK[name].split("---\n", 2)
        title = front_matter.rpartition("title: ")[2].strip()
        assert found.markdown == f"# {title}\n\n{body.strip()}"
        assert (found.page.title, found.page.url) == (title, SITE_URL + path)


async def test_passages_stand_in_reading_order_below_their_headings_and_no_heading_comes_twice(engine: Engine) -> None:
    deep, deeper = ("Install", "Docker"), ("Install", "Docker", "On a server")
    page = [
        passage("guide", "First.", ordinal=0),
        passage("guide", "Run it.", ordinal=1, heading_path=deep, anchor="docker"),
        passage("guide", "Stop it.", ordinal=2, heading_path=deep, anchor="docker"),
        passage("guide", "Rent one.", ordinal=3, heading_path=deeper, anchor="on-a-server"),
        passage("guide", "An example.", ordinal=4, heading_path=("Example",), anchor="example"),
        passage("guide", "Another.", ordinal=5, heading_path=("Example",), anchor="example-1"),
        *(passage("guide", f"Number {at}.", ordinal=at, heading_path=("Last",), anchor="last") for at in range(6, 30)),
    ]
    pages = await pages_over(engine, [*reversed(page), passage("other", "Of another page.")])
    numbers = "\n\n".join(f"Number {at}." for at in range(6, 30))
    assert await markdown(pages, "/guide") == (
        "# Page\n\nFirst.\n\n## Install\n\n### Docker\n\nRun it.\n\nStop it.\n\n#### On a server\n\nRent one.\n\n"
        f"## Example\n\nAn example.\n\n## Example\n\nAnother.\n\n## Last\n\n{numbers}"
    )


@pytest.mark.parametrize(
    "address",
    [
        "/docs/größe",
        "/docs/größe/",
        "docs/gr%C3%B6%C3%9Fe",
        "/docs/gr%C3%B6%C3%9Fe?x=1#part",
        "https://docs.example.com/docs/größe#part",
        "https://DOCS.example.com/docs/gr%C3%B6%C3%9Fe/",
        "  /docs/größe  ",
    ],
)
async def test_a_page_is_found_by_any_spelling_of_its_address(engine: Engine, address: str) -> None:
    pages = await pages_over(engine, [passage("docs/größe", "Size.")])
    assert await markdown(pages, address) == "# Page\n\nSize."
    slashed = await pages_over(engine, [passage("docs/größe/", "Size.")])
    assert await markdown(slashed, address) == "# Page\n\nSize."


async def test_a_site_below_a_path_is_found_by_its_readers_addresses(engine: Engine) -> None:
    pages = await pages_over(engine, [passage("docs/intro", "Hello.")], "https://example.com/project/")
    found = await pages.page("https://example.com/project/docs/intro")
    assert found
    assert found.page.url == "https://example.com/project/docs/intro"


@pytest.mark.parametrize(
    "address", ["", "  ", "#part", "/docs/none", "https://evil.example/docs/intro", "//evil.example/docs/intro", "https://[", "/"]
)
async def test_an_address_that_is_no_page_of_the_site_gives_none(engine: Engine, address: str) -> None:
    pages = await pages_over(engine, [passage("docs/intro", "Hello."), passage("docs/other", "Else.", site="blog")])
    assert await pages.page(address) is None
    assert await pages.page("/docs/other") is None, "another site's"
    assert await pages.page("/docs/intro")


async def test_of_two_versions_at_one_address_the_one_that_readers_see_is_given_unmixed(engine: Engine) -> None:
    old = [passage("old", f"Old {at}.", ordinal=at, url="/docs/x", version="1.0", is_last_version=False) for at in range(2)]
    new = [passage("new", f"New {at}.", ordinal=at, url="/docs/x", version="2.0") for at in range(2)]
    pages = await pages_over(engine, [*old, *new])
    found = await pages.page("/docs/x")
    assert found
    assert (found.markdown, found.page.version) == ("# Page\n\nNew 0.\n\nNew 1.", "2.0")


# --- the list


def titles(listed: list[ListedPage]) -> list[str]:
    return [page.title for page in listed]


async def test_every_page_is_listed_once_with_its_readers_address_however_many_passages_there_are(engine: Engine) -> None:
    passages = [
        passage(f"docs/p{at:03}", f"Text {ordinal} of {at}.", ordinal=ordinal, title=f"Page {at:03}")
        for at in range(300)
        for ordinal in range(4)
    ]
    pages = await pages_over(engine, [*passages, passage("blog/x", "Else.", site="blog")])
    first = await pages.pages(None, None, 120)
    second = await pages.pages(None, first[-1].id, 120)
    third = await pages.pages(None, second[-1].id, 120)
    assert titles([*first, *second, *third]) == [f"Page {at:03}" for at in range(300)]
    assert await pages.pages(None, third[-1].id, 120) == []
    assert first[7] == ListedPage(
        id="docs/p007",
        title="Page 007",
        path="/docs/p007",
        url=f"{SITE_URL}/docs/p007",
        version=None,
        locale="en",
        is_last_version=True,
    )


async def test_a_list_is_narrowed_by_how_addresses_begin_by_version_and_by_language(engine: Engine) -> None:
    pages = await pages_over(
        engine,
        [
            passage("docs/a", "A.", title="A"),
            passage("docs/ab", "B.", title="AB"),
            passage("blog/a", "C.", title="Blog"),
            passage("de/docs/a", "D.", title="A deutsch", locale="de"),
            passage("docs/1.0/a", "E.", title="A old", version="1.0", is_last_version=False),
        ],
    )
    assert titles(await pages.pages(None, None, 9)) == ["Blog", "A deutsch", "A", "AB"]
    assert titles(await pages.pages("/docs/", None, 9)) == ["A", "AB"]
    assert titles(await pages.pages(f"{SITE_URL}/docs/ab", None, 9)) == ["AB"]
    assert titles(await pages.pages("https://evil.example/docs", None, 9)) == []
    assert titles(await pages.pages(None, None, 9, version="1.0")) == ["A old"]
    assert titles(await pages.pages(None, None, 9, locale="de")) == ["A deutsch"]
    assert await pages.pages(None, None, 0) == []


async def test_the_list_is_read_once_for_all_who_ask_within_a_minute_and_then_anew() -> None:
    now = 0.0
    async with on_server() as server:
        pages = IndexedPages(await opened(server, [passage("a", "A.", title="A")]), site="docs", site_url="", clock=lambda: now)
        server.standin.requests.clear()
        lists = await asyncio.gather(*(pages.pages(None, None, 5) for _ in range(8)))
        assert [titles(one) for one in lists] == [["A"]] * 8
        assert len(server.standin.requests) == 1
        await opened(server, [passage("b", "B.", title="B")])
        now = FRESH_S - 1
        assert titles(await pages.pages(None, None, 5)) == ["A"]
        now = FRESH_S
        assert titles(await pages.pages(None, None, 5)) == ["B"]


async def test_who_stops_waiting_does_not_stop_the_reading_for_others() -> None:
    async with on_server() as server:
        pages = IndexedPages(await opened(server, [passage("a", "A.", title="A")]), site="docs", site_url="")
        impatient, patient = (asyncio.create_task(pages.pages(None, None, 5)) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        assert titles(await patient) == ["A"]
        assert impatient.cancelled()
        await pages.close()


async def test_closing_ends_a_reading_under_way() -> None:
    async with on_server() as server:
        pages = IndexedPages(await opened(server, [passage("a", "A.")]), site="docs", site_url="")
        waiting = asyncio.create_task(pages.pages(None, None, 5))
        await asyncio.sleep(0)
        await pages.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting


# --- outages


async def test_a_server_that_is_down_is_a_failure_and_neither_an_empty_list_nor_no_page() -> None:
    async with on_server() as server:
        pages = IndexedPages(await opened(server, [passage("a", "A.", title="A")]), site="docs", site_url="")
        server.standin.fail("503", on="all")
        for _ in range(2):
            with pytest.raises(SearchError):
                await pages.page("/a")
            with pytest.raises(SearchError):
                await pages.pages(None, None, 5)
        server.standin.heal()
        assert titles(await pages.pages(None, None, 5)) == ["A"]


async def test_an_embedded_index_that_is_closed_is_a_failure(tmp_path: Path) -> None:
    async with embedded(tmp_path / "index") as engine:
        reader = await opened(engine, [passage("a", "A.")])
        await reader.close()
        pages = IndexedPages(reader, site="docs", site_url="")
        with pytest.raises(SearchError):
            await pages.page("/a")
        with pytest.raises(SearchError):
            await pages.pages(None, None, 5)


async def test_a_server_that_went_away_is_named_as_such() -> None:
    async with on_server() as server:
        reader = await opened(server, [passage("a", "A.")])
        server.standin.stop()
        pages = IndexedPages(reader, site="docs", site_url="")
        with pytest.raises(SearchUnavailable):
            await pages.page("/a")
        server.standin.start()


# --- the text


def test_texts_that_repeat_less_than_could_be_chance_stay_whole() -> None:
    one, two = passage("x", "Open the lamp."), passage("x", "the lamp. Close it.", ordinal=1)
    assert markdown_of([one, two], overlapping=True) == "# Page\n\nOpen the lamp.\n\nthe lamp. Close it."
    assert markdown_of([]) == ""


def test_a_page_of_ours_that_says_the_same_twice_is_left_so() -> None:
    one, two = passage("x", "Press the button for long."), passage("x", "Press the button for long.", ordinal=1)
    assert markdown_of([one, two]) == "# Page\n\nPress the button for long.\n\nPress the button for long."
    assert markdown_of([one, two], overlapping=True) == "# Page\n\nPress the button for long."


def test_a_text_that_brings_its_own_heading_gets_no_second_one() -> None:
    own = passage("x", "## Docker\n\nRun it.", heading_path=("Docker",))
    assert markdown_of([own]) == "# Page\n\n## Docker\n\nRun it."
