"""Searches over gRPC: a server that comes and goes, ports where there is none, and a service that is told the port."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from chatbot_api.config import Settings
from chatbot_api.errors import (
    SearchUnavailable,
)
from chatbot_api.services.qdrant_grpc import GrpcSearch
from chatbot_api.services.qdrant_service import QdrantService
from conftest import Service, index_book, with_gemini
from dead_port import dead_port
from gemini_standin import GeminiStandin
from index_engines import MARKER, SPARSE, reads_of
from qdrant_search_fixtures import QUERIES, QUESTION, service_of
from qdrant_standin import QdrantStandin


async def test_a_server_that_is_down_fails_fast_and_is_searched_again_soon_after_its_return(standin: QdrantStandin) -> None:
    service = service_of(standin, by_grpc=True, timeout_s=5)
    for _ in range(3):
        assert len(await found_again(service)) == 5
        await asyncio.to_thread(standin.stop)
        started = monotonic()
        with pytest.raises(SearchUnavailable):
            await service.search(*QUESTION)
        assert monotonic() - started < 1.5
        await asyncio.to_thread(standin.start)
    assert len(await found_again(service)) == 5
    await service.close()


async def found_again(service: QdrantService) -> list[Any]:
    """gRPC pauses for 0.1 s between its attempts to connect, and throttling for a second between ours."""
    async with asyncio.timeout(5):
        while True:
            try:
                return await service.search(*QUESTION)
            except SearchUnavailable:
                await asyncio.sleep(0.05)


async def test_a_port_where_nobody_listens_is_unavailable_at_once() -> None:
    with dead_port() as port:
        wire = GrpcSearch("http://127.0.0.1:1", port, "", "docs", rrf_k=5)
        service = QdrantService(reads_of("http://127.0.0.1:1"), MARKER, SPARSE, wire=wire, timeout_s=5)
        started = monotonic()
        with pytest.raises(SearchUnavailable):
            await service.search(*QUESTION)
        assert monotonic() - started < 2
        await service.close()


async def test_the_port_of_rest_is_no_port_for_grpc(standin: QdrantStandin) -> None:
    rest_port = int(standin.url.rpartition(":")[2])
    wire = GrpcSearch(standin.url, rest_port, "", "docs", rrf_k=5)
    service = QdrantService(reads_of(standin.url), MARKER, SPARSE, wire=wire, timeout_s=2)
    with pytest.raises(SearchUnavailable):
        await service.search(*QUESTION)
    await service.close()


def test_a_service_with_the_port_set_searches_by_it_and_checks_over_rest(
    qdrant: QdrantStandin,
    gemini: GeminiStandin,
    settings_of: Callable[..., Settings],
    book: Path,
    serve: Callable[[Settings], Service],
) -> None:
    settings = settings_of(qdrant_host=qdrant.url, qdrant_grpc_port=qdrant.grpc_port, demo_page=False, **with_gemini(gemini))
    index_book(settings, book)
    qdrant.requests.clear()
    service = serve(settings)
    body = service.ask().json()
    assert (body["outcome"], body["sources"][0]["url"]) == ("answered", "/docs/install#install-with-docker")
    assert qdrant.requests.count(QUERIES[True]) == 1
    assert ("GET", "/collections/docs") in qdrant.requests
    assert not any(path.endswith("/points/query/batch") for _, path in qdrant.requests)
    for fault, slug in (("503", "search-unavailable"), ("404", "index-missing"), ("shape", "search-bad-response")):
        qdrant.fail(fault)
        reply = service.ask()
        assert (reply.status_code, reply.json()["type"].rpartition(":")[2]) == (503, slug)
    qdrant.heal()
    assert service.ask().json()["outcome"] == "answered"
