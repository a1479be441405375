"""The embedded index's files: its runs, the pointer to the live one, and the engine's failures by our names.

<index folder>/current          name of the live run, and on a second line of the one before it; replaced atomically
<index folder>/<run>/shard      the engine's own files, finished, flushed and closed before the pointer moves
<index folder>/<run>/marker.json
<index folder>/.lock            held by the process that writes

A run that the pointer doesn't name was left unfinished: the next one takes its vectors over.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from chatbot_api.errors import IndexMismatch, SearchError, SearchUnavailable
from chatbot_api.models.index_models import IndexMarker

T = TypeVar("T")
_RUN = re.compile(r"\d{8}T\d+-[0-9a-f]{6}")


def live_run(folder: Path) -> str:
    """Name of the run that readers are to open; empty when nothing was ever published."""
    return pointed_runs(folder)[0]


def pointed_runs(folder: Path) -> tuple[str, str]:
    """Names of the live run and of the one that was live before it; empty for one that isn't there."""
    try:
        lines = (folder / "current").read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return "", ""
    except (OSError, UnicodeDecodeError) as error:
        raise SearchUnavailable(f"{folder / 'current'} can't be read: {error}") from error
    live, previous = (name if (folder / name).is_dir() else "" for name in (line.strip() for line in [*lines, ""][:2]))
    return live, previous


def point(folder: Path, live: str, previous: str) -> None:
    """Make ``live`` the run that readers open. Raises SearchUnavailable; the pointer is the old one then."""
    pointer = folder / f".current-{live}"
    try:
        _write_through(pointer, f"{live}\n{previous}\n")
        os.replace(pointer, folder / "current")
    except OSError as error:
        raise SearchUnavailable(f"{folder} can't be written: {error.strerror}") from error


def unfinished_runs(folder: Path) -> list[str]:
    """Names of the runs that were begun and never went live, the newest first."""
    pointed = pointed_runs(folder)
    names = (path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ()
    return sorted((name for name in names if _RUN.fullmatch(name) and name not in pointed), reverse=True)


def read_marker(run: Path) -> tuple[IndexMarker | None, int | None]:
    """The marker of a run, None when it has none of ours; and how many passages the run was published with."""
    try:
        values: Any = json.loads((run / "marker.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None, None
    if not isinstance(values, dict):
        return None, None
    marker = cast("dict[str, Any]", values)
    marker.pop("unfinished", None)
    passages = marker.pop("passages", None)
    return IndexMarker.read(marker), passages


def write_marker(run: Path, marker: IndexMarker, passages: int | None) -> None:
    """Mark a run, with None as unfinished. Raises SearchUnavailable."""
    state: dict[str, Any] = {"unfinished": True} if passages is None else {"passages": passages}
    try:
        _write_through(run / "marker.json", json.dumps({**marker.as_dict(), **state}, indent=1))
    except OSError as error:
        raise SearchUnavailable(f"{run} can't be written: {error.strerror}") from error


def _write_through(path: Path, text: str) -> None:
    """Not only to the system's memory: what a pointer names has to be there after a power cut."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def engine(call: Callable[..., T], *arguments: object) -> T:
    """The engine's result. Raises SearchError for whatever it raises, and for its panics."""
    try:
        return call(*arguments)
    except BaseException as error:
        # Over damaged files the engine may panic, which is no Exception and belongs to no module that could be imported.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise _named(error) from error
        raise


def _named(error: BaseException) -> SearchError:
    text = " ".join(str(error).split())
    if "dimension" in text or "Not existing vector name" in text:
        return IndexMismatch(text)
    return SearchUnavailable(text)
