"""The words of the index: passages, the scope they are searched in, and the marker that says how they were made."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

SCHEMA_VERSION = 2
"""Raised when the payload or the vectors' names change; an index of another version is refused."""

KEYWORDS = ("site", "version", "locale", "last_version", "url", "page_id")
"""Payload keys that searches are narrowed by: each has a keyword index, as a server in strict mode demands."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of one page below one heading: what is embedded, found, cited and shown."""

    id: str
    """UUID, the same for the same (site, locale, version, url, ordinal)."""
    text: str
    """The body as cited, Markdown, without the breadcrumb."""
    url: str
    """The page's address as Docusaurus serves it, raw (not percent-encoded), usually site-relative: ``/docs/intro``."""
    anchor: str
    """Id of the heading the passage lies under; empty for text before the first anchored heading."""
    title: str
    heading_path: tuple[str, ...]
    """Headings from h2 down to the passage's own, without the page's title."""
    page_id: str
    """One id a page, locale and version: hits of one page are told by it."""
    ordinal: int
    """Position within the page, from 0."""
    site: str
    version: str | None = None
    """Docusaurus' name of the docs' version; None where there are no versions."""
    locale: str = "en"
    is_last_version: bool = True
    """Whether it is of the version that readers see by default; True for what has no version."""
    kind: str = "doc"
    """doc, blog or page."""

    @property
    def breadcrumb(self) -> str:
        """``title > h2 > h3``: the cheapest large gain of retrieval is to embed it with the text."""
        return " > ".join((self.title, *self.heading_path))

    @property
    def embedded_text(self) -> str:
        """What both arms of the search see: breadcrumb, newline, body."""
        return f"{self.breadcrumb}\n{self.text}"

    @property
    def content_hash(self) -> str:
        """sha256 of the embedded text: equal hashes may share a vector."""
        return hashlib.sha256(self.embedded_text.encode()).hexdigest()

    def payload(self) -> dict[str, Any]:
        """The point's payload, the same on every engine; the id is the point's own."""
        values = asdict(self)
        del values["id"], values["is_last_version"]
        values["last_version"] = _yes_or_no(self.is_last_version)
        return {**values, "heading_path": list(self.heading_path), "content_hash": self.content_hash}


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, with how well."""

    passage: Passage
    score: float
    """Fused score of the engine, rank-based: it means nothing between searches."""
    cosine: float | None
    """Raw cosine similarity of question and passage, -1..1; None when only the lexical arm could be searched."""
    words: float | None = 0.0
    """BM25 score by the question's words, divided by their number; None where words can't be compared."""
    covered: float | None = 0.0
    """Share of the question's words, 0..1, rare ones counting more, that this passage and the better ones bear together.

    Of the first three hits; the later ones have the third one's. None where words can't be compared.
    """


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search is limited to; None means any."""

    site: str | None = None
    version: str | None = None
    locale: str | None = None
    last_version: bool | None = None
    """True: only what readers see by default; older and coming versions stay out."""

    def conditions(self) -> dict[str, str]:
        """Payload key -> the value it must have."""
        last = None if self.last_version is None else _yes_or_no(self.last_version)
        named = {"site": self.site, "version": self.version, "locale": self.locale, "last_version": last}
        return {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Embedder:
    """What made the vectors of an index, and what its scores mean."""

    model: str
    """Model id; ``none`` for a lexical index."""
    dimensions: int
    """Length of a vector; 0 for a lexical index."""
    task_format: str
    """How queries and passages are told apart: other formats of the same model are another vector space."""
    gate: float | None
    """Relevance (see there) below which the docs are said not to answer; belongs to the model, not to the index."""
    words_weight: float = 0.0
    """What the share of covered words counts in that value; 0 where it was not measured."""
    cosine_gate: float | None = None
    """The gate for the cosine alone, where words can't be compared; None: the same."""

    def relevance(self, hits: "Sequence[Hit]") -> float | None:
        """How near the nearest hits are to the question: the best cosine, plus the weighted share of its words they cover.

        None when only words were compared: nothing tells answerable from unanswerable then. Ranks can't tell either.
        """
        cosines = [hit.cosine for hit in hits if hit.cosine is not None]
        if not cosines:
            return None
        return max(cosines) + self.words_weight * max(hit.covered or 0.0 for hit in hits)

    def near_enough(self, hits: "Sequence[Hit]") -> bool:
        """Whether the docs are said to answer: some hit, and relevant enough where that can be told."""
        relevance = self.relevance(hits)
        by_cosine = self.cosine_gate is not None and all(hit.covered is None for hit in hits)
        gate = self.cosine_gate if by_cosine else self.gate
        return bool(hits) and (relevance is None or gate is None or relevance >= gate)


@dataclass(frozen=True, slots=True)
class IndexMarker:
    """How an index was made. Stored with it, compared at start: an index made otherwise is refused, never searched."""

    embedding_model: str
    dimensions: int
    task_format: str
    bm25: dict[str, Any] = field(default_factory=dict[str, Any])
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, embedder: Embedder, bm25: dict[str, Any]) -> "IndexMarker":
        """The marker an index made by this embedder and these BM25 settings bears."""
        return cls(embedder.model, embedder.dimensions, embedder.task_format, bm25)

    @classmethod
    def read(cls, metadata: dict[str, Any]) -> "IndexMarker | None":
        """The marker in an engine's metadata; None when it bears none of ours. ``run``, beside it, names the run it is of."""
        try:
            return cls(**{name: value for name, value in metadata.items() if name != "run"})
        except TypeError:
            return None

    def as_dict(self) -> dict[str, Any]:
        """For the engine's metadata."""
        return asdict(self)

    def differences(self, live: "IndexMarker") -> list[str]:
        """One sentence for each value in which a live index differs from this, the configured one."""
        mine, theirs = self.as_dict(), live.as_dict()
        return [
            f"{key}: the index has {theirs[key]!r}, the settings say {mine[key]!r}" for key in mine if mine[key] != theirs[key]
        ]


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage as an index holds it, with its vector (None in a lexical index)."""

    passage: Passage
    vector: Sequence[float] | None


def passage_from_payload(point_id: str, payload: dict[str, Any] | None) -> Passage | None:
    """The passage of a point of ours; None when the payload lacks text or shape (such a point is skipped, never fatal)."""
    if not payload or not isinstance(payload.get("text"), str) or not isinstance(payload.get("url"), str):
        return None
    path = payload.get("heading_path")
    return Passage(
        id=point_id,
        text=payload["text"],
        url=payload["url"],
        anchor=_text(payload, "anchor"),
        title=_text(payload, "title") or payload["url"],
        heading_path=tuple(str(part) for part in path) if isinstance(path, list) else (),  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        page_id=_text(payload, "page_id") or payload["url"],
        ordinal=payload["ordinal"] if isinstance(payload.get("ordinal"), int) else 0,
        site=_text(payload, "site"),
        version=_text(payload, "version") or None,
        locale=_text(payload, "locale") or "en",
        is_last_version=payload.get("last_version") != "no",
        kind=_text(payload, "kind") or "doc",
    )


@lru_cache(4096)
def link(site_url: str, url: str, anchor: str) -> str:
    """The address a reader opens: site url + page + ``#anchor``, percent-encoded; empty for a passage that bears none."""
    if not url:
        return ""
    address = url if url.startswith(("http://", "https://")) else site_url.rstrip("/") + url
    head = quote(address, safe="/:?=&%@+,;~!$'()*[]#")
    return f"{head}#{quote(anchor, safe='')}" if anchor else head


def _yes_or_no(value: bool) -> str:
    # The embedded engine compares a bool with no JSON bool, so the payload has words.
    return "yes" if value else "no"


def _text(payload: dict[str, Any], key: str) -> str:
    value = payload.get(key)
    return value if isinstance(value, str) else ""
