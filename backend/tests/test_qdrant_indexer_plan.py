"""What a run says beforehand on both engines: its counts, that there is nothing to do, and what it refuses to lose."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from chatbot_api.models.index_models import IndexMarker, Passage
from chatbot_api.reliability import Deadline
from index_engines import LEXICAL, MARKER, Engine, embedded, passage, publish, vector_of
from qdrant_indexer.plan import OtherSitesLost, Plan, PruneRefused, plan
from qdrant_indexer.sync import Report, sync

pytest_plugins = ["index_engine_fixtures"]


class Counting:
    """An embedder that counts what it is given."""

    batch_size = 10

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def embed_passages(self, passages: Sequence[Passage], deadline: Deadline) -> list[list[float]]:
        assert len(passages) <= self.batch_size
        self.texts.extend(one.text for one in passages)
        return [vector_of(one.text) for one in passages]


def site_of(pages: int, site: str = "docs") -> list[Passage]:
    return [passage(f"page{at}", f"lamp number{at} of {site}", site=site) for at in range(pages)]


async def planned(engine: Engine, passages: Sequence[Passage], site: str = "docs", marker: IndexMarker = MARKER) -> Plan:
    writer = engine.writer(marker)
    try:
        return await plan(passages, site, writer)
    finally:
        await writer.close()


async def synced(
    engine: Engine,
    passages: Sequence[Passage],
    embedder: Counting,
    *,
    prune_max: float = 0.3,
    force: bool = False,
    marker: IndexMarker = MARKER,
) -> Report:
    writer = engine.writer(marker)
    try:
        return await sync(passages, "docs", embedder, writer, lambda _done, _all: None, prune_max=prune_max, force=force)
    finally:
        await writer.close()


async def test_a_first_run_adds_everything_and_embeds_equal_texts_once(engine: Engine) -> None:
    passages = [*site_of(3), passage("twin", "lamp number0 of docs")]
    told = await planned(engine, passages)
    assert (told.added, told.changed, told.moved, told.unchanged, told.removed, told.stored) == (4, 0, 0, 0, 0, 0)
    assert [one.text for one in told.to_embed] == ["lamp number0 of docs", "lamp number1 of docs", "lamp number2 of docs"]
    assert not told.nothing_to_do
    embedder = Counting()
    report = await synced(engine, passages, embedder)
    assert (report.written, report.embedded, len(embedder.texts)) == (4, 3, 3)


async def test_what_was_added_changed_moved_removed_and_left_alone_is_counted(engine: Engine) -> None:
    old = site_of(10)
    await publish(engine, [*old, *site_of(3, "blog"), passage("de", "Lampe", site="other")])
    new = [
        *old[:5],
        replace(old[5], text="another text"),
        passage("new", "a new text"),
        passage("elsewhere", old[6].text),
        replace(old[7], locale="de"),
    ]
    told = await planned(engine, new)
    assert (told.added, told.changed, told.moved, told.unchanged, told.updated, told.removed) == (1, 1, 1, 6, 1, 3)
    assert told.other_sites == {"blog": 3, "other": 1}
    assert [one.text for one in told.to_embed] == ["another text", "a new text"]
    assert (told.nothing_to_do, told.made_otherwise, told.stored) == (False, False, 10)
    embedder = Counting()
    report = await synced(engine, new, embedder)
    assert embedder.texts == ["another text", "a new text"]
    assert (report.written, report.embedded, report.reused, report.removed, report.other_sites) == (9, 2, 7, 3, 4)
    assert (await planned(engine, new)).nothing_to_do


async def test_text_that_moved_keeps_its_very_vector(engine: Engine) -> None:
    await publish(engine, site_of(5))
    writer = engine.writer()
    before = {one.passage.text: one.vector async for one in writer.stored()}
    await writer.close()
    moved = [passage(f"moved{at}", one.text) for at, one in enumerate(site_of(5))]
    embedder = Counting()
    assert (await synced(engine, moved, embedder, force=True)).embedded == len(embedder.texts) == 0
    writer = engine.writer()
    after = {one.passage.url: one async for one in writer.stored()}
    await writer.close()
    assert set(after) == {one.url for one in moved}
    for one in after.values():
        assert one.vector == pytest.approx(before[one.passage.text], abs=1e-6)


async def test_one_other_field_is_enough_to_publish_and_embeds_nothing(engine: Engine) -> None:
    passages = site_of(4)
    await publish(engine, passages)
    assert (await planned(engine, passages)).nothing_to_do
    for other in (replace(passages[2], url="/renamed"), replace(passages[2], version="3"), replace(passages[2], anchor="there")):
        told = await planned(engine, [*passages[:2], other, passages[3]])
        assert (told.unchanged, told.updated, told.nothing_to_do, told.to_embed) == (4, 1, False, ())
    assert not (await planned(engine, passages[:3])).nothing_to_do, "one is to be removed"
    assert not (await planned(engine, [*passages, passage("new", "new")])).nothing_to_do


async def test_a_run_that_changes_nothing_of_3000_passages_publishes_nothing_and_is_quick(tmp_path: Path) -> None:
    passages = site_of(3000)
    async with embedded(tmp_path / "index") as engine:
        await publish(engine, passages)
        runs, embedder = engine.runs(), Counting()
        started = monotonic()
        report = await synced(engine, passages, embedder)
        took = monotonic() - started
        print(f"\n3,000 unchanged passages: {took * 1000:.0f} ms")
        assert (report.published, report.written, report.reused, report.embedded, embedder.texts) == (False, 3000, 3000, 0, [])
        assert engine.runs() == runs
        assert took < 5


# --- what is refused


async def test_more_than_the_allowed_share_is_not_removed_unless_forced(engine: Engine) -> None:
    await publish(engine, site_of(10))
    embedder = Counting()
    with pytest.raises(PruneRefused, match=r"^4 of the site's 10 stored passages \(40%\) would be removed, more than the 30% "):
        await synced(engine, site_of(6), embedder)
    assert (await planned(engine, site_of(10))).nothing_to_do, "the old index is untouched"
    assert len(engine.runs()) == 1
    assert (await synced(engine, site_of(6), embedder, prune_max=0.4)).removed == 4
    assert (await synced(engine, site_of(1), embedder, force=True)).removed == 5
    assert embedder.texts == []


async def test_the_share_is_kept_by_a_run_that_is_made_otherwise_too(engine: Engine) -> None:
    await publish(engine, site_of(10))
    with pytest.raises(PruneRefused, match="9 of the site's 10"):
        await synced(engine, site_of(1), Counting(), marker=replace(MARKER, embedding_model="model-b"))


async def test_no_passages_at_all_are_refused_even_where_none_are_stored(engine: Engine) -> None:
    with pytest.raises(PruneRefused, match="no passages to index"):
        await synced(engine, [], Counting())
    await publish(engine, site_of(2))
    with pytest.raises(PruneRefused, match="and 2 are stored"):
        await synced(engine, [], Counting(), prune_max=1.0)
    assert (await synced(engine, [], Counting(), force=True)).removed == 2


async def test_other_sites_of_a_run_made_otherwise_are_named_and_not_lost_unless_forced(engine: Engine) -> None:
    passages = site_of(4)
    await publish(engine, [*passages, *site_of(3, "blog"), *site_of(2, "shop")])
    otherwise = replace(MARKER, embedding_model="model-b")
    told = await planned(engine, passages, marker=otherwise)
    assert (told.made_otherwise, told.changed, told.unchanged, len(told.to_embed)) == (True, 4, 0, 4)
    embedder = Counting()
    with pytest.raises(OtherSitesLost, match=r"blog \(3 passages\), shop \(2 passages\)$"):
        await synced(engine, passages, embedder, marker=otherwise)
    assert embedder.texts == []
    report = await synced(engine, passages, embedder, force=True, marker=otherwise)
    assert (report.written, report.embedded, report.other_sites) == (4, 4, 0)


async def test_a_lexical_plan_embeds_nothing(engine: Engine) -> None:
    await publish(engine, site_of(2), LEXICAL)
    told = await planned(engine, site_of(5), marker=LEXICAL)
    assert (told.added, told.unchanged, told.to_embed, told.made_otherwise) == (3, 2, (), False)
