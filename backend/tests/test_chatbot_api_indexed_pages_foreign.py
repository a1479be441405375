"""Whole pages of collections that other tools made: as far as those kept addresses and an order."""

from collections.abc import Callable

import pytest

from chatbot_api.config import Settings
from chatbot_api.wiring import open_services
from foreign_rows import BODY, PREDECESSOR
from foreign_world import OTHERS, World, filled_as
from gemini_standin import GeminiStandin
from qdrant_standin import QdrantStandin


@pytest.fixture
def world(qdrant: QdrantStandin, gemini: GeminiStandin, settings_of: Callable[..., Settings]) -> World:
    return World(qdrant, gemini, settings_of)


async def test_pages_of_another_tools_collection_are_listed_and_had_by_the_addresses_found_out(world: World) -> None:
    filled_as(world, PREDECESSOR)
    async with open_services(world.settings(qdrant_filter=dict(PREDECESSOR.keys.only))) as services:
        listed = await services.pages.pages(None, None, 9)
        assert PREDECESSOR.url in [page.url for page in listed]
        assert len(listed) == 3
        found = await services.pages.page(PREDECESSOR.url)
        assert found
        assert BODY in found.markdown
        assert not any(other in found.markdown for other in OTHERS)
        assert await services.pages.page("/docs/none") is None


async def test_only_the_part_of_a_shared_collection_that_is_read_is_listed(world: World) -> None:
    texts = [f"Text {at} of it." for at in range(600)]
    world.fill(
        [
            (text, {"text": text, "url": f"/docs/{at % 2}/{at}", "title": text, "team": f"t{at % 2}"})
            for at, text in enumerate(texts)
        ]
    )
    async with open_services(world.settings(qdrant_filter={"team": "t1"})) as services:
        listed = await services.pages.pages(None, None, 1000)
        mine, others = await services.pages.page("/docs/1/1"), await services.pages.page("/docs/0/0")
    assert {page.path for page in listed} == {f"/docs/1/{at}" for at in range(1, 600, 2)}
    assert mine
    assert others is None


async def test_a_page_of_another_tool_may_have_many_passages(world: World) -> None:
    texts = [f"Number {at} of many." for at in range(600)]
    world.fill([(text, {"text": text, "url": "/docs/x", "title": "X", "chunk_index": at}) for at, text in enumerate(texts)])
    async with open_services(world.settings()) as services:
        found = await services.pages.page("/docs/x")
    assert found
    assert found.markdown == "\n\n".join(["# X", *texts])


async def test_another_tools_passages_come_in_the_order_it_stored_and_without_what_overlaps(world: World) -> None:
    words = [f"word{at}" for at in range(60)]
    texts = [" ".join(words[at : at + 20]) for at in range(0, 50, 10)]
    world.fill(
        [
            (text, {"text": text, "url": "/docs/x", "title": "X", "chunk_index": number})
            for number, text in reversed(list(enumerate(texts)))
        ]
    )
    async with open_services(world.settings()) as services:
        found = await services.pages.page("/docs/x")
    assert found
    assert found.markdown.split() == ["#", "X", *words]
