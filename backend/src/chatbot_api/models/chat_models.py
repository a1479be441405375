"""The words of a chat: what a reader asks, what the service answers, and the events an answer is made of.

An answer is a stream of events; ``POST /chat`` is its fold, every other protocol an adapter of it:

    start    once, first: the ids
    status   what is being done, for a reader who waits
    sources  once, before the text: the passages the answer is written from
    delta    a piece of the text, append-only
    done     last: outcome, citations and the sources that are cited
    error    last, instead of done: a problem object (RFC 9457)

A stream ends with exactly one ``done`` or ``error``; one that ends without was cut off.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chatbot_api.models.clean_text import CLEANED

Outcome = Literal["answered", "not_in_docs", "degraded"]
Mode = Literal["generated", "extractive", "cached"]
Part = Literal["dense", "generation", "citations", "history", "budget"]
FinishReason = Literal["stop", "length", "blocked"]

MAX_QUERY_CHARS = 2000
MAX_HISTORY_TURNS = 20
MAX_SELECTION_CHARS = 4000


class _Word(BaseModel):
    model_config = ConfigDict(frozen=True)


class AskContext(_Word):
    """Where the reader is: narrows the search, and adds what they selected to the question."""

    page_url: Annotated[str | None, Field(max_length=2000, description="Address of the page the reader is on."), CLEANED] = None
    version: Annotated[str | None, Field(max_length=100, description="Docs version to search in."), CLEANED] = None
    locale: Annotated[str | None, Field(max_length=35, description="Docusaurus locale to search in."), CLEANED] = None
    selection: Annotated[str | None, Field(max_length=MAX_SELECTION_CHARS, description="What the reader selected."), CLEANED] = (
        None
    )


class ClaimedTurn(_Word):
    """A turn as a widget in the field claims it. Never trusted: not part of any prompt, only tolerated."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sender: Annotated[str | None, Field(max_length=100), CLEANED] = None
    text: Annotated[str | None, Field(max_length=20_000), CLEANED] = None
    role: Annotated[str | None, Field(max_length=100), CLEANED] = None
    content: Annotated[str | None, Field(max_length=20_000), CLEANED] = None


def _selection_alone(value: object) -> object:
    """An older widget's selection, which may be a whole page: its beginning is enough."""
    return {"selection": value[:MAX_SELECTION_CHARS]} if isinstance(value, str) else value


class ChatRequest(_Word):
    """A reader's question. Only ``query`` is required; unknown fields are ignored, so that older widgets go on working."""

    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS, description="The question."), CLEANED]
    conversation_id: Annotated[
        str | None,
        Field(description="Goes on with this conversation; a new one is begun when it is absent, unknown, expired or another's."),
        CLEANED,
    ] = None
    client_message_id: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=255,
            description="An id of the client's own for this message: sent again with it, the message gets the same answer.",
        ),
        CLEANED,
    ] = None
    top_k: Annotated[int | None, Field(ge=1, le=20, description="Passages to answer from, instead of TOP_K.")] = None
    context: Annotated[
        AskContext | None,
        BeforeValidator(_selection_alone),
        Field(description="Where the reader is; a plain string is taken as the selected text."),
    ] = None
    stream: bool = Field(default=False, description="On POST /chat: answer as server-sent events.")
    history: Annotated[
        list[ClaimedTurn] | None, Field(max_length=MAX_HISTORY_TURNS, description="Accepted from older widgets, not trusted.")
    ] = None


class SearchRequest(_Word):
    """A search without an answer."""

    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS), CLEANED]
    top_k: Annotated[int | None, Field(ge=1, le=20)] = None
    context: Annotated[AskContext | None, BeforeValidator(_selection_alone)] = None


class Source(_Word):
    """A heading of the site that an answer rests on, or that is nearest to a question it could not answer."""

    id: str = Field(description="The number in the text's `[n]` markers.")
    title: str
    page_title: str = Field(description="The same as title: the name widgets in the field know it by.")
    heading_path: list[str] = Field(description="Headings from the page's title down to the cited one.")
    url: str = Field(description="Address of the exact heading.")
    snippet: str
    score: float | None = Field(description="Cosine similarity of question and passage; null when only words were compared.")
    version: str | None
    locale: str

    @property
    def full_title(self) -> str:
        """The headings in one line, for protocols that know a title alone."""
        return " › ".join(self.heading_path) or self.title


class SearchedScope(_Word):
    """Which part of the site was searched. Null: the version readers see by default, any language."""

    version: str | None = None
    locale: str | None = None
    widened: bool = Field(default=False, description="Nothing near enough was found there, so the whole site was searched.")


class Citation(_Word):
    """Where a marker stands in the response, in characters (Unicode code points), end exclusive."""

    source_id: str
    start: int
    end: int


class Turn(_Word):
    """One exchange of a conversation, from our own store."""

    question: str
    answer: str


class Start(_Word):
    """The answer's ids; the first event."""

    type: Literal["start"] = "start"
    conversation_id: str
    message_id: str


class Status(_Word):
    """What is being done, for a reader who waits."""

    type: Literal["status"] = "status"
    stage: Literal["searching", "widened", "writing"]
    text: str


class Sources(_Word):
    """The passages the answer will be written from; empty when nothing relevant was found, with the nearest sections instead."""

    type: Literal["sources"] = "sources"
    sources: list[Source]
    nearest: list[Source] = []


class Delta(_Word):
    """A piece of the response, to be appended."""

    type: Literal["delta"] = "delta"
    text: str


class Done(_Word):
    """How the answer ended; the last event of one that did."""

    type: Literal["done"] = "done"
    outcome: Outcome
    degraded: list[Part] = []
    mode: Mode
    finish_reason: FinishReason
    citations: list[Citation]
    sources: list[Source] = Field(description="The cited ones alone.")
    nearest: list[Source] = Field(default=[], description="Closest sections, offered when the docs do not answer.")
    scope: SearchedScope = SearchedScope()
    understood_as: str | None = Field(
        default=None, description="The question as it was searched for, when earlier turns were needed to understand it."
    )


class Problem(BaseModel):
    """A failure as RFC 9457 puts it. ``detail`` is a sentence for the reader."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    retryable: bool
    retry_after: int | None = Field(default=None, description="Seconds to wait, when known.")
    errors: list[dict[str, Any]] | None = Field(default=None, description="On 422: where, what kind, what about it.")


class Failed(_Word):
    """The answer broke off; the last event of one that did. ``problem`` is the same object as an HTTP error's body."""

    type: Literal["error"] = "error"
    problem: Problem


Event = Start | Status | Sources | Delta | Done | Failed


class ChatResponse(_Word):
    """The fold of the events: ``response`` is the contract, all else is additive."""

    response: str
    conversation_id: str
    message_id: str
    outcome: Outcome
    degraded: list[Part]
    mode: Mode
    finish_reason: FinishReason
    citations: list[Citation]
    sources: list[Source]
    nearest: list[Source]
    scope: SearchedScope
    understood_as: str | None = None


class SearchResponse(_Word):
    """The sections nearest to a query, best first, and whether they are near enough to answer from."""

    results: list[Source]
    answerable: bool | None = Field(description="Above the gate; null when only words were compared.")
    degraded: list[Part]
    scope: SearchedScope


def cited_in(answer: Done | ChatResponse) -> list[tuple[Citation, Source]]:
    """Each marker with the source that it names, in the order of the text."""
    sources = {source.id: source for source in answer.sources}
    return [(one, sources[one.source_id]) for one in answer.citations if one.source_id in sources]
