"""Turns the article of a built page into CommonMark with tables, and its headings with their ids.

The Markdown holds the same words in the same order: all tabs, admonitions, details, code with language and title.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from selectolax.lexbor import LexborNode

from chatbot_api.models.clean_text import clean
from qdrant_indexer.elements import HEADINGS, HTML_BLOCKS
from qdrant_indexer.headings import Heading
from qdrant_indexer.html_inline import Atom, atoms_of, is_formula, one_line, paragraph, strong, text_of
from qdrant_indexer.html_tabs import tab_labels

DROPPED = (
    "script, style, svg, noscript, template, iframe, button, input, .hash-link, [role=tablist], [class*=theme-edit], "
    ".theme-last-updated, .table-of-contents, .theme-doc-toc-mobile, .theme-doc-breadcrumbs, .theme-doc-version-badge, "
    ".theme-doc-version-banner, .theme-doc-card-icon, .pagination-nav, [data-footnote-ref], [data-footnote-backref]"
)
"""No text of the page: what Docusaurus puts around it, and what only a browser makes something of."""
_DEEPEST = 6
"""Lists and quotes within each other; markdown-it stops reading at a nesting of 20, two for each list."""
_ADMONITION_HEADING = "[class*=admonitionHeading], .admonition-heading"
_OWN_THEME_WORD = "\x11"
"""Before a label that may be the theme's, in the reader's language; no cleaned text holds this character."""
_LANGUAGE = re.compile(r"(?:^|\s)language-(?P<name>[\w+#.-]+)")
_CLOSING = re.compile(r"(?P<before>^|\s)(?P<signs>#+)$")
_INTERNAL_TARGET = re.compile(r"\]\([^()\s:]*\)")


@dataclass(frozen=True, slots=True)
class Converted:
    """An article as Markdown."""

    markdown: str
    headings: tuple[Heading, ...]
    """Those a reader of ``markdown`` finds, in order."""
    comparable: str
    """The Markdown without what differs between an untranslated page's copies: link targets, the theme's own words."""


@dataclass(frozen=True, slots=True)
class _Block:
    kind: Literal["paragraph", "list", "other"]
    lines: Sequence[str]


def to_markdown(nodes: Sequence[LexborNode]) -> Converted:
    """The nodes, which lie in one document and not in each other, one after the other."""
    writer = _Writer(nodes)
    marked = "\n".join(_stacked([block for node in nodes for block in writer.blocks([node], 0)])) + "\n"
    comparable = _INTERNAL_TARGET.sub("]", re.sub(f"{_OWN_THEME_WORD}[^\n]*", "", marked))
    return Converted(marked.replace(_OWN_THEME_WORD, "").strip("\n") + "\n", tuple(writer.headings), comparable)


class _Writer:
    def __init__(self, nodes: Sequence[LexborNode]) -> None:
        self.headings: list[Heading] = []
        self._dropped = {found.mem_id for node in nodes for found in node.css(DROPPED)}
        self._labels = {panel: label for node in nodes for panel, label in tab_labels(node).items()}
        self._readers: dict[str, Callable[[LexborNode, int], list[_Block]]] = {
            **dict.fromkeys(HEADINGS, self._heading),
            **dict.fromkeys(("ul", "ol"), self._list),
            **dict.fromkeys(("summary", "dt"), self._label),
            "pre": self._bare_code,
            "blockquote": self._quote,
            "table": self._table,
            "hr": self._rule,
            "div": self._div,
        }
        self._titles = {found.mem_id for node in nodes for found in node.css(_ADMONITION_HEADING)}

    def blocks(self, nodes: Iterable[LexborNode], depth: int) -> list[_Block]:
        """Neighbouring nodes; running text among them is put together to paragraphs."""
        blocks: list[_Block] = []
        running: list[LexborNode] = []
        for node in nodes:
            if not self._is_block(node):
                running.append(node)
            elif not self._is_dropped(node):
                blocks += self._running(running)
                running = []
                blocks += self._block(node, depth)
        return blocks + self._running(running)

    def _is_dropped(self, node: LexborNode) -> bool:
        if node.mem_id in self._dropped:
            return True
        # Permanent links of whatever make: a sign that leads to where it stands.
        return (
            node.tag == "a"
            and (node.attributes.get("href") or "").startswith("#")
            and node.text(strip=True) in {"#", "¶", "\u200b"}
        )

    def _is_block(self, node: LexborNode) -> bool:
        tag = node.tag or ""
        if tag in HTML_BLOCKS:
            return True
        return not tag.startswith("-") and not is_formula(node) and any(self._is_block(child) for child in node.iter())

    def _running(self, nodes: Sequence[LexborNode]) -> list[_Block]:
        lines = paragraph(self._atoms(nodes)) if nodes else []
        return [_Block("paragraph", lines)] if lines else []

    def _atoms(self, nodes: Iterable[LexborNode]) -> list[Atom]:
        return list(atoms_of(nodes, self._is_dropped))

    def _inside(self, node: LexborNode, depth: int) -> list[_Block]:
        return self.blocks(node.iter(include_text=True), depth)

    def _block(self, node: LexborNode, depth: int) -> list[_Block]:
        return self._readers.get(node.tag or "", self._inside)(node, depth)

    def _rule(self, _node: LexborNode, _depth: int) -> list[_Block]:
        return [_Block("other", ["***"])]

    def _div(self, node: LexborNode, depth: int) -> list[_Block]:
        if node.mem_id in self._titles:
            return self._admonition_title(node)
        label = self._labels.get(node.mem_id)
        if label is not None:
            return [*_paragraph(strong([Atom("text", label)])), *self._inside(node, depth)]
        if "theme-code-block" in (node.attributes.get("class") or ""):
            code, title = node.css_first("pre"), node.css_first("[class*=codeBlockTitle]")
            if code is not None:
                return self._code(code, title.text() if title is not None else "", node.attributes.get("class") or "")
        return self._inside(node, depth)

    def _heading(self, node: LexborNode, _depth: int) -> list[_Block]:
        level = int((node.tag or "h1")[1])
        atoms = self._atoms(node.iter(include_text=True))
        anchor = node.attributes.get("id") or ""
        if not anchor and _within_link(node):
            return _paragraph(strong(atoms))  # the title of a card that leads to another page
        text = one_line(atoms)
        self.headings.append(Heading(level, text_of(atoms), "" if level == 1 else anchor))
        return [_Block("other", [f"{'#' * level} {_CLOSING.sub(_escaped_signs, text)}".rstrip()])]

    def _label(self, node: LexborNode, depth: int) -> list[_Block]:
        if node.css_first("h1, h2, h3, h4, h5, h6, p, ul, ol, pre, table") is not None:
            return self._inside(node, depth)
        return _paragraph(strong(self._atoms(node.iter(include_text=True))))

    def _admonition_title(self, node: LexborNode) -> list[_Block]:
        atoms = self._atoms(node.iter(include_text=True))
        kinds = node.parent.attributes.get("class") or "" if node.parent else ""
        if f"admonition-{text_of(atoms)}" in kinds.split() or f"theme-admonition-{text_of(atoms)}" in kinds.split():
            atoms = [Atom("text", text_of(atoms).capitalize())]
        return [_Block("paragraph", [_OWN_THEME_WORD + line for line in block.lines]) for block in _paragraph(strong(atoms))]

    def _bare_code(self, node: LexborNode, _depth: int) -> list[_Block]:
        return self._code(node, "", "")

    def _code(self, node: LexborNode, title: str, classes: str) -> list[_Block]:
        rows = node.css(".token-line")
        text = clean("\n".join(row.text() for row in rows) if rows else _text_with_breaks(node)).strip("\n").rstrip()
        if not text:
            return []
        inner = node.css_first("code")
        inner_classes = inner.attributes.get("class") or "" if inner is not None else ""
        language = _LANGUAGE.search(" ".join((classes, node.attributes.get("class") or "", inner_classes)))
        shown = " ".join(clean(title).split()).replace('"', "'").replace("`", "'")
        info = (language["name"] if language else "") + (f' title="{shown}"' if shown else "")
        ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
        return [_Block("other", [ticks + info, *text.split("\n"), ticks])]

    def _list(self, node: LexborNode, depth: int) -> list[_Block]:
        if depth >= _DEEPEST:
            return self._inside(node, depth)
        number = _start(node) if node.tag == "ol" else None
        items: list[list[str]] = []
        is_tight = True
        for children in _items(node):
            blocks = self.blocks(children, depth + 1)
            if not blocks:
                continue
            marker = "-" if number is None else f"{number + len(items)}."
            is_tight = is_tight and _is_simple(blocks)
            items.append(_indented(_stacked(blocks, tight=_is_simple(blocks)), marker))
        lines = [line for place, item in enumerate(items) for line in ([""] if place and not is_tight else []) + item]
        return [_Block("list", lines)] if lines else []

    def _quote(self, node: LexborNode, depth: int) -> list[_Block]:
        if depth >= _DEEPEST:
            return self._inside(node, depth)
        lines = _stacked(self._inside(node, depth + 1))
        return [_Block("other", [f"> {line}" if line else ">" for line in lines])] if lines else []

    def _table(self, node: LexborNode, depth: int) -> list[_Block]:
        rows = [[cell for cell in row.iter() if cell.tag in {"td", "th"}] for row in _rows(node)]
        rows = [row for row in rows if row]
        if any(cell.css_first("h1, h2, h3, h4, h5, h6, pre, table") is not None for row in rows for cell in row):
            return [block for row in rows for cell in row for block in self._inside(cell, depth)]
        texts = [[one_line(self._atoms(cell.iter(include_text=True))).replace("|", "\\|") for cell in row] for row in rows]
        texts = [row for row in texts if any(row)]
        caption = [block for child in node.iter() if child.tag == "caption" for block in self._inside(child, depth)]
        if not texts:
            return caption
        width = max(len(row) for row in texts)
        lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in texts]
        return [*caption, _Block("other", [lines[0], f"|{' --- |' * width}", *lines[1:]])]


def _paragraph(atoms: Sequence[Atom]) -> list[_Block]:
    lines = paragraph(atoms)
    return [_Block("paragraph", lines)] if lines else []


def _stacked(blocks: Sequence[_Block], *, tight: bool = False) -> list[str]:
    lines: list[str] = []
    for number, block in enumerate(blocks):
        lines += [""] if number and not tight else []
        lines += block.lines
    return lines


def _is_simple(blocks: Sequence[_Block]) -> bool:
    """Whether a list's item reads well without blank lines: its text, and perhaps a list a paragraph may be followed by."""
    if len(blocks) == 2 and blocks[1].kind == "list":
        return blocks[0].kind == "paragraph" and blocks[1].lines[0].startswith(("- ", "1. "))
    return len(blocks) == 1 and blocks[0].kind != "other"


def _indented(lines: Sequence[str], marker: str) -> list[str]:
    margin = " " * (len(marker) + 1)
    return [f"{marker} {lines[0]}", *(margin + line if line else "" for line in lines[1:])]


def _items(node: LexborNode) -> Iterator[Iterable[LexborNode]]:
    for child in node.iter():
        yield child.iter(include_text=True) if child.tag == "li" else [child]


def _start(node: LexborNode) -> int:
    start = node.attributes.get("start") or ""
    return int(start) if start.isascii() and start.isdigit() and len(start) < 6 else 1


def _rows(node: LexborNode) -> Iterator[LexborNode]:
    for child in node.iter():
        if child.tag == "tr":
            yield child
        elif child.tag in {"thead", "tbody", "tfoot"}:
            yield from _rows(child)


def _within_link(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None and parent.tag not in {"a", "article", "main"}:
        parent = parent.parent
    return parent is not None and parent.tag == "a"


def _text_with_breaks(node: LexborNode) -> str:
    return "".join(
        "\n" if part.tag == "br" else part.text_content or ""
        for part in node.traverse(include_text=True)
        if part.tag in {"br", "-text"}
    )


def _escaped_signs(match: re.Match[str]) -> str:
    return f"{match['before']}\\{match['signs']}"
