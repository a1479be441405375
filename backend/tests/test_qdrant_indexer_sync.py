"""Bringing an index in line with a site, on both engines: what is embedded again, what stays, and what an interruption costs."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from time import monotonic

import pytest

from chatbot_api.config import Settings
from chatbot_api.engines import provider_of, sparse_of, writer_of
from chatbot_api.errors import ModelBadResponse, ModelBusy, ModelMisconfigured, ModelUnavailable, SearchUnavailable
from chatbot_api.models.index_models import Passage
from chatbot_api.services.gemini_service import MOST_PER_BATCH
from conftest import with_gemini, write_index
from gemini_standin import GeminiStandin
from index_engines import library, passage
from live_index import found, marker, stored
from qdrant_indexer.sync import sync
from qdrant_standin import QdrantStandin

SIZE = 128
BATCH = MOST_PER_BATCH


@pytest.fixture(params=["embedded", "server"])
def settings(
    request: pytest.FixtureRequest, gemini: GeminiStandin, qdrant: QdrantStandin, settings_of: Callable[..., Settings]
) -> Callable[..., Settings]:
    """Settings of one engine, with the Gemini stand-in as the embedder."""
    host = qdrant.url if request.param == "server" else ""
    values = with_gemini(gemini, embedding_dimensions=SIZE, qdrant_host=host)
    return lambda **others: settings_of(**{**values, **others})


def texts(gemini: GeminiStandin) -> int:
    """Texts that were embedded."""
    return sum(len(one.body["requests"]) for one in gemini.requests if one.kind == "embed")


def of_site(site: str, pages: int = 5) -> list[Passage]:
    return [replace(one, site=site, id=passage(f"{site}{at}", "").id) for at, one in enumerate(library(pages))]


async def test_a_first_run_embeds_every_passage_once(settings: Callable[..., Settings], gemini: GeminiStandin) -> None:
    passages = of_site("docs", 40)
    report = await write_index(settings(), passages)
    assert (report.written, report.embedded, report.reused, report.removed, report.other_sites) == (80, 80, 0, 0, 0)
    assert texts(gemini) == 80
    assert {key: one.passage for key, one in (await stored(settings())).items()} == {one.id: one for one in passages}


async def test_an_unchanged_run_embeds_nothing_and_keeps_ids_and_vectors(
    settings: Callable[..., Settings], gemini: GeminiStandin
) -> None:
    passages = of_site("docs")
    await write_index(settings(), passages)
    before = await stored(settings())
    gemini.requests.clear()
    report = await write_index(settings(), passages)
    assert (report.written, report.embedded, report.reused, report.removed, report.published) == (10, 0, 10, 0, False)
    assert gemini.requests == []
    after = await stored(settings())
    assert {key: one.passage for key, one in after.items()} == {key: one.passage for key, one in before.items()}
    for key, one in after.items():
        assert one.vector == pytest.approx(before[key].vector, abs=1e-6)


async def test_one_changed_passage_is_the_only_one_embedded(settings: Callable[..., Settings], gemini: GeminiStandin) -> None:
    passages = of_site("docs")
    await write_index(settings(), passages)
    gemini.requests.clear()
    passages[3] = replace(passages[3], text="a zirconium lamp")
    report = await write_index(settings(), passages)
    assert (report.embedded, report.reused, report.removed, texts(gemini)) == (1, 9, 0, 1)
    assert await found(settings(), "zirconium") == [passages[3].page_id]


async def test_a_heading_renamed_above_a_passage_embeds_it_again(
    settings: Callable[..., Settings], gemini: GeminiStandin
) -> None:
    passages = of_site("docs")
    await write_index(settings(), passages)
    gemini.requests.clear()
    passages[0] = replace(passages[0], heading_path=("Renamed",))
    assert (await write_index(settings(), passages)).embedded == texts(gemini) == 1


async def test_a_moved_passage_keeps_its_vector_under_its_new_address(
    settings: Callable[..., Settings], gemini: GeminiStandin
) -> None:
    passages = of_site("docs")
    await write_index(settings(), passages)
    gemini.requests.clear()
    moved = [replace(one, id=passage(f"moved{at}", "").id, url=f"/moved/{at}") for at, one in enumerate(passages)]
    report = await write_index(settings(), moved)
    assert (report.embedded, report.reused, report.removed, gemini.calls("embed")) == (0, 10, 10, 0)
    assert {one.passage.url for one in (await stored(settings())).values()} == {one.url for one in moved}


async def test_pages_that_are_gone_are_found_no_more(settings: Callable[..., Settings]) -> None:
    passages = [passage("kept", "a lamp"), passage("gone", "a lamp"), passage("gone", "another lamp", ordinal=1)]
    await write_index(settings(), passages)
    assert await found(settings(), "lamp") == ["gone", "kept"]
    report = await write_index(settings(), passages[:1])
    assert (report.written, report.removed, report.reused) == (1, 2, 1)
    assert await found(settings(), "lamp") == ["kept"]


async def test_another_sites_passages_are_carried_over_untouched(
    settings: Callable[..., Settings], gemini: GeminiStandin
) -> None:
    others = of_site("blog", 30)
    await write_index(settings(site="blog"), others)
    before = await stored(settings())
    gemini.requests.clear()
    mine = [passage("mine", "a lamp")]
    report = await write_index(settings(), mine)
    assert (report.written, report.embedded, report.removed, report.other_sites, texts(gemini)) == (1, 1, 0, 60, 1)
    report = await write_index(settings(), [])
    assert (report.written, report.removed, report.other_sites) == (0, 1, 60)
    after = await stored(settings())
    assert {key: one.passage for key, one in after.items()} == {one.id: one for one in others}
    for key, one in after.items():
        assert one.vector == pytest.approx(before[key].vector, abs=1e-5)
    assert await found(settings(site="blog"), "lamp battery")
    assert await found(settings(), "lamp battery") == []


async def test_an_index_of_another_length_of_vectors_is_embedded_anew(
    settings: Callable[..., Settings], gemini: GeminiStandin
) -> None:
    passages = of_site("docs")
    await write_index(settings(), passages)
    gemini.requests.clear()
    longer = settings().model_copy(update={"embedding_dimensions": SIZE * 2})
    report = await write_index(longer, passages)
    assert (report.embedded, report.reused, texts(gemini)) == (10, 0, 10)
    assert {len(one.vector or ()) for one in (await stored(longer)).values()} == {SIZE * 2}


async def test_equal_texts_of_two_pages_are_both_kept(settings: Callable[..., Settings]) -> None:
    twins = [passage("one", "the same words"), passage("two", "the same words")]
    for _ in range(2):
        assert (await write_index(settings(), twins)).written == 2
        assert await found(settings(), "words") == ["one", "two"]


# --- interruptions


async def run_until(settings: Settings, passages: Sequence[Passage], after: int, then: Callable[[], None]) -> None:
    """Index, and when so many passages are done let something happen."""

    def progress(done: int, everything: int) -> None:
        assert everything == len(passages)
        if done >= after:
            then()

    async with AsyncExitStack() as stack:
        model = provider_of(settings)
        stack.push_async_callback(model.close)
        writer = writer_of(settings, marker(settings), sparse_of(settings))
        stack.push_async_callback(writer.close)
        await sync(passages, settings.site, model, writer, progress, force=True)


@pytest.mark.parametrize(
    ("fault", "name"),
    [("503", ModelUnavailable), ("401", ModelMisconfigured), ("trunc", ModelBadResponse)],
)
async def test_an_embedder_that_fails_half_way_leaves_the_old_index_serving_and_whole(
    settings: Callable[..., Settings], gemini: GeminiStandin, fault: str, name: type[Exception]
) -> None:
    old = [passage("old", "a lamp"), passage("older", "a lamp too")]
    await write_index(settings(), old)
    new = library(3 * BATCH // 2)
    with pytest.raises(name):
        await run_until(settings(), new, BATCH, lambda: gemini.fail(fault, on="embed"))
    assert {one.passage.id for one in (await stored(settings())).values()} == {one.id for one in old}
    assert await found(settings(), "lamp") == ["old", "older"]
    gemini.heal()
    gemini.requests.clear()
    report = await write_index(settings(), new)
    assert (report.written, report.reused, report.resumed, report.removed) == (3 * BATCH, BATCH, BATCH, 2)
    assert report.embedded == texts(gemini) == 2 * BATCH, "the batch before the failure was kept"


async def test_a_server_lost_half_way_keeps_the_old_index(
    qdrant: QdrantStandin, gemini: GeminiStandin, settings_of: Callable[..., Settings]
) -> None:
    settings = settings_of(**with_gemini(gemini, qdrant_host=qdrant.url))
    await write_index(settings, [passage("old", "a lamp")])
    with pytest.raises(SearchUnavailable):
        await run_until(settings, library(2 * BATCH), BATCH, qdrant.stop)
    qdrant.start()
    assert await found(settings, "lamp") == ["old"]
    assert (await write_index(settings, library(2))).removed == 1


async def test_progress_is_told_after_each_batch_up_to_all(settings: Callable[..., Settings]) -> None:
    told: list[int] = []
    await run_until(settings(), library(BATCH), 0, lambda: told.append(len(told)))
    assert len(told) == 2, "200 passages, 100 at a time"


async def test_a_quota_that_asks_to_wait_is_waited_for_and_the_run_goes_on(
    settings: Callable[..., Settings], gemini: GeminiStandin
) -> None:
    gemini.fail("429ri", on="embed", times=3, seconds=0.3)
    started = monotonic()
    report = await write_index(settings(), library(2))
    assert report.embedded == 4
    assert gemini.calls("embed") == 4
    assert 0.9 <= monotonic() - started < 5


async def test_a_quota_of_the_day_ends_the_run_at_once(settings: Callable[..., Settings], gemini: GeminiStandin) -> None:
    gemini.fail("429day", on="embed")
    started = monotonic()
    with pytest.raises(ModelBusy):
        await write_index(settings(), library(2))
    assert monotonic() - started < 3
    assert await stored(settings()) == {}


async def test_a_lexical_run_embeds_nothing_and_says_so(qdrant: QdrantStandin, settings_of: Callable[..., Settings]) -> None:
    for values in ({}, {"qdrant_host": qdrant.url}):
        passages = of_site("docs", 3)
        for published in (True, False):
            report = await write_index(settings_of(**values), passages)
            assert (report.written, report.embedded, report.published) == (6, 0, published)
        report = await write_index(settings_of(**values, site="other"), [])
        assert (report.written, report.other_sites) == (0, 6)
