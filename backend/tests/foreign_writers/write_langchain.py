"""Writes the book by langchain-qdrant, split by LangChain's Markdown splitter: once dense, once hybrid."""

from book import arguments, files, vector_of, words_of
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_qdrant import QdrantVectorStore, RetrievalMode, SparseEmbeddings, SparseVector
from langchain_text_splitters import MarkdownHeaderTextSplitter

HEADERS = [("#", "Header 1"), ("##", "Header 2"), ("###", "Header 3")]


class Letters(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [vector_of(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return vector_of(text)


class Words(SparseEmbeddings):
    def embed_documents(self, texts: list[str]) -> list[SparseVector]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> SparseVector:
        indices, values = words_of(text)
        return SparseVector(indices=indices, values=values)


def main() -> None:
    url, folder = arguments()
    documents: list[Document] = []
    for path in files(folder):
        for part in MarkdownHeaderTextSplitter(HEADERS).split_text(path.read_text(encoding="utf-8")):
            documents.append(Document(part.page_content, metadata={"source": str(path), **part.metadata}))
    common = {"embedding": Letters(), "url": url}
    QdrantVectorStore.from_documents(documents, collection_name="langchain", **common)
    QdrantVectorStore.from_documents(
        documents, collection_name="langchain-hybrid", retrieval_mode=RetrievalMode.HYBRID, sparse_embedding=Words(), **common
    )


if __name__ == "__main__":
    main()
