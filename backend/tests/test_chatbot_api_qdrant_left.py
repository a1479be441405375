"""Readers who leave in the middle of a search, thousands of them: the next one is answered all the same."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from chatbot_api.services.qdrant_connection import asked, client_of, closed
from chatbot_api.services.qdrant_search import Search
from index_engines import SPARSE, Server, library, publish, reads_of, vector_of, wire_to
from qdrant_standin import QdrantStandin

ROUNDS, AT_ONCE = 30, 100


async def left_often(call: Callable[[], Awaitable[Any]], at_once: int = AT_ONCE) -> None:
    chance = random.Random(1)

    async def leave() -> None:
        try:
            # Twice, as a deadline does and a reader who leaves beside it.
            async with asyncio.timeout(chance.uniform(0.0, 0.05)), asyncio.timeout(chance.uniform(0.0, 0.05)):
                await call()
        except TimeoutError:
            pass

    for _ in range(ROUNDS):
        await asyncio.gather(*(leave() for _ in range(at_once)))


async def test_calls_that_are_left_take_no_connection_from_those_that_come(qdrant: QdrantStandin) -> None:
    client = client_of(qdrant.url, "", 1.0)
    await left_often(lambda: asked(client.get_collections))
    async with asyncio.timeout(10):
        await asyncio.gather(*(asked(client.get_collections) for _ in range(40)))
    await closed(client)


@pytest.mark.parametrize("by_grpc", [False, True], ids=["REST", "gRPC"])
async def test_searches_that_are_left_cost_those_that_come_nothing(qdrant: QdrantStandin, by_grpc: bool) -> None:
    async with AsyncExitStack() as stack:
        await publish(Server(qdrant, stack), library(4))
    search = Search(vector_of("q"), SPARSE.query("lamp of the room"), [], {}, 5)
    wire = wire_to(qdrant, by_grpc=by_grpc)
    expected = (await wire.found(search)).by_words
    await left_often(lambda: wire.found(search), at_once=20)  # the stand-in's engine takes milliseconds for each
    async with asyncio.timeout(20):
        found = await asyncio.gather(*(wire.found(search) for _ in range(16)))
    assert expected
    assert [one.by_words for one in found] == [expected] * 16
    await wire.close()


async def test_look_ups_that_are_left_cost_those_that_come_nothing(qdrant: QdrantStandin) -> None:
    async with AsyncExitStack() as stack:
        await publish(Server(qdrant, stack), library(4))
    reads = reads_of(qdrant.url)
    expected = (await reads.scrolled({"site": "docs"}, 5, None))[0]
    await left_often(lambda: reads.scrolled({"site": "docs"}, 5, None), at_once=20)
    async with asyncio.timeout(20):
        found = await asyncio.gather(*(reads.scrolled({"site": "docs"}, 5, None) for _ in range(16)))
    assert len(expected) == 4
    assert [points for points, _ in found] == [expected] * 16
    await reads.close()
