"""Our ways to a Qdrant server against its client's: the same request for the same search, the same hits for the same bytes."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client import grpc as messages

from chatbot_api.errors import SearchError
from chatbot_api.models.index_models import passage_from_payload
from chatbot_api.services.qdrant_connection import asked, client_of, closed
from chatbot_api.services.qdrant_grpc import GrpcSearch
from chatbot_api.services.qdrant_rest import RestSearch
from chatbot_api.services.qdrant_search import MOST_RESCORED, PAYLOAD, Found, Search
from chatbot_api.services.qdrant_wire import QdrantWire
from chatbot_api.services.ranking import CANDIDATES
from chatbot_api.services.sparse_encoder import SparseVector
from index_engines import passage, vector_of
from qdrant_faults import BODY_FAULTS, STATUS_FAULTS
from qdrant_recorder import Recorder, recording

RRF_K = 7
WORDS = SparseVector([3_000_000_000, 7, 42], [1.0, 1.0, 1.0])
SCOPE = {"site": "docs", "version": '1.0 "β"', "last_version": "yes"}
SEARCHES = {
    "both arms, narrowed": Search(vector_of("a"), WORDS, WORDS.indices, SCOPE, 20),
    "both arms, of everything, no word alone": Search([0.1, -2.5e-8, 1.0], WORDS, [], {}, 80),
    "by words alone": Search(None, WORDS, [7], SCOPE, 12),
    "by meaning alone": Search(vector_of("b"), SparseVector([], []), [], {"locale": "de"}, 12),
}


def requests_of(search: Search) -> list[models.QueryRequest]:
    """The search in the client's words."""
    must: Any = [models.FieldCondition(key=key, match=models.MatchValue(value=value)) for key, value in search.conditions.items()]
    narrowed = models.Filter(must=must) if must else None
    words = models.SparseVector(indices=search.words.indices, values=search.words.values) if search.words.indices else None
    nearest = None if search.vector is None else models.NearestQuery(nearest=list(search.vector))
    arms: list[Any] = []
    if nearest:
        arms.append(models.Prefetch(query=nearest, using="dense", filter=narrowed, limit=CANDIDATES))
    if words:
        arms.append(models.Prefetch(query=words, using="bm25", filter=narrowed, limit=CANDIDATES))
    fusion = models.RrfQuery(rrf=models.Rrf(k=RRF_K))
    asked_for = [models.QueryRequest(prefetch=arms, query=fusion, limit=search.limit, with_payload=list(PAYLOAD))]
    if words:
        asked_for.append(models.QueryRequest(query=words, using="bm25", filter=narrowed, limit=CANDIDATES))
    if nearest:
        fused = [models.Prefetch(prefetch=arms, query=fusion, limit=search.limit)]
        asked_for.append(models.QueryRequest(prefetch=fused, query=nearest, using="dense", limit=MOST_RESCORED))
    for word in search.alone:
        one = models.SparseVector(indices=[word], values=[1.0])
        asked_for.append(models.QueryRequest(query=one, using="bm25", filter=narrowed, limit=1))
    return asked_for


def read_of(search: Search, replies: list[models.QueryResponse]) -> Found:
    """What the client's models say was found."""
    fused = [(passage_from_payload(str(point.id), point.payload), point.score) for one in replies[:1] for point in one.points]
    return Found.of(search, fused, [{str(point.id): point.score for point in reply.points} for reply in replies[1:]])


def whole(found: Found) -> tuple[Any, ...]:
    """All that is read of a reply, passages too."""
    passages = [(one and found.passage(one), score) for one, score in found.fused]
    names = [(one.id, one.page_id, one.title, one.url) for one, _ in found.fused if one]
    return passages, names, found.cosines, found.by_words, found.best


# --- REST


async def theirs_of(client: AsyncQdrantClient, search: Search) -> list[models.QueryResponse]:
    batch = models.QueryRequestBatch(searches=requests_of(search))
    reply = await asked(lambda: client.http.search_api.query_batch_points("docs", query_request_batch=batch))
    return reply.result or []


async def both_of(recorder: Recorder, search: Search, key: str = "") -> tuple[Any, Any]:
    """What either finds, or what it fails with."""
    ours, client = RestSearch(QdrantWire(recorder.url, key), "docs", rrf_k=RRF_K), client_of(recorder.url, key, 5)
    got: list[Any] = []
    for call in (lambda: ours.found(search), lambda: theirs_of(client, search)):
        try:
            got.append(await call())
        except SearchError as error:
            got.append(error)
    await ours.close()
    await closed(client)
    return got[0], got[1]


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
async def test_the_same_request_is_sent_over_rest(search: Search) -> None:
    async with recording() as recorder:
        await both_of(recorder, search, "a-key")
    (line, headers, body), (their_line, their_headers, their_body) = recorder.came
    assert (line, body) == (their_line, their_body)
    for name in ("api-key", "content-type"):
        assert headers[name] == their_headers[name]


def points_of(search: Search, ids: list[Any], payload: Any) -> list[dict[str, Any]]:
    """A reply's lists, each a little different."""
    return [
        {
            "points": [
                {"id": one, "version": 3, "score": 1 / (place + number + 1), **({"payload": payload} if not number else {})}
                for place, one in enumerate(ids[number % 2 :])
            ]
        }
        for number in range(search.lists)
    ]


UUIDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(4)]
WHOLE = passage("guide", 'Text «🏠» "quoted"\n\u2028', heading_path=("One", "Zwei"), version="1.0", ordinal=4).payload()
REPLIES: dict[str, tuple[list[Any], Any]] = {
    "passages": (UUIDS, WHOLE),
    "points without a payload": (UUIDS, None),
    "points with another tool's payload": (UUIDS, {"page_content": "x", "metadata": {"a": [1, None, True, 2.5, {}]}}),
    "a payload with values of other kinds": (UUIDS, {**WHOLE, "title": 7, "ordinal": "x", "heading_path": "y", "locale": None}),
    "a text that is none": (UUIDS, {**WHOLE, "text": 5}),
    "numbers for ids": ([0, 1, 2**64 - 1], WHOLE),
    "nothing": ([], None),
}


@pytest.mark.parametrize(("ids", "payload"), REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
async def test_the_same_bytes_are_read_as_the_same_hits_over_rest(search: Search, ids: list[Any], payload: Any) -> None:
    reply = {"usage": None, "time": 0.1, "status": "ok", "novelty": 1, "result": points_of(search, ids, payload)}
    async with recording(said=json.dumps(reply, ensure_ascii=False).encode()) as recorder:
        mine, replies = await both_of(recorder, search)
    assert whole(mine) == whole(read_of(search, replies))


FAILURES: dict[str, dict[str, Any]] = {
    "a plain 401": {"status": 401, "said": b"Invalid API key or JWT"},
    "404": {"status": 404, "said": b'{"status":{"error":"Not found: Collection `docs` doesn\'t exist!"},"time":0}'},
    "400": {"status": 400, "said": b'{"status":{"error":"Wrong input: Vector dimension error"},"time":0}'},
    "a wait in seconds": {"status": 429, "said": b"", "headers": {"Retry-After": "17"}},
    "a wait until a date": {"status": 429, "said": b"", "headers": {"Retry-After": "Sat, 21 Nov 2026 21:00:00 GMT"}},
    "a wait of another status": {"status": 503, "said": b"", "headers": {"Retry-After": "9"}},
    "a redirection": {"status": 307, "said": b"", "headers": {"Location": "http://127.0.0.1:9/elsewhere"}},
    "another status": {"status": 418, "said": b"teapot"},
    "no list": {"said": b'{"result":null}'},
    "text": {"said": b"<html>a proxy's page</html>"},
    "no UTF-8": {"said": b'{"result":"\xff"}'},
    "points that are none": {"said": b'{"result":[{"points":[7]},{"points":[7]},{"points":[]}]}'},
    "a score that is none": {"said": b'{"result":[{"points":[{"id":1,"version":1,"score":"x"}]},{"points":[]},{"points":[]}]}'},
    **{f"status {name}": {"status": status, "said": words.encode()} for name, (status, words) in STATUS_FAULTS.items()},
    **{name: {"said": said} for name, said in BODY_FAULTS.items()},
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_failure_has_the_same_name_and_the_same_wait_over_rest(failure: dict[str, Any]) -> None:
    search = SEARCHES["by meaning alone"]
    async with recording(**failure) as recorder:
        mine, theirs = await both_of(recorder, search)
    if isinstance(theirs, list):  # the client lets it through: the service itself counts lists
        with pytest.raises(SearchError) as caught:
            read_of(search, theirs)
        theirs = caught.value
    assert (type(mine), mine.retry_after_s) == (type(theirs), theirs.retry_after_s)


async def test_a_proxy_of_the_environment_is_used_as_the_client_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    search = SEARCHES["by words alone"]
    async with recording() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        await both_of(Recorder(url="http://qdrant.invalid:6333"), search)
        lines = [line for line, *_ in proxy.came]
        assert lines == ["POST http://qdrant.invalid:6333/collections/docs/points/query/batch HTTP/1.1"] * 2
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with recording() as server:
            await both_of(server, search)
        assert (len(server.came), len(proxy.came)) == (2, 2)


# --- gRPC


@dataclass
class GrpcRecorder:
    """The same over gRPC."""

    said: Any = field(default_factory=messages.QueryBatchResponse)
    port: int = 0
    came: list[tuple[Any, dict[str, str]]] = field(default_factory=list)

    async def answer(self, batch: Any, context: Any) -> Any:
        self.came.append((batch, dict(context.invocation_metadata())))
        return self.said


@asynccontextmanager
async def grpc_recording(said: Any = None) -> AsyncIterator[GrpcRecorder]:
    recorder = GrpcRecorder(said or messages.QueryBatchResponse())
    handler: Any = grpc.unary_unary_rpc_method_handler(
        recorder.answer, messages.QueryBatchPoints.FromString, messages.QueryBatchResponse.SerializeToString
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("qdrant.Points", {"QueryBatch": handler}),))
    recorder.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield recorder
    finally:
        await server.stop(None)


async def both_by_grpc(recorder: GrpcRecorder, search: Search, key: str = "") -> tuple[Found | SearchError, Any]:
    url = "http://127.0.0.1:9"
    ours = GrpcSearch(url, recorder.port, key, "docs", rrf_k=RRF_K)
    client = AsyncQdrantClient(
        url=url, grpc_port=recorder.port, prefer_grpc=True, api_key=key or None, check_compatibility=False, timeout=5
    )
    try:
        mine: Found | SearchError = await ours.found(search)
    except SearchError as error:
        mine = error
    theirs = await client.query_batch_points("docs", requests_of(search))
    await ours.close()
    await client.close()
    return mine, theirs


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
async def test_the_same_request_is_sent_over_grpc(search: Search) -> None:
    async with grpc_recording() as recorder:
        await both_by_grpc(recorder, search, "a-key")
    (batch, metadata), (their_batch, their_metadata) = recorder.came
    their_batch.ClearField("timeout")  # the client asks the server to keep the time; here who leaves ends the call
    assert batch == their_batch
    assert metadata["api-key"] == their_metadata["api-key"]


@pytest.mark.parametrize(("ids", "payload"), REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
async def test_the_same_bytes_are_read_as_the_same_hits_over_grpc(search: Search, ids: list[Any], payload: Any) -> None:
    from qdrant_client.conversions.conversion import RestToGrpc  # noqa: PLC0415 - the client's own, of this test alone

    lists = [[models.ScoredPoint(**point) for point in one["points"]] for one in points_of(search, ids, payload)]
    results = [messages.BatchResult(result=[RestToGrpc.convert_scored_point(point) for point in one]) for one in lists]
    async with grpc_recording(messages.QueryBatchResponse(result=results)) as recorder:
        mine, replies = await both_by_grpc(recorder, search)
    assert whole(mine) == whole(read_of(search, replies))


def test_the_names_of_the_payload_are_those_a_passage_is_written_with() -> None:
    assert set(PAYLOAD) == set(WHOLE) - {"content_hash"}
    assert all(re.fullmatch("[a-z_]+", key) for key in PAYLOAD), "a dot or bracket would be a path"
