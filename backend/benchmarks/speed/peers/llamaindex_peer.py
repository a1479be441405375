"""Peer "LlamaIndex": a query engine over a Qdrant vector store, as its documentation builds one."""

from collections.abc import AsyncIterator

from google.genai import types
from llama_index.core import VectorStoreIndex
from llama_index.embeddings.google_genai import GoogleGenAIEmbedding
from llama_index.llms.google_genai import GoogleGenAI
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import AsyncQdrantClient, QdrantClient
from serving import DIMENSIONS, EMBEDDING_MODEL, GEMINI, GENERATIVE_MODEL, KEY, QDRANT, TOP_K, serve

options = types.HttpOptions(base_url=GEMINI, api_version="v1beta")
embedding = GoogleGenAIEmbedding(
    model_name=EMBEDDING_MODEL,
    api_key=KEY,
    http_options=options,
    embedding_config=types.EmbedContentConfig(output_dimensionality=DIMENSIONS),
)
model = GoogleGenAI(model=GENERATIVE_MODEL, api_key=KEY, http_options=options, max_tokens=400, context_window=1_000_000)
store = QdrantVectorStore(
    "llamaindex",
    client=QdrantClient(url=QDRANT, check_compatibility=False),
    aclient=AsyncQdrantClient(url=QDRANT, check_compatibility=False),
)
index = VectorStoreIndex.from_vector_store(store, embed_model=embedding)
engine = index.as_query_engine(llm=model, similarity_top_k=TOP_K, use_async=True)
streaming = index.as_query_engine(llm=model, similarity_top_k=TOP_K, use_async=True, streaming=True)


async def answer(query: str) -> str:
    """A whole answer."""
    return str(await engine.aquery(query))


async def deltas(query: str) -> AsyncIterator[str]:
    """An answer piece by piece."""
    said = await streaming.aquery(query)
    async for text in said.async_response_gen():
        yield text


if __name__ == "__main__":
    serve(answer, deltas)
