"""The Qdrant stand-in against AsyncQdrantClient: what other tests prove with it is worth what is proved here."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from statistics import median
from typing import Any

import httpx
import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from qdrant_faults import FAULTS
from qdrant_standin import QdrantStandin, qdrant_standin

METADATA = {"marker": {"model": "m", "dimensions": 4, "nothing": None}}


@pytest.fixture
def qdrant() -> Iterator[QdrantStandin]:
    with qdrant_standin() as standin:
        yield standin


def client_of(standin: QdrantStandin, **kw: Any) -> AsyncQdrantClient:
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=16)
    return AsyncQdrantClient(url=standin.url, timeout=2, check_compatibility=False, limits=limits, **kw)


@pytest.fixture
async def client(qdrant: QdrantStandin) -> AsyncIterator[AsyncQdrantClient]:
    """A client of a server with five points: the dense vector turns away from x, odd points are of site b, version is null."""
    client = client_of(qdrant)
    await client.create_collection(
        "docs_1",
        vectors_config={"dense": models.VectorParams(size=4, distance=models.Distance.COSINE)},
        sparse_vectors_config={"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        metadata=METADATA,
    )
    await client.create_payload_index("docs_1", "site", models.KeywordIndexParams(type="keyword", is_tenant=True))
    sparse = [models.SparseVector(indices=[at, 9], values=[1.0, 0.5]) for at in range(5)]
    points = [
        models.PointStruct(
            id=at,
            vector={"dense": [1.0, at, 0, 0], "bm25": sparse[at]},
            payload={"text": f"text {at}", "site": "ab"[at % 2], "version": None},
        )
        for at in range(5)
    ]
    await client.upsert("docs_1", points)
    named = models.CreateAlias(collection_name="docs_1", alias_name="docs")
    await client.update_collection_aliases([models.CreateAliasOperation(create_alias=named)])
    yield client
    await client.close()


async def hybrid(
    client: AsyncQdrantClient, name: str = "docs", dense: tuple[float, ...] = (1.0, 0, 0, 0), using: str = "dense"
) -> list[models.ScoredPoint]:
    chosen = models.Filter(must=[models.FieldCondition(key="site", match=models.MatchValue(value="b"))])
    sparse = models.SparseVector(indices=[3], values=[1.0])
    prefetch = [
        models.Prefetch(query=list(dense), using=using, filter=chosen, limit=5),
        models.Prefetch(query=sparse, using="bm25", filter=chosen, limit=5),
    ]
    return (await client.query_points(name, prefetch=prefetch, query=models.RrfQuery(rrf=models.Rrf(k=60)), limit=3)).points


async def test_a_hybrid_search_through_the_alias_finds_what_the_filter_lets_through(
    qdrant: QdrantStandin, client: AsyncQdrantClient
) -> None:
    found = await hybrid(client)
    assert [point.id for point in found] == [3, 1]
    assert found[0].score == pytest.approx(1 / 61 + 1 / 60)
    assert found[0].payload == {"text": "text 3", "site": "b", "version": None}
    assert qdrant.requests[-1] == ("POST", "/collections/docs/points/query")
    near = models.QueryRequest(query=[1.0, 0, 0, 0], using="dense", limit=1)
    answers = await client.query_batch_points("docs", [near, near])
    assert [(answer.points[0].id, answer.points[0].score, answer.points[0].payload) for answer in answers] == [(0, 1.0, None)] * 2
    groups = await client.query_points_groups("docs", group_by="site", query=[1.0, 0, 0, 0], using="dense", group_size=1)
    assert [(group.id, group.hits[0].id) for group in groups.groups] == [("a", 0), ("b", 1)]


async def test_a_collection_tells_its_shape_its_indexes_and_its_metadata(client: AsyncQdrantClient) -> None:
    assert await client.update_collection("docs", metadata={"more": 2})
    described = await client.get_collection("docs")
    assert described.config.metadata == {**METADATA, "more": 2}
    assert described.config.params.vectors == {"dense": models.VectorParams(size=4, distance=models.Distance.COSINE)}
    assert described.config.params.sparse_vectors == {"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)}
    assert described.payload_schema["site"].params == models.KeywordIndexParams(type="keyword", is_tenant=True)
    assert (described.points_count, described.status) == (5, "green")
    assert (await client.info()).version == "1.19.0"
    assert [await client.collection_exists(name) for name in ("docs", "docs_1", "other")] == [True, True, False]


async def test_points_are_listed_changed_and_deleted(client: AsyncQdrantClient) -> None:
    page, following = await client.scroll("docs", limit=2, with_vectors=True)
    assert ([point.id for point in page], following) == ([0, 1], 2)
    assert page[0].vector == {"dense": [1.0, 0, 0, 0], "bm25": models.SparseVector(indices=[0, 9], values=[1.0, 0.5])}
    await client.set_payload("docs", {"run": 7}, points=[0, 1])
    assert [point.payload["run"] for point in await client.retrieve("docs", [0, 1]) if point.payload] == [7, 7]
    of_run = models.Filter(must=[models.FieldCondition(key="run", match=models.MatchValue(value=7))])
    assert (await client.count("docs", of_run)).count == 2
    await client.delete("docs", models.FilterSelector(filter=of_run))
    await client.delete("docs", [4])
    assert (await client.count("docs")).count == 2


async def test_an_alias_is_swapped_in_one_call_and_the_old_collection_dropped(client: AsyncQdrantClient) -> None:
    await client.create_collection("docs_2", vectors_config={"dense": models.VectorParams(size=4, distance=models.Distance.DOT)})
    swap = [
        models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="docs")),
        models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name="docs_2", alias_name="docs")),
    ]
    assert await client.update_collection_aliases(swap)
    assert (await client.count("docs")).count == 0
    assert [alias.collection_name for alias in (await client.get_aliases()).aliases] == ["docs_2"]
    assert (await client.get_collection_aliases("docs_1")).aliases == []
    assert await client.delete_collection("docs_1")
    assert [one.name for one in (await client.get_collections()).collections] == ["docs_2"]


async def test_wrong_requests_are_refused_in_the_servers_words(client: AsyncQdrantClient) -> None:
    short = models.PointStruct(id=9, vector={"dense": [1.0, 2.0]})
    cases = [
        (hybrid(client, name="other"), 404, "Not found: Collection `other` doesn't exist!"),
        (hybrid(client, dense=(1.0, 2.0)), 400, "Wrong input: Vector dimension error: expected dim: 4, got 2"),
        (client.upsert("docs", [short]), 400, "Wrong input: Vector dimension error: expected dim: 4, got 2"),
        (hybrid(client, using="nope"), 400, "Wrong input: Not existing vector name error: nope"),
        (client.create_collection("docs_1", vectors_config={}), 409, "Wrong input: Collection `docs_1` already exists!"),
    ]
    for call, status, message in cases:
        with pytest.raises(UnexpectedResponse) as raised:
            await call
        assert (raised.value.status_code, json.loads(raised.value.content)["status"]["error"]) == (status, message)


@pytest.mark.parametrize("fault", ["401", "403", "404", "408", "429n", "500", "503", "507", "dims"])
async def test_every_status_of_qdrant_reaches_the_client(qdrant: QdrantStandin, client: AsyncQdrantClient, fault: str) -> None:
    qdrant.fail(fault, times=1)
    with pytest.raises(UnexpectedResponse) as raised:
        await hybrid(client)
    assert raised.value.status_code == (400 if fault == "dims" else int(fault[:3]))
    assert raised.value.content.startswith(b"Invalid API key" if fault == "401" else b'{"status":{"error":')
    assert len(await hybrid(client)) == 2


async def test_a_rate_limit_says_when_to_come_back(qdrant: QdrantStandin, client: AsyncQdrantClient) -> None:
    qdrant.fail("429", seconds=3)
    with pytest.raises(ResourceExhaustedResponse) as raised:
        await hybrid(client)
    assert raised.value.retry_after_s == 3


@pytest.mark.parametrize(
    ("fault", "raised", "source"),
    [
        ("badjson", json.JSONDecodeError, ""),
        ("null", AssertionError, ""),
        ("shape", ResponseHandlingException, "ValidationError"),
        ("trunc", ResponseHandlingException, "RemoteProtocolError"),
        ("reset", ResponseHandlingException, "ReadError"),
        ("hang", TimeoutError, ""),
        ("drip", TimeoutError, ""),
        ("slow", TimeoutError, ""),
    ],
)
async def test_a_broken_reply_of_qdrant_is_seen_as_broken(
    qdrant: QdrantStandin, client: AsyncQdrantClient, fault: str, raised: type[Exception], source: str
) -> None:
    qdrant.fail(fault)
    with pytest.raises(raised) as seen:
        async with asyncio.timeout(0.4 if raised is TimeoutError else 10):
            await hybrid(client)
    if isinstance(seen.value, ResponseHandlingException):
        assert type(seen.value.source).__name__ == source
    assert (await client.count("docs")).count == 5  # on="query" leaves the other calls alone
    qdrant.heal()
    assert len(await hybrid(client)) == 2


async def test_slow_and_dripping_replies_come_late_but_whole(qdrant: QdrantStandin, client: AsyncQdrantClient) -> None:
    for fault, kw in (("slow", {"seconds": 0.2}), ("drip", {"seconds": 0.1, "size": 100})):
        qdrant.fail(fault, **kw)
        started = time.monotonic()
        assert len(await hybrid(client)) == 2
        assert time.monotonic() - started >= 0.2


async def test_points_may_come_without_payload(qdrant: QdrantStandin, client: AsyncQdrantClient) -> None:
    qdrant.fail("payloadnone")
    assert [(point.id, point.payload) for point in await hybrid(client)] == [(3, None), (1, None)]


async def test_a_fault_on_all_strikes_every_call_and_nonsense_none(qdrant: QdrantStandin, client: AsyncQdrantClient) -> None:
    qdrant.fail("503", on="all", times=2)
    for _ in range(2):
        with pytest.raises(UnexpectedResponse):
            await client.get_collection("docs")
    assert await client.collection_exists("docs")
    for fault, on in (("nonsense", "query"), ("503", "nowhere")):
        with pytest.raises(ValueError, match="no fault"):
            qdrant.fail(fault, on=on)
    assert "nonsense" not in FAULTS


async def test_a_server_that_went_down_comes_back_at_its_address_with_its_data(
    qdrant: QdrantStandin, client: AsyncQdrantClient
) -> None:
    qdrant.fail("hang", times=1)
    cut = asyncio.create_task(hybrid(client))
    await asyncio.sleep(0.05)
    qdrant.stop()
    with pytest.raises(ResponseHandlingException):
        await cut
    with pytest.raises(ResponseHandlingException) as refused:
        await hybrid(client)
    assert isinstance(refused.value.source, httpx.ConnectError)
    qdrant.start()
    assert len(await hybrid(client)) == 2


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
async def test_a_key_is_asked_for_and_compared() -> None:
    with qdrant_standin(api_key="right") as standin:
        for key, words in ((None, b"Must provide an API key"), ("wrong", b"Invalid API key or JWT"), ("right", b"")):
            client = client_of(standin, api_key=key)
            if words:
                with pytest.raises(UnexpectedResponse) as raised:
                    await client.get_collections()
                assert (raised.value.status_code, raised.value.content[: len(words)]) == (401, words)
            else:
                assert (await client.get_collections()).collections == []
            await client.close()


async def test_one_connection_serves_many_queries_quickly(client: AsyncQdrantClient) -> None:
    seconds = []
    for _ in range(15):
        started = time.monotonic()
        await hybrid(client)
        seconds.append(time.monotonic() - started)
    assert median(seconds) < 0.035  # a stand-in with Nagle's algorithm on takes 40 ms and more
