"""Going back to the run before the live one, what is live, and one writer at a time, on both engines."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chatbot_api.errors import IndexMismatch, IndexMissing, SearchUnavailable
from chatbot_api.services.qdrant_connection import client_of
from chatbot_api.services.qdrant_index_writer import QdrantIndexWriter
from index_engines import EVERYWHERE, MARKER, SPARSE, Edge, Engine, names, on_server, passage, publish, vector_of
from processes import running


async def rolled_back(engine: Engine) -> str:
    writer = engine.writer()
    try:
        return await writer.rollback()
    finally:
        await writer.close()


async def found(engine: Engine) -> list[str]:
    reader = engine.reader()
    await reader.check()
    return sorted(names(await reader.search(None, "lamp", EVERYWHERE, 9)))


async def test_a_rollback_makes_the_run_before_live_and_a_second_one_the_newer_again(engine: Engine) -> None:
    await publish(engine, [passage("old", "lamp")])
    await publish(engine, [passage("new", "lamp"), passage("newer", "lamp hub")])
    old, new = engine.runs()
    open_reader = engine.reader()
    assert await open_reader.check() == 2
    for name, pages in ((old, ["old"]), (new, ["new", "newer"]), (old, ["old"])):
        assert await rolled_back(engine) == name
        assert await found(engine) == pages
        assert await open_reader.check() == len(pages), "a reader that was open takes it up"
        assert await engine.writer().live() == (name, MARKER, len(pages))
        assert engine.runs() == [old, new]


async def test_a_run_published_after_a_rollback_keeps_the_one_that_was_live(engine: Engine) -> None:
    for page in ("first", "second"):
        await publish(engine, [passage(page, "lamp")])
    first, second = engine.runs()
    await rolled_back(engine)
    await publish(engine, [passage("third", "lamp")])
    assert first in engine.runs()
    assert second not in engine.runs()
    assert await rolled_back(engine) == first
    assert await found(engine) == ["first"]


async def test_without_a_run_before_there_is_nothing_to_go_back_to(engine: Engine) -> None:
    with pytest.raises(IndexMissing, match="no run"):
        await rolled_back(engine)
    await publish(engine, [passage("only", "lamp")])
    with pytest.raises(IndexMissing, match="no run"):
        await rolled_back(engine)
    assert await found(engine) == ["only"]


async def test_a_run_that_was_broken_off_is_no_run_to_go_back_to(engine: Engine) -> None:
    await publish(engine, [passage("only", "lamp")])
    writer = engine.writer()
    await writer.begin()
    await writer.add([passage("half", "lamp")], [vector_of("lamp")])
    await writer.close()
    with pytest.raises(IndexMissing):
        await rolled_back(engine)
    assert await found(engine) == ["only"]


async def test_a_run_made_with_other_settings_is_not_gone_back_to(engine: Engine) -> None:
    await publish(engine, [passage("old", "lamp")], replace(MARKER, embedding_model="model-b"))
    await publish(engine, [passage("new", "lamp")])
    with pytest.raises(IndexMismatch, match="model-b"):
        await rolled_back(engine)
    assert await found(engine) == ["new"]


async def test_nothing_is_live_before_the_first_run(engine: Engine) -> None:
    assert await engine.writer().live() is None


async def test_without_vectors_none_is_read_and_another_marker_does_not_matter(engine: Engine) -> None:
    passages = [passage(f"page{at}", f"lamp {at}") for at in range(700)]
    await publish(engine, passages)
    for marker in (MARKER, replace(MARKER, embedding_model="model-b")):
        stored = [one async for one in engine.writer(marker).stored(vectors=False)]
        assert {one.passage.id: one.passage for one in stored} == {one.id: one for one in passages}
        assert {one.vector for one in stored} == {None}


# --- one writer at a time


async def test_a_second_writer_of_a_folder_is_refused_until_the_first_is_done(edge: Edge) -> None:
    first, second = edge.writer(), edge.writer()
    await first.begin()
    for refused in (second.lock, second.begin, second.rollback):
        with pytest.raises(SearchUnavailable, match="being written by another process"):
            await refused()
    await first.add([passage("one", "lamp")], [vector_of("lamp")])
    await first.publish()
    await second.begin()
    await second.close()
    await first.close()
    assert await found(edge) == ["one"]


HOLD = """
import sys, time
from pathlib import Path
from chatbot_api.services.writer_lock import WriterLock

pytest_plugins = ["index_engine_fixtures"]
lock = WriterLock(Path(sys.argv[1]) / ".lock")
lock.take()
print("held", flush=True)
time.sleep(60)
"""


async def test_a_lock_is_released_by_the_system_when_its_holder_is_killed(edge: Edge) -> None:
    with running(["-c", HOLD, str(edge.folder)], edge.folder.parent) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        writer = edge.writer()
        with pytest.raises(SearchUnavailable, match="being written by another process"):
            await writer.lock()
        holder.kill()
        holder.wait()
    await writer.lock()
    await writer.close()


async def test_writers_of_a_server_that_share_a_lock_folder_keep_each_other_out(tmp_path: Path) -> None:
    async with on_server() as server:
        first, second = (
            QdrantIndexWriter(client_of(server.standin.url, "", 10), "docs", MARKER, SPARSE, tmp_path) for _ in range(2)
        )
        await first.begin()
        with pytest.raises(SearchUnavailable, match="being written by another process"):
            await second.begin()
        await first.close()
        await second.begin()
        await second.close()


async def test_of_two_writers_on_different_machines_the_later_goes_on_and_the_other_is_told() -> None:
    async with on_server() as server:
        first, second = server.writer(), server.writer()
        await first.begin()
        await first.add([passage("one", "lamp")], [vector_of("lamp")])
        await second.begin()
        assert [one.passage.url async for one in second.unfinished()] == ["/one"]
        await second.add([passage("one", "lamp"), passage("two", "lamp")], [vector_of("lamp"), vector_of("two")])
        await second.drop_unfinished()
        with pytest.raises(SearchUnavailable, match="another process"):
            await first.add([passage("three", "lamp")], [vector_of("three")])
        await second.publish()
        assert await found(server) == ["one", "two"]
        assert len(server.runs()) == 1


# --- a run that was broken off, damaged


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"\x93" * 50), lambda path: path.unlink()])
async def test_a_damaged_unfinished_run_is_passed_over_and_deleted(edge: Edge, damage: Callable[[Path], object]) -> None:
    await publish(edge, [passage("live", "lamp")])
    writer = edge.writer()
    await writer.begin()
    await writer.add([passage("half", "lamp")], [vector_of("lamp")])
    await writer.close()
    live, half = edge.runs()
    for path in (edge.folder / half / "shard").rglob("segment.json"):
        damage(path)
    assert [one async for one in edge.writer().unfinished()] == []
    await publish(edge, [passage("new", "lamp")])
    assert live in edge.runs()
    assert half not in edge.runs()
    assert await found(edge) == ["new"]


async def test_unfinished_runs_of_another_marker_are_not_taken_over(engine: Engine) -> None:
    writer = engine.writer(replace(MARKER, embedding_model="model-b"))
    await writer.begin()
    await writer.add([passage("half", "lamp")], [vector_of("lamp")])
    await writer.close()
    assert [one async for one in engine.writer().unfinished()] == []
    await publish(engine, [passage("live", "lamp")])
    assert len(engine.runs()) == 1, "a publish leaves nothing behind"
