"""Sites written for a test, and what is asked of them once they are read."""

from pathlib import Path

from qdrant_indexer.docusaurus import Page, Site, read_docs


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, files: dict[str, str], **settings: str) -> Site:
    """The site of these files in ``docs``."""
    return read_docs(written(folder / "docs", files), **settings)


def page_of(folder: Path, text: str, **others: str) -> Page:
    """The page that this text is; ``others``: further files."""
    return next(page for page in read(folder, {"page.mdx": text, **others}).pages if page.source == "page.mdx")


def anchors(page: Page) -> list[str]:
    return [heading.anchor for heading in page.headings]


def urls(site: Site) -> dict[str, str]:
    return {page.source: page.url for page in site.pages}


def reasons(site: Site) -> dict[str, str]:
    return {one.source: one.reason for one in site.skipped}


def page_at(site: Site, url: str) -> Page:
    return next(page for page in site.pages if page.url == url)
