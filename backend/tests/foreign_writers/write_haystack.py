"""Writes the book by qdrant-haystack, split by Haystack's Markdown splitter: once dense, once with sparse vectors."""

from dataclasses import replace

from book import SIZE, arguments, files, vector_of, words_of
from haystack import Document
from haystack.components.preprocessors import MarkdownHeaderSplitter
from haystack.dataclasses import SparseEmbedding
from haystack_integrations.document_stores.qdrant import QdrantDocumentStore


def main() -> None:
    url, folder = arguments()
    whole = [Document(content=path.read_text(encoding="utf-8"), meta={"file_path": str(path)}) for path in files(folder)]
    parts = MarkdownHeaderSplitter().run(documents=whole)["documents"]
    for name, is_sparse in (("haystack", False), ("haystack-sparse", True)):
        documents: list[Document] = []
        for part in parts:
            indices, values = words_of(part.content)
            sparse = SparseEmbedding(indices=indices, values=values) if is_sparse else None
            documents.append(replace(part, embedding=vector_of(part.content), sparse_embedding=sparse))
        store = QdrantDocumentStore(url=url, index=name, embedding_dim=SIZE, use_sparse_embeddings=is_sparse)
        store.write_documents(documents)


if __name__ == "__main__":
    main()
