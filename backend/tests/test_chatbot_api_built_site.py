"""A built site beside the API, over a real socket: its pages at their permalinks, its scripts by hash, the API untouched."""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from chatbot_api.config import Settings
from chatbot_api.errors import StartRefused
from chatbot_api.main import create_app
from conftest import Service, index_book
from wire_client import exchange, request

THEME_SCRIPT = "document.documentElement.dataset.theme='dark'\n"
DATA = '<script type="application/ld+json">{"@type":"BreadcrumbList"}</script>'
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def html(title: str, head: str = "") -> str:
    return (
        f'<!doctype html><html><head><title>{title}</title><script defer src="/assets/js/main.1a2b.js"></script>{head}</head>'
        f"<body><script>{THEME_SCRIPT}</script>{DATA}<main>{title}</main></body></html>"
    )


@pytest.fixture
def build(tmp_path: Path) -> Path:
    files = {
        "index.html": html("Home", "<script>home()</script>"),
        "404.html": html("Lost"),
        "docs/index.html": html("Welcome"),
        "docs/install/index.html": html("Install"),
        "docs/größe.html": html("Größe"),
        "search/index.html": html("Search page"),
        "health/index.html": html("Not the probe"),
        "assets/js/main.1a2b.js": "window.main=1",
        "assets/css/styles.3c4d.css": "main{color:red}",
        "img/logo.svg": "<svg/>",
        "sitemap.xml": "<urlset/>",
    }
    for name, text in files.items():
        path = tmp_path / "build" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    return tmp_path / "build"


@pytest.fixture
def site(settings_of: Callable[..., Settings], serve: Callable[[Settings], Service], build: Path, book: Path) -> Service:
    settings = settings_of(site_build=build)
    index_book(settings, book)
    return serve(settings)


def title(reply: httpx.Response) -> str:
    return reply.text.partition("<main>")[2].partition("</main>")[0]


PAGES = {
    "/": "Home",
    "/docs": "Welcome",
    "/docs/": "Welcome",
    "/docs/install": "Install",
    "/docs/install/": "Install",
    "/docs/install/index.html": "Install",
    "/docs/install?ask=x": "Install",
    "/docs/gr%C3%B6%C3%9Fe": "Größe",
    "/docs/gr%C3%B6%C3%9Fe.html": "Größe",
    "/search": "Search page",
}


def test_a_page_is_served_at_its_permalink_without_a_redirect(site: Service) -> None:
    replies = {path: site.client.get(path) for path in PAGES}
    assert {path: (reply.status_code, title(reply)) for path, reply in replies.items()} == {
        path: (200, shown) for path, shown in PAGES.items()
    }
    assert {reply.headers["content-type"] for reply in replies.values()} == {"text/html; charset=utf-8"}


def test_the_head_of_a_page_is_that_of_the_page(site: Service) -> None:
    head, reply = site.client.head("/docs/install"), site.client.get("/docs/install")
    assert (head.status_code, head.content) == (200, b"")
    assert {name: head.headers[name] for name in ("content-length", "etag")} == {
        name: reply.headers[name] for name in ("content-length", "etag")
    }


def test_the_api_wins_over_the_sites_addresses(site: Service) -> None:
    assert site.client.get("/health").headers["content-type"] == "application/json"
    assert site.client.get("/health", headers=BROWSER).json()["status"]
    assert site.ask().json()["sources"]
    assert site.client.post("/search", json={"query": "docker"}).json()["results"]


def test_the_chat_page_makes_room_for_the_site(site: Service) -> None:
    assert title(site.client.get("/")) == "Home"
    assert site.client.get("/_demo/config.json").status_code == 404


def test_scripts_run_by_their_hash_and_nothing_else_may(site: Service) -> None:
    def source(code: str) -> str:
        return f"'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'"

    policy = site.client.get("/docs/install").headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert set(rules["script-src"].split()) == {"'self'", source(THEME_SCRIPT), source("home()")}
    assert rules["default-src"] == "'self'"
    assert "connect-src" not in rules, "falls back to the host alone"
    assert rules["object-src"] == rules["base-uri"] == "'none'"
    assert "http" not in policy


def test_what_has_a_hash_in_its_name_is_kept_forever_and_the_rest_is_asked_for_again(site: Service) -> None:
    kept = {path: site.client.get(path) for path in ("/assets/js/main.1a2b.js", "/assets/css/styles.3c4d.css")}
    assert {reply.headers["cache-control"] for reply in kept.values()} == {"public, max-age=31536000, immutable"}
    for path in ("/", "/docs/install", "/img/logo.svg", "/sitemap.xml"):
        reply = site.client.get(path)
        assert reply.headers["cache-control"] == "no-cache"
        again = site.client.get(path, headers={"If-None-Match": reply.headers["etag"]})
        assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache")


def test_every_file_says_that_its_type_is_not_to_be_guessed(site: Service) -> None:
    types = {path: site.client.get(path).headers for path in ("/img/logo.svg", "/assets/js/main.1a2b.js", "/docs/install")}
    assert {headers["x-content-type-options"] for headers in types.values()} == {"nosniff"}
    assert types["/img/logo.svg"]["content-type"] == "image/svg+xml"
    assert "javascript" in types["/assets/js/main.1a2b.js"]["content-type"]


def test_a_browser_gets_the_sites_own_page_for_an_address_that_does_not_exist(site: Service) -> None:
    reply = site.client.get("/docs/nowhere", headers=BROWSER)
    assert (reply.status_code, title(reply)) == (404, "Lost")
    assert reply.headers["cache-control"] == "no-cache"
    assert "sha256-" in reply.headers["content-security-policy"]
    known = {"If-None-Match": reply.headers["etag"], "If-Modified-Since": reply.headers["last-modified"]}
    assert site.client.get("/docs/nowhere", headers={**BROWSER, **known}).status_code in {304, 404}


def test_a_client_that_opens_no_page_gets_a_problem(site: Service) -> None:
    asked = {
        ("GET", "/docs/nowhere", "*/*"): 404,
        ("POST", "/docs/nowhere", BROWSER["Accept"]): 404,
        ("POST", "/docs/install", BROWSER["Accept"]): 405,
        ("GET", "/chat", BROWSER["Accept"]): 405,
    }
    for (method, path, accepted), status in asked.items():
        reply = site.client.request(method, path, headers={"Accept": accepted})
        assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json"), (method, path)


OUTSIDE = [
    "/../secret.txt",
    "/docs/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/docs/..%5c..%5csecret.txt",
    "//secret.txt",
    "/assets/%00",
    "/docs/install/../../index.html/",
    "/" + "a" * 5000,
]


def test_no_path_leads_out_of_the_site(site: Service) -> None:
    for path in OUTSIDE:
        (answer,) = exchange(site.url, request("GET", path, b"", "Connection: close")).answers
        assert answer.status in {400, 404, 414}, path
        assert b"secret" not in answer.body, path


def test_a_link_that_leads_out_of_the_folder_is_not_followed(
    settings_of: Callable[..., Settings], serve: Callable[[Settings], Service], build: Path
) -> None:
    (build / "leak.txt").symlink_to(build.parent / "secret.txt")
    assert serve(settings_of(site_build=build)).client.get("/leak.txt").status_code == 404


def test_a_build_for_another_path_and_a_folder_without_one_are_refused_at_start(
    settings_of: Callable[..., Settings], build: Path
) -> None:
    (build / "index.html").write_text(html("Home").replace("/assets/", "/base/assets/"), encoding="utf-8")
    with pytest.raises(StartRefused, match="baseUrl"):
        create_app(settings_of(site_build=build))
    with pytest.raises(StartRefused, match="make site"):
        create_app(settings_of(site_build=build / "img"))
