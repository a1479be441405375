"""The Qdrant engine when the server fails: every fault has one name, is tried again only where that helps, and ends in time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from time import monotonic
from typing import Any

import pytest
from qdrant_client import models

from chatbot_api.errors import (
    IndexMissing,
    SearchBadResponse,
    SearchError,
    SearchMisconfigured,
    SearchUnavailable,
)
from chatbot_api.services.qdrant_service import QdrantService
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
from qdrant_search_fixtures import COMMON, OF_REST, QUERIES, QUESTION, TIMEOUT_S, service_of
from qdrant_standin import QdrantStandin


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server with sixty passages."""
    async with on_server() as one:
        await publish(one, library())
        yield one


async def test_the_wait_the_server_asks_for_is_kept_when_it_fits(standin: QdrantStandin) -> None:
    searching = service_of(standin, timeout_s=5)
    standin.fail("429", times=1, seconds=1)
    started = monotonic()
    assert len(await searching.search(*QUESTION)) == 5
    assert 1.0 <= monotonic() - started < 1.6
    assert standin.requests == [QUERIES[False]] * 2
    await searching.close()


async def test_a_server_that_refuses_the_key_is_left_alone_and_says_so_in_health(
    standin: QdrantStandin, searching: QdrantService
) -> None:
    standin.fail("401", times=1)
    for _ in range(3):
        with pytest.raises(SearchMisconfigured):
            await searching.search(*QUESTION)
    assert standin.requests == [QUERIES[False]]
    assert searching.problems == ["search: search-misconfigured"]


# A check reads no payload.
CHECKED = [pytest.param(*row[:3], id=row[0]) for row in COMMON + OF_REST if row[0] != "payloadnone"]


@pytest.mark.parametrize(("fault", "kw", "name"), CHECKED)
async def test_a_check_gives_the_same_names_and_is_not_tried_again(
    standin: QdrantStandin, searching: QdrantService, fault: str, kw: dict[str, Any], name: type[SearchError]
) -> None:
    standin.fail(fault, on="all", **kw)
    started = monotonic()
    if fault == "drip":  # only a deadline of the caller's can cut what drips: 5 s for a check that no reader waits for
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(TIMEOUT_S):
                await searching.check()
        return
    with pytest.raises(SearchError) as caught:
        await searching.check()
    assert type(caught.value) is name
    assert monotonic() - started < 1.4, "silence: whole seconds"
    # For a missing one, the names of those that are there; and aiohttp itself asks again for what a lost connection was to bring.
    assert len(standin.requests) == (2 if name is IndexMissing or fault == "reset" else 1)


# --- up and down


async def test_a_server_that_is_down_fails_fast_and_the_first_search_after_its_return_succeeds(
    standin: QdrantStandin, searching: QdrantService
) -> None:
    for _ in range(3):
        standin.stop()
        started = monotonic()
        with pytest.raises(SearchUnavailable):
            await searching.search(*QUESTION)
        with pytest.raises(SearchUnavailable):
            await searching.check()
        assert monotonic() - started < 1.0
        standin.start()
        assert len(await searching.search(*QUESTION)) == 5
        assert await searching.check() == 60


async def test_a_restart_under_a_search_is_made_good_by_the_second_try(standin: QdrantStandin) -> None:
    searching = service_of(standin, timeout_s=5)
    standin.fail("hang", times=1)
    search = asyncio.create_task(searching.search(*QUESTION))
    await asyncio.sleep(0.1)
    standin.stop()
    standin.start()
    assert len(await search) == 5
    await searching.close()


# --- many at once


async def searched_at_once(searching: QdrantService, number: int) -> list[Any]:
    return await asyncio.gather(*(searching.search(*QUESTION) for _ in range(number)), return_exceptions=True)


async def test_connections_that_died_with_the_server_are_not_used_again(standin: QdrantStandin) -> None:
    searching = service_of(standin, timeout_s=20)
    await searched_at_once(searching, 16)
    await asyncio.to_thread(standin.stop)
    standin.start()
    assert {len(found) for found in await searched_at_once(searching, 16)} == {5}
    await searching.close()


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
    searching = QdrantService(reads, MARKER, SPARSE, wire=wire, timeout_s=5, foreign=make)
    assert await searching.check() == 60
    assert made == []
    (alias,) = (one.alias_name for one in server.standin.client.get_aliases().aliases if one.alias_name == "docs")
    server.standin.client.update_collection_aliases(
        [models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))]
    )
    server.standin.client.create_collection("docs", vectors_config={})
    assert await asyncio.gather(searching.check(), searching.check()) == [7, 7]
    assert searching.is_foreign
    assert [one.closed for one in made] == [0]
    await searching.close()
    assert [one.closed for one in made] == [1]


# --- the bare verb


async def test_search_documents_gives_the_nearest_by_meaning_of_any_site(searching: QdrantService) -> None:
    asked = vector_of("anything")
    hits = await searching.search_documents(asked, 4)
    nearest = sorted(library(), key=lambda one: -cosine(asked, vector_of(one.text)))[:4]
    assert [hit.passage for hit in hits] == nearest
    assert {hit.passage.site for hit in await searching.search_documents(asked, 20)} == {"docs", "blog"}


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
    searching = server.reader()
    before = [hit.passage.id for hit in await searching.search(*QUESTION)]
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
        assert [hit.passage.id for hit in await searching.search(*QUESTION)] == before
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
