"""Replicas give each other's answers again, and none of an index that is no longer searched."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet import PATIENCE_S, Fleet, fleet
from fleet_fixtures import skip_where_a_part_is_missing
from fleet_readers import new_address
from fleet_wire import Wire
from postgres_server import PostgresServer

QUESTION = {"query": "How do I install Lantern with Docker?"}


@pytest.fixture
def sharing_fleet(tmp_path: Path, book: Path, postgres_cluster: Callable[[], PostgresServer]) -> Iterator[Fleet]:
    skip_where_a_part_is_missing()
    with fleet(tmp_path, book, postgres_cluster(), ANSWER_CACHE_TTL_S="600") as running:
        yield running


def edited(book: Path, folder: Path) -> Path:
    """The book with other words in it."""
    folder.mkdir()
    for page in book.glob("*.md"):
        (folder / page.name).write_text(page.read_text(encoding="utf-8").replace(" lamp", " second lamp"), encoding="utf-8")
    return folder


async def modes(running: Fleet) -> list[str]:
    """How each replica in turn comes by its answer, asked past nginx."""
    told: list[str] = []
    for replica in running.replicas:
        wire = Wire(replica.port, new_address())
        reply = await wire.ask("POST", "/chat", QUESTION)
        assert reply.status == 200, reply
        told.append(reply.json()["mode"])
        wire.close()
    return told


async def test_an_answer_of_one_replica_is_given_again_by_all_until_the_index_is_renewed(
    sharing_fleet: Fleet, book: Path, tmp_path: Path
) -> None:
    assert await modes(sharing_fleet) == ["generated", "cached", "cached"]
    assert sharing_fleet.gemini.calls("generate") == 1
    await asyncio.to_thread(sharing_fleet.publish, edited(book, tmp_path / "second"))
    end = time.monotonic() + PATIENCE_S
    while sharing_fleet.gemini.calls("generate") == 1:
        assert time.monotonic() < end, "an answer from the index before is given for ever"
        await modes(sharing_fleet)
    while await modes(sharing_fleet) != ["cached"] * 3:
        assert time.monotonic() < end, "the new index' answer is not shared"
    assert sharing_fleet.gemini.calls("generate") == 2
