"""The answer's text as it may be shown: markers checked against the sources, and nothing in it that loads or links elsewhere.

A filter over the whole stream: whatever may still turn into a marker, link, image or tag is held back until it is decided.
Fenced and inline code pass through untouched.
"""

import re
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from chatbot_api.models.chat_models import Citation
from chatbot_api.models.clean_text import clean

LONGEST_HELD = 2000
"""Characters a construct may take to close; an unclosed one is then let out as plain text."""

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[^\n]*\n")
_MARKER = re.compile(r"\[\s*\d+(?:\s*,\s*\d+)*\s*\](?!\()")
_IMAGE = re.compile(r"!\[([^\]\n]*)\](?:\([^)\n]*\)|\[[^\]\n]*\])?")
_LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s\n]*)[^)\n]*\)")
_BRACKETS = re.compile(r"\[[^\]\n]*\]")
_TAG = re.compile(r"<(?:!--.*?-->|/?[A-Za-z][^<>]*>|![^<>]*>)", re.DOTALL)
_BARE_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"`)\]]+|www\.[^\s<>\"`)\]]+", re.IGNORECASE)
_SPECIAL = re.compile(r"[\\`~\[!<]|(?:https?|ftp)://|www\.", re.IGNORECASE)
_SCHEME_START = re.compile(r"(?:h|ht|htt|http|https|f|ft|ftp|w|ww|www)(?::/?)?$", re.IGNORECASE)


class CitedText:
    """Takes pieces as they come, gives out what is safe to show, and knows where the citations stand in it."""

    def __init__(self, source_ids: Collection[str], site_hosts: Collection[str]) -> None:
        """``source_ids``: the numbers a marker may name. ``site_hosts``: hosts (with port) a link may lead to."""
        self._ids, self._hosts = frozenset(source_ids), frozenset(site_hosts)
        self._held = ""
        self._shown = ""
        self._fence = ""
        self.citations: list[Citation] = []

    @property
    def text(self) -> str:
        """All that was given out."""
        return self._shown

    def add(self, piece: str) -> str:
        """What can be shown now that ``piece`` is known; may be empty."""
        self._held += clean(piece)
        return self._release(last=False)

    def finish(self) -> str:
        """What was still held back; nothing comes after it."""
        return self._release(last=True)

    def _release(self, *, last: bool) -> str:
        start = len(self._shown)
        while self._held and self._step(last=last):
            pass
        return self._shown[start:]

    def _step(self, *, last: bool) -> bool:
        """Decide on the head of what is held; False when more text is needed for it."""
        if self._fence or (self._at_line_start() and self._held.lstrip(" \t")[:1] in ("`", "~", "")):
            return self._fenced(last=last)
        special = _SPECIAL.search(self._held)
        if special is None:
            tail = None if last else _SCHEME_START.search(self._held)
            self._take(tail.start() if tail else len(self._held))
            return bool(self._held) and tail is None
        if special.start():
            return self._take(self._up_to_line_end(special.start()))
        return self._decide(special.group()[0].lower(), last=last)

    def _up_to_line_end(self, end: int) -> int:
        newline = self._held.find("\n", 0, end)
        return end if newline < 0 else newline + 1

    def _decide(self, sign: str, *, last: bool) -> bool:
        handler: Callable[[], bool] = {
            "\\": self._escape,
            "`": self._inline_code,
            "~": lambda: self._take(1),
            "[": self._bracket,
            "!": self._image,
            "<": self._tag,
        }.get(sign, self._url)
        needs_more = not last and len(self._held) < LONGEST_HELD and self._undecided(sign)
        return False if needs_more else handler()

    def _undecided(self, sign: str) -> bool:
        """Whether the construct at the head has not come to its end yet."""
        head = self._held.split("\n\n", 1)[0] if sign == "<" else self._held.split("\n", 1)[0]
        cut = len(head) == len(self._held)
        match sign:
            case "\\":
                return len(self._held) < 2
            case "`":
                run = re.match(r"`+", self._held)
                width = len(run.group()) if run else 1
                return cut and not re.search(rf"(?<!`)`{{{width}}}(?!`)(?=.)", self._held[width:])
            case "[":
                return cut and not re.match(r"\[[^\]]*\](?:[^(]|\([^)]*\))", head)
            case "!":
                return cut and not re.match(r"!(?:[^\[]|\[[^\]]*\](?:[^(\[]|\([^)]*\)|\[[^\]]*\]))", head)
            case "<":
                return cut and (len(head) == 1 or bool(re.match(r"</?[A-Za-z!]", head))) and ">" not in head
            case _:
                return cut and not re.search(r"[\s<>\"`)\]]", head)

    def _escape(self) -> bool:
        return self._take(2)

    def _inline_code(self) -> bool:
        run = re.match(r"`+", self._held)
        width = len(run.group()) if run else 1
        closing = re.compile(rf"(?<!`)`{{{width}}}(?!`)").search(self._held, width)
        return self._take(closing.end() if closing else width)

    def _bracket(self) -> bool:
        if marker := _MARKER.match(self._held):
            self._cite(marker.group())
            return self._drop(marker.end())
        if found := _LINK.match(self._held):
            return self._drop(found.end(), found.group() if self._allowed(found.group(2)) else found.group(1))
        return self._take(1)

    def _cite(self, marker: str) -> None:
        named = [number for number in re.findall(r"\d+", marker) if number in self._ids]
        if not named:
            self._shown = self._shown.removesuffix(" ")
        for number in dict.fromkeys(named):
            start = len(self._shown)
            self._shown += f"[{number}]"
            self.citations.append(Citation(source_id=number, start=start, end=len(self._shown)))

    def _image(self) -> bool:
        if image := _IMAGE.match(self._held):
            return self._drop(image.end(), image.group(1))
        return self._take(1)

    def _tag(self) -> bool:
        if tag := _TAG.match(self._held):
            return self._drop(tag.end())
        return self._take(1)

    def _url(self) -> bool:
        url = _BARE_URL.match(self._held)
        if url is None:
            return self._take(1)
        address = url.group().rstrip(".,;:!?'*_")
        return self._drop(len(address), address if self._allowed(address) else f"`{address}`")

    def _allowed(self, address: str) -> bool:
        if address.startswith(("/", "#")) and not address.startswith(("//", "/\\")):
            return True
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and parts.netloc in self._hosts

    def _fenced(self, *, last: bool) -> bool:
        """A line that opens, continues or closes fenced code; held until it is complete."""
        newline = self._held.find("\n") + 1
        if not newline and not last:
            return False
        line = self._held[:newline] if newline else self._held
        sign = line.strip()
        if self._fence:
            if sign.startswith(self._fence) and not sign.strip(self._fence[0]):
                self._fence = ""
            return self._take(len(line))
        if opening := _FENCE.match(line):
            self._fence = opening.group(1)
            return self._take(len(line))
        return self._plain_head(line)

    def _plain_head(self, line: str) -> bool:
        blank = len(line) - len(line.lstrip())
        if blank:
            return self._take(blank)
        return self._inline_code() if line.startswith("`") else self._take(1)

    def _at_line_start(self) -> bool:
        return not self._shown or self._shown.endswith("\n")

    def _take(self, length: int) -> bool:
        return self._drop(length, self._held[:length])

    def _drop(self, length: int, shown: str = "") -> bool:
        self._shown += shown
        self._held = self._held[length:]
        return True
