"""Reads a point of another tool's collection as a passage; the collection itself is never written to.

The shape is found once, by ``detect``. Nothing is invented: no address where none can be derived, no anchor the page lacks.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from chatbot_api.models.index_models import Passage
from chatbot_api.services.foreign_address import (
    address_of_path,
    address_of_slug,
    heading_slug,
    is_file_name,
    name_of,
    normal_prefix,
    stored_address,
)
from chatbot_api.services.foreign_fields import (
    HEADERS,
    PARENT_KEYS,
    as_order,
    as_text,
    everywhere,
    first_id,
    first_text,
    text_at,
    value_at,
)
from chatbot_api.services.foreign_shape import ANYTHING_LLM, PREDECESSOR, ForeignKeys, ForeignShape, VectorShape, detect

__all__ = ["ForeignKeys", "ForeignShape", "VectorShape", "detect", "passage_of"]

KnownAnchors = Callable[[str], Collection[str]]
_PREDECESSOR_PREFIX = "/docs/"
"""The predecessor's addresses are the file's path behind this, whatever the site's settings."""
_ANYTHING_HEADER = re.compile(r"<document_metadata>.*?</document_metadata>\s*", re.DOTALL)
"""AnythingLLM puts title and date before every chunk."""
_HEADING_MARKS = re.compile(r"^#{1,6}\s+|\s*\{#[^}]*\}\s*$")
_OWN_HEADING = re.compile(r"(?P<marks>#{1,6})[ \t]+(?P<text>[^\n]+)(?:\n[ \t]*\n|\Z)")
"""A heading the text begins with. An empty line must follow: a comment in code looks alike."""
_TITLE_CUT = 60
"""Characters of the text that stand in for a title when there is no other."""


def passage_of(
    point_id: str,
    payload: Mapping[str, Any] | None,
    shape: ForeignShape,
    *,
    docs_prefix: str = "/docs",
    site: str = "",
    known_anchors: KnownAnchors | None = None,
) -> Passage | None:
    """The passage of a point; None for one without text, or of a part of the collection that is not to be read.

    ``docs_prefix``: where the site serves its docs (base URL and route). ``site``: name the passage bears. ``known_anchors``: the
    ids of a page's headings by its address; without it a passage has an anchor only when its stored address has one. ``url`` is
    empty when the point bears no address that a reader could open.
    """
    if not payload or any(first_id(payload, (path,)) != value for path, value in shape.only):
        return None
    text = _text(payload, shape)
    if not text:
        return None
    url, anchor = _address(payload, shape, normal_prefix(docs_prefix))
    trail, heading_1 = _trail(payload, shape, text)
    title = _given_title(payload, shape) or heading_1 or _derived_title(payload, shape, url, text)
    headings = tuple(trail[1:] if trail and trail[0].casefold() == title.casefold() else trail)
    if url and not anchor and headings and known_anchors is not None:
        slug = heading_slug(headings[-1])
        anchor = slug if slug in known_anchors(url) else ""
    return Passage(
        id=point_id,
        text=text,
        url=url,
        anchor=anchor,
        title=title,
        heading_path=headings,
        page_id=url or first_id(payload, shape.document_keys) or _given_title(payload, shape) or point_id,
        ordinal=as_order(value_at(payload, shape.order_key)) or 0,
        site=site,
        version=text_at(payload, shape.version_key) or None,
        locale=text_at(payload, shape.locale_key) or "en",
    )


def _text(payload: Mapping[str, Any], shape: ForeignShape) -> str:
    text = first_text(payload, shape.text_keys)
    return _ANYTHING_HEADER.sub("", text, count=1).strip() if shape.maker == ANYTHING_LLM else text


def _address(payload: Mapping[str, Any], shape: ForeignShape, prefix: str) -> tuple[str, str]:
    if shape.maker == PREDECESSOR and shape.url_keys[0] == "url" and (url := _predecessor_address(payload, prefix)):
        return url, ""
    for key in shape.url_keys:
        url, anchor = stored_address(text_at(payload, key), prefix)
        if url:
            return url, anchor
    paths = (address_of_path(text_at(payload, key), prefix) for key in shape.path_keys)
    slugs = (address_of_slug(text_at(payload, key), prefix) for key in shape.slug_keys)
    return next((url for found in (paths, slugs) for url in found if url), ""), ""


def _predecessor_address(payload: Mapping[str, Any], prefix: str) -> str:
    """By the stored address when it is the file's path, else by that path: front matter may have overwritten the address."""
    stored = text_at(payload, "url").replace("\\", "/")
    by_url = address_of_path(stored, prefix) if stored.startswith(_PREDECESSOR_PREFIX) else ""
    return by_url or address_of_path(_PREDECESSOR_PREFIX + text_at(payload, "file_path"), prefix)


def _given_title(payload: Mapping[str, Any], shape: ForeignShape) -> str:
    title = _line(first_text(payload, shape.title_keys))
    return name_of(title) if is_file_name(title) else title


def _derived_title(payload: Mapping[str, Any], shape: ForeignShape, url: str, text: str) -> str:
    """By the address, the file's name, the chapter, or the text's first line."""
    names = (name_of(text_at(payload, key)) for key in shape.path_keys if key.rpartition(".")[2] != "source")
    named = name_of(url) or next((name for name in names if name), "") or first_text(payload, everywhere(("chapter",)))
    return _line(named) or _line(text.split("\n", 1)[0])[:_TITLE_CUT] or text[:_TITLE_CUT]


def _trail(payload: Mapping[str, Any], shape: ForeignShape, text: str) -> tuple[list[str], str]:
    """The headings the passage lies below, h2 first, and the page's h1 where that is known too."""
    stored = (_heading_parts(value_at(payload, key)) for key in shape.section_keys)
    if path := next((path for path in stored if path), None):
        return path, ""
    heading = _OWN_HEADING.match(text)
    own = _line(heading["text"]) if heading else ""
    path = _splitters_trail(payload, own)
    # As many headings as the last one's level: the first is an h1.
    return (path[1:], path[0]) if heading and len(heading["marks"]) == len(path) else (path, "")


def _splitters_trail(payload: Mapping[str, Any], own: str) -> list[str]:
    """What the Markdown splitters of LangChain, Haystack and LlamaIndex leave; without any, the heading the text begins with."""
    if numbered := [text for name in HEADERS if (text := _line(first_text(payload, everywhere((name,)))))]:
        return numbered
    above = next((value for key in everywhere(PARENT_KEYS) if (value := value_at(payload, key))), None)
    last = _line(first_text(payload, everywhere(("header",)))) or own
    return [*_heading_parts(above), *([last] if last else [])]


def _heading_parts(value: object) -> list[str]:
    if isinstance(value, list):
        texts = [as_text(part) for part in cast(list[object], value)]
    else:
        text = as_text(value)
        texts = text.split("/") if text.startswith("/") else text.split(" > ")
    return [line for text in texts if (line := _line(text))]


def _line(text: str) -> str:
    """A heading or title on one line, without Markdown's marks."""
    return " ".join(_HEADING_MARKS.sub("", text.strip()).split())
