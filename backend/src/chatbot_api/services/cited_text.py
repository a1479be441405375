"""The answer's text as it may be shown: markers checked against the sources, and nothing in it that loads or links elsewhere.

A filter over the whole stream: whatever may still turn into a marker, link, image or tag is held back until it is decided, so
that the result is the same wherever the stream was cut. Fenced and inline code pass through untouched. Code is what CommonMark
takes for code; what only looks like it is escaped, or a renderer would take for live what stands here for code.
"""

import re
from collections.abc import Callable, Collection

from chatbot_api.models.chat_models import Citation
from chatbot_api.models.clean_text import clean
from chatbot_api.services import markdown_signs as signs
from chatbot_api.services.allowed_links import leads_to_site

LONGEST_HELD = 2000
"""Characters a construct may take to close; an unclosed one is then let out as plain text."""
DEEPEST_FENCE = 3
"""Columns a fence may be indented by; deeper, CommonMark may see a paragraph. A deeper one is moved here."""

_BLOCK_START = re.compile(r"[\s>*+.)\d-]*")


class CitedText:
    """Takes pieces as they come, gives out what is safe to show, and knows where the citations stand in it."""

    def __init__(self, source_ids: Collection[str], site_hosts: Collection[str]) -> None:
        """``source_ids``: the numbers a marker may name. ``site_hosts``: hosts (with port) a link may lead to."""
        self._ids, self._hosts = frozenset(source_ids), frozenset(site_hosts)
        self._held = self._shown = ""
        self._last = False
        self._fence, self._indent, self._moved = "", 0, 0
        self._escape_end = self._seam = -1
        self.citations: list[Citation] = []
        self._handlers: dict[str, Callable[[], bool]] = {
            "\\": self._escape,
            "`": self._inline_code,
            "~": self._tildes,
            " ": self._space,
            "[": self._bracket,
            "]": lambda: self._take(1),
            "!": self._image,
            "<": self._tag,
        }

    @property
    def text(self) -> str:
        """All that was given out."""
        return self._shown

    def add(self, piece: str) -> str:
        """What can be shown now that ``piece`` is known; may be empty."""
        self._held += clean(piece.replace("\r", ""))
        return self._release()

    def finish(self) -> str:
        """What was still held back; nothing comes after it."""
        self._last = True
        return self._release()

    def _release(self) -> str:
        start = len(self._shown)
        while self._held and self._step():
            pass
        return self._shown[start:]

    @property
    def _head(self) -> str:
        return self._held[:LONGEST_HELD]

    @property
    def _more(self) -> bool:
        """Whether waiting for more text can still change a decision about the head."""
        return not self._last and len(self._held) < LONGEST_HELD

    def _known(self, position: int) -> bool:
        """Whether it is known what stands at a position of the head, be it the end of the text."""
        return position < len(self._head) or (self._last and len(self._held) <= LONGEST_HELD)

    # --- one decision after another

    def _step(self) -> bool:
        """Decide on the head of what is held; False when more text is needed for it."""
        if self._fence:
            return self._in_fence()
        if self._seam == len(self._shown) and (decided := self._at_seam()) is not None:
            return decided
        if not self._shown or self._shown.endswith("\n"):
            run = signs.LINE_START.match(self._held)
            if run and run.end() == len(self._held) and self._more:
                return False
            if run and len(run.group(1) or "") >= 3 and (opened := self._opens_fence()) is not None:
                return opened
        special = signs.SPECIAL.search(self._held)
        end = special.start() if special else len(self._held)
        if special is None and not self._last and (tail := signs.OPEN_URL_START.search(self._held)):
            end = tail.start()
        if end:
            return self._take(self._held.find("\n", 0, end) + 1 or end)
        return self._at_lone_marker() or (self._handlers.get(special.group()[0], self._url)() if special else False)

    def _at_lone_marker(self) -> bool:
        """Cite at once what needs no further look: most markers, at a third of the time."""
        marker = signs.LONE_MARKER.match(self._held)
        if marker is None or marker.end() > LONGEST_HELD or marker[1] not in self._ids or self._seam == len(self._shown):
            return False
        if marker.group()[0] == " ":
            self._take(1)
        self._cite(f"[{marker[1]}]")
        return self._drop(len(marker[1]) + 2)

    def _at_seam(self) -> bool | None:
        """Part what was divided by something left out and would together begin an address; None when it would not."""
        tail = signs.OPEN_URL_START.search(self._shown[-8:])
        if tail is None:
            return None
        joined = tail.group() + self._held
        if signs.URL_START.match(joined):
            self._shown += " "
            return True
        return False if self._more and signs.OPEN_URL_START.fullmatch(joined) else None

    def _escape(self) -> bool:
        if not self._known(1):
            return False
        if self._held[1:2] not in signs.ESCAPABLE:
            return self._take(1)
        self._take(2)
        self._escape_end = len(self._shown)
        return True

    def _inline_code(self) -> bool:
        """A code span within one line; a run of backticks that opens none is escaped, so that it opens none elsewhere either."""
        head = self._head
        width = len(head) - len(head.lstrip("`"))
        line = head.split("\n", 1)[0]
        closing = re.compile(rf"(?<!`)`{{{width}}}(?!`)").search(line, width)
        end = closing.end() if closing else len(line)
        if self._more and end == len(head):
            return False
        torn: bool | None = True
        if closing and self._known(end):
            torn = signs.torn_by_table(head[:end], self._shown, head[end:], more=self._more)
        if torn is None:
            return False
        return self._drop(width, "\\`" * width) if torn else self._take(end)

    def _tildes(self) -> bool:
        width = len(self._head) - len(self._head.lstrip("~"))
        if self._more and not self._known(width):
            return False
        return self._take(width) if width < 3 else self._drop(width, "\\~" * width)

    def _space(self) -> bool:
        """A space before a marker that names no source goes with it."""
        head = self._head
        if self._more and (len(head) == 1 or signs.OPEN_MARKER.fullmatch(head, 1)):
            return False
        marker = signs.MARKER.match(head, 1)
        after = head[marker.end() : marker.end() + 1] if marker else ""
        if marker is None or after == "(" or self._named(marker.group()):
            return self._take(1)
        return self._go_on_with(" " if after == "[" else "", marker.end())

    def _bracket(self) -> bool:
        label = signs.LABEL.match(self._head)
        if self._may_be_labelled(label, 0):
            return False
        if label is None:
            return self._take(1)
        target = signs.TARGET.match(self._head, label.end())
        if signs.MARKER.fullmatch(label.group()):
            self._cite(label.group())
            return self._drop((target or label).end())
        if target is None:
            return self._take(1)
        if not leads_to_site(target.group(1), self._hosts):
            return self._go_on_with(label.group(1), target.end())
        inner = CitedText((), self._hosts)
        shown = inner.add(label.group(1)) + inner.finish()
        return self._drop(target.end(), f"[{shown}]({target.group(1)})")

    def _image(self) -> bool:
        """Only the description of an image is shown. Other brackets after an exclamation mark are none of an image."""
        label = signs.LABEL.match(self._head, 1)
        if (self._more and len(self._head) == 1) or self._may_be_labelled(label, 1):
            return False
        target = signs.TARGET.match(self._head, label.end()) if label else None
        return self._go_on_with(label.group(1), target.end()) if label and target else self._take(1)

    def _may_be_labelled(self, label: re.Match[str] | None, start: int) -> bool:
        """Whether the bracket at ``start`` may yet get its end or, when it has one, a target."""
        if not self._more or label is None:
            return self._more and bool(signs.OPEN_LABEL.fullmatch(self._head, start))
        rest = self._head[label.end() :]
        return not rest or (rest[0] == "(" and "\n" not in rest and not signs.TARGET.match(rest))

    def _tag(self) -> bool:
        paragraph = signs.BLANK_LINE.split(self._head, maxsplit=1)[0]
        if address := signs.AUTOLINK.match(paragraph):
            return self._go_on_with(address.group(1), address.end())
        if tag := signs.TAG.match(paragraph):
            return self._drop(tag.end())
        if self._more and len(paragraph) == len(self._head) and signs.OPEN_TAG.fullmatch(paragraph):
            return False
        return self._take(1)

    def _url(self) -> bool:
        url = signs.BARE_URL.match(self._head)
        end = url.end() if url else 1
        if self._more and not self._known(end):
            return False
        address = self._held[:end].rstrip(".,;:!?'*_~\\")
        _, _, path = address.partition("://")[2].partition("/")
        allowed = leads_to_site(address, self._hosts) and not signs.URL_START.search(path)
        return self._drop(len(address), address if allowed else f"`{address}`")

    # --- fenced code

    def _opens_fence(self) -> bool | None:
        """Take the line that opens a fence; False when it isn't complete yet, None when it opens none."""
        if self._more and "\n" not in self._held:
            return False
        opening = signs.FENCE.match(self._head)
        if opening is None:
            return None
        blank = signs.width_of(opening.group(1))
        self._fence = opening.group(2) or opening.group(3)
        self._indent = min(blank, DEEPEST_FENCE)
        self._moved = blank - self._indent
        return self._pass(opening.group(), self._indent if self._moved else None)

    def _in_fence(self) -> bool:
        """A line of fenced code. Never less indented than its fence: else a list item would end, and the code with it."""
        newline = self._held.find("\n") + 1
        if not newline and not self._last:
            return False
        line = self._held[:newline] if newline else self._held
        sign = line.strip(" \t\n")
        blank = signs.width_of(line[: len(line) - len(line.lstrip(" \t"))]) - self._moved
        if sign.startswith(self._fence) and not sign.strip(self._fence[0]) and blank <= self._indent + 3:
            self._fence = ""
            return self._pass(line, self._indent or None)
        stays = not sign or (not self._moved and blank >= self._indent)
        return self._pass(line, None if stays else max(blank, self._indent))

    def _pass(self, line: str, indent: int | None) -> bool:
        """Show a line of code, untouched or with another indentation."""
        self._held = self._held[len(line) :]
        self._shown += line if indent is None else " " * indent + line.lstrip(" \t")
        return True

    # --- giving out

    def _named(self, marker: str) -> list[str]:
        return [number for number in dict.fromkeys(re.findall(r"[0-9]+", marker)) if number in self._ids]

    def _cite(self, marker: str) -> None:
        for number in self._named(marker):
            self._show(f"[{number}]")
            end = len(self._shown)
            self.citations.append(Citation(source_id=number, start=end - len(number) - 2, end=end))

    def _take(self, length: int) -> bool:
        return self._drop(length, self._held[:length])

    def _go_on_with(self, text: str, length: int) -> bool:
        """Put ``text`` in the place of the head: it is decided on like any other."""
        self._held = text + self._held[length:]
        self._seam = len(self._shown)
        return True

    def _drop(self, length: int, shown: str = "") -> bool:
        self._held = self._held[length:]
        if shown:
            self._show(shown)
        else:
            self._seam = len(self._shown)
        return True

    def _show(self, text: str) -> None:
        escaped = self._escape_end == len(self._shown) and self._shown[-1:] in "<!]"
        apart = signs.must_part(self._shown, text) and not escaped and not (text[0] == ":" and self._after_citation())
        self._shown += f" {text}" if apart else text

    def _after_citation(self) -> bool:
        """Whether a marker was just given out that a colon doesn't make a link's definition, which only opens a block."""
        last = self.citations[-1] if self.citations else None
        if last is None or last.end != len(self._shown):
            return False
        return not _BLOCK_START.fullmatch(self._shown[: last.start].rpartition("\n")[2])
