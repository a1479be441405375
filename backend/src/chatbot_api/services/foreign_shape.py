"""Which tool made a collection, and where its points keep what a passage needs: found out once, at start.

Read in the sources of langchain-qdrant 1.1, @langchain/qdrant 1.0, llama-index-vector-stores-qdrant 0.10, qdrant-haystack 13.1,
qdrant-client 1.18 (``add``), mcp-server-qdrant 0.8, qdrant-loader 1.0, agno 3.1, Dify, Open WebUI, AnythingLLM and DocsGPT.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot_api.errors import IndexMismatch
from chatbot_api.services.foreign_fields import (
    CONTAINERS,
    DOCUMENT_KEYS,
    LOCALE_KEYS,
    MODEL_KEYS,
    ORDER_KEYS,
    PATH_KEYS,
    SECTION_KEYS,
    SLUG_KEYS,
    TENANT_PATHS,
    TEXT_KEYS,
    TITLE_KEYS,
    URL_KEYS,
    VERSION_KEYS,
    as_order,
    as_text,
    everywhere,
    first_id,
    text_at,
    value_at,
)

VECTOR_SETTING = "QDRANT_VECTOR_NAME"
TEXT_SETTING = "QDRANT_TEXT_KEY"
FILTER_SETTING = "QDRANT_FILTER"
COLLECTION_SETTING = "QDRANT_COLLECTION_NAME"
UNKNOWN = "unknown"
PREDECESSOR = "predecessor"
ANYTHING_LLM = "anythingllm"
_SHOWN = 12
"""Names a message lists at most."""
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
"""``language`` may also be a programming language: those are longer, or no tag."""
_NODE_TEXT = ("_node_content.text", "_node_content.text_resource.text")
_OWN_TEXT: dict[str, tuple[str, ...]] = {
    "llama-index": (*_NODE_TEXT, "text"),
    PREDECESSOR: ("text",),
    **dict.fromkeys(("langchain", "dify", "docsgpt"), ("page_content",)),
    **dict.fromkeys(("mcp-server-qdrant", "fastembed client.add"), ("document",)),
    **dict.fromkeys(("haystack", "qdrant-loader", "agno", "langchain-js/n8n"), ("content",)),
    **dict.fromkeys(("open-webui", ANYTHING_LLM), ("text",)),
}
"""Where each tool puts the text: looked at before the general list, for flat metadata may hold a key of the same name."""


@dataclass(frozen=True, slots=True)
class ForeignKeys:
    """What the settings say about a collection of another tool; empty means: find out. Paths may be dotted."""

    text: str = ""
    url: str = ""
    """Key of a URL, of a path of the Markdown file, or of a route below the docs."""
    title: str = ""
    section: str = ""
    vector: str | None = None
    """Name of the dense vector; the empty text is the unnamed one."""
    only: tuple[tuple[str, str], ...] = ()
    """Path and value a point must have: the part of a shared collection to read."""


@dataclass(frozen=True, slots=True)
class VectorShape:
    """A dense vector of a collection."""

    name: str
    """Empty: the unnamed one."""
    size: int
    distance: str
    """As Qdrant names it: ``Cosine``, ``Dot``, ``Euclid``, ``Manhattan``. Of the last two a smaller score is the better one."""


@dataclass(frozen=True, slots=True)
class ForeignShape:
    """How a collection is read; ``*_keys`` are dotted paths in the order they are tried."""

    maker: str
    """The tool, for the log; Flowise writes as ``langchain-js/n8n`` does."""
    vector: VectorShape
    text_keys: tuple[str, ...]
    url_keys: tuple[str, ...]
    path_keys: tuple[str, ...]
    """Of a file's path, from which the address is derived; tried after those of an address."""
    slug_keys: tuple[str, ...]
    """Of a route below the docs; tried last."""
    title_keys: tuple[str, ...]
    section_keys: tuple[str, ...]
    document_keys: tuple[str, ...]
    order_key: str
    """Path of the position within the page; empty when there is none. The same holds for the two below."""
    locale_key: str
    version_key: str
    embedding_model: str
    """The model the points say they were embedded with; empty when they say nothing."""
    only: tuple[tuple[str, str], ...] = ()
    """What every search has to be narrowed to; points of others are never read."""


def detect(
    vectors: Mapping[str, VectorShape], sparse: Collection[str], sample: Sequence[Mapping[str, Any]], keys: ForeignKeys
) -> ForeignShape:
    """How to read the collection with these vectors, of which ``sample`` holds a few payloads (a dozen are plenty).

    Raises IndexMismatch with one sentence that says what is missing and which setting mends it.
    """
    vector = _vector(vectors, keys)
    if not sample:
        raise IndexMismatch(f"the collection holds 0 points: fill it, or set {COLLECTION_SETTING} to one that is filled")
    _refuse_tenants(sample, keys)
    maker = _maker(sample, vector.name, sparse)
    return ForeignShape(
        maker=maker,
        vector=vector,
        text_keys=_text_keys(sample, maker, keys.text),
        url_keys=(keys.url,) if keys.url else everywhere(URL_KEYS),
        path_keys=(keys.url,) if keys.url else everywhere(PATH_KEYS),
        slug_keys=(keys.url,) if keys.url else everywhere(SLUG_KEYS),
        title_keys=(keys.title,) if keys.title else everywhere(TITLE_KEYS),
        section_keys=(keys.section,) if keys.section else everywhere(SECTION_KEYS),
        document_keys=everywhere(DOCUMENT_KEYS),
        order_key=_seen(sample, everywhere(ORDER_KEYS), lambda value: as_order(value) is not None),
        locale_key=_seen(sample, everywhere(LOCALE_KEYS), lambda value: bool(_LANGUAGE_TAG.fullmatch(as_text(value)))),
        version_key=_seen(sample, everywhere(VERSION_KEYS), lambda value: bool(as_text(value))),
        embedding_model=_model(sample, vector.name),
        only=keys.only,
    )


def _vector(vectors: Mapping[str, VectorShape], keys: ForeignKeys) -> VectorShape:
    names = ", ".join(repr(name) for name in sorted(vectors)[:_SHOWN])
    if not vectors:
        raise IndexMismatch(f"the collection has no dense vector: set {COLLECTION_SETTING} to one that has")
    if keys.vector is not None:
        if keys.vector not in vectors:
            raise IndexMismatch(f"the collection has no vector {keys.vector!r}: set {VECTOR_SETTING} to one of {names}")
        return vectors[keys.vector]
    if len(vectors) > 1:
        raise IndexMismatch(f"the collection has several dense vectors: set {VECTOR_SETTING} to one of {names}")
    return next(iter(vectors.values()))


def _refuse_tenants(sample: Sequence[Mapping[str, Any]], keys: ForeignKeys) -> None:
    limited = {path for path, _ in keys.only}
    for path in TENANT_PATHS:
        seen = sorted({value for payload in sample if (value := first_id(payload, (path,)))})
        if seen and path not in limited:
            values = ", ".join(repr(value[:60]) for value in seen[:3])
            raise IndexMismatch(
                f"the collection is shared by several knowledge bases, told apart by {path} (seen: {values}): "
                f"set {FILTER_SETTING} to {path}=<value> of the one to answer from"
            )


def _maker(sample: Sequence[Mapping[str, Any]], vector: str, sparse: Collection[str]) -> str:
    keys = {key for payload in sample for key in payload}
    fast = vector.startswith("fast-")
    plain = "metadata" in keys or "langchain-sparse" in sparse
    rules = (
        ("llama-index", "_node_content" in keys),
        (PREDECESSOR, {"text", "chunk_id", "page_title"} <= keys),
        ("dify", {"page_content", "group_id"} <= keys),
        ("docsgpt", "page_content" in keys and any(first_id(one, ("metadata.source_id",)) for one in sample)),
        ("langchain", "page_content" in keys and plain),
        ("mcp-server-qdrant", {"document", "metadata"} <= keys and fast),
        ("fastembed client.add", "document" in keys and fast),
        ("haystack", {"content", "meta"} <= keys),
        ("qdrant-loader", {"content", "source_type"} <= keys),
        ("agno", {"content", "meta_data"} <= keys),
        ("open-webui", {"text", "metadata", "tenant_id"} <= keys),
        (ANYTHING_LLM, {"text", "chunkSource"} <= keys),
        ("langchain-js/n8n", keys == {"content", "metadata"}),
    )
    return next((maker for maker, matches in rules if matches), UNKNOWN)


def _text_keys(sample: Sequence[Mapping[str, Any]], maker: str, wanted: str) -> tuple[str, ...]:
    known = dict.fromkeys((*_OWN_TEXT.get(maker, ()), *everywhere(TEXT_KEYS)))
    candidates = (wanted,) if wanted else tuple(known)
    found = tuple(path for path in candidates if any(text_at(payload, path) for payload in sample))
    if found:
        return found
    seen = ", ".join(_paths(sample)) or "none"
    what = f"no point looked at has a text at {wanted!r}" if wanted else "no text was found in the points looked at"
    raise IndexMismatch(f"{what} (keys seen: {seen}): set {TEXT_SETTING} to the key that holds a passage's text")


def _paths(sample: Sequence[Mapping[str, Any]]) -> list[str]:
    paths: dict[str, None] = {}
    for payload in sample:
        for key in payload:
            inner = payload[key] if key in CONTAINERS else None
            names = [f"{key}.{name}" for name in inner] if isinstance(inner, Mapping) else [key]  # pyright: ignore[reportUnknownVariableType]
            paths.update(dict.fromkeys(names))
    return [path[:60] for path in paths][:_SHOWN]


def _seen(sample: Sequence[Mapping[str, Any]], paths: Sequence[str], fits: Callable[[object], bool]) -> str:
    """The first path whose values all fit; at least one point must have it."""
    for path in paths:
        values = [value for payload in sample if (value := value_at(payload, path)) is not None]
        if values and all(fits(value) for value in values):
            return path
    return ""


def _model(sample: Sequence[Mapping[str, Any]], vector: str) -> str:
    stamps = (text_at(payload, path) for path in everywhere(MODEL_KEYS) for payload in sample)
    # fastembed names the vector by the model.
    return next((stamp for stamp in stamps if stamp), vector.removeprefix("fast-") if vector.startswith("fast-") else "")
