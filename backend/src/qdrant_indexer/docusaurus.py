"""Reads the folder of a Docusaurus site's Markdown into pages: address, title, plain Markdown and headings with their ids.

No Node and no build is needed. Versions, locales and blogs are not read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml
from markdown_it.token import Token

from chatbot_api.models.clean_text import clean
from qdrant_indexer.headings import Heading, markdown_parser, plain_text, split_headings
from qdrant_indexer.links import with_addresses
from qdrant_indexer.mdx import to_marked_markdown
from qdrant_indexer.permalinks import base_id, permalink, why_excluded

__all__ = ["Heading", "Page", "Site", "SiteError", "Skipped", "read_docs"]

_FRONT_MATTER = re.compile(r"\s*?---[ \t]*\n(?P<yaml>.*?)(?:^|\n)---[ \t]*(?:\n|$)", re.DOTALL)
_ENDINGS = frozenset({".md", ".mdx"})


class SiteError(Exception):
    """The folder can't be read as a site's docs; the message is one sentence for the site's owner."""


class _PageError(Exception):
    """One file can't be read as a page; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the site."""

    source: str
    """Posix path relative to the docs folder."""
    url: str
    """Permalink, raw (not percent-encoded): ``/docs/intro``."""
    title: str
    """Plain text: front matter title, else the first h1, else the id."""
    description: str
    """Front matter description, else the first paragraph's plain text."""
    markdown: str
    """The body as plain CommonMark with tables; partials are in it, no text of the MDX is lost."""
    headings: tuple[Heading, ...]
    """The headings markdown-it finds in ``markdown``, in order."""
    version: str | None = None
    locale: str = "en"
    sidebar_position: float | None = None
    """Front matter's place in the sidebar; None when it has none."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A Markdown file that is no page, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Site:
    """What was read, ordered by source path."""

    pages: tuple[Page, ...]
    skipped: tuple[Skipped, ...]


def read_docs(docs_dir: Path, *, base_url: str = "/", route_base_path: str = "docs") -> Site:
    """The pages below ``docs_dir``, as a production build with these two settings would serve them.

    A file that can't be read is skipped with a reason. Raises SiteError when the folder is missing or holds no Markdown.
    """
    if not docs_dir.is_dir():
        raise SiteError(f"There is no folder {docs_dir}.")
    sources = sorted(_sources(docs_dir))
    if not sources:
        raise SiteError(f"The folder {docs_dir} holds no Markdown (.md or .mdx) files.")
    reader = _Reader(docs_dir, base_url, route_base_path)
    pages: dict[str, Page] = {}
    skipped: list[Skipped] = []
    for source in sources:
        try:
            page = reader.page(source)
        except _PageError as error:
            skipped.append(Skipped(source, str(error)))
            continue
        if page.url in pages:
            skipped.append(Skipped(source, f"its address {page.url} is already that of {pages[page.url].source}"))
        else:
            pages[page.url] = page
    addresses = {page.source: page.url for page in pages.values()}
    linked = (replace(page, markdown=with_addresses(page.markdown, page.source, addresses)) for page in pages.values())
    return Site(tuple(linked), tuple(skipped))


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _sources(docs_dir: Path) -> list[str]:
    paths = (path.relative_to(docs_dir) for path in docs_dir.rglob("*") if path.suffix in _ENDINGS and path.is_file())
    # Docusaurus' globs pass over hidden files and folders without a word.
    return [path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)]


class _Reader:
    def __init__(self, docs_dir: Path, base_url: str, route_base_path: str) -> None:
        self._docs_dir = docs_dir.resolve()
        self._base_url = base_url
        self._route_base_path = route_base_path

    def page(self, source: str) -> Page:
        """The page of one file; raises _PageError when it is none."""
        if reason := why_excluded(source):
            raise _PageError(reason)
        front_matter, body = _split(_text_of(self._docs_dir / source))
        scalars = {key: clean(value).strip() for key, value in front_matter.items() if isinstance(value, str)}
        scalars = {key: value for key, value in scalars.items() if value not in {"", "~", "null"}}
        for key, reason in (("draft", "draft"), ("unlisted", "unlisted: built, but not to be found")):
            if scalars.get(key, "").lower() == "true":
                raise _PageError(reason)
        try:
            markdown, headings = split_headings(self._marked(self._docs_dir / source, body, {"frontMatter": scalars}, ()))
        except RecursionError:
            raise _PageError("its JSX is nested too deeply") from None
        first_h1 = next((heading.text for heading in headings if heading.level == 1 and heading.text), "")
        return Page(
            source=source,
            url=permalink(source, scalars, base_url=self._base_url, route_base_path=self._route_base_path),
            title=scalars.get("title") or first_h1 or base_id(source, scalars),
            description=scalars.get("description") or _first_paragraph(markdown),
            markdown=markdown,
            headings=headings,
            sidebar_position=_number(scalars.get("sidebar_position")),
        )

    def _marked(self, path: Path, body: str, values: Mapping[str, Any], within: tuple[Path, ...]) -> str:
        def partial(target: str, props: Mapping[str, Any]) -> str | None:
            found = self._partial_path(path, target)
            if found is None or found in (*within, path):
                return None
            try:
                front_matter, text = _split(_text_of(found))
            except _PageError:
                return None
            return self._marked(found, text, {"frontMatter": front_matter, **props}, (*within, path))

        return to_marked_markdown(body, partial, values)

    def _partial_path(self, importer: Path, target: str) -> Path | None:
        """The imported Markdown file; None unless it lies within the site, whose folder is the docs folder's parent."""
        site_dir = self._docs_dir.parent
        path = site_dir / target.removeprefix("@site/") if target.startswith("@site/") else importer.parent / target
        resolved = path.resolve()
        return resolved if resolved.is_relative_to(site_dir) and resolved.is_file() else None


def _text_of(path: Path) -> str:
    try:
        return clean(path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError:
        raise _PageError("unreadable: not UTF-8 text") from None
    except OSError as error:
        raise _PageError(f"unreadable: {error.strerror}") from None


def _split(text: str) -> tuple[dict[str, Any], str]:
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    try:
        # Scalars stay as they are written: a title 1.10 is no number, a date in the slug no date.
        values = yaml.load(match["yaml"], yaml.BaseLoader)  # noqa: S506  (BaseLoader makes strings, lists and dicts alone)
    except (yaml.YAMLError, RecursionError):
        raise _PageError("its front matter is not valid YAML") from None
    if values is not None and not isinstance(values, dict):
        return ({}, text[match.end() :]) if values == "" else ({}, text)
    return cast(dict[str, Any], values or {}), text[match.end() :]


def _first_paragraph(markdown: str) -> str:
    tokens = markdown_parser().parse(markdown[:4000])  # parsing a long page again for its first lines is slow
    texts = (_paragraph(tokens, position) for position, token in enumerate(tokens) if token.type == "paragraph_open")
    return next((text for text in texts if text), "")


def _paragraph(tokens: list[Token], position: int) -> str:
    return " ".join(plain_text(tokens[position + 1]).split())
