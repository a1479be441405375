"""Where payloads of other tools keep things: dotted paths, the ordered lists of their keys, and text that is really text.

Source of the lists: payloads of about two dozen backends of this kind, and the packages of the frameworks named in foreign_shape.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from chatbot_api.models.clean_text import clean

CONTAINERS = ("metadata", "meta", "meta_data", "payload")
"""Objects a payload's keys may lie in; the payload itself is looked at first."""
TEXT_KEYS = (
    *("text", "content", "page_content", "chunk_text", "text_content", "document", "contextual_content", "body", "chunk"),
    *("markdown", "_node_content.text", "_node_content.text_resource.text"),
)
URL_KEYS = (
    *("url", "source_url", "canonical_url", "link", "permalink", "url_path", "source", "chunkSource"),
    "original_source_ref",
)
SLUG_KEYS = ("url_slug",)
"""A route below the docs, without their prefix."""
PATH_KEYS = (
    *("file_path", "doc_path", "path", "full_path", "source_file", "relative_path", "filename", "file_name", "source"),
    "original_source_ref",
)
TITLE_KEYS = ("page_title", "title", "source_page_title", "chapter_title", "doc_title", "name", "chapter_name", "Header 1")
SECTION_KEYS = (
    *("heading_path", "heading_breadcrumb", "heading", "section_heading", "section_title", "section", "section_name"),
    *("subchapter_title", "lesson"),
)
"""Lists first: a path says more than its last part."""
HEADERS = tuple(f"Header {level}" for level in range(2, 7))
"""What LangChain's Markdown splitter calls the headings a chunk lies below; ``Header 1`` is the page's title."""
PARENT_KEYS = ("parent_headers", "header_path")
"""Where Haystack's and LlamaIndex' Markdown splitters keep the headings above a chunk's own."""
DOCUMENT_KEYS = ("document_id", "ref_doc_id", "doc_id", "original_doc_id", "content_id", "file_id", "meta.source_id")
ORDER_KEYS = ("chunk_index", "chunk_part", "split_id")
LOCALE_KEYS = ("language", "locale", "lang")
VERSION_KEYS = ("version",)
MODEL_KEYS = ("embedding_model", "model_version")
TENANT_PATHS = tuple(f"{prefix}{key}" for prefix in ("", "metadata.") for key in ("tenant_id", "group_id", "source_id"))
"""Where Open WebUI, Dify and DocsGPT say whose a point is. Haystack's ``meta.source_id`` is another thing: the document's id."""
_NO_ID = "None"
"""What LlamaIndex writes for a node without a document."""


def everywhere(keys: Iterable[str]) -> tuple[str, ...]:
    """The keys as paths: of the payload itself, then of each container."""
    named = tuple(keys)
    return (*named, *(f"{container}.{key}" for container in CONTAINERS for key in named))


def value_at(payload: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path; None when nothing does.

    A key may hold dots itself. An object may be stored as a JSON string, as LlamaIndex' ``_node_content`` is.
    """
    if not path:
        return None
    if path in payload:
        return payload[path]
    head, dot, rest = path.partition(".")
    inner = _object(payload.get(head)) if dot else None
    return value_at(inner, rest) if inner is not None else None


def text_at(payload: Mapping[str, Any], path: str) -> str:
    """The cleaned text at a dotted path; empty when there is none or it is no text."""
    return as_text(value_at(payload, path))


def as_text(value: object) -> str:
    """The cleaned text of a value; empty when it is no text."""
    return clean(value).strip() if isinstance(value, str) else ""


def first_text(payload: Mapping[str, Any], paths: Iterable[str]) -> str:
    """The first text found at these paths."""
    return next((text for path in paths if (text := text_at(payload, path))), "")


def first_id(payload: Mapping[str, Any], paths: Iterable[str]) -> str:
    """The first id found at these paths; numbers count."""
    for path in paths:
        value = value_at(payload, path)
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else as_text(value)
        if text and text != _NO_ID:
            return text
    return ""


def as_order(value: object) -> int | None:
    """A position, 0 and up; None when the value is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _object(value: object) -> Mapping[str, Any] | None:
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else None
