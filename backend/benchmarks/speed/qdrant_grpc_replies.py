"""What the Qdrant stand-in says over gRPC: the same points to the same queries, each list serialised once."""

import asyncio
from functools import cache
from typing import Any

import grpc
from qdrant_client import grpc as messages
from qdrant_client.conversions.conversion import json_to_value

from speed.qdrant_replies import points
from speed.wire import StandIn


@cache
def _list(collection: str, limit: int, payload: bool | tuple[str, ...], kind: str) -> bytes:
    """A reply with one list; replies are joined by writing them one after the other."""
    found = [
        messages.ScoredPoint(
            id=messages.PointId(uuid=point["id"]),
            version=point["version"],
            score=point["score"],
            payload={key: json_to_value(value) for key, value in point.get("payload", {}).items()},
        )
        for point in points(collection, limit, payload, kind)
    ]
    return messages.QueryBatchResponse(result=[messages.BatchResult(result=found)]).SerializeToString()


def _found(query: Any) -> bytes:
    chosen_from = sum(one.limit or 10 for one in query.prefetch)
    limit = min(query.limit or 10, chosen_from or query.limit)
    fused = query.query.WhichOneof("variant") in ("rrf", "fusion")
    kind = "fused" if fused else "words" if query.using == "bm25" else "dense"
    fields = tuple(query.with_payload.include.fields)
    return _list(query.collection_name, limit, fields or query.with_payload.enable, kind)


async def serve(stand_in: StandIn, host: str, port: int) -> Any:
    """A server that answers until it is stopped; it has to be kept."""

    async def query_batch(batch: Any, _context: Any) -> bytes:
        stand_in.counts["query"] += 1
        if stand_in.delays["query"]:
            await asyncio.sleep(stand_in.delays["query"])
        return b"".join(_found(query) for query in batch.query_points)

    grpc_package: Any = grpc
    handler: Any = grpc_package.unary_unary_rpc_method_handler(query_batch, messages.QueryBatchPoints.FromString)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("qdrant.Points", {"QueryBatch": handler}),))
    server.add_insecure_port(f"{host}:{port}")
    await server.start()
    return server
