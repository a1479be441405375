"""The embedded index's files: its runs, the pointer to the live one, and the engine's failures by our names.

<index folder>/current          name of the live run, replaced atomically
<index folder>/<run>/shard      the engine's own files, finished, flushed and closed before the pointer moves
<index folder>/<run>/marker.json
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from chatbot_api.errors import IndexMismatch, SearchError, SearchUnavailable
from chatbot_api.models.index_models import IndexMarker

T = TypeVar("T")


def live_run(folder: Path) -> str:
    """Name of the run that readers are to open; empty when nothing was ever published."""
    try:
        name = (folder / "current").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SearchUnavailable(f"{folder / 'current'} can't be read: {error}") from error
    return name if (folder / name).is_dir() else ""


def read_marker(run: Path) -> tuple[IndexMarker | None, int | None]:
    """The marker of a run, None when it has none of ours; and how many passages the run was published with."""
    try:
        values: Any = json.loads((run / "marker.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None, None
    if not isinstance(values, dict):
        return None, None
    marker = cast("dict[str, Any]", values)
    passages = marker.pop("passages", None)
    return IndexMarker.read(marker), passages


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
