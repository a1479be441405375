"""Reads one JSX tag or one brace expression out of MDX: where it ends and what its attributes say. Nothing is evaluated."""

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import yaml

from chatbot_api.models.clean_text import clean

_LONGEST = 20_000
"""Characters looked at for the end of a tag or an expression: keeps text with a stray ``<`` or ``{`` linear."""
_NAME = re.compile(r"(?P<closing>/?)\s*(?P<name>[A-Za-z][\w.:-]*)?")
_ATTRIBUTE = re.compile(
    r"\s*(?:(?P<end>/?\s*>)|(?P<spread>\{)|(?P<name>[\w:@.$-]+)(?:\s*=\s*(?P<value>\"[^\"]*\"|'[^']*'|\{|[^\s\"'{}<>=`]+))?)"
)
_INSIDE = re.compile(r"'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|`(?:\\.|[^`\\])*`|/\*.*?\*/|[{}]", re.DOTALL)
_QUOTED = re.compile(r"(?P<quote>['\"`])(?P<text>(?:\\.|(?!(?P=quote))[^\\])*)(?P=quote)", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Tag:
    """An opening, closing or self-closing tag; a fragment (``<>``) has an empty name."""

    name: str
    closing: bool
    self_closing: bool
    end: int
    """Index behind its ``>``."""
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    """Values given as strings, numbers or nothing."""
    expressions: dict[str, str] = field(default_factory=dict[str, str])
    """Source of the values given as any other ``{expression}``."""

    @property
    def is_component(self) -> bool:
        """A React component (or a fragment), not an HTML element."""
        return not self.name or not self.name[0].islower() or "." in self.name


def read_tag(text: str, start: int) -> Tag | None:
    """The tag whose ``<`` stands at ``start``; None when there is none."""
    head = _NAME.match(text, start + 1)
    if head is None:
        return None
    attributes: dict[str, str] = {}
    expressions: dict[str, str] = {}
    position = head.end()
    while (match := _ATTRIBUTE.match(text, position)) and match.end() - start < _LONGEST:
        position = match.end()
        if match["end"]:
            is_open = not head["closing"]
            return Tag(head["name"] or "", not is_open, is_open and "/" in match["end"], position, attributes, expressions)
        if not head["name"]:
            return None
        if match["spread"] or match["value"] == "{":
            end = braces_end(text, position - 1)
            if end is None:
                return None
            _add_expression(match["name"], text[position : end - 1], attributes, expressions)
            position = end
        else:
            attributes[match["name"]] = clean(unescape((match["value"] or "").strip("\"'")))
    return None


def _add_expression(name: str | None, source: str, attributes: dict[str, str], expressions: dict[str, str]) -> None:
    if name is None:
        return
    value = literal(source)
    if value is None:
        expressions[name] = source
    else:
        attributes[name] = value


def braces_end(text: str, start: int) -> int | None:
    """Index behind the brace that closes the one at ``start``, strings and comments skipped; None when it stays open."""
    depth = 0
    for match in _INSIDE.finditer(text, start, start + _LONGEST):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth == 0:
                return match.end()
    return None


def literal(source: str) -> str | None:
    """The text of a string or number literal; None for any other expression."""
    stripped = source.strip()
    if _NUMBER.fullmatch(stripped):
        return stripped
    match = _QUOTED.fullmatch(stripped)
    if match is None or (match["quote"] == "`" and "${" in match["text"]):
        return None
    return re.sub(r"\\(.)", lambda escaped: {"n": "\n", "t": "\t"}.get(escaped[1], escaped[1]), match["text"], flags=re.DOTALL)


def plain_value(source: str) -> Any:
    """A literal, list or object of literals as strings, lists and dicts of strings; None for anything else.

    Plain JavaScript literals of this kind are YAML flow values too.
    """
    stripped = source.strip().removesuffix(";").rstrip()
    value = literal(stripped)
    if value is not None or stripped[:1] not in {"{", "["}:
        return value
    try:
        return yaml.load(stripped.replace("\t", " "), yaml.BaseLoader)  # noqa: S506  (BaseLoader makes strings, lists and dicts alone)
    except yaml.YAMLError:
        return None
