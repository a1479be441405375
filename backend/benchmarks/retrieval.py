"""Retrieval quality on the development questions, by the real parts: ``make bench``.

Reads two documentation sites' Markdown, indexes them offline in a temporary folder and asks their labelled questions. Prints a
table in Markdown: page recall@1/3/5/10, MRR@10, nDCG@10, the right heading among the first five passages, and how well the best
raw cosine tells answerable from unanswerable questions (AUROC). Sets of this size have a standard error of 3 to 4 points.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from chatbot_api.models.index_models import IndexMarker, Scope
from chatbot_api.reliability import Deadline
from chatbot_api.services.edge_index import EdgeIndex
from chatbot_api.services.edge_index_writer import EdgeIndexWriter
from chatbot_api.services.minilm import MiniLM
from chatbot_api.services.offline_service import LEXICAL, OfflineService
from chatbot_api.services.sparse_encoder import SparseEncoder
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.docusaurus import read_docs
from qdrant_indexer.evaluation import DEPTHS, HITS, Asked, judged, read_question, scores_of
from qdrant_indexer.sync import sync

DATA = Path(__file__).resolve().parents[3] / "shared" / "retrieval"
CORPORA = {"jest": "/", "playwright-python": "/python/"}
TOP_K = 5
"""Passages an answer is written from by default: those the gate is asked about."""


async def measure(corpus: str, base_url: str, folder: Path, rrf_k: int, *, lexical: bool) -> tuple[int, list[Asked]]:
    """Index one corpus, ask its questions; number of passages and one result a question."""
    pages = read_docs(DATA / corpus / "source" / "docs", base_url=base_url).pages
    passages = [passage for page in pages for passage in passages_of(page, corpus)]
    model = OfflineService(None if lexical else MiniLM())
    sparse = SparseEncoder("english")
    marker = IndexMarker.of(LEXICAL if lexical else model.embedder, sparse.settings)
    writer = EdgeIndexWriter(folder, marker, sparse)
    try:
        await sync(passages, corpus, model, writer, lambda _done, _all: None)
    finally:
        await writer.close()
    index = EdgeIndex(folder, marker, sparse, rrf_k=rrf_k)
    await index.check()
    permalinks = json.loads((DATA / corpus / "permalinks.json").read_text())
    addresses = {file: unquote(address) for file, address in permalinks.items()}
    lines = (DATA / corpus / "questions.jsonl").read_text().splitlines()
    asked: list[Asked] = []
    for question in (read_question(json.loads(line), addresses) for line in lines if line):
        vector = await model.embed_query(question.text, Deadline(10))
        hits = await index.search(vector, question.text, Scope(corpus), HITS)
        asked.append(judged(question, hits, model.embedder.relevance(hits[:TOP_K])))
    await index.close()
    return len(passages), asked


def row(label: str, passages: int, asked: Sequence[Asked]) -> str:
    """One line of the table."""
    scores = scores_of(asked)
    values = [*(scores.recall[depth] for depth in DEPTHS), scores.mrr, scores.ndcg, scores.heading, scores.auroc]
    return f"| {label} | {passages} | " + " | ".join("-" if value is None else f"{value:.3f}" for value in values) + " |"


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
