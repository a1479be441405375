"""Which kind of source a SOURCE is, a built site, Markdown or a live site, and reading it with the options of the command."""

import re
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from qdrant_indexer.html_pages import read_build
from qdrant_indexer.live_site import read_live
from qdrant_indexer.pages import KINDS, Page, Site, SiteError, Skipped
from qdrant_indexer.source_site import is_site_folder, read_source

Mode = Literal["html", "markdown", "live"]
MODES: tuple[Mode, ...] = ("html", "markdown", "live")
_WORDS: dict[Mode, str] = {"html": "a built site", "markdown": "Markdown", "live": "a live site"}
_MARKDOWN_OPTIONS = ("base_url", "route_base_path", "default_locale", "last_version", "version_path", "trailing_slash")
_UNREAD = re.compile(
    r"unreadable|its front matter|nested too deeply|larger than|took longer|can't be|could not|answered with status"
    r"|over the limit|redirects|sitemap:|is missing|does not say its address"
)
"""Reasons that are faults, not wishes: what a reader can open is missing in the index then."""
_PLACE = re.compile(r"\S*/.*?(?= is already|: |, | in \S+$|$)")
"""A path or an address in a reason; it may hold spaces."""
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Source:
    """Where a site is read from, and how."""

    place: str
    mode: Mode

    @property
    def words(self) -> str:
        """For the first line of a run."""
        return f"{self.place} is read as {_WORDS[self.mode]}"


@dataclass(frozen=True, slots=True)
class SkippedGroup:
    """Pages that were passed over for one reason."""

    reason: str
    """Without what differs from page to page."""
    count: int
    sources: tuple[str, ...]
    """A few of them."""
    is_fault: bool
    """Whether they could not be read, while they should have been."""


def source_of(options: Namespace) -> Source:
    """What the options name. Raises SiteError when they contradict each other or name nothing."""
    place = options.source
    if place is None:
        if not is_site_folder(Path()):
            raise SiteError("Name a SOURCE: the folder you are in is no Docusaurus site.")
        place = "."
    mode: Mode = options.mode or _detected(place)
    if mode != "markdown" and (given := [name for name in _MARKDOWN_OPTIONS if getattr(options, name) is not None]):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise SiteError(f"{names}: for Markdown alone; {place} is read as {_WORDS[mode]}, which says its addresses itself.")
    if mode == "live" and not urlsplit(place).path.endswith((".xml", ".xml.gz")):
        place = f"{place.rstrip('/')}/sitemap.xml"
    return Source(place, mode)


def _detected(place: str) -> Mode:
    if place.startswith(("http://", "https://")):
        return "live"
    folder = Path(place)
    if any(folder.glob("docusaurus.config.*")):
        return "markdown"
    if (folder / "sitemap.xml").is_file() or any(folder.glob("*.html")):
        return "html"
    # A part of a build, such as build/docs, has its pages further down; Markdown beside them is what Docusaurus was given.
    has_markdown = is_site_folder(folder) or any(any(folder.rglob(f"*{ending}")) for ending in (".md", ".mdx"))
    return "html" if not has_markdown and any(folder.rglob("*.html")) else "markdown"


async def read(source: Source, options: Namespace) -> Site:
    """The pages the options ask for. Raises SiteError when there are none."""
    if source.mode == "live":
        site = await read_live(source.place)
    elif source.mode == "html":
        site = read_build(Path(source.place))
    else:
        site = _markdown(Path(source.place), options)
    pages = tuple(page for page in site.pages if _wanted(page, options))
    if not pages:
        reasons = groups(site.skipped)
        left = f"; {reasons[0].count} were passed over: {reasons[0].reason}" if reasons else ""
        raise SiteError(f"There is nothing to index in {source.place}{left}.")
    return replace(site, pages=pages)


def _markdown(folder: Path, options: Namespace) -> Site:
    return read_source(
        folder,
        base_url=options.base_url or "/",
        route_base_path="docs" if options.route_base_path is None else options.route_base_path,
        default_locale=options.default_locale or "en",
        locales=options.locale if is_site_folder(folder) else None,
        last_version=options.last_version,
        version_paths=dict(options.version_path or ()),
        trailing_slash=options.trailing_slash,
        kinds=options.kind or KINDS,
    )


def _wanted(page: Page, options: Namespace) -> bool:
    if options.kind and page.kind not in options.kind:
        return False
    if options.locale and page.locale not in options.locale:
        return False
    names = (page.source, page.url)
    if options.include and not _fits(names, options.include):
        return False
    return not _fits(names, options.exclude or ())


def _fits(names: Sequence[str], globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for name in names for glob in globs)


def groups(skipped: Sequence[Skipped]) -> list[SkippedGroup]:
    """Most frequent reason first."""
    reasons = [_PLACE.sub("...", one.reason) for one in skipped]
    counted = Counter(reasons)
    return [
        SkippedGroup(
            reason,
            count,
            tuple(one.source for one, own in zip(skipped, reasons, strict=True) if own == reason)[:_EXAMPLES],
            is_fault(reason),
        )
        for reason, count in counted.most_common()
    ]


def is_fault(reason: str) -> bool:
    """Whether a page was passed over because it could not be read, not because it is not to be found."""
    return bool(_UNREAD.search(reason))
