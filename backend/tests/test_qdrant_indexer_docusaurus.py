"""A Docusaurus docs folder is read into pages with the addresses and ids the built site has."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from markdown_it import MarkdownIt

from qdrant_indexer.docusaurus import Page, Site, SiteError, read_docs

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


def read(tmp_path: Path, files: dict[str, str], **settings: str) -> Site:
    for name, text in files.items():
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read_docs(tmp_path / "docs", **settings)


def page_of(tmp_path: Path, text: str, **others: str) -> Page:
    return next(page for page in read(tmp_path, {"page.mdx": text, **others}).pages if page.source == "page.mdx")


def urls(site: Site) -> dict[str, str]:
    return {page.source: page.url for page in site.pages}


def anchors(page: Page) -> list[str]:
    return [heading.anchor for heading in page.headings]


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


# MDX


def test_fences_and_code_spans_stay_as_they_are(tmp_path: Path) -> None:
    text = (
        "```jsx title=\"a.jsx\" {1}\nimport A from 'a';\n"
        "<Tabs>{x}</Tabs> {/* c */} <!-- d --> :::note\n\n\n[l](./page.mdx)\n```\n\n"
        "Use `<Tabs>{x}</Tabs>` and ``a ` {b}``.\n"
    )
    assert page_of(tmp_path, text).markdown == text


def test_imports_exports_and_comments_are_gone_and_prose_that_looks_alike_stays(tmp_path: Path) -> None:
    text = (
        "import A from 'a';\nimport {\n  B,\n} from 'b'\n\nexport const f = () => {\n  return 1;\n\n"
        "};\n\nimport data from the CSV file.\n\n"
        "Text\nexport it.{/* gone */}<!-- gone -->\n"
    )
    assert page_of(tmp_path, text).markdown == "import data from the CSV file.\n\nText\nexport it.\n"


def test_admonitions_keep_title_and_text(tmp_path: Path) -> None:
    text = (
        ":::tip[My `title`]\n\nOne.\n:::\n\n:::warning Old title\nTwo.\n:::\n\n::::note\n:::danger{.x}\n"
        "Three.\n:::\n::::\n\n- item\n\n  :::info\n  Four.\n  :::\n"
    )
    assert page_of(tmp_path, text).markdown == (
        "**My `title`**\n\nOne.\n\n**Old title**\n\nTwo.\n\n**Note**\n\n**Danger**\n\nThree.\n\n- item\n\n  **Info**\n\n  Four.\n"
    )


def test_tabs_keep_their_labels_and_all_panels_even_when_indented(tmp_path: Path) -> None:
    text = (
        "<Tabs\n  values={[\n    {label: 'For npm', value: 'npm'},\n  ]}>\n  <TabItem value=\"npm\">\n\n"
        "    ## Inside\n\n    ```sh\n    npm i\n      deeper\n    ```\n\n"
        '  </TabItem>\n  <TabItem value="y" label="Yarn">Use yarn.</TabItem>\n</Tabs>\n'
    )
    page = page_of(tmp_path, text)
    assert page.markdown == "**For npm**\n\n## Inside\n\n```sh\nnpm i\n  deeper\n```\n\n**Yarn**\n\nUse yarn.\n"
    assert anchors(page) == ["inside"]


def test_html_keeps_its_text(tmp_path: Path) -> None:
    text = (
        "<details>\n  <summary><b>More</b> about it</summary>\n\nHidden.\n\n</details>\n\n"
        '<p>Para <a href="/x">link</a><br/>next <code>x</code></p>\n'
        '<img src="a.png" alt="A lamp" />\n\n<ul>\n  <li>one</li>\n  <li>two</li>\n</ul>\n\n'
        '<script>gone()</script>\n<iframe src="x" />\n'
    )
    markdown = page_of(tmp_path, text).markdown
    assert markdown == "More about it\n\nHidden.\n\nPara [link](/x) next `x`\n\n![A lamp](a.png)\n\n- one\n\n- two\n"


def test_expressions_become_their_value_when_the_page_says_it(tmp_path: Path) -> None:
    text = (
        "---\ntitle: T\n---\nexport const hub = {name: 'Glow', volts: 12};\nexport const n = 3\n\n"
        "{hub.name}{' '}at {hub.volts} V, {n} of {`${n} lamps`}, {frontMatter.title}, {n / 2}.\n\n"
        "{lamps.map(l => <p>A lamp</p>)}\n\n{children}\n"
    )
    assert page_of(tmp_path, text).markdown == "Glow at 12 V, 3 of 3 lamps, T, `n / 2`.\n\nA lamp\n"


def test_a_list_the_page_writes_out_is_shown_row_by_row(tmp_path: Path) -> None:
    text = (
        "export const lamps = [{name: 'Glow', volts: 12}, {name: 'Dim', volts: 5}];\n\n"
        "{['red', 'green'].map((c) => <p key={c}>The {c} lamp.</p>)}\n\n"
        "<ul>\n  {lamps.map((lamp, i) => (\n    <li key={i}>{lamp.name} runs on {lamp.volts} V</li>\n  ))}\n</ul>\n\n"
        "| Lamps |\n| --- |\n| {lamps.map(({name}) => <b>{name}</b>)} |\n\n{unknown.map((c) => <p>A {c} lamp.</p>)} {c}\n"
    )
    assert page_of(tmp_path, text).markdown == (
        "The red lamp.\n\nThe green lamp.\n\n- Glow runs on 12 V\n\n- Dim runs on 5 V\n\n"
        "| Lamps |\n| --- |\n| Glow Dim |\n\nA `c` lamp.\n\n`c`\n"
    )


def test_text_given_as_jsx_is_kept_and_what_is_not_shown_on_the_page_is_not(tmp_path: Path) -> None:
    text = (
        "<head>\n  <title>For robots</title>\n</head>\n\n<Head><title>For robots</title></Head>\n\n"
        '<Tabs>\n<TabItem value="win" label={<span>Windows <b>11</b></span>}>\n\nUse it.\n\n</TabItem>\n</Tabs>\n\n'
        "<Card title={<>Rich {'text'}</>} />\n\n<Translate description=\"For translators\">Hello</Translate>\n"
    )
    assert page_of(tmp_path, text).markdown == "**Windows 11**\n\nUse it.\n\nRich text\n\nHello\n"


def test_stray_brackets_and_autolinks_stay_text(tmp_path: Path) -> None:
    text = "a < b, {open, x <https://example.org/> and \\<escaped> and run <lamp> now.\n"
    assert page_of(tmp_path, text).markdown == "a < b, {open, x <https://example.org/> and \\<escaped> and run \\<lamp> now.\n"


def test_components_keep_the_text_they_show(tmp_path: Path) -> None:
    text = (
        '<Card title="Fast" href="/x" />\n\n'
        'See <Badge label="new" /> and <Term title="no">this</Term>.\n\n'
        '<CodeBlock language="js">{`let a = 1;\nlet b;`}</CodeBlock>\n'
    )
    assert page_of(tmp_path, text).markdown == "Fast\n\nSee new and this.\n\n```js\nlet a = 1;\nlet b;\n```\n"


def test_partials_are_put_in_with_their_props_and_share_the_table_of_ids(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        "import W from './_w.mdx';\nimport {x, default as S} from '@site/docs/sub/_s.md';\n"
        "import Own from './page.mdx';\n\n## Same\n\n- item\n\n  <W years={3} who='us' />\n\n<S/>\n\n"
        '<Own/>\n\n<W years="4" />\n',
        **{
            "_w.mdx": "---\na: b\n---\n\n### Same\n\n{props.years} years from {props.who}.\n",
            "sub/_s.md": "import W from '../_w.mdx'\n\nShared. <W years={5}/>\n",
        },
    )
    assert anchors(page) == ["same", "same-1", "same-2", "same-3"]
    assert "- item\n\n  ### Same\n\n  3 years from us.\n" in page.markdown
    assert "Shared.\n\n### Same\n\n5 years from" in page.markdown
    assert page.markdown.count("item") == 1


def test_a_partial_outside_of_the_site_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    site = read(tmp_path / "site", {"a.mdx": "import S from '../../secret.md';\n\nText.\n\n<S/>\n"})
    assert site.pages[0].markdown == "Text.\n"


def test_file_links_point_at_addresses_and_code_and_other_links_do_not_change(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        "[a](./sub/01-größe.md#x) [b](/sub/01-größe.md) [c][r] `[d](sub/01-größe.md)` [e](missing.md) [f](https://x.org/a.md)\n\n"
        "[r]: @site/docs/sub/01-größe.md 'T'\n",
        **{"sub/01-größe.md": "[up](../page.mdx)"},
    )
    address = "/docs/sub/gr%C3%B6%C3%9Fe"
    assert page.markdown == (
        f"[a]({address}#x) [b]({address}) [c][r] `[d](sub/01-größe.md)` [e](missing.md) [f](https://x.org/a.md)\n\n"
        f"[r]: {address} 'T'\n"
    )


def test_a_long_hostile_page_is_read_in_seconds(tmp_path: Path) -> None:
    started = monotonic()
    page = page_of(tmp_path, "\n".join(["<a " * 300, "{" * 300, "`" * 7, "<b>" * 300, "[" * 300, "<x " * 300, "<!--" * 100]) * 5)
    assert page.url == "/docs/page"
    assert monotonic() - started < 20
