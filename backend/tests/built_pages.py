"""Single pages as Docusaurus builds them, written by hand."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from qdrant_indexer.html_pages import page_of_html
from qdrant_indexer.pages import Page, Skipped

HOST = "https://lantern.example"


def document(
    body: str,
    url: str = "/docs/x",
    *,
    head: str = "",
    classes: str = "docs-doc-page docs-version-current",
    title: str = "X | Lantern",
    locale: str = "en",
) -> str:
    return (
        f'<!doctype html><html lang={locale} class="{classes}"><head><meta name=generator content="Docusaurus v3.10.2">'
        f"<title>{title}</title><link rel=canonical href={HOST}{quote(url)} />{head}</head><body><main><article>"
        f'<div class="theme-doc-markdown markdown">{body}</div></article></main></body></html>'
    )


def page_of(body: str, **values: Any) -> Page:
    page = page_of_html(document(body, **values), address=None)
    assert isinstance(page, Page), page
    return page


def markdown_of(body: str) -> str:
    return page_of(body).markdown.strip("\n")


def why_not(html: bytes | str) -> str:
    found = page_of_html(html, address=None)
    assert isinstance(found, Skipped)
    return found.reason


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
