"""The fixtures of the tests that need a fleet: one for each test file, slow answers, and that no replica met a bug."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet import Fleet, fleet, missing_parts
from postgres_server import PostgresServer


@pytest.fixture(scope="module")
def running_fleet(
    tmp_path_factory: pytest.TempPathFactory, book: Path, postgres_cluster: Callable[[], PostgresServer]
) -> Iterator[Fleet]:
    """One fleet for this file. Skips, visibly, where a part is missing; REQUIRE_FLEET=1 turns the skip into a failure."""
    skip_where_a_part_is_missing()
    with fleet(tmp_path_factory.mktemp("fleet"), book, postgres_cluster()) as running:
        yield running


def skip_where_a_part_is_missing() -> None:
    """Skip, visibly; REQUIRE_FLEET=1 turns the skip into a failure."""
    if missing := missing_parts():
        why = f"not installed: {', '.join(missing)}"
        if os.environ.get("REQUIRE_FLEET") == "1":
            pytest.fail(f"{why} (REQUIRE_FLEET=1)")
        pytest.skip(why)
    pytest.importorskip("redis.asyncio", reason="the package redis is not installed")


@pytest.fixture
def slow_answers(running_fleet: Fleet) -> Iterator[None]:
    """Half a second each, so that many are being written whenever a replica ends."""
    running_fleet.gemini.answer(["Answer ", "from ", "the ", "stand-in ", "[1]."], chunk_delay_s=0.1)
    yield
    running_fleet.gemini.answer(["Answer from ", "the stand-in [1]."])


@pytest.fixture
def quiet_fleet(running_fleet: Fleet) -> Iterator[None]:
    """Whatever a test did, no replica may have met a bug of its own."""
    yield
    lines = running_fleet.logs().splitlines()
    # SQLAlchemy's words for a database that took more than half a second to say goodbye: no request is concerned.
    broken = [line for line in lines if "Traceback" in line and "Exception closing connection" not in line]
    assert broken == []
    assert [line for line in lines if '"status": 500' in line] == []
