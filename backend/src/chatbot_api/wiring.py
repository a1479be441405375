"""Settings to services: everything the service needs, opened, checked, watched, and closed at the end."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from chatbot_api.budget import Budget, keep_in_touch
from chatbot_api.config import Settings
from chatbot_api.engines import Provider, index_of, marker_of, provider_of, sparse_of
from chatbot_api.errors import IndexMismatch, SearchUnavailable, ServiceError, StartRefused, StoreDamaged
from chatbot_api.limit_store import LimitStore
from chatbot_api.limits import Gate, RateLimit
from chatbot_api.models.answer_models import Usage
from chatbot_api.models.quotas import quotas_of
from chatbot_api.services.chat_service import ChatService
from chatbot_api.services.conversation_memory import ConversationMemory
from chatbot_api.services.conversation_store import ConversationStore
from chatbot_api.services.database import Database
from chatbot_api.services.indexed_pages import IndexedPages
from chatbot_api.services.prompt import RULES
from chatbot_api.services.rag_service import RagService
from chatbot_api.services.shared_answers import SharedAnswers
from chatbot_api.services.thread_store import ThreadStore
from chatbot_api.start_pacer import StartPacer
from chatbot_api.telemetry import logger, note_tokens
from chatbot_api.watches import REINDEX, CheckedIndex, IndexWatch, StoreWatch

log = logger(__name__)
LATER_S = 0.05
"""After everything was opened, until what can wait is loaded: by then the server listens."""
_ANSWERS_DEPEND_ON = (
    *("effective_provider", "gemini_sdk", "generative_model", "thinking_level", "temperature", "max_output_tokens"),
    *("embedding_model", "embedding_dimensions", "relevance_gate", "rrf_k", "top_k", "bm25_language"),
    *("site", "site_title", "site_url", "gemini_base_url", "qdrant_host", "qdrant_collection_name", "qdrant_filter"),
    *("qdrant_vector_name", "qdrant_text_key", "qdrant_url_key", "qdrant_title_key", "qdrant_section_key"),
)
"""Settings, beside the index' run and the prompt's rules: answers of other ones are not given again."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the doors use."""

    settings: Settings
    chat: ChatService
    rag: RagService
    model: Provider
    index: CheckedIndex
    watch: IndexWatch
    loaded: "asyncio.Task[None]"
    """Done when all is loaded that could wait at the start."""
    store: ConversationStore
    threads: ThreadStore
    pages: IndexedPages
    store_watch: StoreWatch
    rate: RateLimit
    gate: Gate
    starts: StartPacer
    budget: Budget


@asynccontextmanager
async def open_services(
    settings: Settings, on_spent: Callable[[Usage, float], None] | None = None
) -> AsyncGenerator[Services, None]:
    """Everything the settings ask for, opened and checked; closed at the end. ``on_spent``: told of each reply's tokens and cost.

    Raises StartRefused when the index was made with other settings or can't be opened. An index that isn't there yet, or a server
    that is down, lets the service start: it is live, not ready, and looks again by itself.
    """
    async with AsyncExitStack() as stack:
        rate, budget, limits = await _opened_limits(settings, stack)

        def spent(usage: Usage) -> None:
            budget.add(usage)
            note_tokens(usage)
            if on_spent:
                on_spent(usage, budget.cost_of(usage))

        later: list[Callable[[], None]] = []
        model, index, watch = await _opened_engines(settings, spent, later, stack)
        database, store, store_watch = await _opened_store(settings, stack)
        memory = ConversationMemory(store, lambda: store_watch.problem)
        stack.push_async_callback(memory.close)
        rag = _rag_of(settings, model, index, budget)
        pages = IndexedPages(index, site=settings.site, site_url=settings.site_url)
        stack.push_async_callback(pages.close)
        _tell(settings, model, index, watch)
        loaded = asyncio.create_task(_loaded(later))
        stack.push_async_callback(_stop, loaded)
        yield Services(
            settings=settings,
            chat=ChatService(rag, memory, _shared_of(settings, index, limits)),
            rag=rag,
            model=model,
            index=index,
            watch=watch,
            loaded=loaded,
            store=store,
            threads=ThreadStore(database, ttl_days=settings.conversation_ttl_days),
            pages=pages,
            store_watch=store_watch,
            rate=rate,
            gate=Gate(settings.max_answers_in_flight),
            starts=StartPacer(),
            budget=budget,
        )


async def _opened_engines(
    settings: Settings, on_usage: Callable[[Usage], None], later: list[Callable[[], None]], stack: AsyncExitStack
) -> tuple[Provider, CheckedIndex, IndexWatch]:
    """The language model, and the index it fits. Raises StartRefused for an index that waiting won't make searchable.

    ``later``: is given what is to be loaded when the service is up.
    """
    model = provider_of(settings, on_usage, later)
    stack.push_async_callback(model.close)
    sparse = sparse_of(settings)
    weigh_words = model.embedder.words_weight > 0
    index = index_of(settings, marker_of(model.embedder, sparse), sparse, weigh_words=weigh_words)
    stack.push_async_callback(index.close)
    watch = IndexWatch(index)
    await watch.look()
    refuse_what_will_not_mend(watch.problem, index)
    stack.push_async_callback(_stop, asyncio.create_task(watch.keep_looking()))
    return model, index, watch


def _rag_of(settings: Settings, model: Provider, index: CheckedIndex, budget: Budget) -> RagService:
    return RagService(
        model,
        index,
        site=settings.site,
        site_title=settings.site_title,
        site_url=settings.site_url,
        top_k=settings.top_k,
        embed_timeout_s=settings.embed_timeout_s,
        on_model_failure=settings.on_model_failure,
        budget_s=settings.deadline_s,
        history_tokens=settings.history_tokens,
        follow_up_timeout_s=settings.follow_up_timeout_s,
        budget_is_spent=lambda: budget.is_spent,
        vectors_kept=settings.embedding_cache_size,
    )


def _shared_of(settings: Settings, index: CheckedIndex, store: LimitStore | None) -> SharedAnswers | None:
    """Answers given again, by all processes of a ``store`` where there is one; None where each reader gets their own."""
    if not settings.answer_cache_ttl_s:
        return None
    return SharedAnswers(
        ttl_s=settings.answer_cache_ttl_s,
        most=settings.answer_cache_size,
        made_by=repr([RULES, *(getattr(settings, name) for name in _ANSWERS_DEPEND_ON)]),
        index_run=lambda: index.run,
        store=store if settings.store_questions else None,  # an answer tells what was asked
    )


def _tell(settings: Settings, model: Provider, index: CheckedIndex, watch: IndexWatch) -> None:
    provider, embedding_model = settings.effective_provider, model.embedder.model
    log.info("services_open", provider=provider, embedding_model=embedding_model, index=index.place, passages=watch.passages)
    if provider == "offline":
        log.warning("offline_mode", meaning="no GEMINI_API_KEY: answers are extracted from the pages, no model is called")


async def _opened_limits(settings: Settings, stack: AsyncExitStack) -> tuple[RateLimit, Budget, LimitStore | None]:
    """The limits and the budget. A server that is down lets the service start: this process counts alone until it is up."""
    url = settings.limits_address
    store: LimitStore | None = None
    if url:
        try:
            store = LimitStore(url, f"ask-ai:{settings.site}")
        except ModuleNotFoundError as error:
            raise StartRefused(["LIMITS_URL needs the package redis: pip install 'redis>=8.1,<9'."]) from error
        except ValueError as error:
            raise StartRefused(["LIMITS_URL can't be read; write redis://:password@host:6379/0."]) from error
        stack.push_async_callback(store.close)
    rate = RateLimit(
        quotas_of(settings.rate_limit_per_address),
        quotas_of(settings.rate_limit_per_visitor),
        store=store,
        secret=urlsplit(url).password or "",
    )
    has_bill = settings.effective_provider == "gemini"
    budget = Budget(
        tokens=settings.daily_token_budget if has_bill else 0,
        usd=settings.daily_cost_budget_usd if has_bill else 0.0,
        input_usd_per_mtok=settings.price_input_usd_per_mtok,
        output_usd_per_mtok=settings.price_output_usd_per_mtok,
        store=store,
    )
    if store:
        await store.look()
        stack.push_async_callback(budget.exchange)
        stack.push_async_callback(_stop, asyncio.create_task(keep_in_touch(store, budget)))
    return rate, budget, store


async def _opened_store(settings: Settings, stack: AsyncExitStack) -> tuple[Database, ConversationStore, StoreWatch]:
    """The conversations. A database that is down lets the service start; one that is damaged does not, and is not touched."""
    url = settings.database_url.get_secret_value()
    database = Database.at(url, settings.sqlite_file, settings.store_timeout_s)
    stack.push_async_callback(database.close)
    store = ConversationStore(database, ttl_days=settings.conversation_ttl_days, keep_questions=settings.store_questions)
    watch = StoreWatch(database, store, migrate=settings.migrate_at_start)
    await watch.look()
    if isinstance(watch.problem, StoreDamaged):
        place = "DATABASE_URL" if url else f"{settings.sqlite_file.name} in DATA_DIR"
        fault = watch.problem.cause
        raise StartRefused([f"The conversations in {place} can't be read: {fault}. Mend or move it; it was not touched."])
    stack.push_async_callback(_stop, asyncio.create_task(watch.keep_looking()))
    return database, store, watch


def refuse_what_will_not_mend(problem: ServiceError | None, index: CheckedIndex) -> None:
    """Raise StartRefused for an index that waiting won't make searchable."""
    if isinstance(problem, IndexMismatch) and index.is_foreign:  # not to be indexed again: it is not ours to write to
        raise StartRefused([f"The collection, which another tool made, can't be read: {problem.cause}."])
    if isinstance(problem, IndexMismatch):
        raise StartRefused([f"The index was made with other settings: {problem.cause}. Index again: {REINDEX}"])
    if index.place == "embedded" and isinstance(problem, SearchUnavailable):
        raise StartRefused([f"The embedded index can't be opened: {problem.cause}. Index again: {REINDEX}"])


async def _loaded(later: Sequence[Callable[[], None]]) -> None:
    """Load what the first answers need, when the first probes had theirs."""
    for load in later:
        await asyncio.sleep(LATER_S)
        await asyncio.to_thread(load)


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
