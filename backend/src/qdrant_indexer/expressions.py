"""What an MDX expression shows, as far as the page itself says it: literals, exported values, lists. No code is run."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from qdrant_indexer.jsx import literal, plain_value

_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*")
_MAP = re.compile(r"(?P<list>\[.*\]|[\w$.]+)\s*\.map\(\s*\(?\s*(?P<row>[\w$]+|\{[\w$,\s]+\})\s*(?:,[^)=]*)?\)?\s*=>", re.DOTALL)
_ELEMENT = re.compile(r"<[A-Za-z>].*>", re.DOTALL)
_WITHIN = "a list"
"""Set among the values while a list is mapped; no JavaScript name."""


def shown(source: str, values: dict[str, Any], converted: Callable[[str], str]) -> str | None:
    """The Markdown an expression becomes; None when the page doesn't say. ``converted`` turns MDX within it into Markdown.

    ``values`` are the names it may use; while a list is mapped they hold its row too.
    """
    if (text := literal(source)) is not None:
        return text.replace("<", "\\<")
    if _NAME.fullmatch(source) and (found := looked_up(source, values)) is not None:
        return found
    if source.startswith("`"):
        return re.sub(r"\$\{\s*([\w$.]+)\s*\}", lambda name: looked_up(name[1], values) or name[1], source.strip("`"))
    if element := _ELEMENT.search(source):
        rows = _rows(source[: element.start()], values)
        return "\n".join(converted(element[0]) for _ in _each(rows, values)) if rows else converted(element[0])
    return None


def looked_up(name: str, values: Mapping[str, Any]) -> str | None:
    """The text a dotted name stands for; None when the page doesn't say."""
    value = _value_of(name, values)
    return value if isinstance(value, str) else None


def _value_of(name: str, values: Mapping[str, Any]) -> Any:
    value: Any = values
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        # A prop that is not given shows nothing.
        value = cast(Mapping[str, Any], value).get(part, "" if name.startswith("props.") else None)
    return value


def _rows(source: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The names a mapped list brings in, row by row; none within another list, where rows would multiply."""
    match = _MAP.match(source)
    if match is None or _WITHIN in values:
        return []
    rows = plain_value(match["list"]) if match["list"].startswith("[") else _value_of(match["list"], values)
    return [_named(match["row"], row) for row in cast(list[Any], rows)] if isinstance(rows, list) else []


def _named(pattern: str, row: Any) -> dict[str, Any]:
    if not pattern.startswith("{"):
        return {pattern: row, _WITHIN: True}
    names = pattern.strip("{}").replace(",", " ").split()
    return {**{name: _value_of(name, row) for name in names}, _WITHIN: True}


def _each(rows: list[dict[str, Any]], values: dict[str, Any]) -> Iterator[None]:
    outside = dict(values)
    for row in rows:
        values.update(row)
        yield
    values.clear()
    values.update(outside)
