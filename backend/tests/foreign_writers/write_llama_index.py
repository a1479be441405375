"""Writes the book by llama-index-vector-stores-qdrant, read and split by LlamaIndex: once dense, once hybrid."""

from book import arguments, vector_of, words_of
from llama_index.core import SimpleDirectoryReader, StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.node_parser import MarkdownNodeParser
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient


class Letters(BaseEmbedding):
    def _get_text_embedding(self, text: str) -> list[float]:
        return vector_of(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return vector_of(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return vector_of(query)


def sparse(texts: list[str]) -> tuple[list[list[int]], list[list[float]]]:
    pairs = [words_of(text) for text in texts]
    return [indices for indices, _ in pairs], [values for _, values in pairs]


def main() -> None:
    url, folder = arguments()
    documents = SimpleDirectoryReader(str(folder), recursive=True, required_exts=[".md"]).load_data()
    nodes = MarkdownNodeParser().get_nodes_from_documents(documents)
    client = QdrantClient(url=url)
    stores = [
        QdrantVectorStore("llama-index", client=client),
        QdrantVectorStore("llama-index-hybrid", client=client, enable_hybrid=True, sparse_doc_fn=sparse, sparse_query_fn=sparse),
    ]
    for store in stores:
        VectorStoreIndex(nodes, storage_context=StorageContext.from_defaults(vector_store=store), embed_model=Letters())


if __name__ == "__main__":
    main()
