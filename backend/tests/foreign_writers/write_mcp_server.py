"""Writes the book by mcp-server-qdrant's own connector: once with metadata, once as a model without any would."""

import asyncio

from book import SIZE, arguments, files, vector_of
from mcp_server_qdrant.embeddings.base import EmbeddingProvider
from mcp_server_qdrant.qdrant import Entry, QdrantConnector


class Letters(EmbeddingProvider):
    async def embed_documents(self, documents: list[str]) -> list[list[float]]:
        return [vector_of(document) for document in documents]

    async def embed_query(self, query: str) -> list[float]:
        return vector_of(query)

    def get_vector_name(self) -> str:
        return "fast-letters-128"

    def get_vector_size(self) -> int:
        return SIZE


async def main() -> None:
    url, folder = arguments()
    connector = QdrantConnector(url, None, "mcp-server", Letters())
    for path in files(folder):
        text = path.read_text(encoding="utf-8")
        await connector.store(Entry(content=text, metadata={"path": path.relative_to(folder).as_posix()}))
        await connector.store(Entry(content=text), collection_name="mcp-server-bare")


if __name__ == "__main__":
    asyncio.run(main())
