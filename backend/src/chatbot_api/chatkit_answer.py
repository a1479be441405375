"""One answer of ours in ChatKit's events: progress, the text as it grows, its sources as annotations, and the finished item."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, assert_never
from urllib.parse import urlsplit

from chatkit.errors import CustomStreamError
from chatkit.icons import IconName
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    HiddenContextItem,
    NoticeEvent,
    ProgressUpdateEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdate,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    URLSource,
)

from chatbot_api.models.chat_models import Delta, Done, Event, Failed, Part, Source, Sources, Start, Status, cited_in

_ICONS: Final[dict[str, IconName]] = {"searching": "search", "widened": "globe", "writing": "write"}
_NOTICES: Final[dict[Part, str]] = {
    "dense": "The documentation could be searched by its words alone.",
    "generation": "The language model could not be reached. These are the passages themselves.",
    "citations": "This answer does not say which pages it rests on.",
    "history": "Earlier messages could not be read, or this one could not be kept.",
}
"""What a degraded answer says of itself; ChatKit's items have no field for it."""
UNWRITTEN = "No text was written for this answer."


class ChatKitAnswer:
    """The state of one answer while it is told."""

    def __init__(self, thread_id: str) -> None:
        """``thread_id``: where the answer will stand."""
        self._thread_id = thread_id
        self._text = ""
        self._is_open = False
        self.id = ""
        """Our message id, which is the item's too: a rating of the item is one of the turn. Empty before the first event."""
        self.is_over = False
        """Whether the finished item was told."""

    def told(self, event: Event) -> Iterator[ThreadStreamEvent]:
        """The event in ChatKit's. Raises CustomStreamError, with the problem's sentence, for an answer that broke off."""
        match event:
            case Start():
                self.id = event.message_id
            case Status():
                yield ProgressUpdateEvent(icon=_ICONS[event.stage], text=event.text)
            case Sources():
                pass  # those that are cited come with Done
            case Delta():
                yield from self._opened()
                self._text += event.text
                yield self._update(AssistantMessageContentPartTextDelta(content_index=0, delta=event.text))
            case Done():
                yield from self._opened()
                yield from self._ended(annotations_of(event))
                for part in event.degraded:
                    yield NoticeEvent(level="warning", message=_NOTICES[part])
            case Failed():
                yield self.left_over()
                raise CustomStreamError(event.problem.detail, allow_retry=event.problem.retryable)
            case _:
                assert_never(event)

    def left_over(self) -> ThreadItemDoneEvent:
        """What is kept of an answer without an end: its text, or else a hidden item, so that a retry removes the turn as well."""
        self.is_over = True
        if self._text.strip():
            return ThreadItemDoneEvent(item=self._item([AssistantMessageContent(text=self._text)]))
        return ThreadItemDoneEvent(
            item=HiddenContextItem(id=self.id, thread_id=self._thread_id, created_at=datetime.now(UTC), content=UNWRITTEN)
        )

    def _opened(self) -> Iterator[ThreadStreamEvent]:
        if self._is_open:
            return
        self._is_open = True
        yield ThreadItemAddedEvent(item=self._item([]))
        yield self._update(AssistantMessageContentPartAdded(content_index=0, content=AssistantMessageContent(text="")))

    def _ended(self, annotations: list[Annotation]) -> Iterator[ThreadStreamEvent]:
        for number, annotation in enumerate(annotations):
            yield self._update(
                AssistantMessageContentPartAnnotationAdded(content_index=0, annotation_index=number, annotation=annotation)
            )
        part = AssistantMessageContent(text=self._text, annotations=annotations)
        yield self._update(AssistantMessageContentPartDone(content_index=0, content=part))
        self.is_over = True
        yield ThreadItemDoneEvent(item=self._item([part]))

    def _item(self, parts: list[AssistantMessageContent]) -> AssistantMessageItem:
        return AssistantMessageItem(id=self.id, thread_id=self._thread_id, created_at=datetime.now(UTC), content=parts)

    def _update(self, update: ThreadItemUpdate) -> ThreadItemUpdatedEvent:
        return ThreadItemUpdatedEvent(item_id=self.id, update=update)


def annotations_of(done: Done) -> list[Annotation]:
    """A footnote for each citation, behind its ``[n]`` marker, which stays in the text: every door tells the same words.

    ``index`` is "the character position to place the footnote marker" (chatkit-python, docs/guides/add-annotations.md).
    """
    return [Annotation(index=citation.end, source=_source(source)) for citation, source in cited_in(done)]


def _source(source: Source) -> URLSource:
    return URLSource(
        title=source.full_title,
        url=source.url,
        description=source.snippet or None,
        attribution=urlsplit(source.url).hostname,
    )
