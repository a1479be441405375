"""The Qdrant engine when the server fails: every fault has one name, is tried again only where that helps, and ends in time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from time import monotonic
from typing import Any

import pytest
from qdrant_client import models

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
from chatbot_api.services.qdrant_index_writer import QdrantIndexWriter
from chatbot_api.services.qdrant_service import QdrantService
from chatbot_api.throttle import PROBE_EVERY_S
from index_engines import (
    EVERYWHERE,
    MARKER,
    SPARSE,
    Server,
    cosine,
    library,
    names,
    on_server,
    publish,
    reads_of,
    vector_of,
    wire_to,
)
from qdrant_faults import FAULTS
from qdrant_standin import QdrantStandin, qdrant_standin

TIMEOUT_S = 0.8
CUT_S = TIMEOUT_S + 0.3
QUESTION = (vector_of("q"), "lamp of the room", EVERYWHERE, 5)
QUERY = ("POST", "/collections/docs/points/query/batch")
CANARY = "qdrant-canary-0123456789"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server with sixty passages."""
    async with on_server() as one:
        await publish(one, library())
        yield one


@pytest.fixture(scope="module")
def filled() -> Iterator[QdrantStandin]:
    """The same, one for all tests that only read."""

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
    reads = reads_of(standin.url, key, timeout_s)
    return QdrantService(reads, MARKER, SPARSE, wire=wire_to(standin, key), timeout_s=timeout_s)


@pytest.fixture
async def service(standin: QdrantStandin) -> AsyncIterator[QdrantService]:
    """A service whose first connection is open, as in a running process."""
    one = service_of(standin)
    await one.search(*QUESTION)
    standin.requests.clear()
    yield one
    await one.close()


NAMED: list[tuple[str, dict[str, Any], type[SearchError], int]] = [
    ("401", {}, SearchMisconfigured, 1),
    ("403", {}, SearchMisconfigured, 1),
    ("404", {}, IndexMissing, 1),
    ("dims", {"expected": 768, "got": 16}, IndexMismatch, 1),
    ("408", {}, SearchUnavailable, 2),
    ("429", {"seconds": 7}, SearchUnavailable, 1),
    ("429n", {}, SearchUnavailable, 2),
    ("500", {}, SearchUnavailable, 2),
    ("503", {}, SearchUnavailable, 2),
    ("507", {}, SearchUnavailable, 2),
    ("reset", {}, SearchUnavailable, 2),
    ("slow", {"seconds": 8}, SearchUnavailable, 1),
    ("drip", {"size": 16, "seconds": 0.3}, SearchUnavailable, 1),
    ("hang", {}, SearchUnavailable, 1),
    ("badjson", {}, SearchBadResponse, 1),
    ("null", {}, SearchBadResponse, 1),
    ("shape", {}, SearchBadResponse, 1),
    ("trunc", {}, SearchBadResponse, 1),
    ("payloadnone", {}, SearchBadResponse, 1),
]
"""Fault, its values, what it is called, and how many times the server is asked."""


def test_every_fault_of_the_stand_in_has_a_row() -> None:
    assert {fault for fault, *_ in NAMED} == FAULTS


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


@pytest.mark.parametrize("fault", ["408", "429n", "500", "503", "507", "reset"])
async def test_a_fault_that_passes_is_made_good_by_the_second_try(
    standin: QdrantStandin, service: QdrantService, fault: str
) -> None:
    standin.fail(fault, times=1)
    assert len(await service.search(*QUESTION)) == 5
    assert standin.requests == [QUERY] * 2


async def test_the_wait_the_server_asks_for_is_kept_when_it_fits(standin: QdrantStandin) -> None:
    service = service_of(standin, timeout_s=5)
    standin.fail("429", times=1, seconds=1)
    started = monotonic()
    assert len(await service.search(*QUESTION)) == 5
    assert 1.0 <= monotonic() - started < 1.6
    assert standin.requests == [QUERY] * 2
    await service.close()


@pytest.mark.parametrize("fault", ["404", "dims", "badjson", "null", "shape", "trunc", "hang", "429", "503"])
async def test_after_a_fault_the_next_search_goes_through(standin: QdrantStandin, service: QdrantService, fault: str) -> None:
    standin.fail(fault)
    with pytest.raises(SearchError):
        await service.search(*QUESTION)
    standin.heal()
    assert len(await service.search(*QUESTION)) == 5
    assert service.problems == []


async def test_a_server_that_refuses_the_key_is_left_alone_and_says_so_in_health(
    standin: QdrantStandin, service: QdrantService
) -> None:
    standin.fail("401", times=1)
    for _ in range(3):
        with pytest.raises(SearchMisconfigured):
            await service.search(*QUESTION)
    assert standin.requests == [QUERY]
    assert service.problems == ["search: search-misconfigured"]


# A check reads no payload.
CHECKED = [pytest.param(*row[:3], id=row[0]) for row in NAMED if row[0] != "payloadnone"]


@pytest.mark.parametrize(("fault", "kw", "name"), CHECKED)
async def test_a_check_gives_the_same_names_and_is_not_tried_again(
    standin: QdrantStandin, service: QdrantService, fault: str, kw: dict[str, Any], name: type[SearchError]
) -> None:
    standin.fail(fault, on="all", **kw)
    started = monotonic()
    if fault == "drip":  # only a deadline of the caller's can cut what drips: 5 s for a check that no reader waits for
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(TIMEOUT_S):
                await service.check()
        return
    with pytest.raises(SearchError) as caught:
        await service.check()
    assert type(caught.value) is name
    assert monotonic() - started < 1.4, "silence: whole seconds"
    # For a missing one, the names of those that are there; and aiohttp itself asks again for what a lost connection was to bring.
    assert len(standin.requests) == (2 if name is IndexMissing or fault == "reset" else 1)


# --- up and down


async def test_a_server_that_is_down_fails_fast_and_the_first_search_after_its_return_succeeds(
    standin: QdrantStandin, service: QdrantService
) -> None:
    for _ in range(3):
        standin.stop()
        started = monotonic()
        with pytest.raises(SearchUnavailable):
            await service.search(*QUESTION)
        with pytest.raises(SearchUnavailable):
            await service.check()
        assert monotonic() - started < 1.0
        standin.start()
        assert len(await service.search(*QUESTION)) == 5
        assert await service.check() == 60


async def test_a_server_that_goes_down_under_a_search_is_unavailable_and_not_unreadable(
    standin: QdrantStandin, service: QdrantService
) -> None:
    standin.fail("hang")
    search = asyncio.create_task(service.search(*QUESTION))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(standin.stop)
    with pytest.raises(SearchUnavailable):
        await search
    standin.heal()
    standin.start()
    assert len(await service.search(*QUESTION)) == 5


async def test_a_restart_under_a_search_is_made_good_by_the_second_try(standin: QdrantStandin) -> None:
    service = service_of(standin, timeout_s=5)
    standin.fail("hang", times=1)
    search = asyncio.create_task(service.search(*QUESTION))
    await asyncio.sleep(0.1)
    standin.stop()
    standin.start()
    assert len(await search) == 5
    await service.close()


# --- many at once


async def searched_at_once(service: QdrantService, number: int) -> list[Any]:
    return await asyncio.gather(*(service.search(*QUESTION) for _ in range(number)), return_exceptions=True)


async def test_fifty_searches_at_once_share_sixteen_connections_and_all_find_the_same(standin: QdrantStandin) -> None:
    service = service_of(standin, timeout_s=20)
    expected = await service.search(*QUESTION)
    for found in await searched_at_once(service, 50):
        assert found == expected
    await service.close()


async def test_fifty_searches_at_a_server_that_hangs_all_end_in_time_and_poison_nothing(standin: QdrantStandin) -> None:
    service = service_of(standin, timeout_s=TIMEOUT_S)
    standin.fail("hang")
    started = monotonic()
    failed = await searched_at_once(service, 50)
    assert monotonic() - started < CUT_S + 0.7, "fifty at once, on a machine that may be busy"
    assert {type(one) for one in failed} == {SearchUnavailable}
    standin.heal()
    await asyncio.sleep(PROBE_EVERY_S)
    assert len(await service.search(*QUESTION)) == 5
    for _ in range(3):
        assert {len(found) for found in await searched_at_once(service, 5)} == {5}
    await service.close()


async def test_connections_that_died_with_the_server_are_not_used_again(standin: QdrantStandin) -> None:
    service = service_of(standin, timeout_s=20)
    await searched_at_once(service, 16)
    await asyncio.to_thread(standin.stop)
    standin.start()
    assert {len(found) for found in await searched_at_once(service, 16)} == {5}
    await service.close()


async def test_a_search_that_its_reader_gave_up_leaves_the_service_usable(standin: QdrantStandin) -> None:
    service = service_of(standin, timeout_s=10)
    standin.fail("hang")
    for _ in range(20):  # more than there are connections
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await service.search(*QUESTION)
    standin.heal()
    started = monotonic()
    assert len(await service.search(*QUESTION)) == 5
    assert monotonic() - started < 1.0
    await service.close()


# --- collections of other tools


class OtherTools:
    """Reads any collection as one of 7 points."""

    problems: list[str] = []  # noqa: RUF012 - the Protocol's

    def __init__(self) -> None:
        self.closed = 0

    async def check(self, described: Mapping[str, Any]) -> int:
        assert described["points_count"] == 0
        return 7

    async def search(self, *_: Any) -> list[Any]:
        return []

    async def passages(self, *_: Any) -> list[Any]:
        return []

    async def places(self, _: str) -> AsyncGenerator[list[Any], None]:
        yield []

    async def close(self) -> None:
        self.closed += 1


async def test_who_reads_other_tools_collections_is_made_once_and_only_for_one_and_closed(server: Server) -> None:
    made: list[OtherTools] = []

    async def make() -> OtherTools:
        await asyncio.sleep(0)
        made.append(OtherTools())
        return made[-1]

    reads, wire = reads_of(server.standin.url), wire_to(server.standin)
    service = QdrantService(reads, MARKER, SPARSE, wire=wire, timeout_s=5, foreign=make)
    assert await service.check() == 60
    assert made == []
    (alias,) = (one.alias_name for one in server.standin.client.get_aliases().aliases if one.alias_name == "docs")
    server.standin.client.update_collection_aliases(
        [models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))]
    )
    server.standin.client.create_collection("docs", vectors_config={})
    assert await asyncio.gather(service.check(), service.check()) == [7, 7]
    assert service.is_foreign
    assert [one.closed for one in made] == [0]
    await service.close()
    assert [one.closed for one in made] == [1]


# --- the key, and the bare verb


@pytest.fixture
def locked() -> Iterator[QdrantStandin]:
    with qdrant_standin(CANARY) as standin:
        yield standin


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
async def test_the_key_is_sent_and_one_that_is_refused_is_misconfigured_without_being_told(locked: QdrantStandin) -> None:
    writer = QdrantIndexWriter(client_of(locked.url, CANARY, 5), "docs", MARKER, SPARSE)
    await writer.begin()
    await writer.publish()
    await writer.close()
    right = service_of(locked, CANARY)
    assert await right.check() == 0
    assert await right.search(*QUESTION) == []
    await right.close()
    for wrong in ("", CANARY[:-1]):
        service = service_of(locked, wrong)
        for ask in (service.check, lambda service=service: service.search(*QUESTION)):
            with pytest.raises(SearchMisconfigured) as caught:
                await ask()
            assert "canary" not in f"{caught.value}{caught.value.cause}{caught.value.detail}"
        await service.close()


async def test_search_documents_gives_the_nearest_by_meaning_of_any_site(service: QdrantService) -> None:
    asked = vector_of("anything")
    hits = await service.search_documents(asked, 4)
    nearest = sorted(library(), key=lambda one: -cosine(asked, vector_of(one.text)))[:4]
    assert [hit.passage for hit in hits] == nearest
    assert {hit.passage.site for hit in await service.search_documents(asked, 20)} == {"docs", "blog"}


# --- writing


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("401", SearchMisconfigured),
        ("403", SearchMisconfigured),
        ("503", SearchUnavailable),
        ("507", SearchUnavailable),
        ("429", SearchUnavailable),
        ("reset", SearchUnavailable),
        ("badjson", SearchBadResponse),
        ("null", SearchBadResponse),
        ("trunc", SearchBadResponse),
    ],
)
async def test_a_run_that_fails_at_any_step_is_named_and_leaves_readers_what_they_had(
    server: Server, fault: str, name: type[SearchError]
) -> None:
    service = server.reader()
    before = [hit.passage.id for hit in await service.search(*QUESTION)]
    for steps in range(4):  # the last asks what is stored, after the passages were added
        writer = server.writer()
        passages = library(2)
        verbs = [writer.begin, lambda: writer.add(passages, [vector_of(one.text) for one in passages]), writer.publish]  # noqa: B023
        for verb in verbs[: min(steps, 2)]:
            await verb()
        server.standin.fail(fault, on="all")
        with pytest.raises(name):
            await (anext(writer.stored()) if steps == 3 else verbs[steps]())
        server.standin.heal()
        await writer.close()
        assert [hit.passage.id for hit in await service.search(*QUESTION)] == before
    assert len(server.runs()) == 3, "runs that hold passages are kept to be resumed"
    await publish(server, library())
    assert len(server.runs()) == 2, "until one is published"


async def test_a_writer_can_be_closed_while_the_server_is_down(server: Server) -> None:
    writer = server.writer()
    await writer.begin()
    server.standin.stop()
    with pytest.raises(SearchUnavailable):
        await writer.close()
    server.standin.start()
    assert len(server.runs()) == 2, "the next run's publish or an operator drops it"
    assert names(await server.reader().search(None, "lamp", EVERYWHERE, 1))
