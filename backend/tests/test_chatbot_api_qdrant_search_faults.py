"""Searches when the server fails, by REST and by gRPC: each fault has one name, is tried again only where that helps, and ends
in time; and none of it stays.
"""

import asyncio
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest

from chatbot_api.errors import (
    SearchError,
    SearchMisconfigured,
    SearchUnavailable,
)
from chatbot_api.services.qdrant_connection import client_of
from chatbot_api.services.qdrant_errors import LONGEST_CAUSE
from chatbot_api.services.qdrant_index_writer import QdrantIndexWriter
from chatbot_api.services.qdrant_service import QdrantService
from chatbot_api.throttle import PROBE_EVERY_S
from index_engines import MARKER, SPARSE
from qdrant_faults import FAULTS
from qdrant_grpc_side import PLAYED
from qdrant_search_fixtures import COMMON, CUT_S, OF_REST, QUERIES, QUESTION, service_of
from qdrant_standin import QdrantStandin, qdrant_standin

CANARY = "qdrant-canary-0123456789"
NAMES = {False: "REST", True: "gRPC"}
ALL = [(False, *row) for row in COMMON + OF_REST] + [(True, *row) for row in COMMON]


@pytest.fixture(params=[False, True], ids=list(NAMES.values()))
def by_grpc(request: pytest.FixtureRequest) -> bool:
    return request.param


def test_every_fault_of_the_stand_in_has_a_row() -> None:
    assert {fault for fault, *_ in COMMON + OF_REST} == FAULTS
    assert {fault for fault, *_ in COMMON} == PLAYED


@pytest.mark.parametrize(("by_grpc", "fault", "kw", "name", "calls"), ALL, ids=[f"{NAMES[row[0]]} {row[1]}" for row in ALL])
async def test_a_fault_has_its_name_is_asked_so_often_and_ends_in_time(
    standin: QdrantStandin,
    searching: QdrantService,
    by_grpc: bool,
    fault: str,
    kw: dict[str, Any],
    name: type[SearchError],
    calls: int,
) -> None:
    standin.fail(fault, **kw)
    started = monotonic()
    with pytest.raises(SearchError) as caught:
        await searching.search(*QUESTION)
    assert monotonic() - started < CUT_S
    assert type(caught.value) is name
    assert 0 < len(caught.value.cause) <= LONGEST_CAUSE
    assert standin.requests == [QUERIES[by_grpc]] * calls
    assert caught.value.retry_after_s == kw.get("seconds") if fault == "429" else caught.value.retry_after_s is None


PASSING = ("408", "429n", "500", "503", "507")


@pytest.mark.parametrize(("by_grpc", "fault"), [(False, "reset"), *((by_grpc, fault) for by_grpc in NAMES for fault in PASSING)])
async def test_a_fault_that_passes_is_made_good_by_the_second_try(
    standin: QdrantStandin, searching: QdrantService, by_grpc: bool, fault: str
) -> None:
    standin.fail(fault, times=1)
    assert len(await searching.search(*QUESTION)) == 5
    assert standin.requests == [QUERIES[by_grpc]] * 2


@pytest.mark.parametrize("fault", ["404", "dims", "badjson", "null", "shape", "trunc", "hang", "429", "503"])
async def test_after_a_fault_the_next_search_goes_through(standin: QdrantStandin, searching: QdrantService, fault: str) -> None:
    standin.fail(fault)
    with pytest.raises(SearchError):
        await searching.search(*QUESTION)
    standin.heal()
    assert len(await searching.search(*QUESTION)) == 5
    assert searching.problems == []


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread brings about."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - it has no event of this loop
            await asyncio.sleep(0.01)


async def test_a_server_that_goes_down_under_a_search_is_unavailable_and_not_unreadable(
    standin: QdrantStandin, searching: QdrantService, by_grpc: bool
) -> None:
    standin.fail("hang")
    search = asyncio.create_task(searching.search(*QUESTION))
    await until(lambda: QUERIES[by_grpc] in standin.requests)
    await asyncio.to_thread(standin.stop)
    with pytest.raises(SearchUnavailable):
        await search
    standin.heal()
    await asyncio.to_thread(standin.start)


async def test_fifty_searches_at_once_all_find_the_same(standin: QdrantStandin, by_grpc: bool) -> None:
    searching = service_of(standin, by_grpc, timeout_s=20)
    expected = await searching.search(*QUESTION)
    for found in await asyncio.gather(*(searching.search(*QUESTION) for _ in range(50))):
        assert found == expected
    await searching.close()


async def test_fifty_searches_at_a_server_that_hangs_all_end_in_time_and_poison_nothing(
    standin: QdrantStandin, searching: QdrantService
) -> None:
    standin.fail("hang")
    started = monotonic()
    failed = await asyncio.gather(*(searching.search(*QUESTION) for _ in range(50)), return_exceptions=True)
    assert monotonic() - started < CUT_S + 0.7, "fifty at once, on a machine that may be busy"
    assert {type(one) for one in failed} == {SearchUnavailable}
    standin.heal()
    await asyncio.sleep(PROBE_EVERY_S)
    assert len(await searching.search(*QUESTION)) == 5
    for _ in range(3):
        assert {len(found) for found in await asyncio.gather(*(searching.search(*QUESTION) for _ in range(5)))} == {5}


async def test_searches_that_their_reader_gave_up_leave_the_service_usable(standin: QdrantStandin, by_grpc: bool) -> None:
    searching = service_of(standin, by_grpc, timeout_s=10)
    standin.fail("hang")
    for _ in range(20):  # more than there are seats
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await searching.search(*QUESTION)
    await until(lambda: standin.grpc_calls == 0)
    standin.heal()
    started = monotonic()
    assert len(await searching.search(*QUESTION)) == 5
    assert monotonic() - started < 1.0
    await searching.close()


@pytest.fixture(scope="module")
def locked() -> Iterator[QdrantStandin]:
    """A server that wants a key, and has an empty collection of ours."""

    async def publish_nothing(url: str) -> None:
        writer = QdrantIndexWriter(client_of(url, CANARY, 5), "docs", MARKER, SPARSE)
        await writer.begin()
        await writer.publish()
        await writer.close()

    with qdrant_standin(CANARY) as standin:
        asyncio.run(publish_nothing(standin.url))
        yield standin


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
async def test_the_key_is_sent_and_one_that_is_refused_is_misconfigured_without_being_told(
    locked: QdrantStandin, by_grpc: bool
) -> None:
    right = service_of(locked, by_grpc, CANARY, 5)
    assert await right.check() == 0
    assert await right.search(*QUESTION) == []
    await right.close()
    for wrong in ("", CANARY[:-1]):
        searching = service_of(locked, by_grpc, wrong, 5)
        for ask in (searching.check, lambda searching=searching: searching.search(*QUESTION)):
            with pytest.raises(SearchMisconfigured) as caught:
                await ask()
            assert "canary" not in f"{caught.value}{caught.value.cause}{caught.value.detail}"
        await searching.close()
