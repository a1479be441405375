"""The words of the index: passages, the scope they are searched in, and the marker that says how they were made."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

SCHEMA_VERSION = 1
"""Raised when the payload or the vectors' names change; an index of another version is refused."""


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
    locale: str = "en"

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
        del values["id"]
        return {**values, "heading_path": list(self.heading_path), "content_hash": self.content_hash}


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, with how well."""

    passage: Passage
    score: float
    """Fused score, rank-based: it orders the hits of one search and means nothing between searches."""
    cosine: float | None
    """Raw cosine similarity of question and passage, -1..1; None when only the lexical arm could be searched."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search is limited to; None means any."""

    site: str | None = None
    version: str | None = None
    locale: str | None = None

    def conditions(self) -> dict[str, str]:
        """Payload key -> the value it must have."""
        named = {"site": self.site, "version": self.version, "locale": self.locale}
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
    """Highest cosine below which the docs are said not to answer; belongs to the model, so not to the index."""


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
        """The marker in an engine's metadata; None when it bears none of ours."""
        try:
            return cls(**metadata)
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
    )


def link(site_url: str, url: str, anchor: str) -> str:
    """The address a reader opens: site url + page + ``#anchor``, percent-encoded where a browser wants it."""
    address = url if url.startswith(("http://", "https://")) else site_url.rstrip("/") + url
    head = quote(address, safe="/:?=&%@+,;~!$'()*[]#")
    return f"{head}#{quote(anchor, safe='')}" if anchor else head


def _text(payload: dict[str, Any], key: str) -> str:
    value = payload.get(key)
    return value if isinstance(value, str) else ""
