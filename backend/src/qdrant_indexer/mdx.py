"""Turns MDX as Docusaurus reads it into plain Markdown: no ESM, tags, comments or expressions, and no text lost.

Partials are put in where they are used, admonitions, tabs and details become paragraphs, fences and code spans stay as they are.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import ascii_letters
from typing import Any

from qdrant_indexer.elements import (
    AS_CODE,
    DROPPED,
    HEADINGS,
    HTML_BLOCKS,
    HTML_INLINE,
    READ_WHOLE,
    fenced,
    image,
    own_text,
    tab_labels,
)
from qdrant_indexer.expressions import shown
from qdrant_indexer.headings import TAG_IN_HEADING, classic_mark, comment_mark, raw_heading_mark
from qdrant_indexer.jsx import Tag, braces_end, literal, plain_value, read_tag
from qdrant_indexer.layout import BLOCK, container_of, continuation, is_heading, laid_out

_NEXT = re.compile(
    r"""
    (?P<fence>^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?P<ticks>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*\n?)
  | (?P<esm>^(?:import|export)\b)
  | (?P<directive>^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*:{3,}[^\n]*$)
  | (?P<escape>\\[!-/:-@\[-`{-~])
  | (?P<code>`+)
  | (?P<brace>\{)
  | (?P<angle><)
    """,
    re.MULTILINE | re.VERBOSE,
)
_ESM = re.compile(
    r"import\s*(?:['\"]|[\w$*{][^;'\"]*?\bfrom\s*['\"])|export\s+(?:const|let|var|function|class|async|default|type)\b|export\s*[{*]"
)
_IMPORT = re.compile(r"import\s+(?P<names>[^'\";]+?)\s+from\s+['\"](?P<path>[^'\"]+\.mdx?)['\"]")
_EXPORT = re.compile(r"export\s+(?:const|let|var)\s+(?P<name>[\w$]+)\s*=\s*(?P<value>.*)", re.DOTALL)
_DIRECTIVE = re.compile(r":{3,}[ \t]*(?P<kind>[A-Za-z][\w-]*)?(?:\[(?P<label>[^\n]*)\])?(?:\{[^}\n]*\})?(?P<rest>[^\n]*)")
_CLASSIC_ID = re.compile(r"\{#(?P<id>[^{}\n]+)\}(?=[ \t]*(?:#+[ \t]*)?$)", re.MULTILINE)
_AUTOLINK = re.compile(r"<(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*|[\w.+-]+@[\w.-]+)>")
_BLANK_LINE = re.compile(r"\n[ \t]*(?:\n|$)")

_OPENS_HTML = frozenset("/!?" + ascii_letters)

Partial = Callable[[str, Mapping[str, Any]], str | None]
"""(import path, props) -> converted, marked Markdown of the imported file; None when there is none."""


@dataclass(slots=True)
class _Names:
    """What the file's ESM brought in, and the labels of the tabs that are open."""

    partials: dict[str, str] = field(default_factory=dict[str, str])
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    tabs: dict[str, str] = field(default_factory=dict[str, str])


def to_marked_markdown(text: str, partial: Partial, values: Mapping[str, Any]) -> str:
    """Plain Markdown in which explicit heading ids are still marked (see ``headings``).

    ``text`` is cleaned and without front matter; ``values`` are names expressions may use: ``frontMatter``, ``props``.
    """
    return laid_out(_Converter(text, partial, _Names(values=dict(values))).converted())


class _Converter:
    def __init__(self, text: str, partial: Partial, names: _Names, *, line: str = "") -> None:
        self._text = text
        self._partial = partial
        self._names = names
        self._out: list[str] = []
        self._line = line
        self._position = 0

    def converted(self) -> str:
        """The text as Markdown with block marks."""
        readers = {
            "fence": self._fence,
            "esm": self._esm,
            "directive": self._directive,
            "escape": self._verbatim,
            "code": self._code,
            "brace": self._brace,
            "angle": self._angle,
        }
        while match := _NEXT.search(self._text, self._position):
            self._put(self._text[self._position : match.start()])
            readers[match.lastgroup or ""](match)
        self._put(self._text[self._position :])
        return "".join(self._out)

    def _put(self, text: str) -> None:
        self._out.append(text)
        self._line = text.rpartition("\n")[2] if "\n" in text else self._line + text

    def _put_block(self, text: str) -> None:
        further = "\n" + continuation(container_of(self._line.replace(BLOCK, " ")))
        self._put(BLOCK + text.strip("\n").replace("\n", further) + BLOCK)

    def _skip_to(self, end: int, text: str = "") -> None:
        self._put(text)
        self._position = end

    def _inside(self, text: str) -> str:
        return _Converter(text, self._partial, self._names, line=self._line or " ").converted()

    def _verbatim(self, match: re.Match[str]) -> None:
        self._skip_to(match.end(), match[0])

    def _fence(self, match: re.Match[str]) -> None:
        mark = match["ticks"]
        closing = re.compile(rf"^[ \t>]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$", re.MULTILINE)
        found = closing.search(self._text, match.end())
        self._skip_to(end := found.end() if found else len(self._text), self._text[match.start() : end])

    def _esm(self, match: re.Match[str]) -> None:
        start = match.start()
        begins_block = not self._text[: max(0, start - 1)].rpartition("\n")[2].strip()
        if not begins_block or not _ESM.match(self._text, start):
            return self._verbatim(match)
        end = start
        while end < len(self._text):
            blank = _BLANK_LINE.search(self._text, end + 1)
            end = blank.start() + 1 if blank else len(self._text)
            block = self._text[start:end]
            if all(block.count(opening) == block.count(shut) for opening, shut in ("{}", "()", "[]")) or end - start > 20_000:
                break
        self._learn(self._text[start:end])
        return self._skip_to(end, "")

    def _learn(self, block: str) -> None:
        for found in _IMPORT.finditer(block):
            for name in re.findall(r"([\w$]+)\s*(?=,|\}|$)", found["names"]):
                self._names.partials[name] = found["path"]
        for statement in re.split(r"\n(?=export\b)", block):
            if (found := _EXPORT.match(statement)) and (value := plain_value(found["value"])) is not None:
                self._names.values[found["name"]] = value

    def _directive(self, match: re.Match[str]) -> None:
        container = container_of(match[0])
        found = _DIRECTIVE.match(match[0], len(container))
        self._put(container)
        kind = found["kind"] if found else None
        if found and kind:
            title = self._inside((found["label"] or found["rest"]).strip()).replace("**", "").replace(BLOCK, " ").strip()
            self._put_block(f"**{title or kind.capitalize()}**")
        else:
            self._put(BLOCK)
        self._position = match.end()

    def _code(self, match: re.Match[str]) -> None:
        blank = _BLANK_LINE.search(self._text, match.end())
        closing = re.compile(rf"(?<!`){match[0]}(?!`)").search(
            self._text, match.end(), blank.start() if blank else len(self._text)
        )
        end = closing.end() if closing else match.end()
        self._skip_to(end, self._text[match.start() : end])

    def _brace(self, match: re.Match[str]) -> None:
        start = match.start()
        if found := _CLASSIC_ID.match(self._text, start):
            return self._skip_to(found.end(), classic_mark(found["id"].strip()))
        end = braces_end(self._text, start)
        if end is None:
            return self._verbatim(match)
        source = self._text[start + 1 : end - 1].strip()
        if source.startswith("/*"):
            words = source[2:-2].split()
            is_id = words and words[0].startswith("#") and is_heading(self._line)
            return self._skip_to(end, comment_mark(words[0][1:]) if is_id else "")
        return self._skip_to(end, self._value(source, is_alone=self._stands_alone(end)))

    def _value(self, source: str, *, is_alone: bool) -> str:
        if is_heading(self._line):
            return literal(source) or source  # its source counts for the heading's id
        if (text := shown(source, self._names.values, self._inside)) is not None:
            return text.replace("\n", " ") if self._line.lstrip().startswith("|") else text
        # Within a sentence the source says more than a gap; alone it is a component's business.
        return "" if is_alone or "\n" in source or "`" in source or not source else f"`{source}`"

    def _angle(self, match: re.Match[str]) -> None:
        start = match.start()
        if self._text.startswith("<!--", start):
            end = self._text.find("-->", start + 4)
            return self._skip_to(end + 3, "") if end >= 0 else self._skip_to(start + 1, "\\<")
        if link := _AUTOLINK.match(self._text, start):
            return self._skip_to(link.end(), link[0])
        tag = read_tag(self._text, start)
        if tag is None or not self._is_element(tag):
            return self._skip_to(start + 1, "\\<" if self._text[start + 1 : start + 2] in _OPENS_HTML else "<")
        return self._element(tag)

    def _is_element(self, tag: Tag) -> bool:
        known = tag.is_component or tag.name in HTML_BLOCKS | HTML_INLINE or tag.closing or tag.self_closing
        return known or self._closing_of(tag) is not None

    def _closing_of(self, tag: Tag) -> re.Match[str] | None:
        if tag.closing:
            return None
        return re.compile(rf"</\s*{re.escape(tag.name)}\s*>").search(self._text, tag.end)

    def _element(self, tag: Tag) -> None:
        if tag.name in READ_WHOLE and not tag.self_closing and (closing := self._closing_of(tag)):
            text = self._whole(tag, self._text[tag.end : closing.start()])
            if text is not None:
                return self._skip_to(closing.end(), text)
        self._position = tag.end
        if tag.name in self._names.partials and not tag.closing:
            props = {"props": {"children": "", **tag.attributes}}
            return self._put_block(self._partial(self._names.partials[tag.name], props) or "")
        return self._put_tag(tag)

    def _whole(self, tag: Tag, inner: str) -> str | None:
        """What an element becomes together with its content; None: only its tags matter."""
        if tag.name in DROPPED:
            return ""
        if tag.name in HEADINGS:
            text = " ".join(self._inside(inner).replace(BLOCK, " ").split())
            return f"{BLOCK}{'#' * int(tag.name[1])} {text}{raw_heading_mark(tag.attributes.get('id', ''))}{BLOCK}"
        if tag.name in {"pre", "CodeBlock"}:
            self._put_block(fenced(tag, inner))
            return ""
        if tag.name in AS_CODE and not set(inner) & set("`\n<{"):
            return f"`{inner.strip()}`" if inner.strip() else ""
        if tag.name == "a" and not _BLANK_LINE.search(inner):
            text = self._inside(inner).replace(BLOCK, " ").strip()
            target = tag.attributes.get("href", "")
            empty = TAG_IN_HEADING if is_heading(self._line) else ""
            return empty if text in {"", "#"} else f"[{text}]({target})" if target and "](" not in text else text
        return None

    def _put_tag(self, tag: Tag) -> None:
        if tag.name == "Tabs" and not tag.closing:
            self._names.tabs = tab_labels(tag)
        shown = "" if is_heading(self._line) else own_text(tag, self._names.tabs)
        if shown and (self._begins_line() or tag.name == "TabItem"):
            self._put_block(shown)
        elif tag.name in {"img", "Image"}:
            self._put(image(tag))
        else:
            # Within a sentence a component's attributes are its text only when it has no other.
            self._put(shown if shown and tag.self_closing else self._place_of(tag))

    def _place_of(self, tag: Tag) -> str:
        """What a tag leaves behind that has no text of its own."""
        if is_heading(self._line):
            return TAG_IN_HEADING
        if tag.name in {"td", "th"}:
            return " | " if tag.closing else ""
        if tag.name in HTML_BLOCKS:
            return BLOCK + ("- " if tag.name == "li" and not tag.closing else "")
        if tag.name in HTML_INLINE:
            return " " if tag.name in {"br", "wbr"} else ""
        if self._stands_alone(tag.end):
            return BLOCK
        # A custom element's text (``<x-search>``) is no part of the word before it.
        return "" if tag.is_component or tag.closing else " "

    def _begins_line(self) -> bool:
        return not self._line[len(container_of(self._line.replace(BLOCK, " "))) :].strip(" \t" + BLOCK)

    def _stands_alone(self, end: int) -> bool:
        line_end = self._text.find("\n", end)
        rest = self._text[end : line_end if line_end >= 0 else len(self._text)].strip()
        return self._begins_line() and not rest
