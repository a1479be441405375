"""Retrieval quality on the development questions, by the real parts: ``make bench``.

Reads two documentation sites' Markdown, indexes them offline in a temporary folder and asks their labelled questions. Prints a
table in Markdown: page recall@1/3/5/10, MRR@10, nDCG@10, the right heading among the first five passages, and how well the best
raw cosine tells answerable from unanswerable questions (AUROC). Sets of this size have a standard error of 3 to 4 points.
"""

import argparse
import asyncio
import html
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from chatbot_api.models.index_models import Hit, IndexMarker, Passage, Scope
from chatbot_api.reliability import Deadline
from chatbot_api.services.edge_index import EdgeIndex
from chatbot_api.services.edge_index_writer import EdgeIndexWriter
from chatbot_api.services.minilm import MiniLM
from chatbot_api.services.offline_service import LEXICAL, OfflineService
from chatbot_api.services.sparse_encoder import SparseEncoder
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.docusaurus import read_docs
from qdrant_indexer.sync import sync

DATA = Path(__file__).resolve().parents[3] / "shared" / "retrieval"
CORPORA = {"jest": "/", "playwright-python": "/python/"}
DEPTHS = (1, 3, 5, 10)
HITS = 40


@dataclass(frozen=True)
class Asked:
    """One question's result: rank of the first right page (0: none), whether the heading was among five, the best cosine."""

    answerable: bool
    rank: int
    heading: bool | None
    cosine: float


async def measure(corpus: str, base_url: str, folder: Path, rrf_k: int, *, lexical: bool) -> tuple[int, list[Asked]]:
    """Index one corpus, ask its questions; number of passages and one result a question."""
    pages = read_docs(DATA / corpus / "source" / "docs", base_url=base_url).pages
    passages = [passage for page in pages for passage in passages_of(page, corpus)]
    model = OfflineService(None if lexical else MiniLM())
    sparse = SparseEncoder("english")
    marker = IndexMarker.of(LEXICAL if lexical else model.embedder, sparse.settings)
    await sync(passages, corpus, model, EdgeIndexWriter(folder, marker, sparse), lambda _done, _all: None)
    index = EdgeIndex(folder, marker, sparse, rrf_k=rrf_k)
    await index.check()
    files = {unquote(address): file for file, address in json.loads((DATA / corpus / "permalinks.json").read_text()).items()}
    lines = (DATA / corpus / "questions.jsonl").read_text().splitlines()
    asked: list[Asked] = []
    for question in map(json.loads, filter(None, lines)):
        vector = await model.embed_query(question["question"], Deadline(10))
        hits = await index.search(vector, question["question"], Scope(corpus), HITS)
        asked.append(_judged(question, hits, files))
    await index.close()
    return len(passages), asked


def _judged(question: dict[str, Any], hits: Sequence[Hit], files: dict[str, str]) -> Asked:
    gold = set(question["gold_files"])
    pages = list(dict.fromkeys(files.get(hit.passage.url, "") for hit in hits))
    rank = next((place for place, file in enumerate(pages, start=1) if file in gold), 0)
    wanted = question.get("gold_heading")
    under = [hit.passage for hit in hits[:5] if files.get(hit.passage.url) in gold]
    heading = None if not wanted else any(_plain(wanted) in _headings(passage) for passage in under)
    return Asked(question["answerable"], rank, heading, max((hit.cosine or 0.0 for hit in hits), default=0.0))


def _headings(passage: Passage) -> list[str]:
    return [_plain(heading) for heading in (passage.title, *passage.heading_path)]


def _plain(text: str) -> str:
    return re.sub(r"[`\\*]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", html.unescape(text))).strip().lower()


def row(label: str, passages: int, asked: Sequence[Asked]) -> str:
    """One line of the table."""
    answerable = [one for one in asked if one.answerable]
    ranks = [one.rank for one in answerable]
    headings = [one.heading for one in answerable if one.heading is not None]
    within = [rank for rank in ranks if 0 < rank <= max(DEPTHS)]
    values = [
        *(sum(0 < rank <= depth for rank in ranks) / len(ranks) for depth in DEPTHS),
        sum(1 / rank for rank in within) / len(ranks),
        sum(1 / log2(rank + 1) for rank in within) / len(ranks),
        sum(headings) / len(headings),
        _auroc([one.cosine for one in answerable], [one.cosine for one in asked if not one.answerable]),
    ]
    return f"| {label} | {passages} | " + " | ".join(f"{value:.3f}" for value in values) + " |"


def _auroc(answerable: Sequence[float], unanswerable: Sequence[float]) -> float:
    pairs = [(high > low) + 0.5 * (high == low) for high in answerable for low in unanswerable]
    return sum(pairs) / len(pairs)


def main() -> int:
    """Measure and print; 2 when the development set is not beside the checkout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rrf-k", type=int, nargs="*", default=[10], help="constants of the fusion to compare")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"the development set is not at {DATA}", file=sys.stderr)
        return 2
    print("| corpus | passages | R@1 | R@3 | R@5 | R@10 | MRR@10 | nDCG@10 | heading@5 | AUROC |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for corpus, base_url in CORPORA.items():
            for rrf_k in options.rrf_k:
                passages, asked = asyncio.run(measure(corpus, base_url, Path(folder) / corpus, rrf_k, lexical=False))
                print(row(f"{corpus}, k = {rrf_k}", passages, asked), flush=True)
            passages, asked = asyncio.run(measure(corpus, base_url, Path(folder) / f"{corpus}-words", 10, lexical=True))
            print(row(f"{corpus}, words alone", passages, asked), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
