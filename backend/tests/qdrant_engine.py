"""Qdrant's REST interface over qdrant-client's local mode: a Starlette app that answers as a 1.19 server does.

Client and server share their pydantic models, so bodies are read and written by those. Handlers are coroutines, never threads:
local mode is not thread-safe and has to stay on the loop. Not served: strict mode, server-side inference, snapshots.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from qdrant_client import QdrantClient, models
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

Handler = Callable[[Request], Awaitable[Any]]
POINTS = TypeAdapter(models.PointsList | models.PointsBatch)
SELECTOR = TypeAdapter(models.PointIdsList | models.FilterSelector)
VERSION = {"title": "qdrant - vector search engine", "version": "1.19.0", "commit": "0" * 40}
DONE = models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)

TRANSLATED = (
    (r"Collection (.*) not found", 404, "Not found: Collection `{}` doesn't exist!"),
    (r"Collection (.*) already exists", 409, "Wrong input: Collection `{}` already exists!"),
    (
        r"(?:Dense vector|Sparse vector|Vector) (.*) is not found in the collection",
        400,
        "Wrong input: Not existing vector name error: {}",
    ),
    (r"(Wrong input: Vector dimension error: .*) for vector .*", 400, "{}"),
    (r"(Wrong input: .*)", 400, "{}"),
    (r"(.*)", 400, "Wrong input: {}"),
)
"""Local mode's words -> the server's status and words."""


def error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """An error as the server wraps it."""
    return JSONResponse({"status": {"error": message}, "time": 0.001}, status, headers)


def translated(exc: Exception) -> tuple[int, str]:
    """Status and words of the server for what the engine raised."""
    if isinstance(exc, ValidationError):
        return 400, f"Format error in JSON body: {exc.errors()[0]['msg']}"
    if isinstance(exc, KeyError):
        return 404, f"Not found: No point with id {exc.args[0]} found"
    for pattern, status, words in TRANSLATED:
        if match := re.fullmatch(pattern, str(exc), re.DOTALL):
            return status, words.format(match[1])
    raise exc


async def _refused(request: Request, exc: Exception) -> Response:
    return error(*translated(exc))


def _enveloped(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        result = to_json(await handler(request), exclude_none=True)
        return Response(b'{"usage":null,"result":%b,"status":"ok","time":0.001}' % result, media_type="application/json")

    return endpoint


def engine_app(engine: "Engine") -> Starlette:
    """The app over one engine."""
    of_collection: list[tuple[str, str, Handler]] = [
        ("GET", "", engine.describe),
        ("PUT", "", engine.create),
        ("PATCH", "", engine.update),
        ("DELETE", "", engine.drop),
        ("GET", "/exists", engine.exists),
        ("GET", "/aliases", engine.aliases_of),
        ("PUT", "/index", engine.create_index),
        ("PUT", "/points", engine.upsert),
        ("POST", "/points", engine.retrieve),
        ("POST", "/points/query", engine.query),
        ("POST", "/points/query/batch", engine.query_batch),
        ("POST", "/points/query/groups", engine.query_groups),
        ("POST", "/points/scroll", engine.scroll),
        ("POST", "/points/count", engine.count),
        ("POST", "/points/delete", engine.delete),
        ("POST", "/points/payload", engine.set_payload),
    ]
    routes = [
        Route("/", lambda request: JSONResponse(VERSION)),
        Route("/healthz", lambda request: PlainTextResponse("healthz check passed")),
        Route("/livez", lambda request: PlainTextResponse("healthz check passed")),
        Route("/readyz", lambda request: PlainTextResponse("all shards are ready")),
        Route("/collections", _enveloped(engine.collections)),
        Route("/collections/aliases", _enveloped(engine.change_aliases), methods=["POST"]),
        Route("/aliases", _enveloped(engine.aliases)),
        *(Route("/collections/{c}" + path, _enveloped(handler), methods=[verb]) for verb, path, handler in of_collection),
    ]
    return Starlette(routes=routes, exception_handlers={ValueError: _refused, KeyError: _refused})


class Engine:
    """One coroutine for each operation: the request's body in, the envelope's ``result`` out. The caller closes the client."""

    def __init__(self, client: QdrantClient) -> None:
        self._client = client
        self._indexes: dict[str, dict[str, models.PayloadIndexInfo]] = {}  # local mode keeps none, and warns when asked to

    async def collections(self, request: Request) -> Any:
        return self._client.get_collections()

    async def aliases(self, request: Request) -> Any:
        return self._client.get_aliases()

    async def change_aliases(self, request: Request) -> bool:
        body = models.ChangeAliasesOperation.model_validate_json(await request.body())
        return self._client.update_collection_aliases(body.actions)

    async def aliases_of(self, request: Request) -> Any:
        return self._client.get_collection_aliases(_name(request))

    async def exists(self, request: Request) -> Any:
        return {"exists": self._client.collection_exists(_name(request))}

    async def describe(self, request: Request) -> Any:
        described = self._client.get_collection(_name(request))
        described.payload_schema = self._indexes.get(self._aliased(_name(request)), {})
        return described

    async def create(self, request: Request) -> bool:
        body = models.CreateCollection.model_validate_json(await request.body())
        return self._client.create_collection(
            _name(request), vectors_config=body.vectors, sparse_vectors_config=body.sparse_vectors, metadata=body.metadata
        )

    async def update(self, request: Request) -> bool:
        body = models.UpdateCollection.model_validate_json(await request.body())
        self._client.update_collection(_name(request), metadata=body.metadata)
        return True

    async def drop(self, request: Request) -> bool:
        self._indexes.pop(_name(request), None)
        return self._client.delete_collection(_name(request))

    async def create_index(self, request: Request) -> Any:
        body = models.CreateFieldIndex.model_validate_json(await request.body())
        described = self._client.get_collection(_name(request))
        schema = body.field_schema
        if schema is None:
            raise ValueError("Field schema is required")
        simple = isinstance(schema, models.PayloadSchemaType)
        indexed = models.PayloadIndexInfo(
            data_type=schema if simple else models.PayloadSchemaType(schema.type.value),
            params=None if simple else schema,
            points=described.points_count or 0,
        )
        self._indexes.setdefault(self._aliased(_name(request)), {})[body.field_name] = indexed
        return DONE

    async def upsert(self, request: Request) -> Any:
        body = POINTS.validate_json(await request.body())
        points = body.points if isinstance(body, models.PointsList) else body.batch
        return self._client.upsert(_name(request), points, update_filter=body.update_filter)

    async def retrieve(self, request: Request) -> Any:
        body = models.PointRequest.model_validate_json(await request.body())
        shown = True if body.with_payload is None else body.with_payload
        return self._client.retrieve(_name(request), body.ids, with_payload=shown, with_vectors=body.with_vector or False)

    async def query(self, request: Request) -> Any:
        body = models.QueryRequest.model_validate_json(await request.body())
        return self.answers(_name(request), [body])[0]

    async def query_batch(self, request: Request) -> Any:
        body = models.QueryRequestBatch.model_validate_json(await request.body())
        return self.answers(_name(request), body.searches)

    async def query_groups(self, request: Request) -> Any:
        body = models.QueryGroupsRequest.model_validate_json(await request.body())
        self._check_dimensions(_name(request), body)
        return self._client.query_points_groups(
            _name(request),
            group_by=body.group_by,
            query=body.query,
            using=body.using,
            prefetch=body.prefetch,
            query_filter=body.filter,
            limit=body.limit or 10,
            group_size=body.group_size or 3,
            with_payload=body.with_payload or False,
            with_vectors=body.with_vector or False,
            score_threshold=body.score_threshold,
        )

    async def scroll(self, request: Request) -> Any:
        body = models.ScrollRequest.model_validate_json(await request.body())
        points, following = self._client.scroll(
            _name(request),
            scroll_filter=body.filter,
            limit=body.limit or 10,
            order_by=body.order_by,
            offset=body.offset,
            with_payload=True if body.with_payload is None else body.with_payload,
            with_vectors=body.with_vector or False,
        )
        return {"points": points, "next_page_offset": following}

    async def count(self, request: Request) -> Any:
        body = models.CountRequest.model_validate_json(await request.body())
        return self._client.count(_name(request), count_filter=body.filter)

    async def delete(self, request: Request) -> Any:
        return self._client.delete(_name(request), SELECTOR.validate_json(await request.body()))

    async def set_payload(self, request: Request) -> Any:
        body = models.SetPayload.model_validate_json(await request.body())
        chosen = body.points if body.points is not None else body.filter
        return self._client.set_payload(_name(request), payload=body.payload, points=chosen, key=body.key)

    def _aliased(self, name: str) -> str:
        """The collection's own name."""
        names = {alias.alias_name: alias.collection_name for alias in self._client.get_aliases().aliases}
        return names.get(name, name)

    def answers(self, name: str, asked: list[models.QueryRequest]) -> list[models.QueryResponse]:
        """What a batch of queries finds. Raises what ``translated`` knows."""
        for one in asked:
            self._check_dimensions(name, one)
        return self._client.query_batch_points(name, asked)

    def _check_dimensions(self, name: str, asked: Any) -> None:
        """Refuse a dense vector of another size: local mode would only fail inside numpy."""
        prefetches = asked.prefetch or []
        for inner in prefetches if isinstance(prefetches, list) else [prefetches]:
            self._check_dimensions(name, inner)
        vector = asked.query.nearest if isinstance(asked.query, models.NearestQuery) else asked.query
        known = self._client.get_collection(name).config.params.vectors
        params = known.get(asked.using or "") if isinstance(known, dict) else known
        if isinstance(vector, list) and isinstance(params, models.VectorParams) and params.size != len(vector):
            raise ValueError(f"Wrong input: Vector dimension error: expected dim: {params.size}, got {len(vector)}")


def _name(request: Request) -> str:
    return request.path_params["c"]
