"""The built site as a source: real builds, and single documents for every trap."""

import json
import re
from html import escape
from pathlib import Path
from time import process_time
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from built_pages import HOST, document, page_of, why_not, write
from conftest import SHARED
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.headings import markdown_parser, plain_text
from qdrant_indexer.html_pages import page_of_html, read_build
from qdrant_indexer.pages import Page, Site, SiteError
from visible_words import rendered, shown, words

CORPORA = ("fixture", "jest", "playwright-python")


def facts(corpus: str, name: str) -> Any:
    return json.loads((SHARED / corpus / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=CORPORA)
def corpus(request: pytest.FixtureRequest) -> tuple[str, Site]:
    return request.param, built(request.param)


def built(name: str) -> Site:
    if not (SHARED / name / "build").is_dir():
        pytest.skip(f"the development data {name} is not beside the checkout")
    return read_build(SHARED / name / "build", metadata_dir=SHARED / name / "docusaurus")


def reasons(site: Site) -> dict[str, str]:
    return {entry.source: entry.reason for entry in site.skipped}


def found_headings(markdown: str) -> list[tuple[int, str]]:
    tokens = markdown_parser().parse(markdown)
    openings = [position for position, token in enumerate(tokens) if token.type == "heading_open"]
    return [(int(tokens[at].tag[1]), " ".join(plain_text(tokens[at + 1]).split())) for at in openings]


# Against real builds


def test_every_page_of_a_real_build_has_its_address_and_its_source(corpus: tuple[str, Site]) -> None:
    name, site = corpus
    wanted = facts(name, "permalinks.json")
    wanted.pop("docs/02-guides/unlisted.md", None)  # built, but not to be found
    read = {page.source: page.url for page in site.pages if page.source in wanted and page.locale == "en"}
    assert read == wanted
    print(f"{name}: {len(read)} of {len(wanted)} permalinks")


def test_every_anchor_of_a_real_build_is_there_in_order(corpus: tuple[str, Site]) -> None:
    name, site = corpus
    wanted = facts(name, "anchors.json")
    read = {page.url: [heading.anchor for heading in page.headings if heading.anchor] for page in site.pages}
    assert {url: ids for url, ids in read.items() if url in wanted} == {url: ids for url, ids in wanted.items() if url in read}
    assert len([url for url in wanted if url in read]) >= {"fixture": 33, "jest": 37, "playwright-python": 90}[name]
    print(f"{name}: {sum(len(read[url]) for url in wanted if url in read)} anchors, all in order")


def test_the_headings_are_those_a_reader_of_the_markdown_finds_and_pages_can_be_cut(corpus: tuple[str, Site]) -> None:
    for page in corpus[1].pages:
        assert [(heading.level, heading.text) for heading in page.headings] == found_headings(page.markdown), page.url
        assert {passage.anchor for passage in passages_of(page, "docs")} <= {"", *(heading.anchor for heading in page.headings)}


def test_no_word_of_a_real_article_is_lost(corpus: tuple[str, Site]) -> None:
    total = kept = 0
    for path in sorted((SHARED / corpus[0] / "build").rglob("*.html")):
        html = path.read_text(encoding="utf-8")
        page = page_of_html(html, address=None)
        if isinstance(page, Page) and (seen := words(shown(html))):
            here = (seen & words(rendered(page.markdown))).total()
            assert here >= 0.995 * seen.total(), f"{page.url}: {seen - words(rendered(page.markdown))}"
            total += seen.total()
            kept += here
    assert total > 1000
    print(f"{corpus[0]}: {kept} of {total} words")


def test_ninety_long_pages_are_read_in_three_seconds() -> None:
    started = process_time()
    pages = built("playwright-python").pages
    print(f"{len(pages)} pages in {process_time() - started:.2f} s")
    assert process_time() - started < 3


def test_titles_are_those_of_the_build_without_the_sites() -> None:
    titles: dict[str, str] = {}
    for path in (SHARED / "jest" / "docusaurus").rglob("site-*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        titles[values["permalink"]] = values["title"]
    assert {page.url: page.title for page in built("jest").pages} == titles


def test_versions_and_locales_are_told_and_untranslated_copies_left_out() -> None:
    site = built("fixture")
    pages = {page.url: page for page in site.pages}
    assert (pages["/docs/"].version, pages["/docs/1.0/"].version, pages["/docs/next/"].version) == ("2.0", "1.0", "current")
    assert (pages["/about"].version, pages["/about"].kind, pages["/blog/short"].kind) == (None, "page", "blog")
    assert {page.version for page in site.pages if page.kind == "doc" and page.is_last_version} == {"2.0"}
    assert {page.version for page in built("jest").pages} == {None}
    assert [(page.url, page.locale) for page in site.pages if page.locale != "en"] == [("/fr/docs/getting-started/install", "fr")]
    assert reasons(site)["fr/docs/next/getting-started/configure/index.html"] == (
        "untranslated copy of /docs/next/getting-started/configure"
    )


def test_pages_that_are_none_are_skipped_with_a_reason() -> None:
    said = reasons(built("fixture"))
    assert "noindex" in said["docs/next/guides/unlisted/index.html"]
    assert "do not exist" in said["404.html"]
    assert "tags" in said["docs/next/tags/index.html"]
    assert "only lists" in said["docs/next/tags/cli/index.html"]
    assert "blog list" in said["blog/index.html"]
    assert "archive" in said["blog/archive/index.html"]


def test_a_generated_index_with_a_text_of_its_own_is_a_page() -> None:
    page = next(page for page in built("fixture").pages if page.url == "/docs/next/reference")
    assert page.markdown == "# Reference\n\nAll the commands.\n\n**Commands**\n\nlantern pair\n"
    html = (SHARED / "fixture/build/docs/next/reference/index.html").read_text(encoding="utf-8")
    assert "index without a text" in why_not(html.replace("<p>All the commands.", ""))


def test_the_metadata_of_another_locale_still_tells_the_source() -> None:
    built("fixture")
    site = read_build(SHARED / "fixture" / "build", metadata_dir=SHARED / "fixture" / "docusaurus-two-locales")
    sources = {page.url: page.source for page in site.pages}
    assert sources["/docs/next/guides/größe"] == "docs/02-guides/größe.md"
    assert sources["/docs/getting-started/install"] == "versioned_docs/version-2.0/01-getting-started/01-install.md"
    assert sources["/fr/docs/getting-started/install"].startswith("i18n/fr/")


def test_a_base_url_with_a_path_and_slashes_at_the_end_are_kept_as_served(tmp_path: Path) -> None:
    built("fixture")
    plain, book = facts("fixture", "permalinks.json"), facts("fixture", "permalinks-book.json")
    moved = {plain[source]: book[source] for source in plain}

    def address(match: re.Match[str]) -> str:
        old = unquote(match[1] or match[2])
        return f'"{HOST}{quote(moved.get(old, old))}"'

    for url, served in moved.items():
        html = (SHARED / "fixture/build" / url.strip("/") / "index.html").read_text(encoding="utf-8")
        rebased = re.sub(rf'"{HOST}(/[^">]*)"|{HOST}(/[^\s">]*)', address, html)
        write(tmp_path / "build", {f"{served.removeprefix('/book').strip('/')}/index.html": rebased})
        metadata = {"source": "@site/" + next(name for name in book if book[name] == served), "permalink": served.rstrip("/")}
        write(
            tmp_path / ".docusaurus" / "docs" / "default", {f"site-{len(served)}-{abs(hash(served))}.json": json.dumps(metadata)}
        )
    book.pop("docs/02-guides/unlisted.md")
    assert {page.source: page.url for page in read_build(tmp_path / "build").pages} == book


# Any HTML at all

SIGNS = (
    "word a _x_ __init__ * **b** # ## - + 1. 2) > ` `` ``` ~~~ ~~s~~ === --- | |---| [x](y) [x]: ![i](j) <b> <http://x.y> &amp; "
    "\\ \\* \\| C:\\ ! [ ] (u) *** a_b é 中文 “q” € {#id} :::note https://x.org a|b ~ = < &"
)
RUN = st.lists(st.sampled_from([*SIGNS.split(), "| a |", "- - -", "    ", "\n"]), min_size=1, max_size=4)
TEXT = st.tuples(RUN, st.sampled_from(["", " "])).map(lambda run: escape(run[1].join(run[0])) + run[1])


def several(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(part, max_size=3).map("".join)


def within(part: st.SearchStrategy[str], *tags: str) -> st.SearchStrategy[str]:
    return st.tuples(several(part), st.sampled_from(tags)).map(lambda made: f"<{made[1]}>{made[0]}</{made[1].split()[0]}>")


INLINE = st.recursive(
    TEXT | TEXT.map(lambda text: f"<code>{text}</code>") | st.just("<br>"),
    lambda part: within(part, "strong", "em", "del", "span", "a href=/x(y)|z", "a href=https://x.org/?b&c"),
    max_leaves=5,
)
TABLE = st.lists(within(INLINE, "td"), min_size=1, max_size=3).map(lambda row: f"<table><tr>{''.join(row)}</tr></table>" * 2)
LEAF = within(INLINE, "p", "h1", "h2 id=two", "h3 id=three", "h6 id=six", "pre") | INLINE | TABLE | st.just("<hr/>")
BLOCKS = st.recursive(
    LEAF, lambda part: within(within(part, "li"), "ul", "ol start=3") | within(part, "blockquote", "div", "details"), max_leaves=7
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(several(BLOCKS))
def test_whatever_the_html_its_words_and_headings_are_those_of_the_markdown(body: str) -> None:
    page = page_of(body)
    assert [(heading.level, heading.text) for heading in page.headings] == found_headings(page.markdown)
    assert "".join(rendered(page.markdown).split()) == "".join(shown(document(body)).split())


def test_a_folder_that_is_no_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="no folder"):
        read_build(tmp_path / "missing")
    with pytest.raises(SiteError, match="no HTML"):
        read_build(tmp_path)
    with pytest.raises(SiteError, match=r"a\.html: not a page of Docusaurus"):
        read_build(write(tmp_path, {"a.html": "<p>Hello"}))
