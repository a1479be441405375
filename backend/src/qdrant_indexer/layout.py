"""Lays converted MDX out as Markdown: blocks set apart, and the indentation that only JSX gave taken back.

MDX has no indented code, Markdown has: text that was indented inside a component must be moved left to stay what it was.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from qdrant_indexer.headings import block_parser

BLOCK = "\x10"
"""A paragraph ends here: where a block tag stood. No cleaned text holds this character."""
_CONTAINER = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*[ \t]*")
_ITEM = re.compile(r" *(?:[-*+]|\d{1,9}[.)])(?: {1,4}(?! )| |$)")
_HEADING = re.compile(r"#{1,6}[ \t]")


def container_of(line: str) -> str:
    """The list markers, quote signs and white space a line begins with."""
    match = _CONTAINER.match(line)
    return match[0] if match else ""


def continuation(container: str) -> str:
    """What a further line of the same container begins with."""
    return re.sub(r"[^>\s]", " ", container)


def is_heading(line: str) -> bool:
    """Whether the line is (or begins) an ATX heading, in whatever container."""
    return bool(_HEADING.match(line[len(container_of(line)) :]))


def laid_out(text: str) -> str:
    """The Markdown with its block marks resolved, blocks moved left to their container's column, one blank line between."""
    return _moved_left("\n".join(_without_marks(line) if BLOCK in line else line for line in text.split("\n")))


def _without_marks(line: str) -> str:
    container = container_of(line.replace(BLOCK, " "))
    body = line[len(container) :]
    if body.startswith("|") or is_heading(line):
        return " ".join(part.strip() for part in line.split(BLOCK))
    further = continuation(container)
    pieces = [piece.strip(" \t") for piece in body.split(BLOCK)]
    pieces = [piece for piece in pieces if piece]
    blank = further.rstrip()
    if not pieces:
        return container.replace(BLOCK, "").rstrip() if container.strip(" \t>" + BLOCK) else blank.replace(BLOCK, "")
    lead = container.replace(BLOCK, " ")
    text = lead + f"\n{blank}\n{further.replace(BLOCK, ' ')}".join(pieces)
    opens_item = bool(container.strip(" \t>" + BLOCK))
    before = f"{blank}\n" if BLOCK in line[: len(container) + 1] and not opens_item else ""
    return before + text + (f"\n{blank}" if body.rstrip(" \t").endswith(BLOCK) else "")


def _moved_left(text: str) -> str:
    lines = text.split("\n")
    parser = block_parser().disable("code")
    _move_children(SyntaxTreeNode(parser.parse(text)), 0, lines)
    return _spaced(lines, parser)


def _move_children(node: SyntaxTreeNode, column: int, lines: list[str]) -> None:
    for child in node.children:
        if child.map is None:
            continue
        first, end = child.map
        if node.type != "list_item" or node.map is None or first != node.map[0]:
            _move(lines, first, end, column)
        if child.type in {"bullet_list", "ordered_list"}:
            for item in child.children:
                if item.map and (marker := _ITEM.match(lines[item.map[0]])):
                    _move_children(item, marker.end(), lines)


def _move(lines: list[str], first: int, end: int, column: int) -> None:
    def margin(line: str) -> int:
        return len(line) - len(line.lstrip(" "))

    if lines[first].lstrip(" ").startswith("\t"):
        for number in range(first, end):
            body = lines[number].lstrip(" \t")
            lines[number] = lines[number][: -len(body) or None].replace("\t", "    ") + body if body else ""
    extra = margin(lines[first]) - column
    for number in range(first, end if extra > 0 else first):
        lines[number] = lines[number][max(0, min(extra, margin(lines[number]) - column)) :]


def _spaced(lines: list[str], parser: MarkdownIt) -> str:
    code = set[int]()
    for token in parser.parse("\n".join(lines)):
        if token.type == "fence" and token.map:
            code.update(range(*token.map))
    spaced: list[str] = []
    for number, line in enumerate(lines):
        if line.strip() or number in code:
            spaced.append(line)
        elif spaced and spaced[-1]:
            spaced.append("")
    return "\n".join(spaced).strip("\n") + "\n"
