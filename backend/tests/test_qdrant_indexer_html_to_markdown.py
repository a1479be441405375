"""What becomes of each element of a built page, and which documents are no pages."""

from pathlib import Path

import pytest

from built_pages import HOST, document, markdown_of, page_of, why_not, write
from qdrant_indexer.html_pages import page_of_html, read_build
from qdrant_indexer.pages import Page, Site

TABS = (
    '<div class="theme-tabs-container tabs-container"><ul role=tablist class=tabs><li role=tab aria-selected=true>Linux</li>'
    "<li role=tab aria-selected=false>Win<!-- -->dows</li></ul><div class=margin-top--md>{panels}</div></div>"
)
CODE = (
    '<div class="language-yaml codeBlockContainer_x theme-code-block"><div class=codeBlockTitle_x>a.yaml</div>'
    '<div class=codeBlockContent_x><pre class="prism-code language-yaml"><code><div class=token-line><span class=token>a</span>'
    "<span>: 1</span><br></div><div class=token-line><br></div><div class=token-line>  b: ```<br></div></code></pre>"
    "<button>Copy</button></div></div>"
)


def admonition(kind: str, title: str, body: str) -> str:
    return (
        f'<div class="theme-admonition theme-admonition-{kind} admonition_x alert"><div class=admonitionHeading_x>'
        f"<span class=admonitionIcon_x><svg><path d=M1 /></svg></span>{title}</div>"
        f"<div class=admonitionContent_x>{body}</div></div>"
    )


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>It runs on <!-- -->12<!-- --> volts<!-- -->.</p>", "It runs on 12 volts."),
        ("<p>zero\u200bwidth&ZeroWidthSpace; and&nbsp;soft\u00adhyphen</p>", "zerowidth and softhyphen"),
        ("<p>a <b>b </b>c<em> d</em> <del>e</del></p>", "a **b** c *d* ~~e~~"),
        ("<p><strong>bold:</strong>text</p>", "bold:text"),
        ("<p>call <code>f(`x`)</code> or <kbd>F1</kbd></p>", "call ``f(`x`)`` or `F1`"),
        ('<p><a href="/docs/y#z">in</a> <a href=https://x.org/a>out</a></p>', "[in](/docs/y#z) [out](https://x.org/a)"),
        ("<p><a href=https://x.org/a>https://x.org/a</a></p>", "<https://x.org/a>"),
        ('<p><a href="javascript:alert(1)">click</a> <a href="data:text/html,x">here</a></p>', "click here"),
        ('<p>before<img src=/a.png alt="the plan">after <img src=/b.png></p>', "before the plan after"),
        ("<p>1. no list</p><p># no heading</p><p>- no item</p>", "1\\. no list\n\n\\# no heading\n\n\\- no item"),
        ("<p>a &lt;b&gt; &amp;amp; [x](y) snake_case C:\\*</p>", "a \\<b> \\&amp; [x\\](y) snake_case C:\\\\\\*"),
        ("<p>one<br>two</p>", "one  \ntwo"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<ol start=3><li><p>a</p><p>b</p></li><li>c</li></ol>", "3. a\n\n   b\n\n4. c"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        (CODE, '````yaml title="a.yaml"\na: 1\n\n  b: ```\n````'),
        ("<pre><code class=language-js>a()<br>b()</code></pre>", "```js\na()\nb()\n```"),
        ("<table><tr><th>a|b</th></tr><tr><td><code>c|d</code></td></tr></table>", "| a\\|b |\n| --- |\n| `c\\|d` |"),
        ("<table><tr><td>a</td><td><pre>x</pre></td></tr></table>", "a\n\n```\nx\n```"),
        ("<details><summary>More</summary><div><p>text</p></div></details>", "**More**\n\ntext"),
        (admonition("note", "note", "<p>text</p>"), "**Note**\n\ntext"),
        (admonition("tip", "Mind <code>x</code>", "<p>text</p>"), "**Mind `x`**\n\ntext"),
        (
            TABS.format(panels="<div role=tabpanel><p>a</p></div><div role=tabpanel hidden><p>b</p></div>"),
            "**Linux**\n\na\n\n**Windows**\n\nb",
        ),
        (TABS.format(panels="<div role=tabpanel><p>lazy</p></div>"), "**Linux**\n\nlazy"),
        (
            TABS.format(
                panels=f"<div role=tabpanel>{TABS.format(panels='<div role=tabpanel>in</div>')}</div><div role=tabpanel>b</div>"
            ),
            "**Linux**\n\n**Linux**\n\nin\n\n**Windows**\n\nb",
        ),
        ("<p>so <span class=katex><math><mi>x</mi><annotation>x^2</annotation></math><i>x2</i></span></p>", "so `x^2`"),
        ("<button>Copy</button><script>x()</script><style>p{}</style><p>kept</p><iframe src=x></iframe>", "kept"),
        ("<p>text<a href=#x class=list-anchor>#</a><sup><a href=#fn data-footnote-ref>1</a></sup></p>", "text"),
        ("<dl><dt>term</dt><dd>meaning</dd></dl>", "**term**\n\nmeaning"),
        ("<section><a class=card href=/y><h2>Card</h2><p>about</p></a></section>", "**Card**\n\nabout"),
    ],
)
def test_an_element_becomes_markdown_of_the_same_words(html: str, markdown: str) -> None:
    assert markdown_of(html) == markdown


def test_headings_keep_their_ids_wherever_they_stand() -> None:
    link = "<a href=#x class=hash-link title=x>\u200b</a>"
    inside = f"<h3 id=Im-Tab>In <code>tab</code>{link}</h3><h4>!!!</h4>"
    body = f"<header><h1>Title</h1></header>{TABS.format(panels=f'<div role=tabpanel>{inside}</div>')}"
    body += (
        admonition("note", "note", f"<h2 id=größe>Größe {link}</h2>") + "<details><summary><h5 id=s>S #</h5></summary></details>"
    )
    body += "<ul><li><h6 id=li>In a list</h6></li></ul><blockquote><h2 id=q>Quoted</h2></blockquote>"
    headings = [(heading.level, heading.text, heading.anchor) for heading in page_of(body).headings]
    assert headings == [
        (1, "Title", ""),
        (3, "In tab", "Im-Tab"),
        (4, "!!!", ""),
        (2, "Größe", "größe"),
        (5, "S #", "s"),
        (6, "In a list", "li"),
        (2, "Quoted", "q"),
    ]


def test_lists_nested_deeper_than_markdown_reads_lose_nothing() -> None:
    page = page_of("<ul><li>" * 40 + "<h2 id=deep>Deep</h2>bottom" + "</li></ul>" * 40)
    assert [heading.anchor for heading in page.headings] == ["deep"]
    assert "bottom" in page.markdown
    assert "too deeply" in why_not(document("<div>" * 5000 + "x"))


def test_the_sites_title_is_no_part_of_the_pages() -> None:
    assert page_of("<p>x", title="Install | Lantern").title == "Install"
    assert page_of("<h1>A | B</h1>", title="A | B | Lantern").title == "A | B"
    assert page_of("<h1>Install</h1>", title="Install · Lantern").title == "Install"
    assert page_of("<nav><b class=navbar__title>Lantern</b></nav><h1>Other</h1>", title="Install - Lantern").title == "Install"
    assert page_of("<h1>Lantern</h1>", title="Lantern").title == "Lantern"


def test_the_address_is_the_canonical_one_raw_and_of_this_site() -> None:
    assert page_of("<p>x", url="/book/docs/größe/").url == "/book/docs/größe/"
    elsewhere = document("<p>x").replace(f"{HOST}/docs/x", "https://blog.example/post")
    own = elsewhere.replace("<title>", f"<meta property=og:url content={HOST}/blog/own /><title>")
    found = page_of_html(own, address=None)
    assert isinstance(found, Page)
    assert found.url == "/blog/own"
    nameless = document("<p>x").replace("rel=canonical", "rel=other")
    assert "canonical" in why_not(nameless)
    served = page_of_html(nameless, address="/docs/served/")
    assert isinstance(served, Page)
    assert served.url == "/docs/served/"


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<html><head><meta http-equiv=Refresh content='0; url=/y'><link rel=canonical href=/y></head></html>", "redirect"),
        ("<html><head><title>x</title></head><body><main>text</main></body></html>", "not a page of Docusaurus"),
        (document("x", head='<meta name=robots content="noindex, nofollow">'), "noindex"),
        (document("x", head='<meta property=robots content="noindex, follow">'), "noindex"),
        (document("x", "/404.html", classes="plugin-native"), "do not exist"),
        (document("x", "/search", classes="plugin-native plugin-id-default"), "search"),
        (document("x", "/blog/tags/a", classes="plugin-blog blog-tags-post-list-page"), "only lists posts"),
        (document("x", "/blog/authors", classes="plugin-blog blog-authors-list-page"), "only lists posts"),
        (document("x", "/docs/tags", classes="plugin-docs docs-tags-list-page"), "only lists tags"),
        (b"<html>\xff\xfe", "UTF-8"),
        ("", "not a page of Docusaurus"),
    ],
)
def test_what_is_no_page_to_be_found_is_named(html: str | bytes, reason: str) -> None:
    assert reason in why_not(html)


def test_a_page_called_search_or_404_in_the_docs_is_a_page() -> None:
    assert page_of("<p>x", url="/docs/search").url == "/docs/search"
    assert page_of("<p>x", url="/docs/errors/404").url == "/docs/errors/404"


def read(tmp_path: Path, pages: dict[str, str]) -> Site:
    return read_build(write(tmp_path / "build", {f"{name}/index.html": html for name, html in pages.items()}))


def test_a_copy_is_untranslated_although_the_theme_speaks_the_readers_language(tmp_path: Path) -> None:
    head = f"<link rel=alternate href={HOST}/docs/%s hreflang=x-default />"
    note = admonition("note", "{label}", '<p>Text <a href="{base}/docs/y">link</a>.</p>')
    english = {name: document(note.format(label="note", base=""), f"/docs/{name}", head=head % name) for name in ("a", "b")}
    french = document(note.format(label="remarque", base="/fr"), "/fr/docs/a", head=head % "a", locale="fr")
    translated = document(note.format(label="remarque", base="/fr").replace("Text", "Texte"), "/fr/docs/b", locale="fr")
    site = read(tmp_path, {**english, "fr/docs/a": french, "fr/docs/b": translated})
    assert [page.url for page in site.pages] == ["/docs/a", "/docs/b", "/fr/docs/b"]
    assert [(one.source, one.reason) for one in site.skipped] == [("fr/docs/a/index.html", "untranslated copy of /docs/a")]


def test_two_files_with_one_address_give_one_page(tmp_path: Path) -> None:
    site = read(tmp_path, {"a": document("<p>x", "/docs/x"), "b": document("<p>x", "/docs/x")})
    assert [page.source for page in site.pages] == ["a/index.html"]
    assert site.skipped[0].reason == "its address /docs/x is already that of a/index.html"


@pytest.mark.parametrize("banner", ["", '<div class="theme-doc-version-banner alert">old</div>'])
def test_the_last_version_is_told_by_banners_and_without_them_by_addresses(tmp_path: Path, banner: str) -> None:
    def page(version: str, url: str, notice: str) -> str:
        html = document("<p>text of a page", url, head=f"<meta name=docusaurus_version content={version}>")
        return html.replace("<article>", f"<article>{notice}")

    new, old = page("2.0", "/docs/x", ""), page("1.0", "/docs/1.0/x", banner)
    site = read(tmp_path, {"new": new, "old": old, "next": page("current", "/docs/next/x", banner)})
    assert {page.version: page.is_last_version for page in site.pages} == {"2.0": True, "1.0": False, "current": False}
    assert "old" not in site.pages[0].markdown


def test_metadata_that_can_not_be_read_does_no_harm(tmp_path: Path) -> None:
    write(tmp_path / ".docusaurus", {"site-a.json": "{", "site-b.json": "[]", "site-c.json": '{"permalink": 1, "source": "x"}'})
    assert [page.source for page in read(tmp_path, {"docs/x": document("<p>x")}).pages] == ["docs/x/index.html"]
