"""Brings the index in line with a site: reuses the vectors of unchanged text, embeds the rest, swaps the new run in whole.

Only this site's passages are replaced; those of other sites are carried over. Readers see the old run until the new one is
complete. A run that is broken off, by a failure, Ctrl-C or a kill, leaves what it embedded for the next one; running twice
changes nothing. Vectors go from the old run to the new one a batch at a time and are never all in memory.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from chatbot_api.errors import ModelBusy
from chatbot_api.models.index_models import Passage, StoredPassage
from chatbot_api.reliability import Deadline
from qdrant_indexer.plan import StoredIndex, plan

T = TypeVar("T")
COPIED_AT_ONCE = 100
"""Passages written at once with a vector that is there already: 3 MB on the wire at 3,072 dimensions."""
BATCH_BUDGET_S = 180.0
MOST_WAITS = 10
"""Times a batch waits for the provider's quota before the run gives up."""
LONGEST_WAIT_S = 120.0


class PassageEmbedder(Protocol):
    """Who makes vectors of passages; None where the index is lexical."""

    @property
    def batch_size(self) -> int: ...  # noqa: D102
    async def embed_passages(self, passages: Sequence[Passage], deadline: Deadline) -> list[list[float]] | None: ...  # noqa: D102


class IndexWriter(StoredIndex, Protocol):
    """Who keeps them. Raises SearchError."""

    async def lock(self) -> None: ...  # noqa: D102
    def unfinished(self) -> AsyncGenerator[StoredPassage, None]: ...  # noqa: D102
    async def drop_unfinished(self) -> None: ...  # noqa: D102
    async def begin(self) -> None: ...  # noqa: D102
    async def add(self, passages: Sequence[Passage], vectors: Sequence[Sequence[float]] | None) -> None: ...  # noqa: D102
    async def publish(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did, in passages."""

    written: int
    """Of this site in the live run now."""
    embedded: int
    """Texts sent to the embedder; passages of equal text share one. None of them in a lexical index."""
    reused: int
    """Of the written: those whose text was there already, in the live run or in one that was broken off."""
    resumed: int
    """Of the reused: those from runs that were broken off."""
    removed: int
    """Of this site, in the old run and no longer in the new one."""
    other_sites: int
    published: bool
    """False: the live run was already as it should be, and was left alone."""


async def sync(
    passages: Sequence[Passage],
    site: str,
    embedder: PassageEmbedder,
    writer: IndexWriter,
    progress: Callable[[int, int], None],
    *,
    prune_max: float = 0.3,
    force: bool = False,
) -> Report:
    """Publish a run that holds exactly ``passages`` for ``site``. ``progress`` is told (done, all) after each batch.

    ``prune_max``: share of the site's stored passages that may vanish. ``force``: whatever would be lost. Raises RunRefused
    (PruneRefused, OtherSitesLost), SearchError and ModelError; nothing is published then.
    """
    await writer.lock()
    planned = await plan(passages, site, writer)
    new = {passage.id: passage for passage in passages}
    others = planned.other_sites.values()
    if not force:
        planned.refuse_losses(len(new), prune_max)
    if planned.nothing_to_do:
        return Report(len(new), embedded=0, reused=len(new), resumed=0, removed=0, other_sites=sum(others), published=False)
    await writer.begin()
    run = _Run(new.values(), site, writer, progress)
    await run.carry_over()
    await run.take_over_unfinished()
    await run.embed(embedder)
    await writer.publish()
    return Report(
        written=run.written,
        embedded=run.embedded,
        reused=run.reused,
        resumed=run.resumed,
        removed=planned.removed,
        other_sites=run.carried,
        published=True,
    )


class _Run:
    """A new run while it is filled: what it still lacks, and what was done."""

    def __init__(self, passages: Iterable[Passage], site: str, writer: IndexWriter, progress: Callable[[int, int], None]) -> None:
        self._site, self._writer, self._progress = site, writer, progress
        self._lacking: dict[str, list[Passage]] = {}
        for passage in passages:
            self._lacking.setdefault(passage.content_hash, []).append(passage)
        self._all = sum(map(len, self._lacking.values()))
        self._waiting: list[StoredPassage] = []
        self._waiting_new = 0
        self._has_vectors = writer.marker.dimensions > 0
        self.written = self.embedded = self.reused = self.resumed = self.carried = 0

    async def carry_over(self) -> None:
        """Copy other sites' passages, and this site's new ones of which the live run holds the text."""
        async with aclosing(self._writer.stored()) as stored:
            async for one in stored:
                if self._has_vectors and one.vector is None:
                    continue
                if one.passage.site == self._site:
                    self.reused += await self._reuse(one)
                else:
                    self.carried += 1
                    await self._put(one)
        await self._write()

    async def take_over_unfinished(self) -> None:
        """Copy what runs that were broken off had embedded, and drop them."""
        if self._lacking:
            async with aclosing(self._writer.unfinished()) as unfinished:
                async for one in unfinished:
                    if one.vector is not None:
                        self.resumed += await self._reuse(one)
            await self._write()
            self.reused += self.resumed
        await self._writer.drop_unfinished()

    async def embed(self, embedder: PassageEmbedder) -> None:
        """Embed each text that is still lacking, once, and write every passage of it."""
        for groups in _batches(list(self._lacking.values()), embedder.batch_size):
            vectors = await _embedded([group[0] for group in groups], embedder)
            self.embedded += len(vectors or ())
            for group, vector in zip(groups, vectors or [None] * len(groups), strict=True):
                self._waiting.extend(StoredPassage(passage, vector) for passage in group)
                self._waiting_new += len(group)
            await self._write()

    async def _reuse(self, one: StoredPassage) -> int:
        """Put every lacking passage of this text; their number."""
        group = self._lacking.pop(one.passage.content_hash, [])
        for passage in group:
            self._waiting_new += 1
            await self._put(StoredPassage(passage, one.vector))
        return len(group)

    async def _put(self, one: StoredPassage) -> None:
        self._waiting.append(one)
        if len(self._waiting) >= COPIED_AT_ONCE:
            await self._write()

    async def _write(self) -> None:
        waiting, new = self._waiting, self._waiting_new
        self._waiting, self._waiting_new = [], 0
        for some in _batches(waiting, COPIED_AT_ONCE):
            vectors = [one.vector for one in some if one.vector is not None]
            await self._writer.add([one.passage for one in some], vectors or None)
        if new:
            self.written += new
            self._progress(self.written, self._all)


async def _embedded(batch: Sequence[Passage], embedder: PassageEmbedder) -> list[list[float]] | None:
    for _ in range(MOST_WAITS):
        try:
            return await embedder.embed_passages(batch, Deadline(BATCH_BUDGET_S))
        except ModelBusy as busy:
            if busy.retry_after_s is not None and busy.retry_after_s > LONGEST_WAIT_S:
                raise
            await asyncio.sleep(busy.retry_after_s or 5.0)
    return await embedder.embed_passages(batch, Deadline(BATCH_BUDGET_S))


def _batches(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
