"""The two engines as the index' contract sees them: one over a folder, one over the Qdrant stand-in; and texts to search."""

import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from math import ceil
from pathlib import Path

from qdrant_client import AsyncQdrantClient

from chatbot_api.models.index_models import Hit, IndexMarker, Passage, Scope
from chatbot_api.services.edge_index import EdgeIndex
from chatbot_api.services.edge_index_writer import EdgeIndexWriter
from chatbot_api.services.qdrant_connection import client_of
from chatbot_api.services.qdrant_grpc import GrpcSearch
from chatbot_api.services.qdrant_index_writer import QdrantIndexWriter
from chatbot_api.services.qdrant_reads import QdrantReads
from chatbot_api.services.qdrant_rest import RestSearch
from chatbot_api.services.qdrant_service import QdrantService
from chatbot_api.services.qdrant_wire import QdrantWire
from indexed_texts import MARKER, SPARSE, passage, vector_of
from qdrant_standin import QdrantStandin, qdrant_standin

LEXICAL = IndexMarker("none", 0, "none", SPARSE.settings)
EVERYWHERE = Scope()


class Edge:
    """The embedded engine over a folder."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder, self._stack = folder, stack

    def writer(self, marker: IndexMarker = MARKER) -> EdgeIndexWriter:
        return EdgeIndexWriter(self.folder, marker, SPARSE)

    def reader(self, marker: IndexMarker = MARKER) -> EdgeIndex:
        reader = EdgeIndex(self.folder, marker, SPARSE, rrf_k=5)
        self._stack.push_async_callback(reader.close)
        return reader

    def runs(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir())


class Server:
    """The engine on a server, which is the stand-in, over TCP."""

    def __init__(self, standin: QdrantStandin, stack: AsyncExitStack, *, by_grpc: bool = False) -> None:
        """``by_grpc``: how it is searched."""
        self.standin, self._stack, self._by_grpc = standin, stack, by_grpc

    def writer(self, marker: IndexMarker = MARKER, name: str = "docs") -> QdrantIndexWriter:
        client = client_of(self.standin.url, "", 10)
        self._stack.push_async_callback(client.close)
        return QdrantIndexWriter(client, name, marker, SPARSE)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncQdrantClient]:
        """A bare client."""
        client = client_of(self.standin.url, "", 10)
        yield client
        await client.close()

    def reader(self, marker: IndexMarker = MARKER) -> QdrantService:
        wire = wire_to(self.standin, by_grpc=self._by_grpc)
        reader = QdrantService(reads_of(self.standin.url), marker, SPARSE, wire=wire, timeout_s=10)
        self._stack.push_async_callback(reader.close)
        return reader

    def runs(self) -> list[str]:
        return sorted(one.name for one in self.standin.client.get_collections().collections)


def wire_to(standin: QdrantStandin, key: str = "", *, by_grpc: bool = False) -> RestSearch | GrpcSearch:
    """What searches of the stand-in go by."""
    if by_grpc:
        return GrpcSearch(standin.url, standin.grpc_port, key, "docs", rrf_k=5)
    return RestSearch(QdrantWire(standin.url, key), "docs", rrf_k=5)


def reads_of(url: str, key: str = "", timeout_s: float = 10) -> QdrantReads:
    """What the rest goes by."""
    return QdrantReads(QdrantWire(url, key), "docs", silence_s=ceil(timeout_s))


Engine = Edge | Server


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Edge]:
    """An engine over a folder that need not be there yet; its readers are closed at the end."""
    async with AsyncExitStack() as stack:
        yield Edge(folder, stack)


@asynccontextmanager
async def on_server(*, by_grpc: bool = False) -> AsyncIterator[Server]:
    """An engine over a stand-in of its own; its clients are closed at the end."""
    with qdrant_standin() as standin:
        async with AsyncExitStack() as stack:
            yield Server(standin, stack, by_grpc=by_grpc)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def publish(engine: Engine, passages: Sequence[Passage], marker: IndexMarker = MARKER) -> None:
    writer = engine.writer(marker)
    await writer.begin()
    for start in range(0, len(passages), 25):
        batch = passages[start : start + 25]
        await writer.add(batch, [vector_of(one.text) for one in batch] if marker.dimensions else None)
    await writer.publish()
    await writer.close()


async def opened(engine: Engine, passages: Sequence[Passage], marker: IndexMarker = MARKER) -> EdgeIndex | QdrantService:
    """A reader of these passages."""
    await publish(engine, passages, marker)
    reader = engine.reader(marker)
    assert await reader.check() == len(passages)
    return reader


def names(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.url.strip("/") for hit in hits]


WORDS = re.findall(
    r"\w+", "hub lamp phone radio button switch room scene timer colour network gateway battery firmware bridge sensor"
)


def library(pages: int = 30, of_page: int = 2) -> list[Passage]:
    """Passages of different words and lengths, over two sites, two versions and two languages."""
    made: list[Passage] = []
    for page in range(pages):
        for ordinal in range(of_page):
            values = random.Random(f"{page}-{ordinal}")
            text = " ".join(values.choices(WORDS, k=12 + 3 * page + ordinal))
            scope = {
                "site": "docs" if page % 3 else "blog",
                "version": "2.0" if page % 2 else None,
                "locale": "de" if page % 5 == 4 else "en",
                "is_last_version": page % 4 != 3,
            }
            made.append(passage(f"page{page}", text, ordinal=ordinal, heading_path=("Part", f"Number {page}"), **scope))
    return made
