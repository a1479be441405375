"""What the elements of MDX mean for a reader of plain text: which are blocks, which carry text in their attributes."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any, cast

from chatbot_api.models.clean_text import clean
from qdrant_indexer.jsx import Tag, literal, plain_value

HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
DROPPED = frozenset({"script", "style", "svg", "noscript", "iframe", "head", "Head"})
"""Their content is no text of the page."""
AS_CODE = frozenset({"code", "kbd", "samp", "tt"})
READ_WHOLE = HEADINGS | DROPPED | AS_CODE | {"pre", "CodeBlock", "a"}
"""Elements that can only be turned into Markdown together with their content."""
HTML_INLINE = frozenset(
    [
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "big",
        "br",
        "center",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "img",
        "input",
        "ins",
        "kbd",
        "label",
        "mark",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
        "u",
        "var",
        "wbr",
    ]
)
HTML_BLOCKS = HEADINGS | frozenset(
    [
        "address",
        "article",
        "aside",
        "audio",
        "blockquote",
        "body",
        "button",
        "caption",
        "col",
        "colgroup",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "html",
        "iframe",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "picture",
        "pre",
        "section",
        "select",
        "source",
        "summary",
        "table",
        "tbody",
        "td",
        "textarea",
        "tfoot",
        "th",
        "thead",
        "tr",
        "track",
        "ul",
        "video",
    ]
)
_SHOWN = ("title", "label", "heading", "description", "summary", "caption", "alt")
"""Attributes of components that are usually shown to the reader."""


def image(tag: Tag) -> str:
    """An ``<img>`` as Markdown; nothing when it has no alternative text."""
    alt = " ".join(tag.attributes.get("alt", "").replace("[", "(").replace("]", ")").split())
    source = tag.attributes.get("src", "").replace(" ", "%20")
    return f"![{alt}]({source})" if alt and not tag.closing else ""


def fenced(tag: Tag, inner: str) -> str:
    """A ``<pre>`` or ``<CodeBlock>`` with its content as a fence, longer than any run of backticks in it."""
    tagless = re.sub(r"^\s*<code[^>]*>|</code>\s*$", "", inner)
    body = tagless.strip()
    text = literal(body[1:-1]) if body.startswith("{") and body.endswith("}") else None
    if text is None:
        text = clean(unescape(re.sub(r"</?[A-Za-z][^<>]*>", "", tagless)))
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    title = tag.attributes.get("title", "").replace('"', "'").replace("`", "'")
    info = tag.attributes.get("language", "") + (f' title="{title}"' if title else "")
    lines = text.strip("\n").rstrip()
    return f"{ticks}{info}\n{lines}\n{ticks}"


def tab_labels(tabs: Tag) -> dict[str, str]:
    """Value -> label of the tabs a ``<Tabs values={[...]}>`` names."""
    rows = plain_value(tabs.expressions.get("values", ""))
    labels: dict[str, str] = {}
    for row in cast(list[Any], rows) if isinstance(rows, list) else []:
        if isinstance(row, dict):
            named = cast(dict[str, Any], row)
            labels[str(named.get("value", ""))] = str(named.get("label", ""))
    return labels


def own_text(tag: Tag, tabs: Mapping[str, str]) -> str:
    """What a component shows of its attributes: a tab's label, a card's title; empty for HTML elements and closing tags."""
    if tag.closing or not tag.is_component:
        return ""
    if tag.name == "TabItem":
        value = tag.attributes.get("value", "")
        label = _said(tag, "label") or tabs.get(value) or value
        return f"**{label}**" if label else ""
    # What a <Translate> describes is for translators.
    shown = [] if tag.name == "Translate" else [" ".join(_said(tag, name).split()) for name in _SHOWN]
    return ". ".join(text for text in shown if text).replace("<", "\\<")


def _said(tag: Tag, attribute: str) -> str:
    """An attribute's text, of JSX given as its value too."""
    source = tag.expressions.get(attribute, "").strip()
    if not source.startswith("<"):
        return tag.attributes.get(attribute, "")
    text = re.sub(r"\{([^{}]*)\}", lambda braces: literal(braces[1]) or "", re.sub(r"</?[A-Za-z][^<>]*>|</?>", "", source))
    return clean(unescape(text))
