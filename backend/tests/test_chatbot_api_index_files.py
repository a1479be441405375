"""The embedded engine's files: shared by readers, damaged, gone, or not to be written."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from chatbot_api.errors import IndexMismatch, IndexMissing, SearchUnavailable
from chatbot_api.services.edge_index_writer import EdgeIndexWriter
from index_engines import (
    EVERYWHERE,
    MARKER,
    SPARSE,
    Edge,
    library,
    names,
    opened,
    passage,
    publish,
    vector_of,
)

pytest_plugins = ["index_engine_fixtures"]


async def test_several_readers_share_one_folder(edge: Edge) -> None:
    first = await opened(edge, library(3))
    second = edge.reader()
    assert await second.check() == 6
    question = (vector_of("q"), "lamp", EVERYWHERE, 5)
    assert await first.search(*question) == await second.search(*question)


def files_of(edge: Edge, pattern: str) -> list[Path]:
    (run,) = edge.runs()
    found = list((edge.folder / run / "shard").rglob(pattern))
    assert found
    return found


def _pointer_of_noise(edge: Edge) -> None:
    (edge.folder / "current").write_bytes(b"\xff\xfe\x00")


def _segment_of_noise(edge: Edge) -> None:
    for path in files_of(edge, "segment.json"):
        path.write_bytes(b"\x93" * 50)


def _engine_panics(edge: Edge) -> None:
    for path in files_of(edge, "status.dat"):
        path.write_bytes(b"")


def _points_lost(edge: Edge) -> None:
    for path in files_of(edge, "mutable_id_tracker.mappings"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _shard_gone(edge: Edge) -> None:
    (run,) = edge.runs()
    shutil.rmtree(edge.folder / run / "shard")


@pytest.mark.parametrize("damage", [_pointer_of_noise, _segment_of_noise, _engine_panics, _points_lost, _shard_gone])
async def test_a_damaged_folder_is_named_unavailable_and_never_served_in_part(edge: Edge, damage: Any) -> None:
    await publish(edge, library(3))
    damage(edge)
    reader = edge.reader()
    with pytest.raises(SearchUnavailable) as caught:
        await reader.check()
    assert caught.value.cause
    with pytest.raises(IndexMissing):
        await reader.search(vector_of("q"), "lamp", EVERYWHERE, 5)


@pytest.mark.parametrize("marker", ["", "[]", "{}", '{"model": "foreign"}', "\udcff"])
async def test_a_run_without_a_marker_of_ours_is_a_mismatch(edge: Edge, marker: str) -> None:
    await publish(edge, library(1))
    (run,) = edge.runs()
    (edge.folder / run / "marker.json").write_bytes(marker.encode("utf-8", "surrogateescape"))
    with pytest.raises(IndexMismatch):
        await edge.reader().check()


async def test_a_pointer_to_a_run_that_is_gone_means_no_index(edge: Edge) -> None:
    await publish(edge, library(1))
    shutil.rmtree(edge.folder / edge.runs()[0])
    with pytest.raises(IndexMissing):
        await edge.reader().check()


async def test_an_open_reader_goes_on_with_its_run_when_a_newer_one_is_damaged(edge: Edge) -> None:
    reader = await opened(edge, [passage("old", "lamp")])
    old = set(edge.runs())
    await publish(edge, [passage("new", "lamp")])
    (new,) = set(edge.runs()) - old
    shutil.rmtree(edge.folder / new / "shard")
    with pytest.raises(SearchUnavailable):
        await reader.check()
    assert names(await reader.search(None, "lamp", EVERYWHERE, 5)) == ["old"]


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = EdgeIndexWriter(tmp_path / "file" / "index", MARKER, SPARSE)
    with pytest.raises(SearchUnavailable, match="can't be written"):
        await writer.begin()
    await writer.close()


async def test_a_run_whose_files_vanish_is_not_published(edge: Edge) -> None:
    await publish(edge, [passage("live", "lamp")])
    live = edge.runs()
    writer = edge.writer()
    await writer.begin()
    await writer.add([passage("half", "lamp")], [vector_of("lamp")])
    (begun,) = set(edge.runs()) - set(live)
    shutil.rmtree(edge.folder / begun)
    with pytest.raises(SearchUnavailable):
        await writer.publish()
    await writer.close()
    reader = edge.reader()
    assert await reader.check() == 1
    assert names(await reader.search(None, "lamp", EVERYWHERE, 5)) == ["live"]


async def test_an_unpublishable_pointer_keeps_the_old_run_and_leaves_the_new_one_to_be_resumed(edge: Edge) -> None:
    await publish(edge, [passage("live", "lamp")])
    writer = edge.writer()
    await writer.begin()
    await writer.add([passage("half", "lamp")], [vector_of("lamp")])
    (edge.folder / "current").rename(edge.folder / "kept")
    (edge.folder / "current").mkdir()  # nothing can be renamed over a folder
    with pytest.raises(SearchUnavailable, match="can't be"):
        await writer.publish()
    await writer.close()
    (edge.folder / "current").rmdir()
    (edge.folder / "kept").rename(edge.folder / "current")
    reader = edge.reader()
    assert await reader.check() == 1
    assert names(await reader.search(None, "lamp", EVERYWHERE, 5)) == ["live"]
    assert [one.passage.url async for one in edge.writer().unfinished()] == ["/half"]


async def test_a_marker_of_an_index_made_before_passages_were_counted_is_still_read(edge: Edge) -> None:
    await publish(edge, library(2))
    path = edge.folder / edge.runs()[0] / "marker.json"
    values = json.loads(path.read_text())
    assert values.pop("passages") == 4
    path.write_text(json.dumps(values))
    assert await edge.reader().check() == 4
