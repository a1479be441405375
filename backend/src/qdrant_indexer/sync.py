"""Brings the index in line with a site: reuses the vectors of unchanged text, embeds the rest, swaps the new run in whole.

Only this site's passages are replaced; those of other sites are carried over. Readers see the old run until the new one is
complete, so an interrupted run costs only its time, and running twice changes nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from chatbot_api.errors import ModelBusy
from chatbot_api.models.index_models import Passage, StoredPassage
from chatbot_api.reliability import Deadline

BATCH = 32
"""Passages embedded and written at once; Gemini takes up to 100 a call, the bar moves once a batch."""
BATCH_BUDGET_S = 180.0
MOST_WAITS = 10
"""Times a batch waits for the provider's quota before the run gives up."""
LONGEST_WAIT_S = 120.0


class PassageEmbedder(Protocol):
    """Who makes vectors of passages; None where the index is lexical."""

    async def embed_passages(self, passages: Sequence[Passage], deadline: Deadline) -> list[list[float]] | None: ...  # noqa: D102


class IndexWriter(Protocol):
    """Who keeps them. Raises SearchError."""

    def stored(self) -> AsyncGenerator[StoredPassage, None]: ...  # noqa: D102
    async def begin(self) -> None: ...  # noqa: D102
    async def add(self, passages: Sequence[Passage], vectors: Sequence[Sequence[float]] | None) -> None: ...  # noqa: D102
    async def publish(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did, in passages."""

    written: int
    embedded: int
    """None of them in a lexical index."""
    reused: int
    removed: int
    """Of this site, in the old run and no longer in the new one."""
    other_sites: int


async def sync(
    passages: Sequence[Passage],
    site: str,
    embedder: PassageEmbedder,
    writer: IndexWriter,
    progress: Callable[[int, int], None],
) -> Report:
    """Publish a run that holds exactly ``passages`` for ``site``. ``progress`` is told (done, all) after each batch.

    Raises SearchError and ModelError; nothing is published then.
    """
    await writer.begin()
    vectors, old_ids, carried = await _carry_over(site, writer)
    known = [passage for passage in passages if passage.content_hash in vectors]
    fresh = [passage for passage in passages if passage.content_hash not in vectors]
    done = embedded = 0
    for batch in _batches(known):
        await writer.add(batch, [vectors[passage.content_hash] for passage in batch])
        progress(done := done + len(batch), len(passages))
    for batch in _batches(fresh):
        made = await _embedded(batch, embedder)
        await writer.add(batch, made)
        embedded += len(made or ())
        progress(done := done + len(batch), len(passages))
    await writer.publish()
    return Report(
        written=len(passages),
        embedded=embedded,
        reused=len(known),
        removed=len(old_ids - {passage.id for passage in passages}),
        other_sites=carried,
    )


async def _carry_over(site: str, writer: IndexWriter) -> tuple[dict[str, Sequence[float]], set[str], int]:
    """Copy other sites' passages to the new run; of this site, content hash -> vector and the ids."""
    vectors: dict[str, Sequence[float]] = {}
    ids: set[str] = set()
    carried = 0
    others: list[StoredPassage] = []
    async with aclosing(writer.stored()) as stored:
        async for one in stored:
            if one.passage.site != site:
                others.append(one)
                carried += 1
            else:
                ids.add(one.passage.id)
                if one.vector is not None:
                    vectors[one.passage.content_hash] = one.vector
            if len(others) == BATCH:
                await _copy(others, writer)
                others = []
    await _copy(others, writer)
    return vectors, ids, carried


async def _copy(stored: Sequence[StoredPassage], writer: IndexWriter) -> None:
    if stored:
        vectors = [one.vector for one in stored if one.vector is not None]
        await writer.add([one.passage for one in stored], vectors or None)


async def _embedded(batch: Sequence[Passage], embedder: PassageEmbedder) -> list[list[float]] | None:
    for _ in range(MOST_WAITS):
        try:
            return await embedder.embed_passages(batch, Deadline(BATCH_BUDGET_S))
        except ModelBusy as busy:
            if busy.retry_after_s is not None and busy.retry_after_s > LONGEST_WAIT_S:
                raise
            await asyncio.sleep(busy.retry_after_s or 5.0)
    return await embedder.embed_passages(batch, Deadline(BATCH_BUDGET_S))


def _batches(passages: Sequence[Passage]) -> Iterable[Sequence[Passage]]:
    return (passages[start : start + BATCH] for start in range(0, len(passages), BATCH))
