"""Readers who leave in the middle of a search, thousands of them: the next one is answered all the same."""

import asyncio
import random

from chatbot_api.services.qdrant_connection import asked, client_of, closed
from qdrant_standin import QdrantStandin

ROUNDS, AT_ONCE = 30, 100


async def test_calls_that_are_left_take_no_connection_from_those_that_come(qdrant: QdrantStandin) -> None:
    chance = random.Random(1)
    client = client_of(qdrant.url, "", 1.0)

    async def leave() -> None:
        try:
            # Twice, as a deadline does and a reader who leaves beside it.
            async with asyncio.timeout(chance.uniform(0.0, 0.05)), asyncio.timeout(chance.uniform(0.0, 0.05)):
                await asked(client.get_collections)
        except TimeoutError:
            pass

    for _ in range(ROUNDS):
        await asyncio.gather(*(leave() for _ in range(AT_ONCE)))
    async with asyncio.timeout(10):
        await asyncio.gather(*(asked(client.get_collections) for _ in range(40)))
    await closed(client)
