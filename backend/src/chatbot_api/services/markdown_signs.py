"""What the constructs of Markdown look like that an answer's text may hold, whole and while they are still being written.

Each stands within one line, HTML within one paragraph. Where a renderer could see more than is seen here, the signs that
would make it live are kept apart instead (see ``must_part``).
"""

import re

_CODE = r"`[^`\n]*`"
LABEL = re.compile(rf"\[((?:[^\[\]`\\\n]|{_CODE}|\\.)*)\]")
OPEN_LABEL = re.compile(rf"\[(?:[^\[\]`\\\n]|{_CODE}|\\.)*(?:`[^`\n]*|\\)?")
_ADDRESS = r"<[^<>\n]*>|(?:[^()\s<>`\\\[\]]|\([^()\s<>`\\\[\]]*\))*"
_TITLE = r"\"[^\"\n]*\"|'[^'\n]*'"
TARGET = re.compile(rf"\([ \t]*({_ADDRESS})(?:[ \t]+(?:{_TITLE}))?[ \t]*\)")
"""What follows a label and makes it a link or an image."""
MARKER = re.compile(r"\[[ \t]*[0-9]+(?:[ \t]*,[ \t]*[0-9]+)*[ \t]*\]")
LONE_MARKER = re.compile(r" ?\[([0-9]+)\](?=[^(\[:])")
"""A marker of one number, as models write most of them, which nothing that may follow makes anything else."""
OPEN_MARKER = re.compile(r"\[[0-9, \t]*\]?")

FENCE = re.compile(r"([ \t]*)(?:(`{3,})[^`|\n]*|(~{3,})[^|\n]*)\n")
"""A pipe could make the line a table's head: some renderers look for tables first."""

TAG = re.compile(r"<(?:!--.*?-->|/?[A-Za-z][^<>]*>|!(?!--)[^<>]*>|\?[^<>]*>)", re.DOTALL)
OPEN_TAG = re.compile(r"<(?:/?(?:[A-Za-z][^<>]*)?|!--.*|!-?|!(?!-)[^<>]*|\?[^<>]*)", re.DOTALL)
BLANK_LINE = re.compile(r"\n[ \t]*\n")
_BLANK_IN_QUOTE = re.compile(r"\n[ \t>]*\n")

LINE_START = re.compile(r"[ \t]*(`+|~+)?")
_URL = r"(?:(?:https?|ftp)://|www\.)"
URL_START = re.compile(_URL, re.IGNORECASE)
OPEN_URL_START = re.compile(r"(?:h|ht|htt|https?|f|ft|ftp|w|ww|www)(?::/?)?\Z", re.IGNORECASE)
BARE_URL = re.compile(rf"{_URL}[^\s<>\"`|)\[\]]*", re.IGNORECASE)
AUTOLINK = re.compile(r"<((?:https?|ftp)://[^<>\s]*)>", re.IGNORECASE)

SPECIAL = re.compile(rf"[\\`~\[\]!<]| (?=\[|\Z)|{_URL}", re.IGNORECASE)
"""Where plain text ends; a space, where a marker may follow that takes it along."""
ESCAPABLE = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")

_LIVE = re.compile(rf"\]\(|<[A-Za-z/!?]|{_URL}", re.IGNORECASE)
_TABLE_RULE = re.compile(r"[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_OPEN_TABLE_RULE = re.compile(r"[ \t>|:-]*")
_JOINED = re.compile(r"!\[|\]\(|\]:|<[A-Za-z/!?]|``|\\`")


def width_of(blank: str) -> int:
    """Columns of a line's leading blanks; tabs stop every four."""
    return len(blank.expandtabs(4))


def must_part(before: str, after: str) -> bool:
    """Whether two signs must not meet: together they open an image, link, definition, tag or code that was not meant for one."""
    return bool(_JOINED.fullmatch(before[-1:] + after[:1]))


def torn_by_table(code: str, before: str, after: str, *, more: bool) -> bool | None:
    """Whether a table would cut a code span at its pipe and bring a half of it to life. GFM divides cells first.

    ``before``, ``after``: the text around it. ``more``: whether text may follow; then None when the next line isn't known yet.
    """
    if "|" not in code or not _LIVE.search(code):
        return False
    if any(_TABLE_RULE.fullmatch(line) for line in _BLANK_IN_QUOTE.split(before)[-1].split("\n")):
        return True
    _, newline, following = after.partition("\n")
    following, ended, _ = following.partition("\n")
    if more and not ended and (not newline or _OPEN_TABLE_RULE.fullmatch(following)):
        return None
    return bool(_TABLE_RULE.fullmatch(following))
