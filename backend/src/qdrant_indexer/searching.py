"""The verbs that search the live index as the service does: ``search`` for one question, ``eval`` for labelled ones."""

import json
from argparse import Namespace
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from chatbot_api.config import Settings
from chatbot_api.errors import DeadlineExceeded, IndexMismatch, ModelBadResponse, ModelUnavailable, SearchUnavailable
from chatbot_api.models.index_models import Embedder, Hit, Scope, link
from chatbot_api.reliability import Deadline
from chatbot_api.services.ranking import CANDIDATES
from qdrant_indexer.arguments import EXIT_DONE, EXIT_USAGE
from qdrant_indexer.evaluation import HITS, Asked, Question, Scores, judged, read_question, scores_of
from qdrant_indexer.opened_parts import to_search
from qdrant_indexer.output import Stopped, write

_EMBED_BUDGET_S = 30.0
"""A person waits, not a reader of the site: the service's time-out for questions is not kept."""
_SHOWN_CHARS = 160


@dataclass(frozen=True, slots=True)
class Searcher:
    """The live index and the embedder of its questions."""

    settings: Settings
    model: Any
    index: Any

    @property
    def embedder(self) -> Embedder:
        """What the gate's value means."""
        return self.model.embedder

    async def vector(self, question: str) -> list[float] | None:
        """The question's vector; None in a lexical index. Raises ModelError."""
        try:
            return await self.model.embed_query(question, Deadline(_EMBED_BUDGET_S))
        except IndexMismatch as error:
            raise ModelBadResponse(error.cause) from error
        except DeadlineExceeded as error:
            raise ModelUnavailable("no vector in time") from error

    def passes(self, hits: Sequence[Hit]) -> tuple[float | None, bool]:
        """The gate's value for these hits, None where only words were compared, and whether they may be answered from."""
        return self.embedder.relevance(hits), self.embedder.near_enough(hits)


@asynccontextmanager
async def searcher(settings: Settings) -> AsyncGenerator[Searcher, None]:
    """The live index, opened and compared with the settings. Raises SearchError."""
    async with to_search(settings) as (model, index):
        try:
            await index.check()
        except DeadlineExceeded as error:
            raise SearchUnavailable("no reply in time") from error
        yield Searcher(settings, model, index)


# --- search


async def search(settings: Settings, options: Namespace) -> int:
    """Show what a question finds. Raises SearchError, ModelError."""
    question = " ".join(options.query.split())
    if not question:
        raise Stopped("the question is empty", EXIT_USAGE)
    scope = Scope(settings.site, options.version, options.locale, last_version=None if options.version else True)
    async with searcher(settings) as opened:
        vector = await opened.vector(question)
        hits = await opened.index.search(vector, question, scope, options.top_k or settings.top_k)
        # Of another tool's collection there is one arm alone, and its scores are no sums of ranks.
        arms = await _arms(opened, vector, question, scope) if options.explain and not opened.index.is_foreign else None
    value, answered = opened.passes(hits)
    rows = [_row(rank, hit, settings, arms) for rank, hit in enumerate(hits, start=1)]
    gate = {"value": _rounded(value), "least": opened.embedder.gate, "answered": answered}
    if options.json:
        write(json.dumps({"query": question, "gate": gate, "hits": rows}, ensure_ascii=False))
    else:
        for line in (*(line for row in rows for line in _row_words(row)), _gate_words(value, opened.embedder.gate, answered)):
            write(line)
    return EXIT_DONE


async def _arms(
    opened: Searcher, vector: Sequence[float] | None, question: str, scope: Scope
) -> tuple[dict[str, float], dict[str, float]]:
    """Passage -> what the arm adds to its fused score: by meaning, and by words."""
    by_meaning: list[Hit] = [] if vector is None else await opened.index.search(vector, "", scope, CANDIDATES)
    by_words: list[Hit] = await opened.index.search(None, question, scope, CANDIDATES)
    return {hit.passage.id: hit.score for hit in by_meaning}, {hit.passage.id: hit.score for hit in by_words}


def _ranks(hit: Hit, arms: tuple[Mapping[str, float], Mapping[str, float]], rrf_k: int) -> tuple[int | None, int | None]:
    """The hit's places in the arms. Each arm adds 1 / (k + place - 1); an arm's own list leaves out a page's fourth passage."""
    meaning, words = (arm.get(hit.passage.id, 0.0) for arm in arms)
    rest = hit.score - meaning - words
    if meaning and not words:
        words = rest
    elif words and not meaning:
        meaning = rest
    least = 1 / (rrf_k + 2 * CANDIDATES)
    places = [round(1 / added) - rrf_k + 1 if added > least else None for added in (meaning, words)]
    return places[0], places[1]


def _row(rank: int, hit: Hit, settings: Settings, arms: tuple[dict[str, float], dict[str, float]] | None) -> dict[str, Any]:
    passage = hit.passage
    row: dict[str, Any] = {
        "rank": rank,
        "score": round(hit.score, 4),
        "cosine": _rounded(hit.cosine),
        "words": _rounded(hit.words),
        "url": link(settings.site_url, passage.url, passage.anchor),
        "breadcrumb": passage.breadcrumb,
        "text": " ".join(passage.text.split())[:_SHOWN_CHARS],
        "version": passage.version,
        "locale": passage.locale,
    }
    if arms is not None:
        row["rank_by_meaning"], row["rank_by_words"] = _ranks(hit, arms, settings.rrf_k)
    return row


def _row_words(row: Mapping[str, Any]) -> list[str]:
    figures = [f"fused {row['score']:.4f}"]
    if row["cosine"] is not None:
        figures.append(f"cosine {row['cosine']:.3f}")
    if "rank_by_meaning" in row:
        figures += [f"words {row['words']:.3f}"]
        figures += [f"{_place(row['rank_by_meaning'])} by meaning", f"{_place(row['rank_by_words'])} by words"]
    return [f"{row['rank']:>2}. {row['breadcrumb']}", f"    {row['url']}", f"    {', '.join(figures)}", f"    {row['text']}"]


def _place(rank: int | None) -> str:
    return "not found" if rank is None else f"no. {rank}"


def _gate_words(value: float | None, least: float | None, answered: bool) -> str:
    if value is None:
        return "gate: only words were compared, so whatever was found is answered from" if answered else "nothing was found"
    if least is None:
        return f"gate: {value:.3f}; this embedding model has none, so whatever was found is answered from"
    return f"gate: {value:.3f}, at least {least:.3f} is needed: {'answered' if answered else 'declined'}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


# --- eval


async def evaluate(settings: Settings, options: Namespace) -> int:
    """Ask the live index labelled questions and show the scores. Raises Stopped, SearchError, ModelError."""
    questions = _questions(options.questions, options.permalinks)
    if not any(question.answerable for question in questions):
        raise Stopped(f"{options.questions} holds no answerable question", EXIT_USAGE)
    async with searcher(settings) as opened:
        asked = [await _asked(opened, question) for question in questions]
    scores = scores_of(asked)
    declined = sum(_declined(opened.embedder, one) for one in asked if not one.answerable)
    lost = sum(_declined(opened.embedder, one) for one in asked if one.answerable)
    if options.json:
        write(json.dumps({**asdict(scores), "declined": {"unanswerable": declined, "answerable": lost}}))
    else:
        for line in _table(scores, declined, lost):
            write(line)
    return EXIT_DONE


async def _asked(opened: Searcher, question: Question) -> Asked:
    settings = opened.settings
    vector = await opened.vector(question.text)
    hits = await opened.index.search(vector, question.text, Scope(settings.site, last_version=True), HITS)
    # The gate sees what the service would see.
    return judged(question, hits, opened.passes(hits[: settings.top_k])[0])


def _declined(embedder: Embedder, asked: Asked) -> bool:
    return asked.relevance is not None and embedder.gate is not None and asked.relevance < embedder.gate


def _questions(path: Path, permalinks: Path | None) -> list[Question]:
    addresses = _addresses(permalinks) if permalinks else None
    questions: list[Question] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values: Any = json.loads(line)
            if not isinstance(values, dict):
                raise ValueError("it is no JSON object")
            questions.append(read_question(cast("dict[str, Any]", values), addresses))
        except (ValueError, RecursionError) as error:
            raise Stopped(f"{path}, line {number}: {error}", EXIT_USAGE) from error
    return questions


def _addresses(path: Path) -> dict[str, str]:
    try:
        values: Any = json.loads(_text(path))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in cast("dict[str, Any]", values).values()):
        raise Stopped(f"{path} is no JSON object of files and their addresses", EXIT_USAGE)
    return {file: unquote(address) for file, address in cast("dict[str, str]", values).items()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Stopped(f"{path} can't be read: {error.strerror}", EXIT_USAGE) from error
    except UnicodeDecodeError as error:
        raise Stopped(f"{path} is not UTF-8 text", EXIT_USAGE) from error


def _table(scores: Scores, declined: int, lost: int) -> list[str]:
    figures = {
        **{f"R@{depth}": value for depth, value in scores.recall.items()},
        "MRR@10": scores.mrr,
        "nDCG@10": scores.ndcg,
        "heading@5": scores.heading,
        "gate AUROC": scores.auroc,
    }
    lines = [f"{scores.answerable} answerable and {scores.unanswerable} unanswerable questions"]
    lines += [f"{name:<12}{'-' if value is None else f'{value:.3f}'}" for name, value in figures.items()]
    if scores.refused is not None:
        lines.append(f"a gate that keeps 95 % of the answerable would decline {scores.refused} of {scores.unanswerable}")
        lines.append(
            f"the gate set declines {declined} of {scores.unanswerable} unanswerable, {lost} of {scores.answerable} answerable"
        )
    lines.append("R@5 by kind: " + ", ".join(f"{kind} {right}/{every}" for kind, (right, every) in scores.by_kind.items()))
    return lines
