"""The ids of a page's headings: what github-slugger and the explicit markers give them in Docusaurus.

Source of the rules: ``@docusaurus/mdx-loader`` 3.10.2 (``remark/headings``), github-slugger, theme-classic's ``Heading``.

While MDX is turned into Markdown an explicit id travels as a mark of control characters, which no cleaned text can hold:
it is told from the reader's text, and found by its line, whatever Markdown makes of that line.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from chatbot_api.models.clean_text import clean

TAG_IN_HEADING = "\x12"
"""Where a tag stood in a heading: the space beside it counts for the id (``## Pair <Icon />`` is ``pair-``)."""
_MARK = re.compile("[ \t]*\x11(?P<kind>[#/!])(?P<id>[^\x11\n]*)\x11[ \t]*")
_CLASSIC, _COMMENT, _RAW = "#", "/", "!"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a page's Markdown."""

    level: int
    """1 to 6."""
    text: str
    """Plain text, white space collapsed."""
    anchor: str
    """Its id in the built page, raw; empty for h1 and for headings that get none."""


class Slugger:
    """Ids of one page: lower case, punctuation dropped, spaces to hyphens; a repeated one gets ``-1``, ``-2``."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def slug(self, text: str) -> str:
        """The next id for this text; the table of those given is the page's."""
        plain = "".join("-" if sign == " " else sign for sign in text.lower() if _is_kept(sign))
        given = plain
        while given in self._seen:
            self._seen[plain] += 1
            given = f"{plain}-{self._seen[plain]}"
        self._seen[given] = 0
        return given


def _is_kept(sign: str) -> bool:
    category = unicodedata.category(sign)
    return sign in " -" or category[0] in "LM" or category in {"Nd", "Nl", "Pc"}


def markdown_parser() -> MarkdownIt:
    """The parser every reader of a page's Markdown should use: CommonMark, tables, strikethrough, no raw HTML."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def block_parser() -> MarkdownIt:
    """The same parser for those who need blocks and their lines alone: half the time."""
    return markdown_parser().disable("inline")


def classic_mark(identifier: str) -> str:
    """For ``{#id}`` at the end of a line."""
    return f"\x11{_CLASSIC}{identifier}\x11"


def comment_mark(identifier: str) -> str:
    """For ``{/* #id */}``."""
    return f"\x11{_COMMENT}{identifier}\x11"


def raw_heading_mark(identifier: str) -> str:
    """For ``<h3 id="id">``; such a heading has the id it names or none."""
    return f"\x11{_RAW}{identifier}\x11"


def split_headings(marked: str) -> tuple[str, tuple[Heading, ...]]:
    """The Markdown without marks, and its headings in the order in which markdown-it finds them."""
    marks: dict[int, tuple[str, str]] = {}
    lines = marked.split("\n")
    for number, line in enumerate(lines):
        if match := _MARK.search(line):
            marks[number] = match["kind"], match["id"]
            lines[number] = _MARK.sub("", line)
    tokens = markdown_parser().parse("\n".join(lines))
    headings: list[Heading] = []
    slugger = Slugger()
    for position, token in enumerate(tokens):
        if token.type == "heading_open":
            first, end = token.map or [0, 0]
            found = [marks.pop(number) for number in range(first, end) if number in marks]
            headings.append(_heading(int(token.tag[1]), plain_text(tokens[position + 1]), found, slugger))
    for number, (kind, identifier) in marks.items():
        if kind == _CLASSIC:
            lines[number] += f" {{#{identifier}}}"
    return "\n".join(lines).replace(TAG_IN_HEADING, ""), tuple(headings)


def _heading(level: int, text: str, marks: Sequence[tuple[str, str]], slugger: Slugger) -> Heading:
    # An h1 takes its slug from the page's table, then the theme leaves it out.
    anchor = marks[0][1] if marks else slugger.slug(text)
    return Heading(level, " ".join(clean(text).split()), "" if level == 1 else anchor)


def plain_text(inline: Token) -> str:
    """The text of an inline token as mdast's toString has it: code, link text and image alt, no markup."""
    parts: list[str] = []
    for child in inline.children or []:
        if child.type in {"softbreak", "hardbreak"}:
            parts.append("\n")
        elif child.type == "image":
            parts.append(plain_text(child))
        else:
            parts.append(child.content)
    return "".join(parts)
