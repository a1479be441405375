"""Reads a published Docusaurus site into pages by its sitemap: the built pages, fetched from where readers find them."""

import asyncio
from collections.abc import Sequence

import httpx

from qdrant_indexer.html_document import Document, document_of
from qdrant_indexer.html_pages import site_of
from qdrant_indexer.pages import Site, SiteError, Skipped
from qdrant_indexer.site_client import NotFetched, SiteClient, new_client
from qdrant_indexer.sitemap import MOST_BYTES, Sitemap, SitemapError, read_sitemap

MOST_SITEMAPS = 100
_HTML = frozenset({"text/html", "application/xhtml+xml"})


async def read_live(
    sitemap_url: str,
    *,
    concurrency: int = 4,
    most_pages: int = 5000,
    most_bytes: int = 5_000_000,
    delay_s: float = 0.0,
    timeout_s: float = 30.0,
) -> Site:
    """The pages the sitemap lists, of its own site (scheme, host and port) alone; no other host is contacted.

    ``concurrency``: requests at a time; ``most_bytes``: of one page, unpacked; ``delay_s``: least time between two requests,
    robots.txt may ask for more; ``timeout_s``: for one request. A page that can't be had is skipped with a reason.
    Raises SiteError when the sitemap or robots.txt can't be read, or no page remains.
    """
    start = _address(sitemap_url)
    if start is None or start.userinfo:
        raise SiteError(f"{sitemap_url} is not the http(s) address of a sitemap.")
    async with new_client(connections=concurrency, timeout_s=timeout_s) as client:
        site = SiteClient(start, client, delay_s=delay_s, most_seconds=timeout_s)
        try:
            await site.read_robots(most_bytes)
        except NotFetched as error:
            raise SiteError(f"The site's robots.txt can't be read, so nothing may be fetched: {error}.") from None
        reader = _Reader(site, most_pages, most_bytes)
        listed = await reader.listed(start)
        documents = await reader.documents(listed, concurrency)
    read = site_of(documents, reader.skipped)
    if not read.pages:
        reason = f"; {read.skipped[0].source}: {read.skipped[0].reason}" if read.skipped else ""
        raise SiteError(f"The sitemap {sitemap_url} lists no pages to index{reason}.")
    return read


class _Reader:
    def __init__(self, site: SiteClient, most_pages: int, most_bytes: int) -> None:
        self.skipped: list[Skipped] = []
        self._site = site
        self._most_pages = most_pages
        self._most_bytes = most_bytes

    async def listed(self, start: httpx.URL) -> list[httpx.URL]:
        """The pages of the sitemap, and of those it lists: each once, at most ``most_pages``."""
        try:
            first = await self._sitemap(start)
        except (NotFetched, SitemapError) as error:
            raise SiteError(f"The sitemap {start} can't be read: {error}.") from None
        addresses = list(first.pages)
        for url in self._allowed(first.sitemaps, MOST_SITEMAPS, "sitemaps"):
            try:
                addresses += (await self._sitemap(url)).pages
            except (NotFetched, SitemapError) as error:
                self.skipped.append(Skipped(str(url), f"sitemap: {error}"))
        return self._allowed(addresses, self._most_pages, "pages")

    async def _sitemap(self, url: httpx.URL) -> Sitemap:
        return read_sitemap((await self._site.get(url, MOST_BYTES)).content)

    def _allowed(self, addresses: Sequence[str], most: int, what: str) -> list[httpx.URL]:
        allowed: dict[str, httpx.URL] = {}
        for address in dict.fromkeys(addresses):
            url = _address(address)
            reason = "not an http(s) address: not fetched" if url is None else self._site.why_not(url)
            if url is None or reason:
                self.skipped.append(Skipped(address, reason or ""))
            else:
                allowed[str(url)] = url
        urls = list(allowed.values())
        if len(urls) > most:
            self.skipped.append(Skipped(str(urls[most]), f"it and {len(urls) - most - 1} more: over the limit of {most} {what}"))
        return urls[:most]

    async def documents(self, urls: Sequence[httpx.URL], concurrency: int) -> list[Document]:
        """The pages of these addresses, in their order; the others are added to ``skipped``."""
        found: list[Document | Skipped | None] = [None] * len(urls)
        waiting = iter(enumerate(urls))

        async def work() -> None:
            for place, url in waiting:
                found[place] = await self._document(url)

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
        self.skipped += [entry for entry in found if isinstance(entry, Skipped)]
        return [entry for entry in found if isinstance(entry, Document)]

    async def _document(self, url: httpx.URL) -> Document | Skipped:
        try:
            fetched = await self._site.get(url, self._most_bytes)
        except NotFetched as error:
            return Skipped(str(url), str(error))
        if fetched.media_type not in _HTML:
            return Skipped(str(url), f"not an HTML page but {fetched.media_type or 'of no type'}")
        return document_of(fetched.content, address=fetched.url.path, source=str(url))


def _address(text: str) -> httpx.URL | None:
    try:
        url = httpx.URL(text).copy_with(fragment=None)
    except httpx.InvalidURL:
        return None
    return url if url.scheme in {"http", "https"} and url.host else None
