"""What the command writes: sentences on a terminal, JSON lines elsewhere, and one line on stderr for a failure."""

import json
import os
import sys

BAR_WIDTH = 30


class Stopped(Exception):
    """The verb can't go on; the message is one sentence for the user."""

    def __init__(self, words: str, code: int) -> None:
        """``code``: the process' exit code."""
        super().__init__(words)
        self.code = code


class Teller:
    """Tells of a run as it goes."""

    def __init__(self, *, as_json: bool) -> None:
        """``as_json``: JSON lines on a terminal too."""
        self._lines = as_json or not sys.stdout.isatty()
        self._bar = not as_json and sys.stderr.isatty()

    def say(self, event: str, words: str, **values: object) -> None:
        """A sentence on a terminal, a JSON line elsewhere."""
        write(json.dumps({"event": event, **values}) if self._lines else words)

    def progress(self, done: int, everything: int) -> None:
        """A bar on a terminal, a JSON line elsewhere."""
        if self._bar:
            filled = BAR_WIDTH * done // max(1, everything)
            end = "\n" if done == everything else ""
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done}/{everything} passages{end}")
            sys.stderr.flush()
        elif self._lines:
            write(json.dumps({"event": "progress", "done": done, "all": everything}))


def write(line: str) -> None:
    """A line on stdout; a reader that left is no reason to stop."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(words: str, code: int) -> int:
    """Say on stderr why the command ends; its exit code."""
    sys.stderr.write(f"qdrant_indexer: {words}\n")
    return code
