"""Writes running text of HTML as Markdown that renders to the same words: escapes, code spans, emphasis and links.

Emphasis is dropped where Markdown has no way to write it (``**bold:**text``), never a word of it.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from selectolax.lexbor import LexborNode

from chatbot_api.models.clean_text import clean
from qdrant_indexer.elements import AS_CODE, HTML_BLOCKS

_STYLES = {"strong": "**", "b": "**", "em": "*", "i": "*", "del": "~~", "s": "~~", "strike": "~~"}
_SPACE = re.compile(r"\s+")
_SPECIAL = re.compile(
    r"`|(?<!\s)\*|\*(?!\s)|(?<![^\W_])_|_(?![^\W_])|\\(?=[!-/:-@\[-`{-~])|<(?=[A-Za-z/!?])|&(?=#|[A-Za-z][A-Za-z0-9]*;)"
    r"|\](?=\()|~(?=~)|(?<=~)~|\A~|~\Z"
)
_JUNCTION = re.compile(r"\\[!-/:-@\[-`{-~]|<[A-Za-z/!?]|&[#A-Za-z]|\]\(|!\[")
"""A sign at the end of one stretch that takes on a meaning from the next one's first."""
_LINE_START = re.compile(
    r"(?P<digits>\d{0,9})(?P<sign>(?<=\d)[.)](?=\s|$)|(?<!\d)(?:\#{1,6}(?=\s|$)|[-+*](?=\s|$)|>|[-_](?=[\s_-]*$)))"
)
_LATER_LINE_START = re.compile(r"(?P<digits>)(?P<sign>=(?==*\s*$)|[|:-](?=[|:\s-]*$))")
_DEFINITION = re.compile(r"\[(?:[^\[\]\\]|\\.)+\]:", re.DOTALL)
_BRACKETS = re.compile(r"(?:[^\[\]]|\[[^\[\]]*\])*")
_TARGET = re.compile(r"(?:https?://|mailto:|/(?!/)|\.{1,2}/|#)[^\s<>\\]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Atom:
    """A stretch of running text without further markup inside."""

    kind: Literal["text", "code", "break"]
    text: str = ""
    style: str = ""
    """Delimiter of the emphasis: ``**``, ``*``, ``~~`` or none."""
    href: str = ""
    """Where it leads, when it is part of a link."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Neighbouring atoms of one style and one link, written as Markdown without the white space at their ends."""

    lead: str
    body: str
    trail: str
    style: str = ""
    href: str = ""
    plain: str = ""
    """The words as they stand, when there is nothing but text: a link may be its own address."""
    is_balanced: bool = False
    """Whether brackets pair off within every stretch, so that they end no link."""


def atoms_of(
    nodes: Iterable[LexborNode], is_dropped: Callable[[LexborNode], bool], style: str = "", href: str = ""
) -> Iterator[Atom]:
    """The atoms of the nodes in order; blocks among them are set apart by a space."""
    for node in nodes:
        tag = node.tag or ""
        if tag == "-text":
            yield Atom("text", clean(node.text_content or ""), style, href)
        elif tag.startswith(("-", "!")) or is_dropped(node):
            continue
        elif tag == "br":
            yield Atom("break")
        elif tag == "img":
            yield Atom("text", f" {clean(node.attributes.get('alt') or '')} ", style, href)
        elif tag == "pre" or tag in AS_CODE:
            yield Atom("code", clean(node.text()), style, href)
        elif is_formula(node):
            yield Atom("code", clean(_formula(node)), style, href)
        else:
            around = (Atom("text", " "),) if tag in HTML_BLOCKS else ()
            yield from around
            target = href or (clean(node.attributes.get("href") or "") if tag == "a" else "")
            # Markdown for emphasis within a link or within emphasis is fragile: the outermost says enough.
            own = style or ("" if href else _STYLES.get(tag, ""))
            yield from atoms_of(node.iter(include_text=True), is_dropped, own, target)
            yield from around


def is_formula(node: LexborNode) -> bool:
    """Whether it is a formula of KaTeX, which holds its text twice and its source once."""
    return node.tag == "span" and "katex" in (node.attributes.get("class") or "").split()


def _formula(node: LexborNode) -> str:
    source = node.css_first("annotation")
    return (source or node).text()


def text_of(atoms: Sequence[Atom]) -> str:
    """The words alone, white space collapsed: as Markdown's reader gets them."""
    return " ".join("".join(" " if atom.kind == "break" else atom.text for atom in _collapsed(atoms)).split())


def paragraph(atoms: Sequence[Atom]) -> list[str]:
    """Lines of a paragraph that no reader of Markdown takes for another block; empty when there is no text."""
    text = _written(_collapsed(atoms))
    lines = [line.strip(" ") for line in text.split("\n")]
    lines = [line for line in lines if line]
    if _DEFINITION.match("\n".join(lines)):
        lines[0] = "\\" + lines[0]
    escaped = [_escaped_start(line, number) for number, line in enumerate(lines)]
    return [f"{line}  " if number + 1 < len(escaped) else line for number, line in enumerate(escaped)]


def one_line(atoms: Sequence[Atom]) -> str:
    """The Markdown of a heading or a table's cell; the caller escapes what is special there."""
    return _written(_collapsed([Atom("text", " ") if atom.kind == "break" else atom for atom in atoms])).strip(" ")


def strong(atoms: Iterable[Atom]) -> list[Atom]:
    """The same words, as a label: all bold, no links."""
    return [replace(atom, style="**", href="") for atom in atoms]


def _escaped_start(line: str, number: int) -> str:
    match = _LINE_START.match(line) or (_LATER_LINE_START.match(line) if number else None)
    return f"{line[: match.start('sign')]}\\{line[match.start('sign') :]}" if match else line


def _collapsed(atoms: Iterable[Atom]) -> list[Atom]:
    """As a browser sees it: one space for any white space, none at the ends of lines; neighbours of one kind are one."""
    kept: list[Atom] = []
    for atom in atoms:
        if atom.kind == "break":
            kept.append(atom)
            continue
        last = kept[-1] if kept else Atom("break")
        text = _SPACE.sub(" ", atom.text)
        if text.startswith(" ") and (last.kind == "break" or (last.kind == "text" and last.text.endswith(" "))):
            text = text[1:]
        if not text:
            continue
        is_same = (atom.kind, atom.style, atom.href) == (last.kind, last.style, last.href)
        if is_same or atom.kind == last.kind == "code":  # two code spans that touch would be one
            kept[-1] = replace(last, text=last.text + text)
        elif atom.kind == "code" and text == " ":
            kept.append(Atom("text", " "))
        else:
            kept.append(replace(atom, text=text))
    return kept


def _written(atoms: Sequence[Atom]) -> str:
    groups = groupby(atoms, key=lambda atom: (atom.kind == "break", atom.style, atom.href))
    pieces = [_piece(list(group)) for _, group in groups]
    out = ""
    is_closed = False
    for piece, following in zip(pieces, [*pieces, _Piece("", "", "")][1:], strict=True):
        out += piece.lead
        is_closed = is_closed and not piece.lead
        after = (piece.trail + following.lead + following.body)[:1]
        written = _link(piece) or piece.body
        # A delimiter right behind another one would be read together with it.
        is_styled = bool(piece.style) and not piece.href and not is_closed and _may_be_styled(out[-1:], piece.body, after)
        if is_styled:
            written = _joined(piece.style + piece.body, piece.style)
        out = _joined(out, written) + piece.trail
        is_closed = (is_styled or (is_closed and not written)) and not piece.trail
    return out


def _piece(atoms: Sequence[Atom]) -> _Piece:
    first, last = atoms[0], atoms[-1]
    if first.kind == "break":
        return _Piece("\n", "", "")
    lead = " " if first.kind == "text" and first.text.startswith(" ") else ""
    trail = " " if last.kind == "text" and last.text.endswith(" ") and (last is not first or last.text != " ") else ""
    body = ""
    for atom in atoms:
        # Cut to its words first: what a sign means depends on the space beside it.
        text = atom.text[len(lead) if atom is first else 0 : -1 if trail and atom is last else None]
        body = _joined(body, _code(text) if atom.kind == "code" else _SPECIAL.sub(r"\\\g<0>", text))
    plain = first.text.strip(" ") if len(atoms) == 1 and first.kind == "text" else ""
    is_balanced = all(_BRACKETS.fullmatch(atom.text) for atom in atoms)
    return _Piece(lead, body, trail, first.style, first.href, plain, is_balanced)


def _joined(out: str, more: str) -> str:
    return f"{out[:-1]}\\{out[-1]}{more}" if _JUNCTION.match(out[-1:] + more[:1]) else out + more


def _code(text: str) -> str:
    ticks = "`" * next(length for length in range(1, len(text) + 2) if not re.search(rf"(?<!`)`{{{length}}}(?!`)", text))
    pad = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def _link(piece: _Piece) -> str:
    """The piece as a link; empty when it is none, or leads nowhere a reader may follow."""
    if not piece.href or not piece.body or not _TARGET.fullmatch(piece.href):
        return ""
    if piece.plain == piece.href and piece.href.lower().startswith("http"):
        return f"<{piece.href}>"
    target = piece.href.replace("(", "%28").replace(")", "%29").replace("|", "%7C").replace("&", "&amp;")
    return f"{_joined('[' + piece.body, ']')}({target})" if piece.is_balanced and "\\]" not in piece.body else ""


def _may_be_styled(before: str, body: str, after: str) -> bool:
    """Whether a delimiter can open and close here, by the rules of flanking; doubtful signs count against it."""
    if not body:
        return False
    opens = body[0].isalnum() or _sets_apart(before)
    closes = body[-1].isalnum() or _sets_apart(after)
    return opens and closes


def _sets_apart(sign: str) -> bool:
    return sign == "" or sign.isspace() or sign in "!\"#$%&'()+,-./:;<=>?@[\\]^{|}" or unicodedata.category(sign).startswith("P")
