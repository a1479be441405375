"""A Docusaurus docs folder is read into pages with the addresses and ids the built site has."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from qdrant_indexer.docusaurus import Site, SiteError, read_docs
from site_folders import anchors, page_of, read, urls

RETRIEVAL = Path(__file__).resolve().parents[3] / "shared" / "retrieval"
CORPORA = {
    "jest": ("jest/source/docs", "/", "docs"),
    "playwright-python": ("playwright-python/source/docs", "/python/", "docs"),
    "fixture": ("fixture/site/docs", "/", "docs/next"),
}


@pytest.fixture(params=CORPORA)
def corpus(request: pytest.FixtureRequest) -> tuple[str, Site]:
    if not RETRIEVAL.is_dir():
        pytest.skip("the development data (shared/retrieval beside the checkout) is missing")
    return request.param, site_of(request.param)


@cache
def site_of(name: str) -> Site:
    folder, base_url, route = CORPORA[name]
    return read_docs(RETRIEVAL / folder, base_url=base_url, route_base_path=route)


def facts(name: str, file: str) -> dict[str, Any]:
    return json.loads((RETRIEVAL / name / file).read_text(encoding="utf-8"))


# Against real builds


def test_every_page_of_a_real_build_has_its_address_and_none_is_invented(corpus: tuple[str, Site]) -> None:
    name, site = corpus
    built = {source: url for source, url in facts(name, "permalinks.json").items() if source.startswith("docs/")}
    built.pop("docs/02-guides/unlisted.md", None)  # built, but not to be found
    assert {f"docs/{page.source}": page.url for page in site.pages} == built
    print(f"{name}: {len(built)} of {len(built)} permalinks")


def test_the_anchors_of_a_real_build_are_found_in_order(corpus: tuple[str, Site]) -> None:
    name, site = corpus
    built = facts(name, "anchors.json")
    found = total = extra = 0
    for page in site.pages:
        ours, theirs = Counter(anchor for anchor in anchors(page) if anchor), Counter(built.get(page.url, []))
        found += (ours & theirs).total()
        total += theirs.total()
        extra += (ours - theirs).total()
    print(f"{name}: {found} of {total} anchors, {extra} that do not exist")
    assert found >= 0.99 * total
    assert extra == 0


@pytest.mark.parametrize(
    "parser", [MarkdownIt("commonmark").enable("table"), MarkdownIt("gfm-like", {"linkify": False})], ids=["commonmark", "gfm"]
)
def test_any_markdown_it_finds_exactly_the_headings_of_a_page(corpus: tuple[str, Site], parser: MarkdownIt) -> None:
    for page in corpus[1].pages:
        tokens = parser.parse(page.markdown)
        assert [token.tag for token in tokens if token.type == "heading_open"] == [
            f"h{heading.level}" for heading in page.headings
        ]
        assert not [token for token in tokens if token.type == "html_block"]


def test_the_markdown_of_real_pages_holds_no_mdx(corpus: tuple[str, Site]) -> None:
    for page in corpus[1].pages:
        tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(page.markdown)
        prose = "\n".join(
            child.content for token in tokens if token.type == "inline" for child in token.children or [] if child.type == "text"
        )
        for sign in ("<Tab", "</", "{/*", ":::", "import Tabs", "<!--"):
            assert sign not in prose, page.source


# Addresses


@pytest.mark.parametrize(
    ("source", "front_matter", "url"),
    [
        ("intro.md", "", "/docs/intro"),
        ("01-guide/02_setup.md", "", "/docs/guide/setup"),
        ("1. First/3 - third.md", "", "/docs/First/third"),
        ("2024-05-notes.md", "", "/docs/2024-05-notes"),
        ("7.0-release.md", "", "/docs/7.0-release"),
        ("01-guide/05-keep.md", "parse_number_prefixes: false", "/docs/01-guide/05-keep"),
        ("guide/file.md", "id: other", "/docs/guide/other"),
        ("guide/file.md", "slug: /abs", "/docs/abs"),
        ("guide/file.md", "slug: custom/path", "/docs/guide/custom/path"),
        ("guide/file.md", "slug: ../up", "/docs/up"),
        ("guide/file.md", "slug: ../../../up", "/docs/up"),
        ("guide/file.md", "slug: folder/", "/docs/guide/folder/"),
        ("guide/file.md", "slug: 1.10", "/docs/guide/1.10"),
        ("file.md", "slug: /", "/docs/"),
        ("index.md", "", "/docs/"),
        ("guide/INDEX.md", "", "/docs/guide/"),
        ("guide/readme.md", "", "/docs/guide/"),
        ("guide/Guide.md", "", "/docs/guide/"),
        ("01-guide/guide.md", "", "/docs/guide/guide"),
        ("guide/index.md", "slug: named", "/docs/guide/named"),
        ("guide/index.md", "id: named", "/docs/guide/"),
        ("Mixed Case/größe.md", "", "/docs/Mixed Case/größe"),
    ],
)
def test_a_file_has_the_address_docusaurus_gives_it(tmp_path: Path, source: str, front_matter: str, url: str) -> None:
    site = read(tmp_path, {source: f"---\n{front_matter}\n---\n\nText."})
    assert urls(site) == {source: url}


@pytest.mark.parametrize(
    ("base_url", "route", "url"),
    [
        ("/", "docs", "/docs/a"),
        ("/base/", "docs", "/base/docs/a"),
        ("base", "/", "/base/a"),
        ("/", "docs/next", "/docs/next/a"),
        ("", "", "/a"),
    ],
)
def test_base_url_and_route_stand_before_the_address_with_single_slashes(
    tmp_path: Path, base_url: str, route: str, url: str
) -> None:
    assert urls(read(tmp_path, {"a.md": "Text."}, base_url=base_url, route_base_path=route)) == {"a.md": url}


def test_of_two_files_with_one_address_the_second_is_skipped(tmp_path: Path) -> None:
    site = read(tmp_path, {"a.md": "First.", "b.md": "---\nslug: a\n---\nSecond."})
    assert urls(site) == {"a.md": "/docs/a"}
    assert [(one.source, one.reason) for one in site.skipped] == [("b.md", "its address /docs/a is already that of a.md")]


# What is no page


def test_drafts_unlisted_pages_partials_and_unreadable_files_are_skipped_with_a_reason(tmp_path: Path) -> None:
    files = {
        "ok.md": "Text.",
        "draft.md": "---\ndraft: true\n---\nText.",
        "unlisted.md": "---\nunlisted: true\n---\nText.",
        "_partial.mdx": "Text.",
        "_parked/page.md": "Text.",
        "yaml.md": "---\ntitle: [open\n---\nText.",
        ".hidden/page.md": "Text.",
    }
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "latin.md").write_bytes("Größe".encode("latin-1"))
    site = read(tmp_path, files)
    assert list(urls(site)) == ["ok.md"]
    reasons = {skipped.source: skipped.reason for skipped in site.skipped}
    assert set(reasons) == {"draft.md", "unlisted.md", "_partial.mdx", "_parked/page.md", "yaml.md", "latin.md"}
    assert reasons["latin.md"] == "unreadable: not UTF-8 text"
    assert reasons["yaml.md"] == "its front matter is not valid YAML"
    assert reasons["draft.md"] == "draft"


def test_jsx_nested_without_end_skips_its_page_alone(tmp_path: Path) -> None:
    site = read(
        tmp_path, {"a.mdx": "{<p>" * 3000 + "x" + "</p>}" * 3000, "b.mdx": "---\nx: " + "[" * 5000 + "\n---\n", "ok.md": "Text."}
    )
    assert "ok.md" in urls(site)
    assert "b.mdx" in {skipped.source for skipped in site.skipped}


def test_a_missing_folder_and_one_without_markdown_are_errors_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="There is no folder"):
        read_docs(tmp_path / "missing")
    (tmp_path / "image.png").write_bytes(b"")
    with pytest.raises(SiteError, match="no Markdown"):
        read_docs(tmp_path)


# Titles


def test_the_title_is_front_matter_then_first_h1_then_id(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        {
            "a.md": "---\ntitle: 1.10\nsidebar_label: Other\n---\n# Heading",
            "b.md": "Intro.\n\n# The `code` *heading* {#id}",
            "01-c.md": "Text.",
            "d.md": "---\nid: named\ntitle:\n---\nText.",
        },
    )
    assert {page.source: page.title for page in site.pages} == {
        "a.md": "1.10",
        "b.md": "The code heading",
        "01-c.md": "c",
        "d.md": "named",
    }


def test_the_description_is_front_matter_or_the_first_paragraph(tmp_path: Path) -> None:
    site = read(tmp_path, {"a.md": "---\ndescription: Said.\n---\nText.", "b.md": "# Title\n\nFirst [one](x).\n\nSecond."})
    assert [page.description for page in site.pages] == ["Said.", "First one."]


def test_text_is_cleaned_of_unseen_characters_and_carriage_returns(tmp_path: Path) -> None:
    page = page_of(tmp_path, "\ufeff---\r\ntitle: A\u202eB\r\n---\r\nOne\u200b two.\r\n\r\n## He\u2060ading\r\n")
    assert (page.title, page.markdown, page.headings[0].text) == ("AB", "One two.\n\n## Heading\n", "Heading")


# Ids


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Été & Ångström: C++ / node.js — v2.0 (beta)!", "été--ångström-c--nodejs--v20-beta"),
        ("Emoji 🚀 rocket", "emoji--rocket"),
        ("中文 标题", "中文-标题"),
        ("With [a link](./x.md) and `code_x()`", "with-a-link-and-code_x"),
        ("`lantern pair <lamp>`", "lantern-pair-lamp"),
        ("A &amp; B &lt;C&gt;", "a--b-c"),
        ("Trailing hashes ##", "trailing-hashes"),
        ("`--dry-run`", "--dry-run"),
        ("Classic {#MyClassic-ID}", "MyClassic-ID"),
        ("Comment {/* #my-id and a note */}", "my-id"),
        ("Computed <Badge>new</Badge>", "computed-new"),
        ("Pair <Icon />", "pair-"),
        ("Value {props.x}", "value-propsx"),
        ("!!!", ""),
    ],
)
def test_a_heading_gets_the_id_of_the_built_page(tmp_path: Path, heading: str, anchor: str) -> None:
    page = page_of(tmp_path, f"## {heading}\n\nText.\n")
    assert anchors(page) == [anchor]
    assert "{#" not in page.markdown
    assert "{/*" not in page.markdown


def test_repeated_headings_are_numbered_and_explicit_ids_are_not_reserved(tmp_path: Path) -> None:
    page = page_of(tmp_path, "## Setup\n\n## Setup\n\n### Setup\n\n## Setup 1\n\n## Taken {#setup}\n\n## Setup\n")
    assert anchors(page) == ["setup", "setup-1", "setup-2", "setup-1-1", "setup", "setup-3"]


def test_an_h1_has_no_id_and_setext_indented_quoted_and_listed_headings_have_one(tmp_path: Path) -> None:
    page = page_of(tmp_path, "# Top {#top}\n\nSetext {#own}\n---\n\n    ## Indented\n\n> ## Quoted\n\n- ## Listed\n")
    assert [(heading.level, heading.text, heading.anchor) for heading in page.headings] == [
        (1, "Top", ""),
        (2, "Setext", "own"),
        (2, "Indented", "indented"),
        (2, "Quoted", "quoted"),
        (2, "Listed", "listed"),
    ]


def test_a_raw_html_heading_has_the_id_it_names_or_none(tmp_path: Path) -> None:
    page = page_of(tmp_path, '<h3 id="Raw">Raw\n  <b>one</b></h3>\n\n<h2>Plain</h2>\n\n## Plain\n')
    assert [(heading.level, heading.text, heading.anchor) for heading in page.headings] == [
        (3, "Raw one", "Raw"),
        (2, "Plain", ""),
        (2, "Plain", "plain"),
    ]


def test_hashes_in_code_and_comments_are_no_headings(tmp_path: Path) -> None:
    text = (
        "```sh\n# no\n```\n\n~~~\n## no\n~~~\n\n````md\n```\n## no\n```\n````\n\n{/* ## no */}\n\n<!--\n"
        "## no\n-->\n\n`## no`\n\n- x\n\n  ```\n  ## no\n  ```\n"
    )
    assert page_of(tmp_path, text).headings == ()
