"""The two engines as fixtures: each by itself, or ``engine`` for a test that both owe the same."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from index_engines import Edge, Engine, Server, embedded, on_server


@pytest.fixture(params=["embedded", "server", "server by gRPC"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """Both, one after the other, and the second by its other interface."""
    is_embedded, by_grpc = request.param == "embedded", request.param.endswith("gRPC")
    async with embedded(tmp_path / "index") if is_embedded else on_server(by_grpc=by_grpc) as one:
        yield one


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    """The embedded engine."""
    async with embedded(tmp_path / "index") as one:
        yield one


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """The engine over the Qdrant stand-in."""
    async with on_server() as one:
        yield one
