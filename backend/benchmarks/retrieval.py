"""Retrieval quality on the development questions, by the real parts: ``make bench-retrieval``.

Reads two documentation sites' Markdown, indexes them offline in a temporary folder and asks their labelled questions. Prints a
table in Markdown: page recall@1/3/5/10, MRR@10, nDCG@10, the right heading among the first five passages, and how well the
relevance tells answerable from unanswerable questions (AUROC). Sets of this size have a standard error of 3 to 4 points.

Each site's questions are split in two: constants are chosen on the tuning half alone, the held-back half only judges the choice.
"""

import argparse
import asyncio
import hashlib
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from chatbot_api.models.index_models import IndexMarker, Scope
from chatbot_api.reliability import Deadline
from chatbot_api.services.edge_index import EdgeIndex
from chatbot_api.services.edge_index_writer import EdgeIndexWriter
from chatbot_api.services.minilm import MiniLM
from chatbot_api.services.offline_service import GATE, LEXICAL, OfflineService
from chatbot_api.services.sparse_encoder import SparseEncoder
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.docusaurus import read_docs
from qdrant_indexer.evaluation import DEPTHS, HITS, Asked, Question, judged, read_question, scores_of
from qdrant_indexer.sync import sync

DATA = Path(__file__).resolve().parents[3] / "shared" / "retrieval"
CORPORA = {"jest": "/", "playwright-python": "/python/"}
TOP_K = 5
"""Passages an answer is written from by default: those the gate is asked about."""


Results = list[tuple[Question, Asked]]


async def measure(corpus: str, base_url: str, folder: Path, rrf_k: int, *, lexical: bool) -> tuple[int, Results]:
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
    results: Results = []
    for question in (read_question(json.loads(line), addresses) for line in lines if line):
        vector = await model.embed_query(question.text, Deadline(10))
        hits = await index.search(vector, question.text, Scope(corpus), HITS)
        results.append((question, judged(question, hits, model.embedder.relevance(hits[:TOP_K]))))
    await index.close()
    return len(passages), results


def halves(results: Results) -> dict[str, Results]:
    """Tuning and held-back: of each kind of question every other one, in the order of the sha256 of its text."""
    of_kind: defaultdict[str, Results] = defaultdict(list)
    for one in sorted(results, key=lambda one: hashlib.sha256(one[0].text.encode()).hexdigest()):
        of_kind[one[0].kind].append(one)
    return {
        "tuning": [one for kind in of_kind.values() for one in kind[0::2]],
        "held back": [one for kind in of_kind.values() for one in kind[1::2]],
    }


def rows(label: str, passages: int, results: Results, *, split: bool) -> str:
    """The table's lines for one search: all questions, and before them both halves when ``split``."""
    parts = {**halves(results), "all": results} if split else {"": results}
    return "\n".join(
        row(f"{label}, {part}" if part else label, passages, [asked for _, asked in part_results])
        for part, part_results in parts.items()
    )


def row(label: str, passages: int, asked: Sequence[Asked]) -> str:
    """One line of the table."""
    scores = scores_of(asked)
    values = [*(scores.recall[depth] for depth in DEPTHS), scores.mrr, scores.ndcg, scores.heading, scores.auroc]
    figures = ["-" if value is None else f"{value:.3f}" for value in values]
    return f"| {label} | {passages} | {' | '.join([*figures, *gate_figures(asked)])} |"


def gate_figures(asked: Sequence[Asked]) -> list[str]:
    """Of the answerable questions those the gate lets through, of the unanswerable ones those it declines."""
    passes = [(one.answerable, one.relevance is None or one.relevance >= GATE) for one in asked]
    answerable = [passed for is_answerable, passed in passes if is_answerable]
    others = [passed for is_answerable, passed in passes if not is_answerable]
    return [f"{sum(answerable)}/{len(answerable)}", f"{len(others) - sum(others)}/{len(others)}"]


def main() -> int:
    """Measure and print; 2 when the development set is not beside the checkout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rrf-k", type=int, nargs="*", default=[5], help="constants of the fusion to compare")
    parser.add_argument("--held-back", action="store_true", help="show the tuning and the held-back questions by themselves too")
    parser.add_argument("--missed", action="store_true", help="list the questions without a right page among the first five")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"the development set is not at {DATA}", file=sys.stderr)
        return 2
    print("| corpus | passages | R@1 | R@3 | R@5 | R@10 | MRR@10 | nDCG@10 | heading@5 | AUROC | let through | declined |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    missed: list[tuple[str, int, Question, Asked]] = []
    with tempfile.TemporaryDirectory() as folder:
        for corpus, base_url in CORPORA.items():
            for rrf_k in options.rrf_k:
                passages, results = asyncio.run(measure(corpus, base_url, Path(folder) / corpus, rrf_k, lexical=False))
                print(rows(f"{corpus}, k = {rrf_k}", passages, results, split=options.held_back), flush=True)
                missed += [(corpus, rrf_k, *one) for one in results if one[1].answerable and not 0 < one[1].rank <= TOP_K]
            passages, results = asyncio.run(measure(corpus, base_url, Path(folder) / f"{corpus}-words", 10, lexical=True))
            print(rows(f"{corpus}, words alone", passages, results, split=options.held_back), flush=True)
    for corpus, rrf_k, question, asked in missed if options.missed else ():
        print(f"{corpus}, k = {rrf_k}, {question.kind}, page {asked.rank or '-'}: {question.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
