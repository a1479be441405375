"""Searches over gRPC when the server fails: the same names as over REST, in time, and none of it stays."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from chatbot_api.config import Settings
from chatbot_api.errors import (
    IndexMismatch,
    IndexMissing,
    SearchBadResponse,
    SearchError,
    SearchMisconfigured,
    SearchUnavailable,
)
from chatbot_api.services.qdrant_connection import client_of
from chatbot_api.services.qdrant_errors import LONGEST_CAUSE
from chatbot_api.services.qdrant_grpc import GrpcSearch
from chatbot_api.services.qdrant_index_writer import QdrantIndexWriter
from chatbot_api.services.qdrant_service import QdrantService
from chatbot_api.throttle import PROBE_EVERY_S
from conftest import Service, index_book, with_gemini
from dead_port import dead_port
from gemini_standin import GeminiStandin
from index_engines import EVERYWHERE, MARKER, SPARSE, Server, library, publish, reads_of, vector_of, wire_to
from qdrant_grpc_side import PATH, PLAYED
from qdrant_standin import QdrantStandin, qdrant_standin

TIMEOUT_S = 0.8
CUT_S = TIMEOUT_S + 0.3
QUESTION = (vector_of("q"), "lamp of the room", EVERYWHERE, 5)
QUERY = ("GRPC", PATH)
CANARY = "qdrant-canary-0123456789"


@pytest.fixture(scope="module")
def filled() -> Iterator[QdrantStandin]:
    """A server with sixty passages, one for all tests that only read."""

    async def fill(standin: QdrantStandin) -> None:
        async with AsyncExitStack() as stack:
            await publish(Server(standin, stack), library())

    with qdrant_standin() as standin:
        asyncio.run(fill(standin))
        yield standin


@pytest.fixture
def standin(filled: QdrantStandin) -> QdrantStandin:
    """Healthy, and asked nothing yet."""
    filled.heal()
    filled.requests.clear()
    return filled


def service_of(standin: QdrantStandin, key: str = "", timeout_s: float = TIMEOUT_S) -> QdrantService:
    wire = wire_to(standin, key, by_grpc=True)
    return QdrantService(reads_of(standin.url, key, timeout_s), MARKER, SPARSE, wire=wire, timeout_s=timeout_s)


@pytest.fixture
async def service(standin: QdrantStandin) -> AsyncIterator[QdrantService]:
    """A service whose connection is open, as in a running process."""
    one = service_of(standin)
    await one.search(*QUESTION)
    standin.requests.clear()
    yield one
    await one.close()


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread brings about."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - it has no event of this loop
            await asyncio.sleep(0.01)


NAMED: list[tuple[str, dict[str, Any], type[SearchError], int]] = [
    ("401", {}, SearchMisconfigured, 1),
    ("403", {}, SearchMisconfigured, 1),
    ("404", {}, IndexMissing, 1),
    ("dims", {}, IndexMismatch, 1),
    ("408", {}, SearchUnavailable, 2),
    ("429", {"seconds": 7}, SearchUnavailable, 1),
    ("429n", {}, SearchUnavailable, 2),
    ("500", {}, SearchUnavailable, 2),
    ("503", {}, SearchUnavailable, 2),
    ("507", {}, SearchUnavailable, 2),
    ("slow", {"seconds": 8}, SearchUnavailable, 1),
    ("hang", {}, SearchUnavailable, 1),
    ("badjson", {}, SearchBadResponse, 1),
    ("null", {}, SearchBadResponse, 1),
    ("shape", {}, SearchBadResponse, 1),
    ("trunc", {}, SearchBadResponse, 1),
    ("payloadnone", {}, SearchBadResponse, 1),
]
"""Fault, its values, what it is called, and how many times the server is asked: as over REST."""


def test_every_fault_that_grpc_can_have_has_a_row() -> None:
    assert {fault for fault, *_ in NAMED} == PLAYED


@pytest.mark.parametrize(("fault", "kw", "name", "calls"), NAMED, ids=[row[0] for row in NAMED])
async def test_a_fault_has_its_name_is_asked_so_often_and_ends_in_time(
    standin: QdrantStandin, service: QdrantService, fault: str, kw: dict[str, Any], name: type[SearchError], calls: int
) -> None:
    standin.fail(fault, **kw)
    started = monotonic()
    with pytest.raises(SearchError) as caught:
        await service.search(*QUESTION)
    assert monotonic() - started < CUT_S
    assert type(caught.value) is name
    assert 0 < len(caught.value.cause) <= LONGEST_CAUSE
    assert standin.requests == [QUERY] * calls
    assert caught.value.retry_after_s == kw.get("seconds") if fault == "429" else caught.value.retry_after_s is None


@pytest.mark.parametrize("fault", ["408", "429n", "500", "503", "507"])
async def test_a_fault_that_passes_is_made_good_by_the_second_try(
    standin: QdrantStandin, service: QdrantService, fault: str
) -> None:
    standin.fail(fault, times=1)
    assert len(await service.search(*QUESTION)) == 5
    assert standin.requests == [QUERY] * 2


@pytest.mark.parametrize("fault", ["404", "dims", "badjson", "null", "shape", "trunc", "hang", "429", "503"])
async def test_after_a_fault_the_next_search_goes_through(standin: QdrantStandin, service: QdrantService, fault: str) -> None:
    standin.fail(fault)
    with pytest.raises(SearchError):
        await service.search(*QUESTION)
    standin.heal()
    assert len(await service.search(*QUESTION)) == 5
    assert service.problems == []


async def test_a_server_that_is_down_fails_fast_and_is_searched_again_soon_after_its_return(standin: QdrantStandin) -> None:
    service = service_of(standin, timeout_s=5)
    for _ in range(3):
        assert len(await found_again(service)) == 5
        await asyncio.to_thread(standin.stop)
        started = monotonic()
        with pytest.raises(SearchUnavailable):
            await service.search(*QUESTION)
        assert monotonic() - started < 1.5
        await asyncio.to_thread(standin.start)
    assert len(await found_again(service)) == 5
    await service.close()


async def found_again(service: QdrantService) -> list[Any]:
    """gRPC pauses for 0.1 s between its attempts to connect, and throttling for a second between ours."""
    async with asyncio.timeout(5):
        while True:
            try:
                return await service.search(*QUESTION)
            except SearchUnavailable:
                await asyncio.sleep(0.05)


async def test_a_server_that_goes_down_under_a_search_is_unavailable_and_not_unreadable(
    standin: QdrantStandin, service: QdrantService
) -> None:
    standin.fail("hang")
    search = asyncio.create_task(service.search(*QUESTION))
    await until(lambda: QUERY in standin.requests)
    await asyncio.to_thread(standin.stop)
    with pytest.raises(SearchUnavailable):
        await search
    standin.heal()
    await asyncio.to_thread(standin.start)


async def test_a_port_where_nobody_listens_is_unavailable_at_once() -> None:
    with dead_port() as port:
        wire = GrpcSearch("http://127.0.0.1:1", port, "", "docs", rrf_k=5)
        service = QdrantService(reads_of("http://127.0.0.1:1"), MARKER, SPARSE, wire=wire, timeout_s=5)
        started = monotonic()
        with pytest.raises(SearchUnavailable):
            await service.search(*QUESTION)
        assert monotonic() - started < 2
        await service.close()


async def test_the_port_of_rest_is_no_port_for_grpc(standin: QdrantStandin) -> None:
    rest_port = int(standin.url.rpartition(":")[2])
    wire = GrpcSearch(standin.url, rest_port, "", "docs", rrf_k=5)
    service = QdrantService(reads_of(standin.url), MARKER, SPARSE, wire=wire, timeout_s=2)
    with pytest.raises(SearchUnavailable):
        await service.search(*QUESTION)
    await service.close()


async def test_fifty_searches_at_once_all_find_the_same(standin: QdrantStandin) -> None:
    service = service_of(standin, timeout_s=20)
    expected = await service.search(*QUESTION)
    for found in await asyncio.gather(*(service.search(*QUESTION) for _ in range(50))):
        assert found == expected
    await service.close()


async def test_fifty_searches_at_a_server_that_hangs_all_end_in_time_and_poison_nothing(
    standin: QdrantStandin, service: QdrantService
) -> None:
    standin.fail("hang")
    started = monotonic()
    failed = await asyncio.gather(*(service.search(*QUESTION) for _ in range(50)), return_exceptions=True)
    assert monotonic() - started < CUT_S + 0.7, "fifty at once, on a machine that may be busy"
    assert {type(one) for one in failed} == {SearchUnavailable}
    standin.heal()
    await asyncio.sleep(PROBE_EVERY_S)
    assert len(await service.search(*QUESTION)) == 5


async def test_a_search_that_its_reader_gave_up_ends_on_the_server_too(standin: QdrantStandin) -> None:
    service = service_of(standin, timeout_s=10)
    standin.fail("hang")
    for _ in range(20):  # more than there are seats
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await service.search(*QUESTION)
    await until(lambda: standin.grpc_calls == 0)
    standin.heal()
    assert len(await service.search(*QUESTION)) == 5
    await service.close()


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
async def test_the_key_is_sent_and_one_that_is_refused_is_misconfigured_without_being_told() -> None:
    with qdrant_standin(CANARY) as locked:
        writer = QdrantIndexWriter(client_of(locked.url, CANARY, 5), "docs", MARKER, SPARSE)
        await writer.begin()
        await writer.publish()
        await writer.close()
        right = service_of(locked, CANARY, 5)
        assert await right.search(*QUESTION) == []
        await right.close()
        for wrong in ("", CANARY[:-1]):
            service = service_of(locked, wrong, 5)
            with pytest.raises(SearchMisconfigured) as caught:
                await service.search(*QUESTION)
            assert "canary" not in f"{caught.value}{caught.value.cause}{caught.value.detail}"
            await service.close()


def test_a_service_with_the_port_set_searches_by_it_and_checks_over_rest(
    qdrant: QdrantStandin,
    gemini: GeminiStandin,
    settings_of: Callable[..., Settings],
    book: Path,
    serve: Callable[[Settings], Service],
) -> None:
    settings = settings_of(qdrant_host=qdrant.url, qdrant_grpc_port=qdrant.grpc_port, demo_page=False, **with_gemini(gemini))
    index_book(settings, book)
    qdrant.requests.clear()
    service = serve(settings)
    body = service.ask().json()
    assert (body["outcome"], body["sources"][0]["url"]) == ("answered", "/docs/install#install-with-docker")
    assert qdrant.requests.count(QUERY) == 1
    assert ("GET", "/collections/docs") in qdrant.requests
    assert not any(path.endswith("/points/query/batch") for _, path in qdrant.requests)
    for fault, slug in (("503", "search-unavailable"), ("404", "index-missing"), ("shape", "search-bad-response")):
        qdrant.fail(fault)
        reply = service.ask()
        assert (reply.status_code, reply.json()["type"].rpartition(":")[2]) == (503, slug)
    qdrant.heal()
    assert service.ask().json()["outcome"] == "answered"
