"""Collections of other tools: each is recognised and read, nothing in a payload can break the reader or mislead its reader."""

from typing import Any

import pytest

from chatbot_api.models.index_models import Passage
from chatbot_api.services.foreign_payload import ForeignKeys, ForeignShape, VectorShape, detect, passage_of
from foreign_framework_rows import FRAMEWORKS, node
from foreign_rows import BACKENDS, BODY, HOME, ONE, PREDECESSOR, Row, read

ROWS = [*BACKENDS, *FRAMEWORKS]


def shape_of(row: Row, **payload: Any) -> ForeignShape:
    return detect(row.vectors, row.sparse, [{**row.payload, **payload}], row.keys)


def predecessor(**values: Any) -> Passage:
    payload = {key: value for key, value in {**PREDECESSOR.payload, **values}.items() if value is not ...}
    passage = passage_of("point", payload, shape_of(PREDECESSOR))
    assert passage is not None
    return passage


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_known_tools_point_is_read(row: Row) -> None:
    shape = shape_of(row)
    passage = passage_of("point", row.payload, shape, site="book")
    assert passage == Passage(
        id="point",
        text=BODY,
        url=row.url,
        anchor=row.anchor,
        title=row.title,
        heading_path=row.headings,
        page_id=row.page_id or row.url,
        ordinal=row.ordinal,
        site="book",
        version=None,
        locale=row.locale,
    )
    assert (shape.maker, shape.embedding_model) == (row.maker, row.model)
    assert shape.vector == VectorShape(row.names[0], row.size, "Cosine")


@pytest.mark.parametrize(
    ("stored", "path", "url"),
    [
        ("/docs/chapter1\\install", "chapter1\\install.md", "/docs/chapter1/install"),
        ("/docs/chapter1/_index", "chapter1/_index.md", "/docs/chapter1/"),
        ("/docs/chapter1/index", "chapter1/index.md", "/docs/chapter1/"),
        ("/docs/chapter1/README", "chapter1/README.md", "/docs/chapter1/"),
        ("/docs/chapter1/chapter1", "chapter1/chapter1.md", "/docs/chapter1/"),
        ("/docs/index", "index.md", "/docs/"),
        ("/docs/01-start\\02-install", "01-start\\02-install.mdx", "/docs/start/install"),
        ("/docs/2024-05-news", "2024-05-news.md", "/docs/2024-05-news"),
        ("/docs/docs/intro", "docs/intro.md", "/docs/docs/intro"),
        ("/docs/node.js", "node.js.md", "/docs/node.js"),
        ("/docs/real", "chapter1/install.md", "/docs/real"),
    ],
)
def test_the_predecessors_addresses_are_mended(stored: str, path: str, url: str) -> None:
    assert predecessor(url=stored, file_path=path).url == url


def test_the_predecessors_prefix_gives_way_to_the_sites_own() -> None:
    passage = passage_of("point", PREDECESSOR.payload, shape_of(PREDECESSOR), docs_prefix="/book/guide/")
    assert passage is not None
    assert passage.url == "/book/guide/chapter1/install"
    passage = passage_of("point", PREDECESSOR.payload, shape_of(PREDECESSOR), docs_prefix="/")
    assert passage is not None
    assert passage.url == "/chapter1/install"


@pytest.mark.parametrize("url", ["https://elsewhere.example.com/x", "javascript:alert(1)", "see below", "/custom/page"])
def test_a_url_from_the_front_matter_gives_way_to_the_files_path(url: str) -> None:
    assert predecessor(url=url).url == "/docs/chapter1/install"


def test_a_text_from_the_front_matter_is_all_there_is_of_such_a_point() -> None:
    assert predecessor(text="a word of the front matter").text == "a word of the front matter"


def test_a_missing_chapter_title_and_missing_keys_are_no_fault() -> None:
    assert predecessor(chapter_title=None).title == "Installation"
    assert predecessor(page_title=..., chapter_title=None).title == "Install"
    assert predecessor(subchapter_title=..., chapter_dir=...).heading_path == ()
    bare = predecessor(url=..., file_path=..., page_title=..., chapter_title=..., subchapter_title=...)
    assert (bare.url, bare.title, bare.page_id) == ("", BODY, "point")


def test_points_without_text_are_no_passages() -> None:
    shape = shape_of(PREDECESSOR)
    empty: list[dict[str, Any] | None] = [
        None,
        {},
        {"text": " \u200b "},
        {"text": None, "url": "/docs/a"},
        {"text": ["a"]},
        {"text": 7},
    ]
    assert [passage_of("point", payload, shape) for payload in empty] == [None] * len(empty)


def test_objects_are_no_text_though_their_key_says_so() -> None:
    assert read({"document": {"id": 1}, "content": {"parts": []}, "metadata": {"text": BODY}}).text == BODY


def test_unseen_characters_are_dropped() -> None:
    passage = read(
        {"text": "Ins\u200btall\r\nit", "title": "A\u202e title\n", "url": " /docs/a\u2060b\n", "section": "## Do\u00adcker {#d}"}
    )
    assert (passage.text, passage.title, passage.url, passage.heading_path) == ("Install\nit", "A title", "/docs/ab", ("Docker",))


def test_the_sample_names_the_text_key_and_a_later_point_may_use_another() -> None:
    shape = detect(ONE, (), [{"text": BODY}, {"body": BODY}], ForeignKeys())
    assert shape.text_keys == ("text", "body")
    assert passage_of("point", {"text": "", "body": "Second."}, shape) == read({"body": "Second."})


_NODE = {"file_path": "docs/install.md", "_node_content": node("### On a Pi\n\nUse the small image.")}
_META = {"file_path": "docs/install.md", "header": "On a Pi"}


@pytest.mark.parametrize(
    ("payload", "title", "headings"),
    [
        ({**_NODE, "header_path": "/Installation/With Docker/"}, "Installation", ("With Docker", "On a Pi")),
        ({**_NODE, "header_path": "/With Docker/"}, "Install", ("With Docker", "On a Pi")),
        ({**_NODE, "header_path": "/Installation/With Docker/", "title": "Given"}, "Given", ("With Docker", "On a Pi")),
        (
            {"content": "### On a Pi\n\nA.", "meta": {**_META, "parent_headers": ["Setup", "Docker"]}},
            "Setup",
            ("Docker", "On a Pi"),
        ),
        ({"content": "Use it.", "meta": {**_META, "parent_headers": ["Docker"]}}, "Install", ("Docker", "On a Pi")),
        (
            {"page_content": "A.", "metadata": {"Header 1": "Setup", "Header 2": "Docker", "Header 3": "Pi"}},
            "Setup",
            ("Docker", "Pi"),
        ),
        ({"text": "## On a Pi {#pi}\n\nUse it.", "path": "docs/install.md"}, "Install", ("On a Pi",)),
        ({"text": "# Setup\n\nUse it.", "path": "docs/install.md"}, "Setup", ()),
        ({"text": "# a comment\nmake run", "path": "docs/install.md"}, "Install", ()),
        ({"text": "## On a Pi\n\nUse it.", "section": "Stored > Path", "title": "Stored"}, "Stored", ("Path",)),
    ],
)
def test_headings_are_read_from_what_markdown_splitters_leave(
    payload: dict[str, Any], title: str, headings: tuple[str, ...]
) -> None:
    passage = read(payload)
    assert (passage.title, passage.heading_path) == (title, headings)


def test_pages_are_told_apart_by_address_then_document_then_title() -> None:
    nodes = {"title": "A", "doc_id": "None", "_node_content": node(BODY)}
    assert read(nodes).page_id == "A"
    assert read({**nodes, "document_id": 12}).page_id == "12"
    assert read({**nodes, "url": "/docs/a#b"}).page_id == "/docs/a"
    assert read({"text": BODY}).page_id == "point"


def test_a_broken_node_is_skipped() -> None:
    shape = detect(ONE, (), [{"_node_content": node(BODY)}], ForeignKeys())
    broken = ["{", "{}", "[]", '{"text": 5}', "{" + '"a":{' * 3000, None]
    assert [passage_of("point", {"_node_content": value}, shape) for value in broken] == [None] * len(broken)


def test_an_anchor_is_taken_from_the_section_only_when_the_page_has_it() -> None:
    payload = {"text": BODY, "url": "/docs/install", "heading": "With Docker"}
    asked: list[str] = []

    def anchors(url: str) -> set[str]:
        asked.append(url)
        return {"with-docker"}

    assert read(payload).anchor == ""
    assert read(payload, known_anchors=anchors).anchor == "with-docker"
    assert read({**payload, "heading": "On Windows"}, known_anchors=anchors).anchor == ""
    assert read({**payload, "url": "/docs/install#own"}, known_anchors=anchors).anchor == "own"
    assert read({**payload, "url": ""}, known_anchors=anchors).anchor == ""
    assert asked == ["/docs/install"] * 2


def test_settings_override_what_would_be_found() -> None:
    payload = {
        "text": "a summary",
        "url": "/wrong",
        "title": "Wrong",
        "heading": "Wrong",
        "chunk": {"raw": BODY},
        "metadata": {"source": {"link": "https://example.com/a"}, "names": {"h1": "Right"}, "trail": ["Right", "Docker"]},
    }
    keys = ForeignKeys("chunk.raw", "metadata.source.link", "metadata.names.h1", "metadata.trail")
    passage = read(payload, keys)
    assert (passage.text, passage.url) == (BODY, "https://example.com/a")
    assert (passage.title, passage.heading_path) == ("Right", ("Docker",))


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("docs/01-a.md", "/docs/a"),
        ("chapter/a", "/docs/chapter/a"),
        ("a", "/docs/a"),
        ("/a", "/a"),
        ("a:b", ""),
        (f"{HOME}/a.pdf", ""),
    ],
)
def test_an_overridden_address_may_be_a_path_or_a_route(value: str, url: str) -> None:
    assert read({"text": BODY, "where": {"it.is": value}, "url": "/wrong"}, ForeignKeys(url="where.it.is")).url == url


def test_the_predecessors_address_can_be_overridden() -> None:
    payload = {**PREDECESSOR.payload, "permalink": "/real"}
    assert read(payload, ForeignKeys(url="permalink")).url == "/real"
