"""An indexer to be killed: syncs a made-up site by a slow embedder and writes down every text it embeds.

Arguments: the index folder or the server's address; the file to write the texts to; pages; seconds a batch takes.
"""

import asyncio
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from chatbot_api.models.index_models import Passage
from chatbot_api.reliability import Deadline
from chatbot_api.services.edge_index_writer import EdgeIndexWriter
from indexed_texts import MARKER, SPARSE, passage, vector_of
from qdrant_indexer.sync import sync


def site(pages: int) -> list[Passage]:
    return [passage(f"page{at}", f"lamp number{at} battery") for at in range(pages)]


class Slow:
    """Takes its time, and leaves a line for each text in a file that outlives it."""

    batch_size = 10

    def __init__(self, written: Path, seconds: float) -> None:
        self._file = os.open(written, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._seconds = seconds
        self._began = False

    async def embed_passages(self, passages: Sequence[Passage], deadline: Deadline) -> list[list[float]]:
        if not self._began:
            print("embedding", flush=True)
            self._began = True
        await asyncio.sleep(self._seconds)
        os.write(self._file, "".join(f"{one.id}\n" for one in passages).encode())
        return [vector_of(one.text) for one in passages]


def _writer(place: str) -> object:
    if not place.startswith("http"):
        return EdgeIndexWriter(Path(place), MARKER, SPARSE)
    from chatbot_api.services.qdrant_connection import client_of  # noqa: PLC0415 - its 0.7 s would be in every run
    from chatbot_api.services.qdrant_index_writer import QdrantIndexWriter  # noqa: PLC0415

    return QdrantIndexWriter(client_of(place, "", 10), "docs", MARKER, SPARSE)


async def main(place: str, written: str, pages: str, seconds: str) -> None:
    writer = _writer(place)
    print("started", flush=True)
    try:
        report = await sync(site(int(pages)), "docs", Slow(Path(written), float(seconds)), writer, lambda _done, _all: None)
    finally:
        await writer.close()
    print(report, f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
