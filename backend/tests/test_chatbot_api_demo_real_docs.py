"""The demo's pages of a real docs folder: every anchor is there, and every link between files leads to a page."""

import re
from pathlib import Path

import pytest

from chatbot_api.demo_pages import DemoPages
from html_document import Document

FIXTURE_DOCS = Path(__file__).resolve().parents[3] / "shared" / "retrieval" / "fixture" / "site" / "docs"


@pytest.fixture(scope="module")
def fixture_pages() -> DemoPages:
    if not FIXTURE_DOCS.is_dir():
        pytest.skip("the development data (shared/retrieval) is not beside this checkout")
    return DemoPages.read(FIXTURE_DOCS)


def test_every_page_of_a_real_docs_folder_renders_with_all_its_anchors(fixture_pages: DemoPages) -> None:
    assert len(fixture_pages.pages) > 10
    for doc in fixture_pages.pages:
        document = Document(fixture_pages.html(doc, "Lantern"))
        ids = [attributes.get("id") for tag, attributes in document.elements if re.fullmatch("h[1-6]", tag)]
        assert [i for i in ids if i and i != "pages-title"] == [h.anchor for h in doc.headings if h.anchor], doc.url


def test_links_between_files_lead_to_pages_that_are_served(fixture_pages: DemoPages) -> None:
    links = re.compile(r'<a href="(/[^"#?]*)')
    found = {
        href
        for doc in fixture_pages.pages
        for href in links.findall(fixture_pages.html(doc, "x").split("</main>")[0].split("<main")[1])
    }
    assert found
    assert not {href for href in found if href.endswith((".md", ".mdx"))}
