"""A passage's Markdown cut into the least that can be told by itself: sentences, lists, table rows, fenced code.

Links, images and tags lose their markup, never their words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["code", "list", "table", "text"]
LONGEST_LIST_WORDS = 80
"""A longer list is told item by item."""

_SENTENCE_END = re.compile(r"(?<=[.!?。！？])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\betc\.)(?<!\bvs\.)\s+(?=[\"'`(\[*_]*[^\W_a-z])")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_WORD = re.compile(r"\w+")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True)
class Unit:
    """The least that can be told: a sentence, a short list, a list item, a table row, or fenced code."""

    text: str
    kind: Literal["sentence", "list", "row", "code"]
    block: int
    """Number of the block it stands in: sentences of one paragraph share it."""

    @property
    def words(self) -> int:
        """Words of prose in it; code does not count."""
        return 0 if self.kind == "code" else len(_WORD.findall(self.text))


def units_of(markdown: str) -> list[Unit]:
    """A passage's units in reading order."""
    units: list[Unit] = []
    for block, (kind, text) in enumerate(_blocks(markdown)):
        if kind == "code":
            units.append(Unit(text, "code", block))
        elif kind == "list":
            units.extend(_list_units(text, block))
        elif kind == "table":
            units.extend(Unit(row, "row", block) for row in _rows(text))
        else:
            joined = " ".join(plain(line) for line in text.splitlines()).strip()
            units.extend(Unit(sentence, "sentence", block) for sentence in _SENTENCE_END.split(joined) if sentence.strip())
    return units


def plain(line: str) -> str:
    """A line of Markdown without links, images, tags and heading signs; code spans and emphasis stay."""
    parts = re.split(r"(`+[^`]*`+)", line)
    for index in range(0, len(parts), 2):
        text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", parts[index])
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
        text = re.sub(r"</?[A-Za-z][^>]*>", "", text)
        parts[index] = re.sub(r"(?<!\\)\[(\d+)\]", r"\\[\1]", text)
    return re.sub(r"^\s*(?:#{1,6}\s+|>\s?)", "", "".join(parts)).strip()


def plain_text(markdown: str, longest: int) -> str:
    """The beginning of a passage on one line, without markup, at most ``longest`` characters, cut at a word."""
    words = " ".join(plain(line) for line in markdown.splitlines() if not _FENCE.match(line))
    text = re.sub(r"\s+", " ", words.replace("`", "").replace("**", "")).strip()
    return text if len(text) <= longest else f"{text[: longest - 1].rsplit(' ', 1)[0]}…"


def _list_units(text: str, block: int) -> list[Unit]:
    items = [
        "\n".join(plain_item(line) for line in item.splitlines() if line.strip())
        for item in re.split(r"\n(?=\s{0,3}(?:[-*+]|\d+[.)])\s)", text)
    ]
    items = [item for item in items if item]
    if len(_WORD.findall(text)) <= LONGEST_LIST_WORDS:
        return [Unit("\n".join(items), "list", block)]
    return [Unit(item, "list", block) for item in items]


def plain_item(line: str) -> str:
    """A list's line as ``plain`` has it, its bullet or number kept."""
    item = _ITEM.match(line)
    return f"{item.group().strip()} {plain(line[item.end() :])}" if item else f"  {plain(line)}"


def _rows(table: str) -> list[str]:
    rows = [[plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in table.splitlines()]
    body = [row for row in rows[1:] if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    return [" — ".join(cell.replace("\\|", "|") for cell in row if cell) for row in body or rows]


def _blocks(markdown: str) -> list[tuple[BlockKind, str]]:
    """Blocks divided by blank lines and where a list begins or ends; fences whole, list items kept together."""
    blocks: list[tuple[BlockKind, str]] = []
    current: list[str] = []
    fence = ""

    def close(kind: BlockKind | None = None) -> None:
        if any(line.strip() for line in current):
            blocks.append((kind or _kind(current), _dedented(current) if kind == "code" else "\n".join(current)))
        current.clear()

    for line in markdown.splitlines():
        opening = None if fence else _FENCE.match(line)
        if opening or (not fence and (not line.strip() or _parts(current, line))):
            close()
        if fence or line.strip():
            current.append(line)
        if opening:
            fence = opening.group(1)
        elif fence and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            close("code")
            fence = ""
    close("code" if fence else None)
    return _lists_joined(blocks)


def _parts(current: Sequence[str], line: str) -> bool:
    """Whether a line begins a block of its own: an item after text, or unindented text after items."""
    if not current:
        return False
    in_list, item = bool(_ITEM.match(current[0])), bool(_ITEM.match(line))
    return item if not in_list else not item and not line.startswith(" ")


def _lists_joined(
    blocks: list[tuple[BlockKind, str]],
) -> list[tuple[BlockKind, str]]:
    joined: list[tuple[BlockKind, str]] = []
    for kind, text in blocks:
        if kind == "list" and joined and joined[-1][0] == "list":
            joined[-1] = ("list", f"{joined[-1][1]}\n{text}")
        else:
            joined.append((kind, text))
    return joined


def _kind(lines: Sequence[str]) -> BlockKind:
    if _ITEM.match(lines[0]):
        return "list"
    return "table" if len(lines) > 1 and "|" in lines[0] and re.fullmatch(r"[\s|:\-]+", lines[1]) else "text"


def _dedented(lines: Sequence[str]) -> str:
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] if not line[:indent].strip() else line for line in lines)
