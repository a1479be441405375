"""What the Qdrant stand-in says over REST: one collection of ours, and one of each other tool's, all with the same passages.

Delay: ``query``. The lists of a query are made once for each number of hits asked for.
"""

from functools import cache
from typing import Any, cast
from uuid import UUID

import orjson

from chatbot_api.models.index_models import Embedder, IndexMarker, Passage
from chatbot_api.services.sparse_encoder import SparseEncoder
from speed.gemini_replies import DIMENSIONS
from speed.wire import Reply, StandIn, json_reply

DELAYS = {"query": 0.0}
OURS = "docs"
"""The collection that bears our marker; any other name has one vector without a name."""
MOST_POINTS = 100
TEXT = "The option is read once at start, from the configuration file or from the environment, which wins. " * 10
"""1 kB."""


def _passage(number: int) -> Passage:
    return Passage(
        id=str(UUID(int=number + 1)),
        text=TEXT,
        url=f"/docs/page-{number}",
        anchor="the-option",
        title=f"Page {number}",
        heading_path=("Settings", "The option"),
        page_id=f"page-{number}",
        ordinal=1,
        site=OURS,
    )


def _payload(number: int, collection: str) -> dict[str, Any]:
    """The passage as each tool keeps it."""
    passage = _passage(number)
    about = {"title": passage.title, "url": passage.url}
    match collection:
        case "langchain":
            return {"page_content": passage.text, "metadata": about}
        case "haystack":
            return {"id": passage.id, "content": passage.text, "meta": about, "blob": None, "score": None, "embedding": None}
        case "llamaindex":
            node = {"id_": passage.id, "embedding": None, "metadata": about, "text": passage.text, "class_name": "TextNode"}
            return {"_node_content": orjson.dumps(node).decode(), "_node_type": "TextNode", "text": passage.text, **about}
        case _:
            return passage.payload()


def points(collection: str, limit: int, payload: bool | tuple[str, ...], kind: str) -> list[dict[str, Any]]:
    """``payload``: whether there is one, or its keys. ``kind``: fused | words | dense, which decides the scores."""
    found: list[dict[str, Any]] = []
    for number in range(min(limit, MOST_POINTS)):
        score = {"fused": 1 / (5 + number), "words": 9 - number / 20, "dense": 0.85 - number / 500}[kind]
        point: dict[str, Any] = {"id": _passage(number).id, "version": 1, "score": score}
        if payload:
            whole = _payload(number, collection)
            point["payload"] = whole if payload is True else {key: whole[key] for key in payload if key in whole}
        found.append(point)
    return found


@cache
def _points(collection: str, limit: int, payload: bool | tuple[str, ...], kind: str) -> bytes:
    return orjson.dumps({"points": points(collection, limit, payload, kind)})


def _limit(query: dict[str, Any]) -> int:
    """Of the points found: no more than what the query chooses from."""
    limit, chosen_from = int(query.get("limit") or 10), cast("list[dict[str, Any]]", query.get("prefetch") or [])
    return min(limit, sum(int(one.get("limit") or 10) for one in chosen_from) or limit)


def _found(collection: str, query: dict[str, Any]) -> bytes:
    asked = query.get("query")
    fused = isinstance(asked, dict) and ("rrf" in asked or "fusion" in asked)
    kind = "fused" if fused else "words" if query.get("using") == "bm25" else "dense"
    wanted = query.get("with_payload")
    keys = tuple(cast("list[str]", wanted)) if isinstance(wanted, list) else bool(wanted)
    return _points(collection, _limit(query), keys, kind)


def _told(result: bytes) -> tuple[bytes]:
    return (json_reply(b'{"result":%b,"status":"ok","time":0.001}' % result),)


@cache
def _collection(name: str) -> bytes:
    marker = IndexMarker.of(Embedder("gemini-embedding-001", DIMENSIONS, "retrieval", None), SparseEncoder("english").settings)
    dense = {"size": DIMENSIONS, "distance": "Cosine"}
    ours = {"vectors": {"dense": dense}, "sparse_vectors": {"bm25": {"modifier": "idf"}}}
    params: dict[str, Any] = {"shard_number": 1, "replication_factor": 1, "on_disk_payload": True}
    optimizer = {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0, "flush_interval_sec": 5}
    config: dict[str, Any] = {
        "params": {**params, **(ours if name == OURS else {"vectors": dense})},
        "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
        "optimizer_config": optimizer,
        "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
    }
    if name == OURS:
        config["metadata"] = marker.as_dict()
    state = {"status": "green", "optimizer_status": "ok", "points_count": 2000, "indexed_vectors_count": 2000}
    return orjson.dumps({**state, "segments_count": 1, "config": config, "payload_schema": {}})


def answer(stand_in: StandIn, path: str, body: bytes) -> Reply:
    """The reply to a request of Qdrant's REST interface, as far as a reader of a collection asks."""
    parts = path.partition("?")[0].strip("/").split("/")
    match parts:
        case ["collections", name, "points", "query"]:
            stand_in.counts["query"] += 1
            return Reply(_told(_found(name, orjson.loads(body))), stand_in.delays["query"])
        case ["collections", name, "points", "query", "batch"]:
            stand_in.counts["query"] += 1
            searches = cast("list[dict[str, Any]]", orjson.loads(body)["searches"])
            lists = b",".join(_found(name, query) for query in searches)
            return Reply(_told(b"[%b]" % lists), stand_in.delays["query"])
        case _:
            return Reply(_about(parts))


def _about(parts: list[str]) -> tuple[bytes]:
    """What is asked before the first search."""
    match parts:
        case ["collections", _, "exists"]:
            return _told(b'{"exists":true}')
        case ["collections", name]:
            return _told(_collection(name))
        case ["collections", _, "index"]:
            return _told(b'{"operation_id":0,"status":"completed"}')
        case [""]:
            return (json_reply(b'{"title":"qdrant - vector search engine","version":"1.20.0","commit":"0"}'),)
        case _:
            return (json_reply(b'{"status":{"error":"not served by the stand-in"},"time":0}', b"404 Not Found"),)
