"""Reads the Markdown of a Docusaurus site into pages: address, title, plain Markdown and headings with their ids.

No Node and no build is needed. This file reads given folders; ``source_site`` knows where a whole site has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from markdown_it.token import Token

from qdrant_indexer.contents import Content, Found, found_in
from qdrant_indexer.headings import Heading, markdown_parser, plain_text
from qdrant_indexer.links import with_addresses
from qdrant_indexer.page_files import DRAFT, PageError, TextReader
from qdrant_indexer.pages import Kind, Page, Site, SiteError, Skipped
from qdrant_indexer.permalinks import base_id, blog_name

__all__ = ["Heading", "Kind", "Page", "Site", "SiteError", "Skipped", "read_contents", "read_docs"]

_FEW = 10
"""Up to so many untranslated copies of a locale are told one by one."""


def read_docs(
    docs_dir: Path,
    *,
    base_url: str = "/",
    route_base_path: str = "docs",
    locale: str = "en",
    trailing_slash: bool | None = None,
) -> Site:
    """The pages below ``docs_dir`` as one unversioned content, as a production build with these settings would serve them.

    A file that can't be read is skipped with a reason. Raises SiteError when the folder is missing or holds no Markdown.
    """
    if not docs_dir.is_dir():
        raise SiteError(f"There is no folder {docs_dir}.")
    folder = docs_dir.resolve()
    content = Content(folder, base_url, route_base_path, locale=locale)
    site = read_contents([content], site_dir=folder.parent, top=folder, trailing_slash=trailing_slash)
    if not site.pages and not site.skipped:
        raise SiteError(f"The folder {docs_dir} holds no Markdown (.md or .mdx) files.")
    return site


def read_contents(contents: Sequence[Content], *, site_dir: Path, top: Path, trailing_slash: bool | None) -> Site:
    """The pages of these contents of one site, sources told relative to ``top``. All folders are absolute.

    No partial outside of ``site_dir`` and the contents' folders is read. Of two files with one address the first has it.
    """
    looked_at = [one for content in contents for one in found_in(content, trailing_slash)]
    found = [one for one in looked_at if isinstance(one, Found)]
    skipped = [replace(one, source=_below(top, one.source)) for one in looked_at if isinstance(one, Skipped)]
    addresses = _addresses(found, site_dir)
    pages: dict[str, Page] = {}
    for one in (one for one in found if one.copy_of is None):
        source = _below(top, one.path)
        if reason := one.hidden or _taken(one, pages):
            skipped.append(Skipped(source, reason))
            continue
        try:
            page = _page(one, source, site_dir)
        except PageError as error:
            skipped.append(Skipped(source, str(error)))
            continue
        file, roots = _below(site_dir, one.path), one.content.roots(site_dir)
        linked = with_addresses(page.markdown, file, roots, addresses[page.locale])
        pages[one.url] = replace(page, markdown=linked)
    skipped += _copies([one for one in found if not one.hidden and one.url not in pages], top)
    return Site(tuple(sorted(pages.values(), key=_source)), tuple(sorted(skipped, key=_source)))


def _below(folder: Path, path: Path | str) -> str:
    return Path(path).relative_to(folder).as_posix()


def _source(one: Page | Skipped) -> str:
    return one.source


def _taken(one: Found, pages: Mapping[str, Page]) -> str | None:
    return f"its address {one.url} is already that of {pages[one.url].source}" if one.url in pages else None


def _addresses(found: Sequence[Found], site_dir: Path) -> dict[str, dict[str, str]]:
    """Locale -> path below the site's folder, of a file or of where its translation would lie -> its address."""
    addresses: dict[str, dict[str, str]] = {}
    for one in found:
        if one.hidden != DRAFT:
            known = addresses.setdefault(one.content.locale, {})
            for root in one.content.roots(site_dir):
                known.setdefault(f"{root}/{one.name}", one.url)
    return addresses


def _page(one: Found, source: str, site_dir: Path) -> Page:
    content, scalars = one.content, one.scalars
    reader = TextReader(site_dir, content.folder, content.translations)
    markdown, headings = reader.text(one.path, one.body, scalars)
    first_h1 = next((heading.text for heading in headings if heading.level == 1 and heading.text), "")
    return Page(
        source=source,
        url=one.url,
        title=scalars.get("title") or first_h1 or _name(one),
        description=scalars.get("description") or _first_paragraph(markdown),
        markdown=markdown,
        headings=headings,
        version=content.version,
        locale=content.locale,
        sidebar_position=_number(scalars.get("sidebar_position")),
        kind=content.kind,
        is_last_version=content.is_last_version,
    )


def _name(one: Found) -> str:
    """What a page without a title is called."""
    if one.content.kind == "blog":
        return blog_name(one.name)
    path = PurePosixPath(one.name)
    if one.content.kind == "page":
        return path.parent.name if path.stem.lower() == "index" and path.parent.name else path.stem
    return base_id(one.name, one.scalars)


def _copies(found: Sequence[Found], top: Path) -> list[Skipped]:
    by_locale: dict[str, list[Found]] = {}
    for one in found:
        if one.copy_of is not None:
            by_locale.setdefault(one.content.locale, []).append(one)
    skipped: list[Skipped] = []
    for locale, copies in by_locale.items():
        if len(copies) > _FEW:
            reason = f"{len(copies)} untranslated copies of other pages: {copies[0].url} of {copies[0].copy_of}, and so on"
            skipped.append(Skipped(f"i18n/{locale}", reason))
        else:
            skipped += (Skipped(_below(top, one.path), f"untranslated copy of {one.copy_of} in {locale}") for one in copies)
    return skipped


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _first_paragraph(markdown: str) -> str:
    tokens = markdown_parser().parse(markdown[:4000])  # parsing a long page again for its first lines is slow
    texts = (_paragraph(tokens, position) for position, token in enumerate(tokens) if token.type == "paragraph_open")
    return next((text for text in texts if text), "")


def _paragraph(tokens: list[Token], position: int) -> str:
    return " ".join(plain_text(tokens[position + 1]).split())
