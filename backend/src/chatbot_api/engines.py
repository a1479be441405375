"""Settings to engines: who embeds and writes, where passages are searched and written. Imports the chosen ones, no other."""

import asyncio
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

from chatbot_api.config import Settings
from chatbot_api.errors import StartRefused
from chatbot_api.models.answer_models import Usage
from chatbot_api.models.index_models import Embedder, IndexMarker
from chatbot_api.services.rag_service import LanguageModel
from chatbot_api.services.sparse_encoder import SparseEncoder
from chatbot_api.telemetry import logger

if TYPE_CHECKING:
    from chatbot_api.services.foreign_payload import ForeignKeys
    from chatbot_api.services.qdrant_wire import QdrantWire

log = logger(__name__)


class Provider(LanguageModel, Protocol):
    """A language model as wiring handles it."""

    @property
    def problems(self) -> list[str]: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102


def provider_of(
    settings: Settings, on_usage: Callable[[Usage], None] = lambda _usage: None, later: list[Callable[[], None]] | None = None
) -> Any:
    """Gemini or offline. ``on_usage``: told what each call of the model cost. Needs a running event loop.

    ``later``: is given what can be loaded when the service is up; None: everything is loaded at once.
    """
    if settings.effective_provider == "offline":
        return _offline(settings, later)
    if settings.gemini_sdk == "google-generativeai":
        return _older_sdk(settings, on_usage)
    from chatbot_api.services.gemini_service import GeminiService  # noqa: PLC0415 - its client of HTTP

    try:
        return GeminiService(
            settings.gemini_api_key.get_secret_value(),
            **_for_gemini(settings),
            thinking_level=settings.thinking_level,
            on_usage=on_usage,
        )
    except ValueError as error:
        raise StartRefused([f"THINKING_LEVEL={settings.thinking_level}: {error}."]) from error


def _older_sdk(settings: Settings, on_usage: Callable[[Usage], None]) -> Any:
    try:
        from chatbot_api.services.generativeai_service import GenerativeAIService  # noqa: PLC0415 - a second of CPU, 71 MiB
    except ImportError as error:  # missing, or of versions that do not fit together
        refusal = (
            "GEMINI_SDK=google-generativeai needs that package, in an environment of its own: "
            "pip install -r backend/requirements-legacy-sdk.txt, or leave GEMINI_SDK unset."
        )
        raise StartRefused([refusal]) from error
    if settings.thinking_level != "none":
        meaning = "google-generativeai can't send a thinking level: the model thinks as it does by default"
        log.warning("thinking_level_not_sent", thinking_level=settings.thinking_level, meaning=meaning)
    return GenerativeAIService(
        settings.gemini_api_key.get_secret_value(),
        **_for_gemini(settings),
        most_calls=settings.max_answers_in_flight,
        on_usage=on_usage,
    )


def _for_gemini(settings: Settings) -> dict[str, Any]:
    """What both SDKs are told."""
    return {
        "generative_model": settings.generative_model,
        "embedding_model": settings.embedding_model,
        "dimensions": settings.embedding_dimensions,
        "max_output_tokens": settings.max_output_tokens,
        "temperature": settings.temperature,
        "base_url": settings.gemini_base_url,
        "gate": settings.relevance_gate,
        "first_text_timeout_s": settings.first_text_timeout_s,
    }


def _offline(settings: Settings, later: list[Callable[[], None]] | None) -> Any:
    from chatbot_api.services.minilm import EmbedderUnavailable, MiniLM  # noqa: PLC0415 - 130 MiB with its model
    from chatbot_api.services.offline_service import OfflineService  # noqa: PLC0415

    minilm = None
    if settings.local_embedder:
        try:
            minilm = MiniLM()
            if later is None:
                minilm.load()
        except EmbedderUnavailable as error:
            _tell_lexical(error)
            return OfflineService(None, gate=settings.relevance_gate)

        def load() -> None:
            try:
                minilm.load()
            except EmbedderUnavailable as error:
                _tell_lexical(error)

        if later is not None:
            later.append(load)
    return OfflineService(minilm, gate=settings.relevance_gate)


def _tell_lexical(why: Exception) -> None:
    log.warning("lexical_only", why=str(why), meaning="passages are found by words alone")


def sparse_of(settings: Settings) -> SparseEncoder:
    """The lexical arm's encoder. Raises StartRefused for a language it doesn't know."""
    try:
        return SparseEncoder(settings.bm25_language)
    except ValueError as error:
        raise StartRefused([f"BM25_LANGUAGE={settings.bm25_language}: {error}."]) from error


def marker_of(embedder: Embedder, sparse: SparseEncoder) -> IndexMarker:
    """The marker an index has to bear to be searched with these."""
    return IndexMarker.of(embedder, sparse.settings)


def index_of(settings: Settings, marker: IndexMarker, sparse: SparseEncoder, *, weigh_words: bool = True) -> Any:
    """The engine to search: a Qdrant server when one is set, else the embedded one. ``weigh_words``: see the engines.

    Needs a running event loop.
    """
    if not settings.qdrant_url:
        from chatbot_api.services.edge_index import EdgeIndex  # noqa: PLC0415

        return EdgeIndex(settings.index_dir, marker, sparse, rrf_k=settings.rrf_k, weigh_words=weigh_words)
    from chatbot_api.services.qdrant_reads import QdrantReads  # noqa: PLC0415
    from chatbot_api.services.qdrant_service import QdrantService  # noqa: PLC0415
    from chatbot_api.services.qdrant_wire import QdrantWire  # noqa: PLC0415 - its client of HTTP

    wire = QdrantWire(settings.qdrant_url, settings.qdrant_api_key.get_secret_value())
    return QdrantService(
        QdrantReads(wire, settings.qdrant_collection_name, silence_s=ceil(settings.search_timeout_s)),
        marker,
        sparse,
        wire=_search_of(settings, wire),
        timeout_s=settings.search_timeout_s,
        weigh_words=weigh_words,
        foreign=lambda: asyncio.to_thread(_foreign_index, settings, marker),  # readers are answered meanwhile
    )


def _foreign_index(settings: Settings, marker: IndexMarker) -> Any:
    """Who reads collections of other tools."""
    from chatbot_api.services.foreign_index import ForeignIndex  # noqa: PLC0415 - the client: 0.7 s of CPU, 59 MB
    from chatbot_api.services.qdrant_connection import client_of  # noqa: PLC0415

    return ForeignIndex(
        client_of(settings.qdrant_url, settings.qdrant_api_key.get_secret_value(), settings.search_timeout_s),
        settings.qdrant_collection_name,
        foreign_keys_of(settings),
        dimensions=marker.dimensions,
        embedding_model=marker.embedding_model,
        timeout_s=settings.search_timeout_s,
    )


def foreign_keys_of(settings: Settings) -> "ForeignKeys":
    """Where the settings say that a collection of another tool keeps its fields."""
    from chatbot_api.services.foreign_payload import ForeignKeys  # noqa: PLC0415

    return ForeignKeys(
        text=settings.qdrant_text_key,
        url=settings.qdrant_url_key,
        title=settings.qdrant_title_key,
        section=settings.qdrant_section_key,
        vector=settings.qdrant_vector_name,
        only=tuple(settings.qdrant_filter.items()),
    )


def _search_of(settings: Settings, wire: "QdrantWire") -> Any:
    """What searches of a Qdrant server go by. ``wire``: all else does."""
    url, key, name = settings.qdrant_url, settings.qdrant_api_key.get_secret_value(), settings.qdrant_collection_name
    if settings.qdrant_grpc_port:
        from chatbot_api.services.qdrant_grpc import GrpcSearch  # noqa: PLC0415 - the client's messages

        return GrpcSearch(url, settings.qdrant_grpc_port, key, name, rrf_k=settings.rrf_k)
    from chatbot_api.services.qdrant_rest import RestSearch  # noqa: PLC0415

    return RestSearch(wire, name, rrf_k=settings.rrf_k)


def writer_of(settings: Settings, marker: IndexMarker, sparse: SparseEncoder) -> Any:
    """The engine to write a new run of the index to."""
    if not settings.qdrant_url:
        from chatbot_api.services.edge_index_writer import EdgeIndexWriter  # noqa: PLC0415

        return EdgeIndexWriter(settings.index_dir, marker, sparse)
    from chatbot_api.services.qdrant_connection import client_of  # noqa: PLC0415
    from chatbot_api.services.qdrant_index_writer import WRITE_TIMEOUT_S, QdrantIndexWriter  # noqa: PLC0415

    client = client_of(settings.qdrant_url, settings.qdrant_api_key.get_secret_value(), WRITE_TIMEOUT_S)
    return QdrantIndexWriter(client, settings.qdrant_collection_name, marker, sparse, lock_folder=settings.data_dir)
