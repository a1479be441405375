"""Whole pages, put together again from the passages of the index: the list of them, and one with its text as Markdown."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from re import match
from time import monotonic
from typing import Protocol
from urllib.parse import unquote, urlsplit

from chatbot_api.models.index_models import Passage, link
from chatbot_api.models.page_models import IndexedPage, ListedPage, PassagePlace

FRESH_S = 60.0
"""So long a list of the pages is good: a new run of the index shows in it after a minute at the latest."""
MOST_PASSAGES = 5000
"""Of one page: about a million words, more than any page has."""
AT_ONCE = 250
"""Passages of another tool's collection asked for by their ids."""
SHORTEST_OVERLAP = 20
"""Characters: less may be alike by chance."""


class PageIndex(Protocol):
    """Who keeps the passages. Raises SearchError."""

    @property
    def is_foreign(self) -> bool: ...  # noqa: D102
    def places(self, site: str) -> AsyncGenerator[Sequence[PassagePlace], None]: ...  # noqa: D102
    async def of_page(self, urls: Sequence[str], site: str, limit: int) -> list[Passage]: ...  # noqa: D102
    async def passages(self, ids: Sequence[str], site: str) -> list[Passage]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class _Contents:
    """The site's pages at a moment."""

    read_at: float
    pages: tuple[ListedPage, ...]
    """By their ids."""
    passage_ids: dict[str, list[str]]
    """Page id -> its passages' ids in reading order; only of another tool's collection, which can't be asked for an address."""


class IndexedPages:
    """The pages of one site. Their list costs a look at every passage, so it is read once for all who ask within a minute."""

    def __init__(self, index: PageIndex, *, site: str, site_url: str, clock: Callable[[], float] = monotonic) -> None:
        """``site``: whose pages. ``site_url``: base of their addresses; empty: these are relative. ``clock``: seconds."""
        self._index, self._site, self._site_url, self._clock = index, site, site_url, clock
        self._contents: _Contents | None = None
        self._reading: asyncio.Task[_Contents] | None = None

    async def pages(
        self, prefix: str | None, after: str | None, limit: int, *, version: str | None = None, locale: str | None = None
    ) -> list[ListedPage]:
        """At most ``limit`` pages in the order of their ids, those behind the id ``after``. Raises SearchError.

        ``prefix``: how their address begins, as a path or in full. ``version``: None is what readers see by default.
        ``locale``: None is any.
        """
        contents = await self._read_contents()
        starts = tuple(_spellings(prefix, self._site_url)) if prefix else ("",)
        wanted = (
            page
            for page in contents.pages
            if (after is None or page.id > after)
            and page.path.startswith(starts)
            and (page.is_last_version if version is None else page.version == version)
            and locale in (None, page.locale)
        )
        return [page for page, _ in zip(wanted, range(limit), strict=False)]

    async def page(self, url: str) -> IndexedPage | None:
        """The page at this address, a path or in full, whatever follows ``#`` or ``?``; None when none is. Raises SearchError."""
        urls = _addresses(url, self._site_url)
        if not urls:
            return None
        if self._index.is_foreign:
            passages = await self._passages_listed(urls)
        else:
            passages = await self._index.of_page(urls, self._site, MOST_PASSAGES)
        if not passages:
            return None
        best = min(passages, key=lambda one: (not one.is_last_version, one.page_id))
        of_page = [one for one in passages if one.page_id == best.page_id]
        if not self._index.is_foreign:
            of_page.sort(key=lambda one: one.ordinal)
        return IndexedPage(self._listed(PassagePlace.of(of_page[0])), markdown_of(of_page, overlapping=self._index.is_foreign))

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _passages_listed(self, urls: Sequence[str]) -> list[Passage]:
        contents = await self._read_contents()
        found = next((page for page in contents.pages if page.path in urls), None)
        ids = contents.passage_ids[found.id][:MOST_PASSAGES] if found else []
        parts = [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
        return [passage for part in parts for passage in await self._index.passages(part, self._site)]

    async def _read_contents(self) -> _Contents:
        if self._contents and self._clock() - self._contents.read_at < FRESH_S:
            return self._contents
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(_retrieved)
        # Who stops waiting does not stop it: the next one finds it further on, or done.
        return await asyncio.shield(self._reading)

    async def _read(self) -> _Contents:
        read_at, keep_ids = self._clock(), self._index.is_foreign
        first: dict[str, PassagePlace] = {}
        places: dict[str, list[tuple[int, str]]] = {}
        async with aclosing(self._index.places(self._site)) as batches:
            async for batch in batches:
                for place in batch:
                    if not place.url:
                        continue
                    if place.page_id not in first or place.ordinal < first[place.page_id].ordinal:
                        first[place.page_id] = place
                    if keep_ids:
                        places.setdefault(place.page_id, []).append((place.ordinal, place.id))
        pages = tuple(self._listed(first[page_id]) for page_id in sorted(first))
        ids = {page_id: [passage_id for _, passage_id in sorted(held)] for page_id, held in places.items()}
        self._contents = _Contents(read_at, pages, ids)
        return self._contents

    def _listed(self, place: PassagePlace) -> ListedPage:
        return ListedPage(
            id=place.page_id,
            title=place.title,
            path=place.url,
            url=link(self._site_url, place.url, ""),
            version=place.version,
            locale=place.locale,
            is_last_version=place.is_last_version,
        )


def markdown_of(passages: Sequence[Passage], *, overlapping: bool = False) -> str:
    """The passages of one page, in reading order, as one Markdown text below the page's title.

    ``overlapping``: a passage may begin with the end of the one before, as splitters of other tools make them; that is cut off.
    """
    parts = [f"# {passages[0].title}"] if passages else []
    before: Passage | None = None
    for passage in passages:
        text = passage.text
        if before is None or (passage.heading_path, passage.anchor) != (before.heading_path, before.anchor):
            parts += _headings(passage, before)
        elif overlapping and (repeated := _overlap(before.text, text)):
            text = text[repeated:].lstrip()
        if text:
            parts.append(text)
        before = passage
    return "\n\n".join(parts)


def _headings(passage: Passage, before: Passage | None) -> list[str]:
    """The headings between the passage before and this one; none when the text begins with one, as some tools' do."""
    if match(r"#{1,6}\s", passage.text):
        return []
    path, earlier = passage.heading_path, before.heading_path if before else ()
    shared = 0
    while shared < min(len(path) - 1, len(earlier)) and path[shared] == earlier[shared]:
        shared += 1
    return [f"{'#' * min(level, 6)} {text}" for level, text in enumerate(path[shared:], start=shared + 2)]


def _overlap(before: str, text: str) -> int:
    """How many characters at the text's beginning are the end of the one before."""
    longest = min(len(before), len(text))
    return next((size for size in range(longest, SHORTEST_OVERLAP - 1, -1) if before.endswith(text[:size])), 0)


def _addresses(url: str, site_url: str) -> list[str]:
    """The addresses that a page may be indexed by: with and without a slash at its end."""
    spelled = _spellings(url, site_url)
    bare = [one.rstrip("/") for one in spelled]
    return list(dict.fromkeys([*(one or "/" for one in bare), *(f"{one}/" for one in bare)]))


def _spellings(url: str, site_url: str) -> list[str]:
    """An address as the index may hold it: in full, as a path, and as a path below the site's own; none for another site's."""
    try:
        asked, site = urlsplit(url.strip()), urlsplit(site_url)
    except ValueError:
        return []
    path = unquote(asked.path)
    if not asked.netloc and not asked.scheme:
        return [path if path.startswith("/") else f"/{path}"] if path else []
    in_full = f"{asked.scheme}://{asked.netloc}{path}"
    if site.netloc and asked.netloc.lower() != site.netloc.lower():
        return [in_full]
    below = unquote(site.path).rstrip("/")
    inner = [path.removeprefix(below)] if below and path.startswith(f"{below}/") else []
    return [in_full, path or "/", *inner]


def _retrieved(task: "asyncio.Task[_Contents]") -> None:
    if not task.cancelled():
        task.exception()  # whoever asked may have left, and asyncio would log that nobody looked
