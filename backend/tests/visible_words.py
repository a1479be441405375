"""What a reader sees of a built page's article, and of Markdown: two readings that share no code with the converter."""

import re
from collections import Counter
from html.parser import HTMLParser

from chatbot_api.models.clean_text import clean
from qdrant_indexer.headings import markdown_parser

_VOID = {"br", "hr", "img", "input", "link", "meta", "source", "wbr"}
_INLINE = {"a", "b", "code", "del", "em", "font", "i", "kbd", "s", "span", "strong", "sub", "sup", "u", "wbr", "x-search"}
_NOT_SHOWN = {"script", "style", "svg", "button", "noscript", "iframe", "template"}
_ASIDE = ("hash-link", "list-anchor", "table-of-contents")
_WORD = re.compile(r"\w+")


class _Article(HTMLParser):
    """Text of the elements that hold a page's article; a space for every block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._open: list[str] = []
        self._article = self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        classes = values.get("class") or ""
        self.parts.append("" if tag in _INLINE else " ")
        if tag == "img" and self._article and not self._hidden:
            self.parts.append(f" {values.get('alt') or ''} ")
        if tag in _VOID:
            return
        self._open.append(tag)
        if not self._article and ("theme-doc-markdown" in classes or values.get("id") == "__blog-post-container"):
            self._article = len(self._open)
        if not self._hidden and (tag in _NOT_SHOWN or any(name in classes for name in _ASIDE)):
            self._hidden = len(self._open)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        self.parts.append("" if tag in _INLINE else " ")
        if tag in _VOID or tag not in self._open:
            return
        while self._open.pop() != tag:
            pass
        self._hidden = self._hidden if len(self._open) >= self._hidden else 0
        self._article = self._article if len(self._open) >= self._article else 0

    def handle_data(self, data: str) -> None:
        if self._article and not self._hidden:
            self.parts.append(data)


def shown(html: str) -> str:
    """The text of the article in an HTML document."""
    article = _Article()
    article.feed(html)
    article.close()
    return clean("".join(article.parts))


def rendered(markdown: str) -> str:
    """The text of Markdown, with the info strings of its fences: they hold the titles of code blocks."""
    parts: list[str] = []
    for token in markdown_parser().parse(markdown):
        if token.type == "fence":
            parts.append(f" {token.info} {token.content} ")
        elif token.type == "inline":
            words = (" " if child.type in {"softbreak", "hardbreak"} else child.content for child in token.children or [])
            parts.append("".join(words) + " ")
    return "".join(parts)


def words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.casefold()))
