"""Cuts one block that is longer than a passage: text at sentence ends, code at line ends."""

import re
from collections.abc import Callable, Iterator

LIMIT = 200
"""Words and punctuation signs of a passage: about 220 word pieces of a model that reads 256."""

_WORD = re.compile(r"\w+|[^\w\s]")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]*_]*\s+|(?<=[。！？])|\n(?=[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t])")
_SPACE = re.compile(r"\s+")
_WHOLE = re.compile(r"(?P<ticks>`+)(?s:.+?)(?<!`)(?P=ticks)(?!`)|!?\[[^\]]*\]\([^()\s]*\)")
_LOOKS_LIKE_A_BLOCK = re.compile(
    r"(?P<lead>[ \t]*\d{0,9})(?P<sign>#{1,6}(?=\s|$)|[-+*](?=\s|$)|[.)](?=\s|$)|>|~{3}|`{3}|[-=_*]{2,}\s*$|\|)", re.MULTILINE
)


def size(text: str) -> int:
    """Words and punctuation signs in the text."""
    return sum(1 for _ in _WORD.finditer(text))


def cut_text(text: str) -> list[str]:
    """The text in parts of at most LIMIT, cut at sentence ends, else at spaces outside of code and links, else anywhere."""
    if size(text) <= LIMIT:
        return [text] if text.strip() else []
    parts = _packed(_split(text, _SENTENCE_END), LIMIT, _pieces_of_sentence)
    return [part if number == 0 else _as_text(part) for number, part in enumerate(part.strip() for part in parts) if part]


def cut_code(lines: list[str], opening: str, mark: str) -> list[str]:
    """A fence of at most LIMIT each for the lines of code; a single line over the limit is cut between words."""
    room = max(1, LIMIT - size(opening) - size(mark))
    bodies = _packed([line + "\n" for line in lines], room, lambda line: _hard_pieces(line, room))
    filled = [body for body in bodies if body.strip()]
    return [f"{opening}\n{body.rstrip() if len(filled) > 1 else body.removesuffix(chr(10))}\n{mark}" for body in filled]


def _packed(pieces: list[str], room: int, smaller: Callable[[str], list[str]]) -> list[str]:
    """The pieces joined to parts of at most ``room``; one that is over it is cut by ``smaller`` first."""
    parts: list[str] = []
    filled = room
    for piece in pieces:
        for part in [piece] if size(piece) <= room else smaller(piece):
            own = size(part)
            if filled + own > room or not parts:
                parts.append(part)
                filled = own
            else:
                parts[-1] += part
                filled += own
    return parts


def _split(text: str, at: re.Pattern[str]) -> list[str]:
    """The text in pieces that end where the pattern does, never within code or a link; joined they are the text."""
    whole = [match.span() for match in _WHOLE.finditer(text)]
    pieces: list[str] = []
    start = 0
    for match in at.finditer(text):
        while whole and whole[0][1] <= match.start():
            whole.pop(0)
        if match.end() > start and not (whole and whole[0][0] < match.end() and match.start() < whole[0][1]):
            pieces.append(text[start : match.end()])
            start = match.end()
    return [*pieces, text[start:]] if start < len(text) else pieces


def _pieces_of_sentence(sentence: str) -> list[str]:
    pieces = _split(sentence, _SPACE)
    return [part for piece in pieces for part in ([piece] if size(piece) <= LIMIT else _hard_pieces(piece, LIMIT))]


def _hard_pieces(text: str, room: int) -> list[str]:
    return list(_every(text, room))


def _every(text: str, room: int) -> Iterator[str]:
    start = 0
    for number, match in enumerate(_WORD.finditer(text)):
        if number and number % room == 0:
            yield text[start : match.start()]
            start = match.start()
    yield text[start:]


def _as_text(part: str) -> str:
    """A part from the middle of a paragraph must not begin a list, a heading or a fence."""
    match = _LOOKS_LIKE_A_BLOCK.match(part)
    return f"{part[: match.start('sign')]}\\{part[match.start('sign') :]}" if match else part
