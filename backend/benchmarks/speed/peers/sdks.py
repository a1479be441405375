"""Peer "the SDKs as installed": google-genai's async client and AsyncQdrantClient with their defaults, no framework."""

from collections.abc import AsyncIterator
from typing import Any, cast

from google import genai
from google.genai import types
from qdrant_client import AsyncQdrantClient
from serving import DIMENSIONS, EMBEDDING_MODEL, GEMINI, GENERATIVE_MODEL, KEY, QDRANT, RULES, TOP_K, serve

client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=GEMINI, api_version="v1beta"))
models = cast("Any", client.aio.models)  # its overloads are only partly typed
qdrant = AsyncQdrantClient(url=QDRANT, check_compatibility=False)
query_task = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=DIMENSIONS)
writing = types.GenerateContentConfig(system_instruction=RULES)


async def prompt(query: str) -> str:
    """The passages and the question."""
    embedded = await models.embed_content(model=EMBEDDING_MODEL, contents=query, config=query_task)
    vector: list[float] = embedded.embeddings[0].values
    found = await qdrant.query_points("sdks", query=vector, limit=TOP_K, with_payload=True)
    passages = "\n\n".join(str((point.payload or {})["text"]) for point in found.points)
    return f"{passages}\n\n{query}"


async def answer(query: str) -> str:
    """A whole answer."""
    said = await models.generate_content(model=GENERATIVE_MODEL, contents=await prompt(query), config=writing)
    return said.text or ""


async def deltas(query: str) -> AsyncIterator[str]:
    """An answer piece by piece."""
    stream = await models.generate_content_stream(model=GENERATIVE_MODEL, contents=await prompt(query), config=writing)
    async for chunk in stream:
        yield chunk.text or ""


if __name__ == "__main__":
    serve(answer, deltas)
