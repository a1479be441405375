"""Embeds passages through google-genai: what an owner's indexer waits for, where the SDK's cost is nothing beside the model's.

Imported when the first batch is embedded, which a service that only answers never does: the SDK costs half a second of CPU and
57 MiB. It keeps no deadline, so it gets the wire's session, no time-out, no retries.
"""

from collections.abc import Callable, Sequence
from typing import Any

from google import genai
from google.genai import errors, types

from chatbot_api.models.answer_models import Usage
from chatbot_api.services.gemini_embeddings import EmbeddingModel
from chatbot_api.services.gemini_errors import TRANSPORT_ERRORS, named
from chatbot_api.services.gemini_usage import Meter
from chatbot_api.services.gemini_wire import GeminiRefused, GeminiWire
from chatbot_api.telemetry import span


class GeminiBatches:
    """One client of the SDK over a wire's session; it is closed with that."""

    def __init__(self, api_key: str, wire: GeminiWire, embeddings: EmbeddingModel, on_usage: Callable[[Usage], None]) -> None:
        """``on_usage``: told what each batch cost."""
        options = types.HttpOptions(
            api_version="v1beta",
            base_url=wire.base_url,
            aiohttp_client=wire.session,
            # Or it makes three contexts of its own, which takes longer than all else at start.
            client_args={"verify": wire.trusted},
            async_client_args={"verify": wire.trusted, "ssl": wire.trusted},
            retry_options=types.HttpRetryOptions(attempts=1),
        )
        self._client = genai.Client(api_key=api_key, vertexai=False, http_options=options)
        self._models: Any = self._client.aio.models  # its overloads are only partly typed
        self._embeddings, self._on_usage = embeddings, on_usage

    async def vectors(self, texts: Sequence[str], task: str) -> list[list[float]]:
        """Unit vectors, in step. ``task``: by the API's name. Raises ModelError, IndexMismatch."""
        # A list of plain strings would come back from gemini-embedding-2 as one vector of all of them.
        contents: Any = [types.Content(parts=[types.Part(text=text)]) for text in texts]
        model = self._embeddings
        config = types.EmbedContentConfig(output_dimensionality=model.dimensions, task_type=None if model.has_prefixes else task)
        try:
            with span("embeddings", model.name), Meter(sum(map(len, texts)), self._on_usage) as meter:
                reply: types.EmbedContentResponse = await self._models.embed_content(
                    model=model.name, contents=contents, config=config
                )
                meter.saw(reply.usage_metadata)
        except errors.APIError as error:
            told: Any = error  # only partly typed
            raise named(GeminiRefused(told.code, told.details, getattr(told.response, "headers", None) or {})) from error
        except TRANSPORT_ERRORS as error:
            raise named(error) from error
        return model.units([embedding.values or [] for embedding in reply.embeddings or []], asked=len(texts))

    async def close(self) -> None:
        """Close the SDK's client."""
        await self._client.aio.aclose()
