"""A question to passages, passages to a prompt, a prompt to cited text: the answer, whoever embeds, searches and writes."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Literal, Protocol
from urllib.parse import urlsplit

from chatbot_api.errors import DeadlineExceeded, IndexMismatch, ModelError, SearchError
from chatbot_api.models.answer_models import Piece, Prompt
from chatbot_api.models.chat_models import AskContext, Mode, Part, SearchedScope
from chatbot_api.models.conversation_models import StoredTurn
from chatbot_api.models.index_models import Embedder, Hit, Passage, Scope
from chatbot_api.reliability import Deadline
from chatbot_api.services.cited_text import CitedText
from chatbot_api.services.draft import Draft, Found
from chatbot_api.services.extractive import extract
from chatbot_api.services.follow_up_cues import leans_on_history, may_lean
from chatbot_api.services.follow_ups import accepted, rewritten, unmet_words, with_earlier
from chatbot_api.services.prompt import NOT_IN_DOCS, prompt_for, rewrite_prompt, turns_within
from chatbot_api.services.question_vectors import QuestionVectors
from chatbot_api.services.reader_scope import scope_of
from chatbot_api.services.source_links import sources_of
from chatbot_api.telemetry import note, span, timed

SELECTION_IN_SEARCH = 300
"""Characters of the reader's selection that join the question in the search; more would drown it."""
NOT_ANSWERED = "The documentation does not seem to answer this question."
"""The whole text of a refusal; the closest sections are offered beside it, in ``nearest``."""
EXTRACTION_RESERVE_S = 0.2
"""Kept of the deadline for the answer that stands in for the model's."""


class LanguageModel(Protocol):
    """Who embeds questions and writes answers. Raises ModelError, IndexMismatch, DeadlineExceeded."""

    @property
    def mode(self) -> Mode: ...  # noqa: D102
    @property
    def embedder(self) -> Embedder: ...  # noqa: D102
    async def embed_query(self, text: str, deadline: Deadline) -> list[float] | None: ...  # noqa: D102
    def write(self, prompt: Prompt, deadline: Deadline, *, whole: bool) -> AsyncGenerator[Piece, None]: ...  # noqa: D102
    async def rewrite(self, prompt: Prompt, deadline: Deadline) -> str | None: ...  # noqa: D102


class Index(Protocol):
    """Who finds passages. Raises SearchError."""

    async def search(self, vector: Sequence[float] | None, text: str, scope: Scope, limit: int) -> list[Hit]: ...  # noqa: D102
    async def page(self, urls: Sequence[str], site: str) -> Passage | None: ...  # noqa: D102
    async def passages(self, ids: Sequence[str], site: str) -> list[Passage]: ...  # noqa: D102


class RagService:
    """Answers from one site's passages, and from nothing else."""

    def __init__(
        self,
        model: LanguageModel,
        index: Index,
        *,
        site: str,
        site_title: str,
        site_url: str,
        top_k: int,
        embed_timeout_s: float,
        on_model_failure: Literal["extractive", "error"],
        budget_s: float,
        history_tokens: int = 1000,
        follow_up_timeout_s: float = 1.5,
        budget_is_spent: Callable[[], bool] = lambda: False,
        vectors_kept: int = 0,
    ) -> None:
        """``site``: scope of every search. ``embed_timeout_s``: after it the search goes on by words alone. ``budget_s``: see
        ``get_rag_response``. ``history_tokens``: of earlier turns in a prompt, about. ``follow_up_timeout_s``: after it rules say
        what a follow-up means. ``budget_is_spent``: then the model writes nothing. Embedding goes on: it costs little.
        ``vectors_kept``: of questions asked before.
        """
        self._model, self._index = model, index
        self._site, self._site_title, self._site_url = site, site_title, site_url
        self._top_k, self._embed_timeout_s, self._budget_s = top_k, embed_timeout_s, budget_s
        self._on_model_failure = on_model_failure
        self._history_tokens, self._follow_up_timeout_s = history_tokens, follow_up_timeout_s
        self._hosts = {urlsplit(site_url).netloc} - {""}
        self._budget_is_spent = budget_is_spent
        self._vectors = QuestionVectors(model, vectors_kept)

    async def get_rag_response(self, query: str, top_k: int = 3) -> str:
        """The answer's text alone: find, then the fold of write."""
        deadline = Deadline(self._budget_s)
        draft = self.draft(await self.find(query, None, top_k, deadline))
        return "".join([text async for text in self.write(draft, (), deadline)])

    async def standalone(self, query: str, history: Sequence[StoredTurn], deadline: Deadline) -> str:
        """The question to search for and to answer: the query itself, unless it leans on earlier turns. Raises nothing.

        The model says what a follow-up means; rules do where there is none, or it fails. Neither is asked without history.
        """
        if not history or not may_lean(query):
            return query
        turns = turns_within(history, self._history_tokens)
        said: str | None = None
        try:
            if turns and not self._budget_is_spent():
                prompt = rewrite_prompt(query, turns, site_title=self._site_title)
                said = await self._model.rewrite(prompt, deadline.within(self._follow_up_timeout_s))
        except (ModelError, DeadlineExceeded) as error:
            note(rewrite_error=error.slug, rewrite_cause=error.cause)
        meant = accepted(said, query, history)
        if meant is None:
            return rewritten(query, history) if leans_on_history(query) else query
        return meant

    async def scope(self, context: AskContext | None, deadline: Deadline) -> Scope:
        """Which part of the site is searched for this reader. Raises SearchError, DeadlineExceeded."""
        return await deadline.wait(scope_of(context or AskContext(), self._index, self._site))

    async def find(
        self,
        question: str,
        context: AskContext | None,
        top_k: int | None,
        deadline: Deadline,
        *,
        earlier: Sequence[str] = (),
        asked: str | None = None,
        scope: Scope | None = None,
    ) -> Found:
        """The passages that may answer the question, or the nearest ones when none is near enough. Raises SearchError.

        ``earlier``: ids of the passages that the turn before rests on, for a follow-up; they stay candidates behind those found.
        ``asked``: the reader's own words, when the question is what they mean. ``scope``: where it is known already.
        """
        context = context or AskContext()
        text = f"{question}\n{(context.selection or '')[:SELECTION_IN_SEARCH]}".strip()
        scope = scope or await self.scope(context, deadline)
        vector, degraded = await self._embedded(text, deadline)
        with span("retrieve", self._site):
            searching = self._searched(vector, text, scope, top_k or self._top_k)
            hits, scope, widened = await timed("search_ms", deadline.wait(searching))
        near = self._model.embedder.near_enough(hits)
        if near and (own := unmet_words(question, asked or "", hits)):
            near = await self._near_alone(own, scope, deadline)
        if earlier:
            hits, near = with_earlier(
                hits, near, await self._kept(earlier, None if widened else scope, deadline), asked or question
            )
        return Found(
            question=question,
            selection=context.selection,
            passages=tuple(hit.passage for hit in hits) if near else (),
            sources=sources_of(hits, self._site_url) if near else (),
            nearest=() if near else sources_of(hits, self._site_url),
            degraded=degraded,
            scope=SearchedScope(version=scope.version, locale=scope.locale, widened=widened),
            asked=asked if asked and asked != question else "",
        )

    async def _near_alone(self, text: str, scope: Scope, deadline: Deadline) -> bool:
        """Whether the reader's own words would pass the gate: behind an answered question any words do."""
        vector, _ = await self._embedded(text, deadline)
        hits, _, _ = await deadline.wait(self._searched(vector, text, scope, self._top_k))
        return self._model.embedder.near_enough(hits)

    async def _kept(self, ids: Sequence[str], scope: Scope | None, deadline: Deadline) -> list[Passage]:
        """The passages that are still there, and in the scope; none when they can't be had: a search went well without them."""
        try:
            kept = await deadline.wait(self._index.passages(ids, self._site))
        except (SearchError, DeadlineExceeded) as error:
            note(earlier_error=error.slug, earlier_cause=error.cause)
            return []
        wanted = {key: value for key, value in scope.conditions().items() if key != "site"} if scope else {}
        return [one for one in kept if wanted.items() <= {key: one.payload()[key] for key in wanted}.items()]

    async def _embedded(self, text: str, deadline: Deadline) -> tuple[list[float] | None, tuple[Part, ...]]:
        """The question's vector; None, and ``dense`` among what is degraded, when there is none to be had."""
        try:
            vector = await timed("embed_ms", self._vectors.of(text, deadline.within(self._embed_timeout_s)))
        except (ModelError, IndexMismatch, DeadlineExceeded) as error:
            note(embedding_error=error.slug, embedding_cause=error.cause)
            if self._on_model_failure == "error":
                raise
            vector = None
        return vector, () if vector is not None else ("dense",)

    async def _searched(self, vector: list[float] | None, text: str, scope: Scope, limit: int) -> tuple[list[Hit], Scope, bool]:
        """The hits, the scope they are of, and whether it had to be widened, as nothing of the one asked for was near enough."""
        near_enough = self._model.embedder.near_enough
        hits = await self._index.search(vector, text, scope, limit)
        if not hits and scope.version == "current":  # what Docusaurus calls the docs of a site without versions
            scope = Scope(self._site, None, scope.locale, last_version=True)
            hits = await self._index.search(vector, text, scope, limit)
        if near_enough(hits) or not (scope.version or scope.locale):
            return hits, scope, False
        whole = Scope(self._site, last_version=None if scope.version else True)
        wider = await self._index.search(vector, text, whole, limit)
        return (wider, scope, True) if near_enough(wider) else (hits or wider, scope, False)

    def draft(self, found: Found) -> Draft:
        """An empty answer to what was found."""
        return Draft(found, self._model.mode, self._cited(found), degraded=list(found.degraded))

    def _cited(self, found: Found) -> CitedText:
        return CitedText({source.id for source in found.sources}, self._hosts)

    async def write(
        self, draft: Draft, history: Sequence[StoredTurn], deadline: Deadline, *, whole: bool = False
    ) -> AsyncGenerator[str, None]:
        """The answer's text piece by piece, fit to be shown, into ``draft``.

        ``whole``: give nothing out before the model has finished, so that a failure in the middle of its answer can still be
        made good. Raises ModelError or DeadlineExceeded when text was given out already, or when the settings want errors.
        """
        if not draft.found.passages:
            yield self._decline(draft)
            return
        if self._budget_is_spent():
            yield self._extracted(draft, "budget") + draft.finish()
            return
        within = deadline.within(deadline.remaining_s - EXTRACTION_RESERVE_S)
        written = self._generated(draft, history, within, whole=whole)
        try:
            async with aclosing(_at_once(written) if whole else written) as pieces:
                async for piece in pieces:
                    yield draft.add(piece)
        except (ModelError, DeadlineExceeded) as error:
            note(model_error=error.slug, model_cause=error.cause)
            if draft.cited.text or self._on_model_failure == "error":
                raise
            draft.cited = self._cited(draft.found)  # what was held back of the model's text is not to be shown any more
            yield self._extracted(draft, "generation")
        yield draft.finish()

    def _extracted(self, draft: Draft, instead_of: Part) -> str:
        """The passages themselves for the answer; what of it can be shown by now."""
        draft.degrade(instead_of)
        draft.mode = "extractive"
        return draft.add(extract(draft.found.question, draft.found.passages))

    async def _generated(
        self, draft: Draft, history: Sequence[StoredTurn], deadline: Deadline, *, whole: bool
    ) -> AsyncGenerator[str, None]:
        """The model's text; our own words where it declines or is blocked."""
        found = draft.found
        prompt = prompt_for(
            found.question,
            found.passages,
            turns_within(history, self._history_tokens),
            site_title=self._site_title,
            site_url=self._site_url,
            selection=found.selection,
            asked=found.asked,
            nearness=[source.score for source in found.sources],
        )
        held: str | None = ""
        async with aclosing(self._model.write(prompt, deadline, whole=whole)) as pieces:
            async for piece in pieces:
                draft.finish_reason = piece.finish or draft.finish_reason
                if held is None:
                    yield piece.text
                    continue
                held += piece.text
                opening = held.lstrip(" \n`*\"'.")
                if opening.startswith(NOT_IN_DOCS):
                    yield self._decline(draft)
                    return
                if held.strip() and (piece.finish or not NOT_IN_DOCS.startswith(opening)):
                    yield held
                    held = None
        if draft.finish_reason == "blocked":
            draft.degrade("generation")
            if held is not None:
                yield self._blocked(draft)

    def _decline(self, draft: Draft) -> str:
        draft.declined = True
        draft.finish_reason = "stop"
        return NOT_ANSWERED

    def _blocked(self, draft: Draft) -> str:
        markers = "".join(f"[{source.id}]" for source in draft.found.closest)
        return f"The language model declined to answer this question. The closest sections of the documentation are {markers}."


async def _at_once(pieces: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    async with aclosing(pieces):
        text = "".join([piece async for piece in pieces])
    yield text
