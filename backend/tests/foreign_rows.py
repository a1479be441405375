"""Payloads exactly as earlier backends of this kind write them (A to U: a repository each), and what is to be read from each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatbot_api.models.index_models import Passage
from chatbot_api.services.foreign_payload import ForeignKeys, VectorShape, detect, passage_of

HOME, MAC_HOME = "/ho" + "me/me", "/Use" + "rs/me"
"""Put together here: no file may hold a path of a machine."""
BODY = "Install the stack with Docker Compose."
UNNAMED: tuple[str, ...] = ("",)
ONE = {"": VectorShape("", 768, "Cosine")}
"""The vectors of most collections."""


@dataclass(frozen=True)
class Row:
    """One tool: its payload, the collection's vectors, and the passage expected."""

    id: str
    payload: dict[str, Any]
    url: str
    title: str
    headings: tuple[str, ...] = ()
    maker: str = "unknown"
    size: int = 768
    names: tuple[str, ...] = UNNAMED
    sparse: tuple[str, ...] = ()
    keys: ForeignKeys = field(default_factory=ForeignKeys)
    anchor: str = ""
    page_id: str = ""
    """Empty: the url."""
    ordinal: int = 0
    model: str = ""
    locale: str = "en"

    @property
    def vectors(self) -> dict[str, VectorShape]:
        return {name: VectorShape(name, self.size, "Cosine") for name in self.names}


def read(payload: Mapping[str, Any], keys: ForeignKeys | None = None, **options: Any) -> Passage:
    """The passage of a collection that holds this point alone."""
    passage = passage_of("point", payload, detect(ONE, (), [payload], keys or ForeignKeys()), **options)
    assert passage is not None
    return passage


PREDECESSOR = Row(
    "predecessor",
    {
        "text": BODY,
        "chunk_id": "5d1e0000-0000-5000-8000-000000000000",
        "page_title": "Installation",
        "file_path": "chapter1/install.md",
        "url": "/docs/chapter1/install",
        "chapter_dir": "chapter1",
        "chapter_title": "Chapter 1",
        "subchapter_title": "Install",
        "sidebar_label": "Install",
        "description": "How to install",
    },
    "/docs/chapter1/install",
    "Installation",
    ("Install",),
    "predecessor",
    size=3072,
)

BACKENDS = [
    PREDECESSOR,
    Row(
        "A",
        {
            "content": BODY,
            "url": "https://book.example.com/docs/install",
            "section_title": "With Docker",
            "source_page_title": "Installation",
            "token_count": 7,
            "model_version": "embed-english-v3.0",
        },
        "https://book.example.com/docs/install",
        "Installation",
        ("With Docker",),
        model="embed-english-v3.0",
    ),
    Row(
        "B",
        {
            "content": BODY,
            "source_file": "docs/01-module/02-install.mdx",
            "section_title": "With Docker",
            "chapter": 1,
            "lesson": "Install",
            "chunk_index": 3,
            "total_chunks": 9,
            "metadata": {"word_count": 6},
        },
        "/docs/module/install",
        "Install",
        ("With Docker",),
        ordinal=3,
    ),
    Row(
        "C",
        {
            "chunk_text": BODY,
            "source_url": "https://book.example.com/docs/install",
            "file_path": "docs/install.md",
            "chapter": "Start",
            "section": "Docker",
            "heading_path": ["Install", "With Docker"],
            "chunk_index": 2,
        },
        "https://book.example.com/docs/install",
        "Install",
        ("With Docker",),
        size=1024,
        ordinal=2,
    ),
    Row(
        "D",
        {"content": BODY, "document_id": "doc-7", "chunk_index": 1, "metadata": {"filename": "install-guide.pdf", "pages": 3}},
        "",
        "Install guide",
        page_id="doc-7",
        ordinal=1,
    ),
    Row(
        "E",
        {
            "text": BODY,
            "url": "/docs/install#with-docker",
            "doc_path": "install.md",
            "title": "Installation",
            "module": "Start",
            "chapter": "One",
            "section_heading": "With Docker",
            "heading_breadcrumb": ["Installation", "Ways", "With Docker"],
            "content_type": "prose",
            "tags": ["docker"],
            "content_hash": "9f",
        },
        "/docs/install",
        "Installation",
        ("Ways", "With Docker"),
        anchor="with-docker",
    ),
    Row(
        "F",
        {
            "content": BODY,
            "source_url": "https://book.example.com/docs/install",
            "chapter_num": 1,
            "chapter_name": "Getting started",
            "section_name": "With Docker",
            "page_num": 4,
        },
        "https://book.example.com/docs/install",
        "Getting started",
        ("With Docker",),
    ),
    Row(
        "G",
        {"content": BODY, "source_url": "/docs/install-it", "chapter_id": "c1", "section_title": "With Docker"},
        "/docs/install-it",
        "Install it",
        ("With Docker",),
    ),
    Row(
        "H",
        {"chunk_text": BODY, "chapter_id": "c1", "chapter_title": "Getting started", "url_path": "/docs/install"},
        "/docs/install",
        "Getting started",
    ),
    Row(
        "I",
        {"text_content": BODY, "content_id": "c-1", "chapter_title": "Getting started", "module": "m1"},
        "",
        "Getting started",
        page_id="c-1",
    ),
    Row(
        "J",
        {"text_content": BODY, "original_source_ref": "docs/install.md", "chunk_index": 0, "author": "me"},
        "/docs/install",
        "Install",
    ),
    Row(
        "K",
        {"page_content": BODY, "url_slug": "chapter1/install", "chapter_title": "Getting started", "language": "ur"},
        "/docs/chapter1/install",
        "Getting started",
        locale="ur",
    ),
    Row(
        "L",
        {
            "text": BODY,
            "file_path": "docs\\module\\install.md",
            "module": "m",
            "chapter": "c",
            "section": "Docker",
            "char_count": 5,
        },
        "/docs/module/install",
        "Install",
        ("Docker",),
    ),
    Row(
        "M",
        {"text": BODY, "path": "docs/install.md", "chapter": "Start", "section": "With Docker", "source": "book"},
        "/docs/install",
        "Install",
        ("With Docker",),
        size=1536,
    ),
    Row(
        "N",
        {
            "content": BODY,
            "url": "https://book.example.com/docs/install",
            "section": "Ways",
            "heading": "Docker",
            "chunk_index": 4,
        },
        "https://book.example.com/docs/install",
        "Install",
        ("Docker",),
        ordinal=4,
    ),
    Row(
        "O",
        {"content": BODY, "source_file": "install.md", "chapter_title": "Start", "section_title": "Docker", "module": "m"},
        "/docs/install",
        "Start",
        ("Docker",),
        size=3072,
    ),
    Row(
        "P",
        {"text": BODY, "full_path": f"{HOME}/book/docs/install.md", "source": "install.md", "category": "x", "chunk_index": 5},
        "/docs/install",
        "Install",
        size=384,
        ordinal=5,
    ),
    Row(
        "Q",
        {"text": BODY, "chapter_title": "Start", "page_number": 2, "document_id": "d-1", "chunk_id": "d-1-0"},
        "",
        "Start",
        page_id="d-1",
    ),
    Row("R", {"content": BODY, "metadata": {"source": "docs/install.md"}}, "/docs/install", "Install", maker="langchain-js/n8n"),
    Row(
        "S",
        {"content": BODY, "metadata": {"source": "https://book.example.com/docs/install", "title": "Installation"}},
        "https://book.example.com/docs/install",
        "Installation",
        maker="langchain-js/n8n",
    ),
    Row(
        "T",
        {"content": BODY, "metadata": {"file_path": "docs/install.md", "heading": "With Docker"}},
        "/docs/install",
        "Install",
        ("With Docker",),
        maker="langchain-js/n8n",
    ),
    Row(
        "U",
        {"text": BODY, "metadata": {"title": "Installation"}, "original_doc_id": "d-9", "chunk_part": 2},
        "",
        "Installation",
        page_id="d-9",
        ordinal=2,
    ),
]
