"""Answers to first questions, shared: by all who ask the same while one is being written, and for a while afterwards.

Only what anybody may be told: a question without a conversation before it and without selected text. Each reader has a
conversation of their own all the same.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import blake2b
from time import monotonic
from typing import Any, Protocol

from chatbot_api.models.answer_models import Told
from chatbot_api.models.chat_models import Delta, Done, Event, Sources
from chatbot_api.models.index_models import Scope
from chatbot_api.telemetry import note

JOIN_WITHIN_S = 2.0
"""How old an answer that is being written may be to be joined: it ends by the deadline of who asked first."""

Answering = tuple[Told, AsyncGenerator[Event, None]]
"""What has been told so far, and the events that tell the rest."""


class AnswerStore(Protocol):
    """Where several processes keep answers together. Raises nothing: what can't be had is not there."""

    async def kept(self, key: str) -> bytes | None: ...  # noqa: D102
    async def keep(self, key: str, value: bytes, ttl_s: int) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class FirstQuestion:
    """What makes two questions the same."""

    text: str
    scope: Scope
    top_k: int | None


class SharedAnswers:
    """Gives an answer again to who asks the same; sees to it that the same is not asked of the model twice at once."""

    def __init__(
        self, *, ttl_s: int, most: int, made_by: str, index_run: Callable[[], str], store: AnswerStore | None = None
    ) -> None:
        """``ttl_s``: how long an answer is given again; ``most`` are kept in memory. ``made_by``: all that an answer depends on
        beside the question and the index. ``index_run``: names what is searched at the moment. ``store``: of several processes.
        """
        self._ttl_s, self._most, self._store = ttl_s, most, store
        self._made_by, self._index_run = blake2b(made_by.encode(), digest_size=20), index_run
        self._kept: OrderedDict[str, tuple[float, Told]] = OrderedDict()
        self._flights: dict[str, _Flight] = {}

    async def answer(self, asked: FirstQuestion, whole: bool, begin: Callable[[], Answering]) -> Answering:
        """The answer that is known, or is being written, or is begun. ``whole``: read in one piece; see RagService.write."""
        key = self._key(asked)
        if known := await self._known(key):
            note(cached=True)
            return known, _again(known)
        flying = f"{key}:{whole}"
        flight = self._flights.get(flying)
        if flight is None or not flight.may_be_joined:
            told, events = begin()
            flight = self._flights[flying] = _Flight(told, self._keeping(key, told, events))
            flight.task.add_done_callback(lambda _: self._landed(flying))
        else:
            note(joined=True)
        return flight.told, flight.events()

    def _landed(self, flying: str) -> None:
        flight = self._flights.get(flying)
        if flight and flight.task.done():
            del self._flights[flying]

    async def _keeping(self, key: str, told: Told, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Done) and _may_be_given_again(event):
                    self._keep(key, told)
                    if self._store:
                        await self._store.keep(key, _to_json(told), self._ttl_s)
                yield event

    async def _known(self, key: str) -> Told | None:
        until, told = self._kept.get(key, (0.0, None))
        if told and monotonic() < until:
            self._kept.move_to_end(key)
            return told
        value = await self._store.kept(key) if self._store else None
        return _of_json(value) if value else None

    def _keep(self, key: str, told: Told) -> None:
        done = told.done and told.done.model_copy(update={"mode": "cached"})
        self._kept[key] = (monotonic() + self._ttl_s, Told(told.text, told.passage_ids, done=done))
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def _key(self, asked: FirstQuestion) -> str:
        """A digest: the store's keys tell nobody what was asked."""
        digest = self._made_by.copy()
        words = (self._index_run(), " ".join(asked.text.split()), asked.top_k, asked.scope)
        digest.update(repr(words).encode(errors="surrogatepass"))
        return digest.hexdigest()


class _Flight:
    """An answer being written by a task of its own, which ends when it is written or nobody reads it any more."""

    def __init__(self, told: Told, events: AsyncGenerator[Event, None]) -> None:
        self.told = told
        self._begun = monotonic()
        self._events: list[Event] = []
        self._readers: set[asyncio.Event] = set()
        self.task = asyncio.create_task(self._read(events))

    @property
    def may_be_joined(self) -> bool:
        return not self.task.done() and not self.task.cancelling() and monotonic() - self._begun < JOIN_WITHIN_S

    async def events(self) -> AsyncGenerator[Event, None]:
        """From the first on. Raises what the writing raises."""
        news, told = asyncio.Event(), 0
        self._readers.add(news)
        try:
            while told < len(self._events) or not self.task.done():
                news.clear()
                for event in self._events[told:]:
                    told += 1
                    yield event
                if told == len(self._events) and not self.task.done():
                    await news.wait()
            self.task.result()
        finally:
            self._readers.discard(news)
            if not self._readers and not self.task.done():
                self.task.cancel()
                # Not ``await self.task``: that would take a second cancelling of ours for the task's own and swallow it.
                await asyncio.wait({self.task})

    async def _read(self, events: AsyncGenerator[Event, None]) -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    self._events.append(event)
                    self._tell()
        finally:
            # The task is done only after this: its readers look again then.
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        for news in self._readers:
            news.set()


def _may_be_given_again(done: Done) -> bool:
    return done.outcome != "degraded" and not done.degraded and done.finish_reason == "stop"


async def _again(told: Told) -> AsyncGenerator[Event, None]:
    if told.done is None:
        raise ValueError("an answer without its end can't be told again")
    yield Sources(sources=told.done.sources, nearest=told.done.nearest)
    yield Delta(text=told.text)
    yield told.done


def _to_json(told: Told) -> bytes:
    done = told.done and told.done.model_dump()
    return json.dumps({"text": told.text, "passage_ids": told.passage_ids, "done": done}).encode()


def _of_json(value: bytes) -> Told | None:
    """None for what is no such answer."""
    try:
        kept: dict[str, Any] = json.loads(value)
        done = Done.model_validate(kept["done"]).model_copy(update={"mode": "cached"})
        return Told(str(kept["text"]), tuple(map(str, kept["passage_ids"])), done=done)
    except (ValueError, KeyError, TypeError):
        return None
