"""Reads a built Docusaurus site (``build/``) into pages: their addresses and anchors are those of the build itself."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from qdrant_indexer.built_versions import with_versions
from qdrant_indexer.html_document import Document, document_of
from qdrant_indexer.pages import Page, Site, SiteError, Skipped

__all__ = ["page_of_html", "read_build", "site_of"]

_METADATA = "site-*.json"
_TRANSLATED = "i18n/"


def read_build(build_dir: Path, *, metadata_dir: Path | None = None) -> Site:
    """The pages of a build, of all its locales and versions, ordered by source path.

    ``metadata_dir``: the site's ``.docusaurus`` folder, by default the one beside the build; it only tells from which file a
    page was made. It is no list of pages: after a build of several locales it describes the last one.
    Raises SiteError when the folder is missing or holds no page of Docusaurus.
    """
    if not build_dir.is_dir():
        raise SiteError(f"There is no folder {build_dir}.")
    paths = sorted(build_dir.rglob("*.html"))
    if not paths:
        raise SiteError(f"The folder {build_dir} holds no HTML files: is it a site's build?")
    read = [_document(path, path.relative_to(build_dir).as_posix()) for path in paths]
    sources = _sources(metadata_dir or build_dir.parent / ".docusaurus")
    documents = [_with_source(found, sources) for found in read if isinstance(found, Document)]
    site = site_of(documents, [found for found in read if isinstance(found, Skipped)])
    if not site.pages:
        raise SiteError(f"The folder {build_dir} holds no pages to index; {site.skipped[0].source}: {site.skipped[0].reason}.")
    return site


def page_of_html(html: bytes | str, *, address: str | None) -> Page | Skipped:
    """The page of one HTML document; ``address``: its raw path, for the case that it does not name it by a canonical link.

    Whether the site has versions, and which is the last one, is told by ``site_of`` alone.
    """
    found = document_of(html, address=address, source=address or "")
    return found.page if isinstance(found, Document) else found


def site_of(documents: Iterable[Document], skipped: Iterable[Skipped]) -> Site:
    """The site of these documents: each address once, and no copies in another locale that nobody translated."""
    dropped = list(skipped)
    by_url: dict[str, Document] = {}
    for document in documents:
        page = document.page
        if page.url in by_url:
            dropped.append(
                Skipped(document.found_at, f"its address {page.url} is already that of {by_url[page.url].page.source}")
            )
        else:
            by_url[page.url] = document
    pages: list[Page] = []
    for document in with_versions(list(by_url.values())):
        original = by_url.get(document.default_url or "")
        if original and original.page.locale != document.page.locale and original.fingerprint == document.fingerprint:
            dropped.append(Skipped(document.found_at, f"untranslated copy of {original.page.url}"))
        else:
            pages.append(document.page)
    ordered = sorted(pages, key=lambda page: (page.source, page.url))
    return Site(tuple(ordered), tuple(sorted(dropped, key=lambda entry: entry.source)))


def _document(path: Path, name: str) -> Document | Skipped:
    try:
        html = path.read_bytes()
    except OSError as error:
        return Skipped(name, f"unreadable: {error.strerror}")
    return document_of(html, address=_route(name), source=name)


def _route(name: str) -> str:
    """The address a file is served at, as far as its name tells; the site's baseUrl is not in it."""
    route = name.removesuffix(".html")
    return "/" + (route.removesuffix("index") if route.rpartition("/")[2] == "index" else route)


def _with_source(document: Document, sources: Mapping[str, str]) -> Document:
    page = document.page
    found = sources.get(_key(page.url))
    if found is None and document.default_url == page.url:
        others = (sources.get(_key(url), _TRANSLATED) for url in document.other_urls)
        found = next((source for source in others if not source.startswith(_TRANSLATED)), None)
    return replace(document, page=replace(page, source=found)) if found else document


def _sources(metadata_dir: Path) -> dict[str, str]:
    """Permalink without the slash at its end (it follows no ``trailingSlash``) -> source path below the site's folder."""
    sources: dict[str, str] = {}
    for path in sorted(metadata_dir.rglob(_METADATA)) if metadata_dir.is_dir() else ():
        try:
            values: Any = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            named = cast(dict[str, Any], values)
            permalink, source = named.get("permalink"), named.get("source")
            if isinstance(permalink, str) and isinstance(source, str) and source:
                sources.setdefault(_key(permalink), source.removeprefix("@site/"))
    return sources


def _key(url: str) -> str:
    return url.rstrip("/") or "/"
