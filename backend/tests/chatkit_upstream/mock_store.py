"""What upstream's tests call SQLiteStore, in our place: ChatKitStore over ThreadStore, in the database that STORE_URL or
STORE_FILE names.

Two things are not our store's. It takes no attachments, and upstream tests them through the same class: a dictionary a path holds
them here. And its ids are longer than ChatKit's, whose form one test of upstream's asserts: here they are made by ChatKit itself.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from chatkit.store import NotFoundError, Store
from sqlalchemy import delete
from tests._types import RequestContext

from chatbot_api.chatkit_store import ChatKitStore
from chatbot_api.services.conversation_tables import conversations
from chatbot_api.services.database import Database
from chatbot_api.services.thread_store import ThreadStore

opened: dict[asyncio.AbstractEventLoop, Database] = {}
"""Each test of upstream's has a loop of its own; conftest closes what it opened."""
_last_path = ""
_files: dict[str, dict[str, Any]] = {}


async def _threads(path: str) -> ThreadStore:
    """The store in this loop. Upstream opens a new in-memory database a test, by its path; here a new path empties the one."""
    global _last_path  # noqa: PLW0603
    loop = asyncio.get_running_loop()
    if loop not in opened:
        opened[loop] = Database.at(os.environ.get("STORE_URL", ""), Path(os.environ["STORE_FILE"]), 20.0)
        await opened[loop].migrate()
    if path != _last_path:
        _last_path = path
        await opened[loop].writing(lambda connection: connection.execute(delete(conversations)).rowcount)
    return ThreadStore(opened[loop], ttl_days=30)


class _LateThreads:
    """The threads of a path, found in the loop that asks: upstream makes its stores where no loop runs."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any) -> Any:
            return await getattr(await _threads(self._path), name)(*arguments)

        return call


class SQLiteStore(ChatKitStore[RequestContext]):
    generate_thread_id = Store.generate_thread_id
    generate_item_id = Store.generate_item_id

    def __init__(self, db_path: str) -> None:
        super().__init__(_LateThreads(db_path))
        self.db_path = db_path
        self._attachments = _files.setdefault(db_path, {})

    async def save_attachment(self, attachment: Any, context: RequestContext) -> None:
        self._attachments[attachment.id] = attachment

    async def load_attachment(self, attachment_id: str, context: RequestContext) -> Any:
        if attachment_id not in self._attachments:
            raise NotFoundError(attachment_id)
        return self._attachments[attachment_id]

    async def delete_attachment(self, attachment_id: str, context: RequestContext) -> None:
        self._attachments.pop(attachment_id, None)
