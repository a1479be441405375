"""A service that searches a filled Qdrant stand-in, by REST or by gRPC: what tests of either stand on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from chatbot_api.errors import (
    IndexMismatch,
    IndexMissing,
    SearchBadResponse,
    SearchError,
    SearchMisconfigured,
    SearchUnavailable,
)
from chatbot_api.services.qdrant_service import QdrantService
from index_engines import EVERYWHERE, MARKER, SPARSE, Server, library, publish, reads_of, vector_of, wire_to
from qdrant_grpc_side import PATH
from qdrant_standin import QdrantStandin, qdrant_standin

TIMEOUT_S = 0.8
CUT_S = TIMEOUT_S + 0.3
QUESTION = (vector_of("q"), "lamp of the room", EVERYWHERE, 5)
QUERIES = {False: ("POST", "/collections/docs/points/query/batch"), True: ("GRPC", PATH)}
"""A search as the stand-in writes it down; by gRPC or not."""


Row = tuple[str, dict[str, Any], type[SearchError], int]
COMMON: list[Row] = [
    ("401", {}, SearchMisconfigured, 1),
    ("403", {}, SearchMisconfigured, 1),
    ("404", {}, IndexMissing, 1),
    ("dims", {"expected": 768, "got": 16}, IndexMismatch, 1),
    ("408", {}, SearchUnavailable, 2),
    ("429", {"seconds": 7}, SearchUnavailable, 1),
    ("429n", {}, SearchUnavailable, 2),
    ("500", {}, SearchUnavailable, 2),
    ("503", {}, SearchUnavailable, 2),
    ("507", {}, SearchUnavailable, 2),
    ("slow", {"seconds": 8}, SearchUnavailable, 1),
    ("hang", {}, SearchUnavailable, 1),
    ("badjson", {}, SearchBadResponse, 1),
    ("null", {}, SearchBadResponse, 1),
    ("shape", {}, SearchBadResponse, 1),
    ("trunc", {}, SearchBadResponse, 1),
    ("payloadnone", {}, SearchBadResponse, 1),
]
"""Fault, its values, what it is called, and how many times the server is asked."""
OF_REST: list[Row] = [("reset", {}, SearchUnavailable, 2), ("drip", {"size": 16, "seconds": 0.3}, SearchUnavailable, 1)]
"""What gRPC has no such ways to fail by."""


@pytest.fixture(scope="module")
def filled() -> Iterator[QdrantStandin]:
    """A server with sixty passages, one for all tests that only read."""

    async def fill(standin: QdrantStandin) -> None:
        async with AsyncExitStack() as stack:
            await publish(Server(standin, stack), library())

    with qdrant_standin() as standin:
        asyncio.run(fill(standin))
        yield standin


@pytest.fixture
def standin(filled: QdrantStandin) -> QdrantStandin:
    """Healthy, and asked nothing yet."""
    filled.heal()
    filled.requests.clear()
    return filled


@pytest.fixture
def by_grpc() -> bool:
    """How it is searched; a file that tries both gives this a value for each."""
    return False


def service_of(standin: QdrantStandin, by_grpc: bool = False, key: str = "", timeout_s: float = TIMEOUT_S) -> QdrantService:
    """A service over the stand-in's collection."""
    wire = wire_to(standin, key, by_grpc=by_grpc)
    return QdrantService(reads_of(standin.url, key, timeout_s), MARKER, SPARSE, wire=wire, timeout_s=timeout_s)


@pytest.fixture
async def searching(standin: QdrantStandin, by_grpc: bool) -> AsyncIterator[QdrantService]:
    """A service whose first connection is open, as in a running process."""
    one = service_of(standin, by_grpc)
    await one.search(*QUESTION)
    standin.requests.clear()
    yield one
    await one.close()
