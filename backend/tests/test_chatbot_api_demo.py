"""The demo over a real socket: the landing page, the widget's files, and the documentation's pages, rendered safely."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from chatbot_api.demo_pages import DemoPages
from chatbot_api.demo_site import OFFLINE_NOTICE, SECURITY_HEADERS, add_demo
from html_document import Document
from qdrant_indexer.docusaurus import Heading, Page
from stand_in_chat import served

DEMO = Path(__file__).resolve().parents[1] / "src" / "chatbot_api" / "demo"

HOSTILE = """\
Raw <script>alert(1)</script> and <img src=x onerror=alert(1)>.

<div onclick="alert(1)">block</div>

[script](javascript:alert(1)) [data](data:text/html,x) [host](//evil.example/x) [mail](mailto:a@b.example)
[odd](//[evil) [back](/\\evil.example) [lost](nowhere.md) [out](https://example.org/a?b=1&c=2) [in](../guide/deep#part)
[anchor](#second) [title](https://example.org "a\\" onmouseover=\\"alert(1)")

![pixel](https://evil.example/p.png) ![](x.png)

## Second & <b>last</b>

## Second & <b>last</b>

```js"><script>
</code><script>alert(1)</script>
```

| a | b |
| --- | --- |
| `<i>` | <u>x</u> |
"""
HEADINGS = (Heading(2, "Second & <b>last</b>", "second"), Heading(2, "Second & <b>last</b>", 'second"><script>'))


def page(url: str, title: str, markdown: str, headings: tuple[Heading, ...] = (), description: str = "") -> Page:
    return Page(source=f"{title}.md", url=url, title=title, description=description, markdown=markdown, headings=headings)


PAGES = [
    page("/docs/", "Welcome", "# Welcome\n\nText.", (Heading(1, "Welcome", ""),)),
    page("/docs/hostile", "Evil </title><script>", HOSTILE, HEADINGS, description='"><script>alert(1)</script>'),
    page("/docs/Mixed Case/größe", "Größe", "Text.\n\n## Wie groß?", (Heading(2, "Wie groß?", "wie-groß"),)),
    page(
        "/docs/guide/deep/",
        "Deep",
        "## Install the hub\n\n### Reset a lamp\n",
        (Heading(2, "Install the hub", "install-the-hub"), Heading(3, "Reset a lamp", "reset-a-lamp")),
    ),
]


@pytest.fixture(scope="module")
def site() -> Iterator[httpx.Client]:
    app = FastAPI(docs_url="/docs/guide", openapi_url="/openapi.json", redoc_url=None)
    add_demo(app, DemoPages(PAGES), title='Lantern & "friends"', provider="offline")
    with served(app) as base, httpx.Client(base_url=base) as client:
        yield client


def test_the_landing_page_and_its_files_are_served_with_their_types(site: httpx.Client) -> None:
    assert site.get("/").headers["content-type"] == "text/html; charset=utf-8"
    for file in DEMO.iterdir():
        if file.suffix == ".html":
            continue
        reply = site.get(f"/_demo/{file.name}")
        kind = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[file.suffix]
        assert (reply.status_code, reply.headers["content-type"], reply.content) == (
            200,
            f"{kind}; charset=utf-8",
            file.read_bytes(),
        )


def test_every_file_the_pages_and_the_widget_name_is_served(site: httpx.Client) -> None:
    names = {
        name for page in ("/", "/docs/hostile") for name in re.findall(r'(?:src|href|config)="(/[^"#]*)"', site.get(page).text)
    }
    names = {name for name in names if name.startswith("/_demo/")}
    assert {"/_demo/ask-docs.js", "/_demo/config.json", "/_demo/landing.js", "/_demo/page.css"} <= names
    loaded_later = set(re.findall(r'import\("\./([\w.-]+)"\)', (DEMO / "ask-docs.js").read_text("utf-8")))
    assert loaded_later == {"ask-docs-panel.js"}
    names |= {f"/_demo/{name}" for name in loaded_later}
    assert {name: site.get(name).status_code for name in names} == dict.fromkeys(names, 200)


@pytest.mark.parametrize(
    "path", ["/", "/_demo/ask-docs.js", "/_demo/page.css", "/_demo/config.json", "/docs/hostile", "/docs/hostile/"]
)
def test_every_response_of_the_demo_bears_the_security_headers(site: httpx.Client, path: str) -> None:
    for reply in (site.get(path), site.head(path)):
        assert reply.status_code == 200
        assert {name: reply.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy


def test_head_has_the_length_of_the_page_and_no_body(site: httpx.Client) -> None:
    got, head = site.get("/docs/hostile"), site.head("/docs/hostile")
    assert (head.content, head.headers["content-length"]) == (b"", got.headers["content-length"])


def test_no_file_of_the_demo_names_another_host_or_holds_an_inline_script_or_style() -> None:
    for file in DEMO.iterdir():
        text = re.sub(r"http://www\.w3\.org/[\w/]+", "", file.read_text("utf-8"))
        assert not re.findall(r"https?://[\w.]|@import|url\((?!\"?data:)", text), file.name
        if file.suffix == ".html":
            document = Document(text)
            assert all("src" in script for script in document.all("script"))
            assert not document.all("style")
            assert not [
                name for _, attributes in document.elements for name in attributes if name.startswith("on") or name == "style"
            ]
        if file.suffix == ".js":
            # React's stand-in and the sanitiser know the words, of which the widget's own code uses none: its own tests tell.
            assert not re.findall(r"insertAdjacentHTML|document\.write\(|\beval\(|new Function\b", text), file.name
        if file.name == "landing.js":
            assert "HTML" not in text


def test_the_landing_page_offers_questions_the_pages_answer_and_lists_the_pages(site: httpx.Client) -> None:
    html = site.get("/").text
    document = Document(html)
    assert re.findall(r'<button type="button">(.*?)</button>', html) == [
        "How do I install the hub?",
        "How do I reset a lamp?",
        "What should I know about Welcome?",
        "What should I know about Größe?",
    ]
    widget = next(script for script in document.all("script") if "data-config" in script)
    assert widget["data-starters"] == "|".join(re.findall(r'<button type="button">(.*?)</button>', html))
    links = [a["href"] for a in document.all("a")]
    assert {"/docs/", "/docs/hostile", "/docs/guide/deep/", "/docs/Mixed%20Case/gr%C3%B6%C3%9Fe"} <= set(links)
    assert re.search(r'<a class="quiet" href="/docs/">Read the docs</a>', html)


def test_what_is_written_into_the_landing_page_stays_text() -> None:
    app = FastAPI()
    add_demo(app, DemoPages(PAGES), title='<i>L</i>" $x', provider="gemini", starters=['a"><script>b</script> | $c'])
    with served(app) as base:
        document = Document(httpx.get(base).text)
        assert [set(script) <= {"type", "src", "data-config", "data-starters"} for script in document.all("script")] == [
            True,
            True,
        ]
        assert not document.all("i")
        assert 'Ask <i>L</i>" $x' in document.text
        assert 'a"><script>b</script> | $c' in document.text
        assert document.all("script")[0]["data-starters"] == 'a"><script>b</script> / $c'


def test_the_offline_mode_is_told_on_the_landing_page_and_in_the_panel(site: httpx.Client) -> None:
    assert OFFLINE_NOTICE in Document(site.get("/").text).text
    assert site.get("/_demo/config.json").json() == {
        "apiUrl": "/",
        "title": 'Ask Lantern & "friends"',
        "disclaimer": {"text": OFFLINE_NOTICE},
    }


def test_with_a_model_nothing_is_told_and_without_pages_none_are_listed() -> None:
    app = FastAPI()
    add_demo(app, None, title="Lantern", provider="gemini", starters=["How bright is it?"])
    with served(app) as base:
        assert httpx.get(f"{base}/_demo/config.json").json() == {"apiUrl": "/", "title": "Ask Lantern"}
        html = httpx.get(base).text
        assert re.findall(r'<button type="button">(.*?)</button>', html) == ["How bright is it?"]
        assert "Offline mode" not in html
        assert "Pages" not in Document(html).text
        assert "Read the docs" not in html


def test_html_in_a_page_stays_text(site: httpx.Client) -> None:
    document = Document(site.get("/docs/hostile").text)
    assert [script["src"] for script in document.all("script")] == ["/_demo/ask-docs.js"]
    assert not document.all("b")
    assert not document.all("u")
    assert [image["src"] for image in document.all("img")] == ["/_demo/icon.svg"]
    assert not [name for _, attributes in document.elements for name in attributes if name.startswith("on")]
    assert "Raw <script>alert(1)</script> and <img src=x onerror=alert(1)>." in document.text
    assert 'Evil </title><script> · Lantern & "friends"' in document.text


def test_links_lead_to_pages_and_to_http_hosts_only(site: httpx.Client) -> None:
    links = [a for a in Document(site.get("/docs/hostile").text).all("a") if "class" not in a]
    hrefs = [a.get("href") for a in links]
    for href in filter(None, hrefs):
        assert re.match(r"/(?![/\\])|#|https://example\.org", href), href
    assert "https://example.org/a?b=1&c=2" in hrefs
    assert "/guide/deep#part" in hrefs
    assert "#second" in hrefs
    assert all(a.get("rel") == "noopener noreferrer" for a in links if (a.get("href") or "").startswith("http"))


def test_pictures_are_told_and_not_fetched(site: httpx.Client) -> None:
    text = Document(site.get("/docs/hostile").text).text
    assert "Picture: pixel" in text
    assert "Picture: no description" in text
    assert "evil.example/p.png" not in site.get("/docs/hostile").text


def test_headings_bear_the_ids_of_the_site_in_order(site: httpx.Client) -> None:
    assert [h.get("id") for h in Document(site.get("/docs/hostile").text).all("h2") if h.get("class") is None] == [
        "second",
        'second"><script>',
    ]
    assert {"id": "wie-groß"} in Document(site.get("/docs/Mixed Case/größe").text).all("h2")


def test_a_page_without_a_first_heading_gets_its_title_and_another_none_twice(site: httpx.Client) -> None:
    assert len(Document(site.get("/docs/hostile").text).all("h1")) == 1
    assert len(Document(site.get("/docs/").text).all("h1")) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/docs",
        "/docs/",
        "/docs/Mixed%20Case/gr%C3%B6%C3%9Fe",
        "/docs/Mixed%20Case/gr%C3%B6%C3%9Fe/",
        "/docs/guide/deep",
        "/docs/guide/deep/",
    ],
)
def test_a_permalink_opens_with_and_without_its_last_slash(site: httpx.Client, path: str) -> None:
    assert site.get(path).status_code == 200


def test_the_list_of_pages_links_them_all_and_marks_the_one_that_is_open(site: httpx.Client) -> None:
    links = Document(site.get("/docs/guide/deep/").text).all("a")
    assert [a["href"] for a in links if "aria-current" in a] == ["/docs/guide/deep/"]
    listed = {a["href"] for a in links}
    assert {"/", "/docs/", "/docs/hostile", "/docs/Mixed%20Case/gr%C3%B6%C3%9Fe"} <= listed


def test_other_paths_and_the_apps_own_routes_stay_the_apps(site: httpx.Client) -> None:
    for path in (
        "/docs/none",
        "/_demo/none.js",
        "/_demo/page.html",
        "/_demo/../config.py",
        "/_demo/%2e%2e/config.py",
        "/docs/hostile/x",
    ):
        reply = site.get(path)
        assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"}), path
    assert "swagger" in site.get("/docs/guide").text.lower()
    assert site.post("/docs/hostile").status_code == 405
    assert "/docs/hostile" not in site.get("/openapi.json").json()["paths"]


async def test_pages_asked_for_at_once_are_all_rendered_right(site: httpx.Client) -> None:
    async with httpx.AsyncClient(base_url=site.base_url) as client:
        replies = await asyncio.gather(*(client.get(path) for path in ["/docs/", "/docs/hostile", "/docs/guide/deep"] * 10))
    assert len({reply.text for reply in replies}) == 3


def test_pages_are_listed_by_their_place_in_the_sidebar(tmp_path: Path) -> None:
    for name, position in (("alpha", 3), ("beta", 1), ("gamma", 2)):
        (tmp_path / f"{name}.md").write_text(f"---\ntitle: {name}\nsidebar_position: {position}\n---\n\ntext\n", encoding="utf-8")
    (tmp_path / "aardvark.md").write_text("# last, for want of a position\n", encoding="utf-8")
    assert [page.title for page in DemoPages.read(tmp_path).pages] == ["beta", "gamma", "alpha", "last, for want of a position"]
