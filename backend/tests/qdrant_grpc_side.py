"""The Qdrant stand-in's gRPC: batches of queries over the same engine, on the same loop; it fails on demand as over REST.

Not served: all other methods. Not played: ``reset`` and ``drip``, which gRPC's own server has no means for.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
from qdrant_client import grpc as messages
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc

from qdrant_engine import Engine, translated
from qdrant_faults import STATUS_FAULTS, Fault

PATH = "/qdrant.Points/QueryBatch"
CODES = {
    "401": grpc.StatusCode.UNAUTHENTICATED,
    "403": grpc.StatusCode.PERMISSION_DENIED,
    "404": grpc.StatusCode.NOT_FOUND,
    "408": grpc.StatusCode.DEADLINE_EXCEEDED,
    "429": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "429n": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "500": grpc.StatusCode.INTERNAL,
    "503": grpc.StatusCode.UNAVAILABLE,
    "507": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "dims": grpc.StatusCode.INVALID_ARGUMENT,
}
"""As the server translates its own failures."""
PLAYED = {*CODES, "badjson", "null", "shape", "trunc", "payloadnone", "slow", "hang"}
OF_STATUS = {400: grpc.StatusCode.INVALID_ARGUMENT, 404: grpc.StatusCode.NOT_FOUND}


class GrpcSide:
    """A server on the loop it is started on; after a stop, it starts again at the same port."""

    def __init__(self, engine: Engine, came: Callable[[str], Fault], refusal: Callable[[dict[bytes, bytes]], str | None]) -> None:
        """``came``: told the path of each call, says how it is to fail. ``refusal``: why a call with these headers is refused."""
        self.port = self.calls = 0
        """Calls: under way."""
        self._engine, self._came, self._refusal = engine, came, refusal
        self._server: Any = None

    async def start(self) -> None:
        """Listen."""
        handler: Any = grpc.unary_unary_rpc_method_handler(self._query_batch, messages.QueryBatchPoints.FromString)
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("qdrant.Points", {"QueryBatch": handler}),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Cut every connection."""
        if self._server:
            await self._server.stop(None)

    async def _query_batch(self, batch: Any, context: Any) -> bytes:
        self.calls += 1
        try:
            return await self._played(self._came(PATH), batch, context)
        finally:
            self.calls -= 1

    async def _played(self, fault: Fault, batch: Any, context: Any) -> bytes:
        if fault.name in CODES:
            await self._refuse(fault, context)
        if fault.name == "hang":
            await asyncio.Event().wait()
        if fault.name == "slow":
            await asyncio.sleep(fault.kw.get("seconds", 8.0))
        headers = {key.encode(): str(value).encode("latin-1") for key, value in context.invocation_metadata()}
        if not fault.name and (refused := self._refusal(headers)):
            await context.abort(CODES["401"], refused)
        return _spoiled(fault.name, await self._answered(batch, context))

    async def _refuse(self, fault: Fault, context: Any) -> None:
        trailer = (("retry-after", str(fault.kw.get("seconds", 2))),) if fault.name == "429" else ()
        words = STATUS_FAULTS[fault.name][1] if fault.name in STATUS_FAULTS else f"as asked for: {fault.name}"
        await context.abort(CODES[fault.name], words, trailer)

    async def _answered(self, batch: Any, context: Any) -> Any:
        asked = [GrpcToRest.convert_query_points(query) for query in batch.query_points]
        try:
            answers = self._engine.answers(batch.collection_name, asked)
        except (ValueError, KeyError) as error:
            status, words = translated(error)
            await context.abort(OF_STATUS[status], words)
            raise
        lists = [[RestToGrpc.convert_scored_point(point) for point in answer.points] for answer in answers]
        return messages.QueryBatchResponse(result=[messages.BatchResult(result=points) for points in lists])


def _spoiled(fault: str, reply: Any) -> bytes:
    if fault == "shape":
        del reply.result[-1]
    elif fault == "payloadnone":
        for one in reply.result:
            for point in one.result:
                point.payload.clear()
    said: bytes = reply.SerializeToString()
    return {"badjson": b"\xff" * 40, "null": b"", "trunc": said[:-1]}.get(fault, said)
