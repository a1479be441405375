"""The words every reader of a site shares: its pages, and the files that are none."""

from dataclasses import dataclass
from typing import Literal

from qdrant_indexer.headings import Heading

Kind = Literal["doc", "blog", "page"]
"""Which of Docusaurus' content plugins serves a page: docs, blog, or pages (``src/pages``)."""
KINDS: tuple[Kind, ...] = ("doc", "blog", "page")


class SiteError(Exception):
    """The folder can't be read as a site; the message is one sentence for the site's owner."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the site."""

    source: str
    """Posix path relative to the folder that was read."""
    url: str
    """Permalink as served, raw (not percent-encoded): ``/docs/intro``."""
    title: str
    """Plain text: front matter title, else the first h1, else the id."""
    description: str
    """Front matter description, else the first paragraph's plain text."""
    markdown: str
    """The body as plain CommonMark with tables; partials are in it, no text of the MDX is lost."""
    headings: tuple[Heading, ...]
    """The headings markdown-it finds in ``markdown``, in order."""
    version: str | None = None
    """Docusaurus' name of the docs' version (``current``, ``2.0``); None on an unversioned site, in the blog and on pages."""
    locale: str = "en"
    sidebar_position: float | None = None
    """Front matter's place in the sidebar; None when it has none."""
    kind: Kind = "doc"
    is_last_version: bool = True
    """Whether the page is in the version Docusaurus shows by default; True for whatever has no version."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or a folder of files, that gives no page, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Site:
    """What was read, ordered by source path."""

    pages: tuple[Page, ...]
    skipped: tuple[Skipped, ...]
