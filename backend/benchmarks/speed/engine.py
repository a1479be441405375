"""The embedded engine by itself: a hybrid query's time and the process' memory, by the number of passages.

``python -m speed.engine PASSAGES`` makes an index of so many made-up passages, asks it, and prints one JSON object; it is a
process of its own so that its memory is its own.
"""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

import numpy as np
import orjson

from chatbot_api.models.index_models import Embedder, IndexMarker, Passage, Scope
from chatbot_api.services.edge_index import EdgeIndex
from chatbot_api.services.edge_index_writer import EdgeIndexWriter
from chatbot_api.services.sparse_encoder import SparseEncoder
from speed.corpus import SECTIONS, text
from speed.gemini_replies import DIMENSIONS
from speed.load import percentile
from speed.processes import environment, rss_mb_of
from speed.results import Results

SIZES = (1_000, 10_000)
LARGE = (50_000, 100_000)
QUERIES = 300
WARM_UP = 20
BATCH = 500
TOP_K = 5
SITE = "docs"


def _passage(number: int) -> Passage:
    page = number // SECTIONS
    return Passage(
        id=str(UUID(int=number + 1)),
        text=text(random.Random(number), 90),
        url=f"/docs/page-{page}",
        anchor=f"option-{number}",
        title=f"Page {page}",
        heading_path=(f"Option {number}",),
        page_id=f"page-{page}",
        ordinal=number % SECTIONS,
        site=SITE,
    )


async def _index_made(folder: Path, passages: int, marker: IndexMarker, sparse: SparseEncoder) -> None:
    dice = np.random.default_rng(0)
    writer = EdgeIndexWriter(folder, marker, sparse)
    await writer.begin()
    for at in range(0, passages, BATCH):
        batch = [_passage(number) for number in range(at, min(at + BATCH, passages))]
        vectors = dice.standard_normal((len(batch), DIMENSIONS)) + 1.0
        await writer.add(batch, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist())
    await writer.publish()
    await writer.close()


async def _asked(folder: Path, marker: IndexMarker, sparse: SparseEncoder) -> list[float]:
    """Seconds of each query; a question has three words of the texts'."""
    index = EdgeIndex(folder, marker, sparse, rrf_k=5, weigh_words=False)
    await index.check()
    dice, words = np.random.default_rng(1), random.Random(-1)
    took_s: list[float] = []
    for _ in range(WARM_UP + QUERIES):
        vector = (dice.standard_normal(DIMENSIONS) / DIMENSIONS**0.5).tolist()
        question = f"How do I set {text(words, 3)} of the service?"
        asked_at = perf_counter()
        await index.search(vector, question, Scope(SITE), TOP_K)
        took_s.append(perf_counter() - asked_at)
    await index.close()
    return took_s[WARM_UP:]


def measure_one(passages: int, folder: Path) -> None:
    """Make the index in a process that ends, ask it in this one, print the figures."""
    sparse = SparseEncoder("english")
    marker = IndexMarker.of(Embedder("bench", DIMENSIONS, "plain", None), sparse.settings)
    if not folder.exists():
        asyncio.run(_index_made(folder, passages, marker, sparse))
        return
    before_mb = rss_mb_of(os.getpid())
    took_s = asyncio.run(_asked(folder, marker, sparse))
    figures = {
        "p50": 1000 * percentile(took_s, 0.5),
        "p99": 1000 * percentile(took_s, 0.99),
        "mb": rss_mb_of(os.getpid()) - before_mb,
    }
    sys.stdout.buffer.write(orjson.dumps(figures))


def measure(results: Results, sizes: tuple[int, ...]) -> None:
    """``engine_p50_ms``, ``engine_p99_ms`` and ``engine_mb`` of each size."""
    for name in ("engine_p50_ms", "engine_p99_ms", "engine_mb"):
        results.begin(name)
    for passages in sizes:
        with TemporaryDirectory(prefix="speed-engine-") as holder:
            command = [sys.executable, "-m", "speed.engine", str(passages), str(Path(holder) / "index")]
            for _ in ("make", "ask"):
                told = subprocess.run(command, env=environment(), check=True, capture_output=True).stdout
        for name, value in orjson.loads(told).items():
            results.put({"p50": "engine_p50_ms", "p99": "engine_p99_ms", "mb": "engine_mb"}[name], f"{passages}", value)


if __name__ == "__main__":
    measure_one(int(sys.argv[1]), Path(sys.argv[2]))
