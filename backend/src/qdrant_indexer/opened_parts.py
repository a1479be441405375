"""What the settings name, opened for a verb and closed with its block: the model that embeds, and an index made by it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from chatbot_api.config import Settings
from chatbot_api.engines import index_of, marker_of, provider_of, sparse_of, writer_of
from chatbot_api.models.index_models import IndexMarker


class Written(NamedTuple):
    """A model and the index to write."""

    model: Any
    marker: IndexMarker
    """What the index bears that this model makes."""
    writer: Any


class Searched(NamedTuple):
    """A model and the index to search."""

    model: Any
    index: Any


@asynccontextmanager
async def to_write(settings: Settings) -> AsyncGenerator[Written, None]:
    """The model and a writer. Nothing is read before it is asked for."""
    async with _model(settings) as model:
        sparse = sparse_of(settings)
        marker = marker_of(model.embedder, sparse)
        writer = writer_of(settings, marker, sparse)
        try:
            yield Written(model, marker, writer)
        finally:
            await writer.close()


@asynccontextmanager
async def to_search(settings: Settings) -> AsyncGenerator[Searched, None]:
    """The model and a reader, which is not compared with the settings yet."""
    async with _model(settings) as model:
        sparse = sparse_of(settings)
        index = index_of(settings, marker_of(model.embedder, sparse), sparse)
        try:
            yield Searched(model, index)
        finally:
            await index.close()


@asynccontextmanager
async def _model(settings: Settings) -> AsyncGenerator[Any, None]:
    model = provider_of(settings)
    try:
        yield model
    finally:
        await model.close()
