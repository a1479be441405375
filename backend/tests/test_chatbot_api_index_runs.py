"""What a run of the indexer owes on either engine: whole or not at all, marked, and the old one kept."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from chatbot_api.errors import IndexMismatch, IndexMissing, SearchMisconfigured
from chatbot_api.models.index_models import SCHEMA_VERSION, IndexMarker, Scope
from chatbot_api.services.sparse_encoder import SparseEncoder
from index_engines import (
    EVERYWHERE,
    LEXICAL,
    MARKER,
    Engine,
    Server,
    library,
    names,
    opened,
    passage,
    publish,
    vector_of,
)

pytest_plugins = ["index_engine_fixtures"]


async def test_what_is_stored_comes_back_with_its_vectors(engine: Engine) -> None:
    passages = library(300, 2)
    await publish(engine, passages)
    stored = {one.passage.id: one async for one in engine.writer().stored()}
    assert {one.id: one for one in passages} == {key: one.passage for key, one in stored.items()}
    for one in passages[::40]:
        assert stored[one.id].vector == pytest.approx(vector_of(one.text), abs=1e-5)


async def test_nothing_is_stored_before_the_first_run_or_for_another_marker(engine: Engine) -> None:
    assert [one async for one in engine.writer().stored()] == []
    await publish(engine, library(2))
    assert [one async for one in engine.writer(replace(MARKER, embedding_model="model-b")).stored()] == []


async def test_a_second_run_replaces_the_first_at_once_and_an_open_reader_takes_it_up(engine: Engine) -> None:
    reader = await opened(engine, [passage("old", "lamp"), passage("both", "lamp hub")])
    writer = engine.writer()
    await writer.begin()
    fresh = [passage("both", "lamp hub"), passage("new", "lamp phone"), passage("newer", "lamp phone room")]
    await writer.add(fresh[:1], [vector_of(fresh[0].text)])
    assert sorted(names(await reader.search(None, "lamp", EVERYWHERE, 9))) == ["both", "old"]
    await writer.add(fresh[1:], [vector_of(one.text) for one in fresh[1:]])
    assert await reader.check() == 2, "not published yet"
    await writer.publish()
    await writer.close()
    assert await reader.check() == 3
    assert sorted(names(await reader.search(None, "lamp", EVERYWHERE, 9))) == ["both", "new", "newer"]


async def test_the_live_run_and_the_one_before_it_are_kept_and_older_ones_dropped(engine: Engine) -> None:
    kept: list[list[str]] = []
    for number in range(5):
        await publish(engine, [passage("page", f"lamp number{number}")])
        kept.append(engine.runs())
    assert [len(runs) for runs in kept] == [1, 2, 2, 2, 2]
    for before, after in pairwise(kept[1:]):
        assert after[0] == before[1], "the one that was live"
        assert after[1] not in before
    reader = engine.reader()
    await reader.check()
    assert (await reader.search(None, "lamp", EVERYWHERE, 1))[0].passage.text == "lamp number4"


async def test_a_run_that_was_not_published_is_never_seen_and_the_next_publish_drops_it(engine: Engine) -> None:
    await publish(engine, [passage("live", "lamp")])
    writer = engine.writer()
    await writer.begin()
    await writer.add([passage("half", "lamp")], [vector_of("lamp")])
    await writer.close()
    (half,) = engine.runs()[1:]
    reader = engine.reader()
    assert await reader.check() == 1
    assert names(await reader.search(None, "lamp", EVERYWHERE, 5)) == ["live"]
    assert [one.passage.url async for one in engine.writer().unfinished()] == ["/half"]
    await publish(engine, [passage("newer", "lamp")])
    assert half not in engine.runs()
    assert len(engine.runs()) == 2


async def test_a_run_that_was_begun_and_holds_nothing_is_dropped_by_close(engine: Engine) -> None:
    await publish(engine, [passage("live", "lamp")])
    runs = engine.runs()
    writer = engine.writer()
    await writer.begin()
    assert len(engine.runs()) == 2
    await writer.close()
    assert engine.runs() == runs


async def test_a_first_run_that_was_not_published_leaves_no_index(engine: Engine) -> None:
    writer = engine.writer()
    await writer.begin()
    await writer.add([passage("half", "lamp")], [vector_of("lamp")])
    with pytest.raises(IndexMissing):
        await engine.reader().check()
    await writer.close()
    with pytest.raises(IndexMissing):
        await engine.reader().check()
    assert await engine.writer().live() is None


async def test_a_writer_that_never_began_closes_without_a_trace(engine: Engine) -> None:
    await publish(engine, [passage("live", "lamp")])
    runs = engine.runs()
    await engine.writer().close()
    assert engine.runs() == runs


OTHERWISE: list[tuple[dict[str, Any], list[str]]] = [
    ({"embedding_model": "model-b"}, ["'model-a'", "'model-b'"]),
    ({"dimensions": 8}, ["16", "8"]),
    ({"task_format": "prefixes"}, ["'plain'", "'prefixes'"]),
    ({"bm25": SparseEncoder("german").settings}, ["english", "german"]),
    ({"schema_version": 99}, [f"has {SCHEMA_VERSION}", "say 99"]),
]


async def test_an_index_made_otherwise_is_refused_with_both_values(engine: Engine) -> None:
    await publish(engine, library(2))
    for changed, named in OTHERWISE:
        with pytest.raises(IndexMismatch) as caught:
            await engine.reader(replace(MARKER, **changed)).check()
        assert next(iter(changed)) in caught.value.cause
        assert all(value in caught.value.cause for value in named), caught.value.cause


async def test_without_an_index_check_says_that_it_is_missing(engine: Engine) -> None:
    with pytest.raises(IndexMissing):
        await engine.reader().check()
    with pytest.raises(IndexMissing):
        await engine.reader().search(vector_of("q"), "lamp", EVERYWHERE, 5)


async def test_a_lexical_index_holds_no_vectors_and_is_searched_by_words(engine: Engine) -> None:
    passages = library(6)
    reader = await opened(engine, passages, LEXICAL)
    hits = await reader.search(None, "battery", Scope("docs"), 5)
    assert hits
    assert all(hit.cosine is None and hit.passage.site == "docs" for hit in hits)
    stored = [one async for one in engine.writer(LEXICAL).stored()]
    assert len(stored) == len(passages)
    assert all(one.vector is None for one in stored)


async def test_a_vector_of_another_length_is_a_mismatch_and_no_outage(engine: Engine) -> None:
    reader = await opened(engine, library(2))
    with pytest.raises(IndexMismatch):
        await reader.search([1.0, 0.0], "lamp", EVERYWHERE, 5)


# --- the server's collections


async def test_the_collection_bears_the_marker_and_indexes_for_all_that_is_filtered(server: Server) -> None:
    await publish(server, library(2))
    async with server.client() as client:
        info = await client.get_collection("docs")
    assert IndexMarker.read(dict(info.config.metadata or {})) == MARKER
    # In strict mode a server refuses to filter by what it has no index for.
    assert set(Scope("a", "b", "c", last_version=True).conditions()) <= set(info.payload_schema)


async def test_a_collection_of_the_aliass_name_is_not_overwritten(server: Server) -> None:
    server.standin.client.create_collection("docs", vectors_config={})
    writer = server.writer()
    with pytest.raises(SearchMisconfigured, match="QDRANT_COLLECTION_NAME"):
        await writer.begin()
    await writer.close()
    assert server.runs() == ["docs"]
    with pytest.raises(IndexMismatch, match="not made by this indexer"):
        await server.reader().check()


async def test_runs_of_an_alias_whose_name_begins_the_same_are_left_alone(server: Server) -> None:
    for _ in range(2):
        writer = server.writer(name="docs__v2")
        await writer.begin()
        await writer.publish()
        await writer.close()
    server.standin.client.create_collection("docs__by_hand", vectors_config={})
    others = set(server.runs())
    for _ in range(4):
        await publish(server, library(1))
    assert others < set(server.runs())
    assert len(server.runs()) == len(others) + 2


async def test_two_searches_and_a_check_go_through_the_alias_alone(server: Server) -> None:
    reader = await opened(server, library(2))
    server.standin.requests.clear()
    await reader.search(vector_of("q"), "lamp", EVERYWHERE, 5)
    await reader.search(None, "lamp", EVERYWHERE, 5)
    await reader.check()
    assert server.standin.requests == [
        ("POST", "/collections/docs/points/query/batch"),
        ("POST", "/collections/docs/points/query/batch"),
        ("GET", "/collections/docs"),
    ]
