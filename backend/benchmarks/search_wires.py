"""Processor time of one search of a Qdrant server, by its client and by ours, over REST and gRPC, beside the stand-in.

``python benchmarks/search_wires.py [--rounds N]``: every way in turn, so that a busy machine is busy for all of them. What is
read of a reply: all scores, and the passages of the five best.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from os import sched_setaffinity
from statistics import median
from time import process_time
from typing import Any

import uvloop
from qdrant_client import AsyncQdrantClient, models
from speed.processes import cores
from speed.upstreams import Upstreams, upstreams

from chatbot_api.models.index_models import passage_from_payload
from chatbot_api.services.qdrant_connection import client_of, closed
from chatbot_api.services.qdrant_grpc import GrpcSearch
from chatbot_api.services.qdrant_rest import RestSearch
from chatbot_api.services.qdrant_search import PAYLOAD, Search, Wire
from chatbot_api.services.qdrant_wire import QdrantWire
from chatbot_api.services.ranking import CANDIDATES
from chatbot_api.services.sparse_encoder import SparseVector

COLLECTION, RRF_K, HITS, BEST = "docs", 5, 20, 5
SIZES = (256, 768, 3072)
AT_ONCE, EACH = 8, 12
WORDS = SparseVector([11, 22, 33, 44], [1.0] * 4)
Way = Callable[[Search], Awaitable[object]]


def _search(size: int) -> Search:
    vector = [(-1) ** place * (place + 1) / size**1.5 for place in range(size)]
    return Search(vector, WORDS, [], {"site": "docs", "locale": "en", "last_version": "yes"}, HITS)


def _requests(search: Search) -> list[models.QueryRequest]:
    """The batch in the client's words."""
    must: Any = [models.FieldCondition(key=key, match=models.MatchValue(value=value)) for key, value in search.conditions.items()]
    narrowed = models.Filter(must=must)
    words = models.SparseVector(indices=search.words.indices, values=search.words.values)
    nearest = models.NearestQuery(nearest=list(search.vector or ()))
    arms = [
        models.Prefetch(query=nearest, using="dense", filter=narrowed, limit=CANDIDATES),
        models.Prefetch(query=words, using="bm25", filter=narrowed, limit=CANDIDATES),
    ]
    fusion = models.RrfQuery(rrf=models.Rrf(k=RRF_K))
    fused = models.Prefetch(prefetch=arms, query=fusion, limit=search.limit)
    return [
        models.QueryRequest(prefetch=arms, query=fusion, limit=search.limit, with_payload=list(PAYLOAD)),
        models.QueryRequest(query=words, using="bm25", filter=narrowed, limit=CANDIDATES),
        models.QueryRequest(prefetch=[fused], query=nearest, using="dense", limit=CANDIDATES * 2),
    ]


def _read(replies: Sequence[Any]) -> object:
    best = [passage_from_payload(str(point.id), point.payload) for point in replies[0].points[:BEST]]
    return best, [{str(point.id): point.score for point in reply.points} for reply in replies]


def _by_rest(client: AsyncQdrantClient) -> Way:
    async def found(search: Search) -> object:
        # Not its public verb, which copies every vector: that much was saved before.
        batch = models.QueryRequestBatch(searches=_requests(search))
        reply = await client.http.search_api.query_batch_points(COLLECTION, query_request_batch=batch)
        return _read(reply.result or [])

    return found


def _by_grpc(client: AsyncQdrantClient) -> Way:
    async def found(search: Search) -> object:
        return _read(await client.query_batch_points(COLLECTION, _requests(search)))

    return found


def _ours(wire: Wire) -> Way:
    async def found(search: Search) -> object:
        read = await wire.found(search)
        return [read.passage(one) for one, _ in read.fused[:BEST]]

    return found


async def _searched(way: Way, search: Search, each: int) -> float:
    """Milliseconds of processor time a search."""

    async def asker() -> None:
        for _ in range(each):
            await way(search)

    before = process_time()
    await asyncio.gather(*(asker() for _ in range(AT_ONCE)))
    return (process_time() - before) * 1000 / each / AT_ONCE


async def measure(servers: Upstreams, rounds: int) -> None:
    """Print the table."""
    rest = client_of(servers.qdrant_url, "", 10)
    grpc = AsyncQdrantClient(
        url=servers.qdrant_url, grpc_port=servers.qdrant_grpc_port, prefer_grpc=True, check_compatibility=False
    )
    wires = (
        RestSearch(QdrantWire(servers.qdrant_url, ""), COLLECTION, rrf_k=RRF_K),
        GrpcSearch(servers.qdrant_url, servers.qdrant_grpc_port, "", COLLECTION, rrf_k=RRF_K),
    )
    ways = {
        "client, REST": _by_rest(rest),
        "ours, REST": _ours(wires[0]),
        "client, gRPC": _by_grpc(grpc),
        "ours, gRPC": _ours(wires[1]),
    }
    print(f"| numbers in a vector | {' | '.join(ways)} |\n|{' --- |' * (len(ways) + 1)}")
    for size in SIZES:
        search = _search(size)
        took: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, way in ways.items():
                ms = await _searched(way, search, EACH)
                if number:  # the first is a warm-up
                    took[name].append(ms)
        print(f"| {size} | {' | '.join(f'{median(values):.2f} ms' for values in took.values())} |")
    for wire in wires:
        await wire.close()
    for client in (rest, grpc):
        await closed(client)


async def main() -> None:
    """As the command line asks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    sched_setaffinity(0, cores()[0])
    async with upstreams() as servers:
        await measure(servers, options.rounds)


if __name__ == "__main__":
    uvloop.run(main())
