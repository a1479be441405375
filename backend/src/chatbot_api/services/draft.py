"""An answer while it is written: its text so far, what failed on the way, and at the end how it came out."""

from collections import Counter
from dataclasses import dataclass, field

from chatbot_api.models.chat_models import Done, FinishReason, Mode, Outcome, Part, SearchedScope, Source
from chatbot_api.models.index_models import Passage
from chatbot_api.services.cited_text import CitedText

PASSAGES_KEPT = 2
"""Passages of an answer that stay candidates for the next question."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the search brought for a question."""

    question: str
    selection: str | None
    passages: tuple[Passage, ...]
    """To answer from, best first; empty when nothing near enough was found."""
    sources: tuple[Source, ...]
    """The same passages as a reader sees them."""
    nearest: tuple[Source, ...]
    """The closest sections, when nothing near enough was found."""
    degraded: tuple[Part, ...] = ()
    scope: SearchedScope = field(default_factory=SearchedScope)
    asked: str = ""
    """The reader's own words, when ``question`` is what they mean after earlier turns; else empty."""

    @property
    def closest(self) -> tuple[Source, ...]:
        """The sections to offer to who gets no answer, one a heading."""
        return tuple({source.url: source for source in self.nearest or self.sources}.values())[:3]


def lacking(done: Done, part: Part) -> Done:
    """The same end, with a part among those that failed."""
    outcome: Outcome = "not_in_docs" if done.outcome == "not_in_docs" else "degraded"
    return done.model_copy(update={"outcome": outcome, "degraded": [*done.degraded, part]})


@dataclass(slots=True)
class Draft:
    """What ``RagService.write`` writes into; ``done`` tells how it ended."""

    found: Found
    mode: Mode
    cited: CitedText
    degraded: list[Part] = field(default_factory=list[Part])
    declined: bool = False
    finish_reason: FinishReason = "stop"

    def add(self, piece: str) -> str:
        """Take a piece of text; what of it can be shown by now."""
        return self.cited.add(piece)

    def finish(self) -> str:
        """What was still held back; afterwards the text is complete."""
        rest = self.cited.finish()
        if not self.declined and self.mode == "generated" and not self.cited.citations:
            self.degrade("citations")
        return rest

    def degrade(self, part: Part) -> None:
        """Remember that a part failed."""
        if part not in self.degraded:
            self.degraded.append(part)

    @property
    def outcome(self) -> Outcome:
        """Which of the three outcomes it is."""
        if self.declined:
            return "not_in_docs"
        return "degraded" if self.degraded else "answered"

    def done(self) -> Done:
        """The last event: a refusal has no sources, an answer those it cites."""
        cited = self._cited_sources()
        return Done(
            outcome=self.outcome,
            degraded=self.degraded,
            mode=self.mode,
            finish_reason=self.finish_reason,
            citations=[] if self.declined else self.cited.citations,
            sources=cited,
            nearest=[] if cited else list(self.found.closest),
            scope=self.found.scope,
            understood_as=self.found.question if self.found.asked else None,
        )

    @property
    def passage_ids(self) -> tuple[str, ...]:
        """Ids of the PASSAGES_KEPT passages the answer rests on: the most cited, else the best found; none for a refusal."""
        if self.declined:
            return ()
        told = Counter(citation.source_id for citation in self.cited.citations)  # equal counts stay in the order of the text
        ids = {source.id: passage.id for source, passage in zip(self.found.sources, self.found.passages, strict=True)}
        best = [ids[source_id] for source_id, _ in told.most_common() if source_id in ids] or list(ids.values())
        return tuple(best[:PASSAGES_KEPT])

    def _cited_sources(self) -> list[Source]:
        if self.declined:
            return []
        named = [citation.source_id for citation in self.cited.citations]
        return [source for source in self.found.sources if source.id in named]
