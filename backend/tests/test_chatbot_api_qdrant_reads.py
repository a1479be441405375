"""Our look-ups on a Qdrant server against its client's: the same request for the same look-up, the same for the same bytes."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from qdrant_client import AsyncQdrantClient, models

from chatbot_api.errors import SearchError
from chatbot_api.services.qdrant_connection import asked, client_of, closed
from chatbot_api.services.qdrant_reads import QdrantReads
from chatbot_api.services.qdrant_wire import QdrantWire
from index_engines import MARKER, passage
from qdrant_faults import BODY_FAULTS, STATUS_FAULTS
from qdrant_recorder import Recorder, recording

Ours = Callable[[QdrantReads], Awaitable[Any]]
Theirs = Callable[[AsyncQdrantClient], Awaitable[Any]]
UUIDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(3)]
WHOLE = passage("guide", 'Text «🏠» "quoted"\n\u2028', heading_path=("One", "Zwei"), version="1.0", ordinal=4).payload()
PLACES = ["url", "title"]


def field(key: str, match: Any) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=match)


OF_PAGE = models.Filter(
    must=[field("site", models.MatchValue(value='d "β"')), field("url", models.MatchAny(any=["/a", "/ä"]))]  # as it is sent
)
OF_SITE = models.Filter(must=[field("site", models.MatchValue(value="docs"))])


async def described(client: AsyncQdrantClient) -> Any:
    info = await asked(lambda: client.get_collection("docs"))
    return dict(info.config.metadata or {}), info.points_count


async def ours_described(reads: QdrantReads) -> Any:
    found = await reads.described()
    return found.metadata, found.points


async def collections(client: AsyncQdrantClient) -> Any:
    return [one.name for one in (await asked(client.get_collections)).collections]


def scrolled(limit: int, after: Any, narrowed: models.Filter | None, payload: bool | list[str]) -> Theirs:
    async def call(client: AsyncQdrantClient) -> Any:
        points, following = await asked(
            lambda: client.scroll("docs", scroll_filter=narrowed, limit=limit, offset=after, with_payload=payload)
        )
        return read(points), following

    return call


async def retrieved(client: AsyncQdrantClient) -> Any:
    return read(await asked(lambda: client.retrieve("docs", [*UUIDS, 7], with_payload=True)))


def read(points: list[models.Record]) -> list[Any]:
    return [(str(point.id), point.payload) for point in points]


LOOK_UPS: dict[str, tuple[Ours, Theirs]] = {
    "a collection": (ours_described, described),
    "the collections": (lambda reads: reads.collections(), collections),
    "points of pages": (
        lambda reads: reads.scrolled({"site": 'd "β"', "url": ["/a", "/ä"]}, 7, None),
        scrolled(7, None, OF_PAGE, payload=True),
    ),
    "more places, after a number": (
        lambda reads: reads.scrolled({"site": "docs"}, 500, 2**63, tuple(PLACES)),
        scrolled(500, 2**63, OF_SITE, payload=PLACES),
    ),
    "more of everything, after an id": (
        lambda reads: reads.scrolled({}, 2, UUIDS[1]),
        scrolled(2, UUIDS[1], None, payload=True),
    ),
    "points by their ids": (lambda reads: reads.points([*UUIDS, 7]), retrieved),
}


async def both_of(recorder: Recorder, look_up: tuple[Ours, Theirs], key: str = "") -> list[Any]:
    """What either finds, or what it fails with."""
    reads, client = QdrantReads(QdrantWire(recorder.url, key), "docs", silence_s=5), client_of(recorder.url, key, 5)
    ours, theirs = look_up
    got: list[Any] = []
    for call in (lambda: ours(reads), lambda: theirs(client)):
        try:
            got.append(await call())
        except SearchError as error:
            got.append(error)
    await reads.close()
    await closed(client)
    return got


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize("look_up", LOOK_UPS.values(), ids=LOOK_UPS)
async def test_the_same_request_is_sent(look_up: tuple[Ours, Theirs]) -> None:
    async with recording() as recorder:
        await both_of(recorder, look_up, "a-key")
    (line, headers, body), (their_line, their_headers, their_body) = recorder.came
    assert (line, body) == (their_line, their_body)
    for name in ("api-key", "content-type"):
        assert headers.get(name) == their_headers.get(name)


def whole(**values: Any) -> dict[str, Any]:
    """A collection as a server tells of it."""
    vectors = {"dense": {"size": 16, "distance": "Cosine"}}
    config = {
        "params": {"vectors": vectors, "sparse_vectors": {"bm25": {"modifier": "idf"}}, "shard_number": 1},
        "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
        "optimizer_config": {
            "deleted_threshold": 0.2,
            "vacuum_min_vector_number": 1000,
            "default_segment_number": 0,
            "flush_interval_sec": 5,
        },
        **values.pop("config", {}),
    }
    rest = {"status": "green", "optimizer_status": "ok", "segments_count": 8, "payload_schema": {}}
    return {**rest, "points_count": 42, "config": config, **values}


def points_of(payload: Any, ids: list[Any]) -> list[dict[str, Any]]:
    return [{"id": one, **({} if payload is None else {"payload": payload})} for one in ids]


REPLIES: dict[str, tuple[str, Any]] = {
    "a run of ours": ("a collection", whole(config={"metadata": {**MARKER.as_dict(), "run": "docs__1"}})),
    "a collection of others": ("a collection", whole()),
    "metadata of others": ("a collection", whole(config={"metadata": {"a": [1, None, True, 2.5, {"ß": {}}]}})),
    "metadata that is null": ("a collection", whole(config={"metadata": None})),
    "nobody counted": ("a collection", whole(points_count=None)),
    "three collections": ("the collections", {"collections": [{"name": "docs"}, {"name": "ß"}, {"name": "docs__1"}]}),
    "no collection": ("the collections", {"collections": []}),
    "passages, and more": ("points of pages", {"points": points_of(WHOLE, UUIDS), "next_page_offset": UUIDS[0]}),
    "more, from 0": ("points of pages", {"points": points_of(WHOLE, [0, 2**64 - 1]), "next_page_offset": 0}),
    "the last of them": ("points of pages", {"points": points_of(WHOLE, UUIDS), "next_page_offset": None}),
    "no word of more": ("points of pages", {"points": []}),
    "points without a payload": ("points by their ids", points_of(None, UUIDS)),
    "points with an empty payload": ("points by their ids", points_of({}, [0, 5])),
    "points with another tool's payload": ("points by their ids", points_of({"metadata": {"a": [1, None, 2.5]}}, UUIDS)),
    "passages": ("points by their ids", points_of(WHOLE, [*UUIDS, 2**64 - 1])),
}


@pytest.mark.parametrize(("look_up", "result"), REPLIES.values(), ids=REPLIES)
async def test_the_same_bytes_are_read_as_the_same(look_up: str, result: Any) -> None:
    reply = {"usage": None, "time": 0.1, "status": "ok", "novelty": 1, "result": result}
    async with recording(said=json.dumps(reply, ensure_ascii=False).encode()) as recorder:
        mine, theirs = await both_of(recorder, LOOK_UPS[look_up])
    assert not isinstance(theirs, SearchError)
    assert mine == theirs


FAILURES: dict[str, dict[str, Any]] = {
    "a plain 401": {"status": 401, "said": b"Invalid API key or JWT"},
    "404": {"status": 404, "said": b'{"status":{"error":"Not found: Collection `docs` doesn\'t exist!"},"time":0}'},
    "400": {"status": 400, "said": b'{"status":{"error":"Wrong input"},"time":0}'},
    "a wait in seconds": {"status": 429, "said": b"", "headers": {"Retry-After": "17"}},
    "a wait until a date": {"status": 429, "said": b"", "headers": {"Retry-After": "Sat, 21 Nov 2026 21:00:00 GMT"}},
    "a redirection": {"status": 307, "said": b"", "headers": {"Location": "http://127.0.0.1:9/elsewhere"}},
    "another status": {"status": 418, "said": b"teapot"},
    "nothing": {"said": b""},
    "a result that is none": {"said": b'{"result":7}'},
    "a list that is none": {"said": b'{"result":{"collections":{},"points":{},"config":[]}}'},
    "text": {"said": b"<html>a proxy's page</html>"},
    "no UTF-8": {"said": b'{"result":"\xff"}'},
    "members that are none": {"said": b'{"result":{"collections":[7],"points":[7],"config":{"metadata":[]}}}'},
    "ids and names that are none": {"said": b'{"result":{"collections":[{"name":7}],"points":[{"id":true}]}}'},
    "a payload that is none": {"said": b'{"result":{"points":[{"id":1,"payload":"x"}]}}'},
    "an offset that is none": {"said": b'{"result":{"points":[],"next_page_offset":1.5}}'},
    "a count that is none": {"said": json.dumps({"result": whole(points_count="many")}).encode()},
    "points that are none": {"said": b'{"result":[{"id":1,"payload":"x"},7]}'},
    **{f"status {name}": {"status": status, "said": words.encode()} for name, (status, words) in STATUS_FAULTS.items()},
    **{name: {"said": said} for name, said in BODY_FAULTS.items()},
}


@pytest.mark.parametrize("look_up", ["a collection", "the collections", "points of pages", "points by their ids"])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_failure_has_the_same_name_and_the_same_wait(failure: dict[str, Any], look_up: str) -> None:
    async with recording(**failure) as recorder:
        mine, theirs = await both_of(recorder, LOOK_UPS[look_up])
    assert (type(mine), mine.retry_after_s) == (type(theirs), theirs.retry_after_s)
