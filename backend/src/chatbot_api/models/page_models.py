"""The words of whole pages: where a passage stands, a page as it is listed, and a page with its text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatbot_api.models.index_models import Passage, passage_from_payload

PLACE_KEYS = ("url", "title", "page_id", "ordinal", "version", "locale", "last_version")
"""Payload keys that tell where a passage stands; the text, most of a payload, is not among them."""


@dataclass(frozen=True, slots=True)
class PassagePlace:
    """A passage without its text."""

    id: str
    url: str
    """As indexed: raw, usually site-relative; empty where another tool's point bears no address."""
    title: str
    page_id: str
    ordinal: int
    version: str | None
    locale: str
    is_last_version: bool

    @classmethod
    def of(cls, passage: Passage) -> "PassagePlace":
        """Where a passage stands."""
        return cls(
            passage.id,
            passage.url,
            passage.title,
            passage.page_id,
            passage.ordinal,
            passage.version,
            passage.locale,
            passage.is_last_version,
        )


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A page of the site, as a list shows it."""

    id: str
    """One a page, locale and version; lists are in its order, and go on after it."""
    title: str
    path: str
    """The address as indexed: raw, usually site-relative."""
    url: str
    """The address a reader opens, percent-encoded."""
    version: str | None
    locale: str
    is_last_version: bool
    """Whether it is of the version that readers see by default."""


@dataclass(frozen=True, slots=True)
class IndexedPage:
    """A page of the site with all of its text that is indexed."""

    page: ListedPage
    markdown: str
    """The title as h1, then the sections in reading order below their headings."""


def place_from_payload(point_id: str, payload: Mapping[str, Any] | None) -> PassagePlace | None:
    """Where the point of ours stands, by a payload of PLACE_KEYS; None for one without an address."""
    passage = passage_from_payload(point_id, {**(payload or {}), "text": ""})
    return PassagePlace.of(passage) if passage else None
