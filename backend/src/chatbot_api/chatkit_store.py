"""ChatKit's Store over the threads of a visitor: what ChatKit's own models look like when they are kept.

Every method is of one visitor, so that nothing of another's is read, changed or told apart from what does not exist. A reader's
words are masked on their way in; attachments are not kept at all.
"""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar

from chatkit.errors import CustomStreamError
from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import (
    Attachment,
    Page,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTagContent,
    UserMessageTextContent,
)
from pydantic import TypeAdapter
from typing_extensions import override

from chatbot_api.errors import NoSuchConversation, StoreError
from chatbot_api.services.conversation_memory import new_id
from chatbot_api.services.masking import masked

Json = dict[str, Any]
Order = Literal["asc", "desc"]
LARGEST_PAGE = 100
"""ChatKit's protocol has no upper bound of its own."""
_PREFIXES: dict[StoreItemType, str] = {"thread": "c", "message": "m"}
"""A thread is a conversation, a message has the id of its turn; the store makes no difference among other kinds."""
_ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)


class Visitor(Protocol):
    """The context every call of ChatKit's bears."""

    @property
    def visitor(self) -> str:
        """The visitor's opaque id."""
        ...


class Threads(Protocol):
    """Threads and items as plain JSON objects, each visitor's apart. Raises StoreError, NoSuchConversation."""

    async def save_thread(self, visitor: str, thread_id: str, data: Json, /) -> None: ...  # noqa: D102
    async def thread(self, visitor: str, thread_id: str, /) -> Json | None: ...  # noqa: D102
    async def delete_thread(self, visitor: str, thread_id: str, /) -> bool: ...  # noqa: D102
    async def threads(self, visitor: str, limit: int, after: str | None, order: Order, /) -> tuple[list[Json], bool]: ...  # noqa: D102
    async def add_item(self, visitor: str, thread_id: str, item_id: str, data: Json, /) -> None: ...  # noqa: D102
    async def save_item(self, visitor: str, thread_id: str, item_id: str, data: Json, /) -> None: ...  # noqa: D102
    async def item(self, visitor: str, thread_id: str, item_id: str, /) -> Json | None: ...  # noqa: D102
    async def items(  # noqa: D102
        self, visitor: str, thread_id: str, limit: int, after: str | None, order: Order, /
    ) -> tuple[list[Json], bool]: ...
    async def delete_item(self, visitor: str, thread_id: str, item_id: str, /) -> bool: ...  # noqa: D102


V = TypeVar("V", bound=Visitor)


class StoreTrouble(CustomStreamError):
    """A StoreError, such that ChatKit tells its sentence when it comes while an answer is streamed."""

    def __init__(self, error: StoreError) -> None:
        """``error``: what failed."""
        super().__init__(error.detail, allow_retry=error.retryable)
        self.error = error


class ChatKitStore(Store[V]):
    """Keeps ChatKit's threads. Raises NotFoundError for what is unknown or another's, StoreTrouble when the database fails."""

    def __init__(self, threads: Threads) -> None:
        """``threads``: who keeps them."""
        self._threads = threads

    @override
    def generate_thread_id(self, context: V) -> str:
        """128 random bits; ChatKit's own ids have 32."""
        return new_id(_PREFIXES["thread"])

    @override
    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: V) -> str:
        """128 random bits, as for threads."""
        return new_id(_PREFIXES.get(item_type, "i"))

    @override
    async def load_thread(self, thread_id: str, context: V) -> ThreadMetadata:
        """The thread without its items."""
        with _named(thread_id):
            found = await self._threads.thread(context.visitor, thread_id)
        if found is None:
            raise NotFoundError(f"Thread {thread_id} not found")
        return ThreadMetadata.model_validate(found)

    @override
    async def save_thread(self, thread: ThreadMetadata, context: V) -> None:
        """Insert or replace the thread's own data."""
        alone = ThreadMetadata.model_validate(thread.model_dump(exclude={"items"}))
        alone.created_at = aware(alone.created_at)
        with _named(alone.id):
            await self._threads.save_thread(context.visitor, alone.id, alone.model_dump(mode="json"))

    @override
    async def load_threads(self, limit: int, after: str | None, order: str, context: V) -> Page[ThreadMetadata]:
        """A page of the visitor's threads."""
        with _named():
            found, has_more = await self._threads.threads(context.visitor, _page_size(limit), after, _direction(order))
        threads = [ThreadMetadata.model_validate(one) for one in found]
        return Page(data=threads, has_more=has_more, after=threads[-1].id if has_more else None)

    @override
    async def delete_thread(self, thread_id: str, context: V) -> None:
        """Delete the thread and all that hangs on it; one that is unknown is deleted already."""
        with _named(thread_id):
            await self._threads.delete_thread(context.visitor, thread_id)

    @override
    async def load_thread_items(self, thread_id: str, after: str | None, limit: int, order: str, context: V) -> Page[ThreadItem]:
        """A page of a thread's items, hidden ones too; empty for a thread that is unknown or another's, as ChatKit expects."""
        try:
            found, has_more = await self._threads.items(context.visitor, thread_id, _page_size(limit), after, _direction(order))
        except NoSuchConversation:
            return Page()
        items = [_ITEM.validate_python(one) for one in found]
        return Page(data=items, has_more=has_more, after=items[-1].id if has_more else None)

    @override
    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: V) -> None:
        """Insert an item; one whose id is taken is an error of the caller's."""
        await self._kept(self._threads.add_item, thread_id, item, context)

    @override
    async def save_item(self, thread_id: str, item: ThreadItem, context: V) -> None:
        """Replace an item, or insert it."""
        await self._kept(self._threads.save_item, thread_id, item, context)

    async def _kept(
        self, keep: Callable[[str, str, str, Json], Awaitable[None]], thread_id: str, item: ThreadItem, context: V
    ) -> None:
        # In place: ChatKit sends this very object to the client next, and the client is to see the time that was kept.
        item.created_at = aware(item.created_at)
        with _named(thread_id):
            await keep(context.visitor, thread_id, item.id, _fit_to_keep(item).model_dump(mode="json"))

    @override
    async def load_item(self, thread_id: str, item_id: str, context: V) -> ThreadItem:
        """One item of a thread."""
        with _named(thread_id):
            found = await self._threads.item(context.visitor, thread_id, item_id)
        if found is None:
            raise NotFoundError(f"Item {item_id} not found in thread {thread_id}")
        return _ITEM.validate_python(found)

    @override
    async def delete_thread_item(self, thread_id: str, item_id: str, context: V) -> None:
        """Delete one item, with the turn that it is the answer of."""
        with _named(thread_id):
            await self._threads.delete_item(context.visitor, thread_id, item_id)

    @override
    async def save_attachment(self, attachment: Attachment, context: V) -> None:
        """Nothing is taken."""
        raise ValueError("attachments are not taken")

    @override
    async def load_attachment(self, attachment_id: str, context: V) -> Attachment:
        """There are none."""
        raise NotFoundError(f"File {attachment_id} not found")

    @override
    async def delete_attachment(self, attachment_id: str, context: V) -> None:
        """There are none."""
        raise NotFoundError(f"File {attachment_id} not found")


def aware(moment: datetime) -> datetime:
    """The moment in UTC. ChatKit stamps local time without a zone, which JavaScript would read as the reader's own."""
    return moment.astimezone(UTC)


@contextmanager
def _named(thread_id: str = "") -> Generator[None, None, None]:
    """Failures of ours as ChatKit knows them. The id is for ChatKit's own callers; no reply repeats it."""
    try:
        yield
    except NoSuchConversation as error:
        raise NotFoundError(f"Thread {thread_id} not found") from error
    except StoreError as error:
        raise StoreTrouble(error) from error


def _direction(order: str) -> Order:
    return "asc" if order == "asc" else "desc"


def _page_size(limit: int) -> int:
    return max(1, min(LARGEST_PAGE, limit))


def _fit_to_keep(item: ThreadItem) -> ThreadItem:
    """The item without personal data in the reader's words."""
    if not isinstance(item, UserMessageItem):
        return item
    return item.model_copy(
        update={
            "content": [_masked_part(part) for part in item.content],
            "quoted_text": item.quoted_text and masked(item.quoted_text),
        }
    )


def _masked_part(part: UserMessageTextContent | UserMessageTagContent) -> UserMessageTextContent | UserMessageTagContent:
    return part.model_copy(update={"text": masked(part.text)})
