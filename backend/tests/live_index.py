"""The live index of some settings, whichever engine they name: what it holds, and what a reader finds in it."""

from contextlib import AsyncExitStack

from chatbot_api.config import Settings
from chatbot_api.engines import index_of, sparse_of, writer_of
from chatbot_api.models.index_models import IndexMarker, Scope, StoredPassage


def marker(settings: Settings) -> IndexMarker:
    """What an index of these settings bears, without making an embedder."""
    sparse = sparse_of(settings)
    if settings.effective_provider == "offline":
        return IndexMarker("none", 0, "none", sparse.settings)
    return IndexMarker(settings.embedding_model, settings.embedding_dimensions, "retrieval", sparse.settings)


async def stored(settings: Settings) -> dict[str, StoredPassage]:
    """What the live index holds, by id."""
    async with AsyncExitStack() as stack:
        writer = writer_of(settings, marker(settings), sparse_of(settings))
        stack.push_async_callback(writer.close)
        return {one.passage.id: one async for one in writer.stored()}


async def found(settings: Settings, words: str) -> list[str]:
    """Pages that a reader finds."""
    async with AsyncExitStack() as stack:
        index = index_of(settings, marker(settings), sparse_of(settings))
        stack.push_async_callback(index.close)
        await index.check()
        hits = await index.search(None, words, Scope(settings.site), 20)
        return sorted({hit.passage.url.strip("/") for hit in hits})
