"""Addresses of other tools: mended where they can be, dropped where they are none; no payload yields a script's or a disk's."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatbot_api.errors import IndexMismatch
from chatbot_api.services.foreign_address import address_of_path, heading_slug, name_of, stored_address
from chatbot_api.services.foreign_fields import PATH_KEYS, URL_KEYS
from chatbot_api.services.foreign_payload import ForeignKeys, detect, passage_of
from foreign_rows import BODY, HOME, MAC_HOME, ONE
from qdrant_indexer.headings import Slugger
from qdrant_indexer.permalinks import permalink


@pytest.mark.parametrize(
    ("stored", "url", "anchor"),
    [
        ("/docs/a", "/docs/a", ""),
        ("/docs/a#b", "/docs/a", "b"),
        ("/docs/\na\t", "/docs/a", ""),
        ("/docs/a#caf%C3%A9", "/docs/a", "café"),
        ("/docs/a#:~:text=b", "/docs/a", ""),
        ("/docs/a\\b", "/docs/a/b", ""),
        ("/docs/a.md#b", "/docs/a", "b"),
        ("/blog/01-first", "/blog/01-first", ""),
        ("HTTPS://example.com/a?b=c#d", "https://example.com/a?b=c", "d"),
        ("https://example.com/#/docs/a", "https://example.com/#/docs/a", ""),
        ("http://localhost:3000/docs/a#b", "/docs/a", "b"),
        ("link://https://example.com/a", "https://example.com/a", ""),
        (f"{HOME}/book/docs/a.md", "/docs/a", ""),
        (f"{HOME}/book/a.md", "", ""),
        ("/etc/passwd", "", ""),
        ("/app/backend/data/uploads/a.pdf", "", ""),
        ("//evil.example.com/a", "", ""),
        ("/\\evil.example.com/a", "", ""),
        ("\\\\server\\share\\a.md", "", ""),
        ("javascript:alert(1)", "", ""),
        ("java\nscript:alert(1)", "", ""),
        ("data:text/html,a", "", ""),
        ("file:///docs/a", "", ""),
        ("C:\\docs\\a", "", ""),
        ("https://user:secret@example.com/", "", ""),
        ("https://[::1", "", ""),
        ("https://example.com:port/", "", ""),
        ("https:///a", "", ""),
        ("example.com/a", "", ""),
        ("/" + "a" * 3000, "", ""),
    ],
)
def test_an_address_is_taken_only_when_it_is_one(stored: str, url: str, anchor: str) -> None:
    assert stored_address(stored, "/docs") == (url, anchor)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("intro.md", "/docs/intro"),
        ("docs/intro.md", "/docs/intro"),
        ("./docs/intro.mdx", "/docs/intro"),
        ("../website/docs/intro.markdown", "/docs/intro"),
        ("C:\\Users\\me\\book\\docs\\01-a\\b.md", "/docs/a/b"),
        ("file:///C:/book/docs/a.md", "/docs/a"),
        ("file:///home/me/docs/a.md", "/docs/a"),
        ("build/docs/a/index.html", "/docs/a/"),
        ("guide/release-1.2", "/docs/guide/release-1.2"),
        ("docs/_partials/a.md", ""),
        ("docs/_a.md", ""),
        ("versioned_docs/version-1.0/a.md", ""),
        ("i18n/fr/docusaurus-plugin-content-docs/current/a.md", ""),
        ("/book/a.md", ""),
        ("C:\\book\\a.md", ""),
        ("docs/manual.pdf", ""),
        ("blob", ""),
        ("my notes", ""),
        ("s3://bucket/docs/a.md", ""),
        ("javascript:alert(1)//docs/a.md", ""),
        ("docs/C:/a.md", ""),
        ("", ""),
        ("..", ""),
    ],
)
def test_a_path_becomes_the_address_of_its_page(path: str, url: str) -> None:
    assert address_of_path(path, "/docs") == url


_NAMES = st.sampled_from(["a", "01-a", "2. b", "7.0-c", "index", "README", "2024-01-02-d", "guide", "e f", "Überblick"])


@given(st.lists(_NAMES, min_size=1, max_size=4))
def test_a_path_gets_the_address_the_indexer_gives_it(names: list[str]) -> None:
    source = "/".join(names) + ".md"
    assert address_of_path(f"docs/{source}", "/docs") == permalink(source, {}, base_url="/", route_base_path="docs")


@given(st.text())
def test_a_headings_slug_is_the_one_the_indexer_gives_it(text: str) -> None:
    assert heading_slug(text) == Slugger().slug(text)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("/docs/01-getting_started", "Getting started"),
        ("https://example.com/docs/caf%C3%A9/?a=/b#c", "Café"),
        ("C:\\Users\\me\\install-guide.md", "Install guide"),
        ("/docs/guide/index.html", "Guide"),
        ("", ""),
    ],
)
def test_a_page_without_title_is_named_by_its_address(value: str, name: str) -> None:
    assert name_of(value) == name


_HOSTILE = st.sampled_from(
    [
        *(
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            "\u200bjavascript:alert(1)",
            "file:///etc/passwd",
        ),
        *(
            "C:\\Users\\me\\a.md",
            "C:/book/docs/a.md",
            f"{HOME}/a",
            f"{MAC_HOME}/docs/a.md",
            "\\\\host\\a",
            "//host/a",
            "data:a,b",
        ),
        *(
            "vbscript:a",
            "https://a@b/",
            "https://[",
            "docs/C:\\a.md",
            "docs/../../etc/passwd.md",
            "docs/javascript:a.md",
            "link:///etc",
        ),
    ]
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | _HOSTILE
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)
_KNOWN = st.sampled_from(
    sorted({*URL_KEYS, *PATH_KEYS, "url_slug", "title", "heading", "heading_path", "chunk_index", "language"})
)
_FLAT = st.dictionaries(_KNOWN | st.text(), _HOSTILE | _JSON, max_size=6)
_PAYLOADS = st.builds(
    lambda flat, inner, text: {**flat, **inner, **text},
    _FLAT,
    st.dictionaries(st.sampled_from(["metadata", "meta", "meta_data", "payload", "_node_content"]), _FLAT | _JSON, max_size=2),
    st.fixed_dictionaries({}, optional={"text": st.text(min_size=1) | _JSON, "content": _JSON}),
)
_DISK_ROOTS = ("/home/", "/Users/", "/etc/", "/tmp/", "/var/", "/opt/", "/mnt/", "/private/")


def is_safe(url: str) -> bool:
    """Nothing, a page on the web, or a path on this site that is no path on a disk."""
    if url.startswith("/"):
        return not url.startswith(("//", "/\\", *_DISK_ROOTS)) and urlsplit(url).scheme == ""
    return url == "" or (urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(_PAYLOADS, st.sampled_from([ForeignKeys(), ForeignKeys(url="source"), ForeignKeys(url="metadata.url", title="url")]))
def test_no_payload_breaks_the_reader_or_yields_an_address_that_is_none(payload: dict[str, Any], keys: ForeignKeys) -> None:
    shapes = [detect(ONE, (), [{"text": BODY, "chunk_index": 1, "language": "en", "version": "1"}], keys)]
    with suppress(IndexMismatch):
        shapes.append(detect(ONE, (), [payload], keys))
    for shape in shapes:
        passage = passage_of("point", payload, shape, known_anchors=lambda _url: ())
        if passage is not None:
            assert passage.text
            assert passage.title
            assert passage.page_id
            assert is_safe(passage.url), passage.url
