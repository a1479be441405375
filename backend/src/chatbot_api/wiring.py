"""Settings to services: the only place that constructs and closes anything. Imports the chosen engine and provider, no other."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from chatbot_api.config import Settings
from chatbot_api.errors import DeadlineExceeded, IndexMismatch, SearchError, SearchUnavailable, ServiceError, StartRefused
from chatbot_api.models.index_models import Embedder, IndexMarker
from chatbot_api.services.chat_service import ChatService
from chatbot_api.services.rag_service import Index, LanguageModel, RagService
from chatbot_api.services.sparse_encoder import SparseEncoder
from chatbot_api.telemetry import logger

log = logger(__name__)
CHECK_EVERY_S = 2.0
"""Between two looks at the index: how soon a new run, or a server that came back, is taken up."""
REINDEX = "python -m qdrant_indexer index DOCS_DIR"


class Provider(LanguageModel, Protocol):
    """A language model as wiring handles it."""

    @property
    def problems(self) -> list[str]: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102


class CheckedIndex(Index, Protocol):
    """An index as wiring handles it."""

    @property
    def place(self) -> str: ...  # noqa: D102
    @property
    def problems(self) -> list[str]: ...  # noqa: D102
    @property
    def is_foreign(self) -> bool: ...  # noqa: D102
    async def check(self) -> int: ...  # noqa: D102
    async def close(self) -> None: ...  # noqa: D102


class IndexWatch:
    """Knows whether the index can be searched, by looking again and again; never asked to look by a request."""

    def __init__(self, index: CheckedIndex) -> None:
        """Nothing was looked at yet."""
        self._index = index
        self.problem: ServiceError | None = SearchError("not looked at yet")
        self.passages = 0

    async def look(self) -> None:
        """Check the index once; a change is logged."""
        before = self.problem
        try:
            self.passages = await self._index.check()
            self.problem = None
        except (SearchError, DeadlineExceeded) as error:
            self.problem = error
        if type(before) is not type(self.problem):
            state: dict[str, Any] = {"place": self._index.place, "passages": self.passages}
            if self.problem is None:
                log.info("index_ready", **state)
            else:
                log.warning("index_not_ready", **state, problem=self.problem.slug, cause=self.problem.cause, mend=REINDEX)

    async def keep_looking(self) -> None:
        """Look every CHECK_EVERY_S until cancelled."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            await self.look()


@dataclass(frozen=True, slots=True)
class Services:
    """What the doors use."""

    settings: Settings
    chat: ChatService
    rag: RagService
    model: Provider
    index: CheckedIndex
    watch: IndexWatch


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services, None]:
    """Everything the settings ask for, opened and checked; closed at the end.

    Raises StartRefused when the index was made with other settings or can't be opened. An index that isn't there yet, or a server
    that is down, lets the service start: it is live, not ready, and looks again by itself.
    """
    async with AsyncExitStack() as stack:
        model = provider_of(settings)
        stack.push_async_callback(model.close)
        sparse = sparse_of(settings)
        index = index_of(settings, marker_of(model.embedder, sparse), sparse)
        stack.push_async_callback(index.close)
        watch = IndexWatch(index)
        await watch.look()
        refuse_what_will_not_mend(watch.problem, index)
        stack.push_async_callback(_stop, asyncio.create_task(watch.keep_looking()))
        rag = RagService(
            model,
            index,
            site=settings.site,
            site_title=settings.site_title,
            site_url=settings.site_url,
            top_k=settings.top_k,
            embed_timeout_s=settings.embed_timeout_s,
            on_model_failure=settings.on_model_failure,
            budget_s=settings.deadline_s,
        )
        log.info(
            "services_open",
            provider=settings.effective_provider,
            embedding_model=model.embedder.model,
            index=index.place,
            passages=watch.passages,
        )
        if settings.effective_provider == "offline":
            log.warning("offline_mode", meaning="no GEMINI_API_KEY: answers are extracted from the pages, no model is called")
        yield Services(settings, ChatService(rag), rag, model, index, watch)


def provider_of(settings: Settings) -> Any:
    """Gemini or offline. Needs a running event loop."""
    if settings.effective_provider == "offline":
        return _offline(settings)
    from chatbot_api.services.gemini_service import GeminiService  # noqa: PLC0415 - a second of CPU, 57 MiB

    try:
        return GeminiService(
            settings.gemini_api_key.get_secret_value(),
            generative_model=settings.generative_model,
            embedding_model=settings.embedding_model,
            dimensions=settings.embedding_dimensions,
            max_output_tokens=settings.max_output_tokens,
            thinking_level=settings.thinking_level,
            temperature=settings.temperature,
            base_url=settings.gemini_base_url,
            gate=settings.relevance_gate,
            first_text_timeout_s=settings.first_text_timeout_s,
        )
    except ValueError as error:
        raise StartRefused([f"THINKING_LEVEL={settings.thinking_level}: {error}."]) from error


def _offline(settings: Settings) -> Any:
    from chatbot_api.services.minilm import EmbedderUnavailable, MiniLM  # noqa: PLC0415 - 200 MiB with its model
    from chatbot_api.services.offline_service import OfflineService  # noqa: PLC0415

    minilm = None
    if settings.local_embedder:
        try:
            minilm = MiniLM()
        except EmbedderUnavailable as error:
            log.warning("lexical_only", why=str(error), meaning="passages are found by words alone")
    return OfflineService(minilm, gate=settings.relevance_gate)


def sparse_of(settings: Settings) -> SparseEncoder:
    """The lexical arm's encoder. Raises StartRefused for a language it doesn't know."""
    try:
        return SparseEncoder(settings.bm25_language)
    except ValueError as error:
        raise StartRefused([f"BM25_LANGUAGE={settings.bm25_language}: {error}."]) from error


def marker_of(embedder: Embedder, sparse: SparseEncoder) -> IndexMarker:
    """The marker an index has to bear to be searched with these."""
    return IndexMarker.of(embedder, sparse.settings)


def index_of(settings: Settings, marker: IndexMarker, sparse: SparseEncoder) -> Any:
    """The engine to search: a Qdrant server when one is set, else the embedded one."""
    if not settings.qdrant_url:
        from chatbot_api.services.edge_index import EdgeIndex  # noqa: PLC0415

        return EdgeIndex(settings.index_dir, marker, sparse, rrf_k=settings.rrf_k)
    from chatbot_api.services.foreign_index import ForeignIndex  # noqa: PLC0415
    from chatbot_api.services.foreign_payload import ForeignKeys  # noqa: PLC0415
    from chatbot_api.services.qdrant_connection import client_of  # noqa: PLC0415
    from chatbot_api.services.qdrant_service import QdrantService  # noqa: PLC0415 - 0.7 s of CPU, 87 MiB

    client = client_of(settings.qdrant_url, settings.qdrant_api_key.get_secret_value(), settings.search_timeout_s)
    return QdrantService(
        client,
        settings.qdrant_collection_name,
        marker,
        sparse,
        rrf_k=settings.rrf_k,
        timeout_s=settings.search_timeout_s,
        foreign=ForeignIndex(
            client,
            settings.qdrant_collection_name,
            ForeignKeys(
                text=settings.qdrant_text_key,
                url=settings.qdrant_url_key,
                title=settings.qdrant_title_key,
                section=settings.qdrant_section_key,
                vector=settings.qdrant_vector_name,
                only=tuple(settings.qdrant_filter.items()),
            ),
            dimensions=marker.dimensions,
            embedding_model=marker.embedding_model,
            timeout_s=settings.search_timeout_s,
        ),
    )


def writer_of(settings: Settings, marker: IndexMarker, sparse: SparseEncoder) -> Any:
    """The engine to write a new run of the index to."""
    if not settings.qdrant_url:
        from chatbot_api.services.edge_index_writer import EdgeIndexWriter  # noqa: PLC0415

        return EdgeIndexWriter(settings.index_dir, marker, sparse)
    from chatbot_api.services.qdrant_connection import client_of  # noqa: PLC0415
    from chatbot_api.services.qdrant_index_writer import WRITE_TIMEOUT_S, QdrantIndexWriter  # noqa: PLC0415

    client = client_of(settings.qdrant_url, settings.qdrant_api_key.get_secret_value(), WRITE_TIMEOUT_S)
    return QdrantIndexWriter(client, settings.qdrant_collection_name, marker, sparse, lock_folder=settings.data_dir)


def refuse_what_will_not_mend(problem: ServiceError | None, index: CheckedIndex) -> None:
    """Raise StartRefused for an index that waiting won't make searchable."""
    if isinstance(problem, IndexMismatch) and index.is_foreign:  # not to be indexed again: it is not ours to write to
        raise StartRefused([f"The collection, which another tool made, can't be read: {problem.cause}."])
    if isinstance(problem, IndexMismatch):
        raise StartRefused([f"The index was made with other settings: {problem.cause}. Index again: {REINDEX}"])
    if index.place == "embedded" and isinstance(problem, SearchUnavailable):
        raise StartRefused([f"The embedded index can't be opened: {problem.cause}. Index again: {REINDEX}"])


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
