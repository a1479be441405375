"""Know whether what the service rests on works, by looking again and again; a request never has to find out."""

import asyncio
from contextlib import suppress
from typing import Any, Protocol

from chatbot_api.errors import DeadlineExceeded, SearchError, ServiceError, StartRefused, StoreError, StoreUnavailable
from chatbot_api.services.conversation_store import ConversationStore
from chatbot_api.services.database import Database
from chatbot_api.services.indexed_pages import PageIndex
from chatbot_api.services.rag_service import Index
from chatbot_api.telemetry import logger

log = logger(__name__)
CHECK_EVERY_S = 2.0
"""Between two looks at the index: how soon a new run, or a server that came back, is taken up."""
STORE_EVERY_S = 1.0
"""Between two looks at the database: after it came back, conversations are kept again within two seconds."""
PURGE_EVERY_S = 3600.0
REINDEX = "python -m qdrant_indexer index DOCS_DIR"


class CheckedIndex(Index, PageIndex, Protocol):
    """An index as wiring handles it."""

    @property
    def place(self) -> str: ...  # noqa: D102
    @property
    def run(self) -> str: ...  # noqa: D102
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


class StoreWatch:
    """Knows whether conversations can be kept, brings the database's tables up to date, and removes what has expired."""

    def __init__(self, database: Database, store: ConversationStore, *, migrate: bool) -> None:
        """``migrate``: whether the tables are brought up to date here; else by ``make migrate``. Nothing was looked at yet."""
        self._database, self._store = database, store
        self._migrate = migrate
        self._purged_ago_s = PURGE_EVERY_S
        self.problem: StoreError | None = None

    @property
    def problems(self) -> list[str]:
        """For /health."""
        return [f"history: {self.problem.slug}"] if self.problem else []

    async def look(self) -> None:
        """Look once; a change is logged. Raises StartRefused when a newer version of the service made the tables."""
        before = self.problem
        try:
            if self._migrate:
                await self._database.migrate()
                self._migrate = False
            await self._database.look()
            self.problem = None
        except StoreError as error:
            self.problem = error
        if type(before) is not type(self.problem):
            if self.problem is None:
                log.info("store_ready", place=self._database.place)
            else:
                log.warning("store_not_ready", place=self._database.place, problem=self.problem.slug, cause=self.problem.cause)

    async def keep_looking(self) -> None:
        """Look every STORE_EVERY_S, purge every PURGE_EVERY_S, until cancelled."""
        while True:
            await self._purge()
            await asyncio.sleep(STORE_EVERY_S)
            self._purged_ago_s += STORE_EVERY_S
            try:
                await self.look()
            except StartRefused as refused:  # it came back newer than this version: go on without it, do not try again
                self.problem, self._migrate = StoreUnavailable(str(refused)), False
                log.error("store_refused", place=self._database.place, cause=str(refused))

    async def _purge(self) -> None:
        if self._purged_ago_s < PURGE_EVERY_S or self.problem:
            return
        self._purged_ago_s = 0.0
        with suppress(StoreError):
            if removed := await self._store.purge():
                log.info("conversations_purged", conversations=removed)
