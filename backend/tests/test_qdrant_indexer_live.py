"""The published site as a source: a real server on loopback, honest and hostile."""

import gzip
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest

from built_pages import document
from conftest import SHARED
from qdrant_indexer.html_pages import read_build
from qdrant_indexer.live_site import read_live
from qdrant_indexer.pages import Site, SiteError
from qdrant_indexer.site_client import MOST_WAIT_S, USER_AGENT, retry_wait_s
from qdrant_indexer.sitemap import Sitemap, SitemapError, read_sitemap
from site_server import HTML, Answer, SiteServer, site_server

FIXTURE = SHARED / "fixture" / "build"
_connections: list[Any] = []


@pytest.fixture(scope="module", autouse=True)
def _watch_connections() -> None:
    """Every connection this process opens is noted: the interpreter itself reports it."""

    def note(event: str, values: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            _connections.append(values[1])

    sys.addaudithook(note)


@pytest.fixture
def site() -> Iterator[SiteServer]:
    with site_server() as server:
        yield server


def redirect(to: str, status: int = 302) -> Answer:
    return Answer("", status, {"Location": to})


def serve(site: SiteServer, **pages: Answer | str) -> None:
    """Pages at ``/docs/NAME``, listed in the sitemap."""
    for name, page in pages.items():
        site.routes[f"/docs/{name}"] = page if isinstance(page, Answer) else Answer(document(page, f"/docs/{name}"))
    site.list_pages(*(f"/docs/{name}" for name in pages))


def urls(read: Site) -> list[str]:
    return sorted(page.url for page in read.pages)


def reasons(site: SiteServer, read: Site) -> dict[str, str]:
    return {entry.source.removeprefix(site.url): entry.reason for entry in read.skipped}


def serve_fixture(site: SiteServer) -> None:
    if not FIXTURE.is_dir():
        pytest.skip("the development data fixture is not beside the checkout")
    for path in FIXTURE.rglob("*"):
        name = path.relative_to(FIXTURE).as_posix()
        if path.suffix == ".html":
            folder = "/" + name.removesuffix("index.html").rstrip("/")
            site.routes[folder] = site.routes[folder.rstrip("/") + "/"] = Answer(path.read_bytes())
        elif path.suffix == ".xml":
            site.routes[f"/{name}"] = Answer(path.read_text(encoding="utf-8").replace("https://lantern.example", site.url))


async def test_a_published_site_gives_the_pages_of_its_build(site: SiteServer, tmp_path: Path) -> None:
    serve_fixture(site)
    read = await read_live(site.sitemap_url)
    built = {page.url: page for page in read_build(FIXTURE, metadata_dir=tmp_path).pages if page.locale == "en"}
    assert {page.url: (page.markdown, page.headings, page.version, page.title, page.kind) for page in read.pages} == {
        url: (page.markdown, page.headings, page.version, page.title, page.kind) for url, page in built.items()
    }
    assert "/docs/next/guides/größe" in built
    assert any("only lists" in reason for reason in reasons(site, read).values())
    assert site.agents == {USER_AGENT}
    print(f"{len(read.pages)} of {len(built)} pages")


async def test_a_sitemap_index_and_gzip_lead_to_all_locales_and_copies_are_left_out(site: SiteServer) -> None:
    serve_fixture(site)
    english, namespace = site.routes["/sitemap.xml"], "http://www.sitemaps.org/schemas/sitemap/0.9"
    assert isinstance(english, Answer)
    site.routes["/en.xml.gz"] = Answer(gzip.compress(english.body.encode() if isinstance(english.body, str) else english.body))
    rows = "".join(f"<sitemap><loc>{site.url}{name}</loc></sitemap>" for name in ("/en.xml.gz", "/fr/sitemap.xml", "/gone.xml"))
    site.routes["/all.xml"] = Answer(f'<sitemapindex xmlns="{namespace}">{rows}</sitemapindex>')
    read = await read_live(f"{site.url}/all.xml")
    assert [page.url for page in read.pages if page.locale == "fr"] == ["/fr/docs/getting-started/install"]
    assert reasons(site, read)["/gone.xml"] == "sitemap: the server answered with status 404"
    assert sum("untranslated copy" in entry.reason for entry in read.skipped) > 20


async def test_no_other_host_is_ever_contacted(site: SiteServer) -> None:
    with site_server() as other:
        other.routes["/docs/other"] = Answer(document("secret", "/docs/other"))
        hostile = [
            f"{other.url}/docs/other",
            "http://169.254.169.254/latest/meta-data/",
            "file:///etc/passwd",
            "ftp://127.0.0.1/x",
            site.url.replace("127.0.0.1", "127.0.0.2") + "/docs/x",
            site.url.replace("http://", "https://") + "/docs/x",
            site.url.replace("//", "//127.0.0.1@") + "/docs/x",
            "http://[broken",
        ]
        targets = [*hostile[:3], "//169.254.169.254/", "http://[broken", "\\\\169.254.169.254\\x"]
        serve(site, good="<p>text", **{f"r{number}": redirect(target) for number, target in enumerate(targets)})
        site.list_pages("/docs/good", *hostile, *(f"/docs/r{number}" for number in range(len(targets))))
        _connections.clear()
        read = await read_live(site.sitemap_url)
        port = int(site.url.rpartition(":")[2])
        assert {tuple(address[:2]) for address in _connections} == {("127.0.0.1", port)}
        assert other.asked == []
    assert urls(read) == ["/docs/good"]
    said = reasons(site, read)
    assert said["http://169.254.169.254/latest/meta-data/"] == "another site than the sitemap's: not fetched"
    assert said["file:///etc/passwd"] == "not an http(s) address: not fetched"
    assert said["/docs/r1"].startswith("it redirects to http://169.254.169.254/latest/meta-data/: another site")
    assert len(said) == len(hostile) + len(targets)


async def test_a_sitemap_that_moved_to_another_host_is_not_followed(site: SiteServer) -> None:
    with site_server() as other:
        other.list_pages("/docs/x")
        site.routes["/sitemap.xml"] = redirect(other.sitemap_url)
        with pytest.raises(SiteError, match=f"redirects to {other.url}"):
            await read_live(site.sitemap_url)
        assert other.asked == []


async def test_redirects_within_the_site_are_followed_five_times(site: SiteServer) -> None:
    serve(site, end="<p>text", start=redirect("/hop/4"), long=redirect("/hop/5"), loop=redirect("/docs/loop"))
    site.routes |= {f"/hop/{number}": redirect(f"../hop/{number - 1}") for number in range(1, 6)} | {
        "/hop/0": redirect("/docs/end")
    }
    site.routes["/docs/short"] = redirect("/docs/end#part", 308)
    site.list_pages("/docs/short", "/docs/long", "/docs/loop")
    read = await read_live(site.sitemap_url)
    assert urls(read) == ["/docs/end"]
    assert reasons(site, read) == dict.fromkeys(("/docs/long", "/docs/loop"), "it redirects more than 5 times")


async def test_robots_txt_is_kept_to_also_by_redirects(site: SiteServer) -> None:
    serve(site, open="<p>text", private="<p>secret", sly=redirect("/docs/private"))
    site.routes["/robots.txt"] = Answer(
        f"User-agent: {USER_AGENT}\nDisallow: /docs/private\n", headers={"Content-Type": "text/plain"}
    )
    read = await read_live(site.sitemap_url)
    assert urls(read) == ["/docs/open"]
    assert "/docs/private" not in site.asked
    assert reasons(site, read)["/docs/private"] == "robots.txt forbids it"
    assert reasons(site, read)["/docs/sly"].endswith("robots.txt forbids it")


async def test_a_robots_txt_that_can_not_be_read_forbids_everything(site: SiteServer) -> None:
    serve(site, x="<p>text")
    site.routes["/robots.txt"] = Answer("", 500)
    with pytest.raises(SiteError, match=r"robots\.txt .* status 500"):
        await read_live(site.sitemap_url)
    assert set(site.asked) == {"/robots.txt"}


async def test_a_crawl_delay_is_kept(site: SiteServer) -> None:
    serve(site, a="<p>a", b="<p>b")
    site.routes["/robots.txt"] = Answer("User-agent: *\nCrawl-delay: 1\n")
    await read_live(site.sitemap_url)
    assert site.asked_at[-1] - site.asked_at[-2] > 0.9
    site.routes.pop("/robots.txt")
    await read_live(site.sitemap_url, delay_s=0.2)
    assert site.asked_at[-1] - site.asked_at[-2] > 0.15


async def test_pages_that_can_not_be_had_are_skipped_and_the_others_read(site: SiteServer) -> None:
    serve(
        site,
        good="<p>text",
        gone=Answer("", 404),
        broken=Answer("", 500),
        image=Answer(b"GIF89a", headers={"Content-Type": "image/gif"}),
        large=Answer("x" * 50_000),
        bomb=Answer(gzip.compress(b"x" * 20_000_000), headers={**HTML, "Content-Encoding": "gzip"}),
        damaged=Answer(b"no gzip", headers={**HTML, "Content-Encoding": "gzip"}),
        slow=Answer("x" * 100, drip_s=0.1),
        nowhere=redirect(""),
        foreign=Answer("<p>Hello"),
    )
    read = await read_live(site.sitemap_url, most_bytes=40_000, timeout_s=0.6)
    assert urls(read) == ["/docs/good"]
    said = {name.removeprefix("/docs/"): reason for name, reason in reasons(site, read).items()}
    assert said == {
        "gone": "the server answered with status 404",
        "broken": "the server answered with status 500",
        "image": "not an HTML page but image/gif",
        "large": "it is larger than 40000 bytes",
        "bomb": "it is larger than 40000 bytes",
        "damaged": "it can't be fetched (DecodingError)",
        "slow": "it took longer than 0.6 s",
        "nowhere": "the server answered with status 302",
        "foreign": "not a page of Docusaurus",
    }


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_is_asked_once_more_when_it_said_to(site: SiteServer, status: int) -> None:
    busy = Answer("", status, {"Retry-After": "1"})
    serve(site, soon="<p>text", never=Answer("", status, {"Retry-After": "0"}))
    page = site.routes["/docs/soon"]
    assert isinstance(page, Answer)
    site.routes["/docs/soon"] = lambda times: page if times else busy
    started = monotonic()
    read = await read_live(site.sitemap_url)
    assert monotonic() - started > 0.9
    assert urls(read) == ["/docs/soon"]
    assert reasons(site, read) == {"/docs/never": f"the server answered with status {status}"}
    assert site.asked.count("/docs/never") == 2


def test_a_retry_after_is_read_in_both_forms_and_capped() -> None:
    assert retry_wait_s("7") == 7
    assert retry_wait_s("86400") == MOST_WAIT_S
    assert 3 < retry_wait_s(format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)) <= 5
    assert retry_wait_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert 0 < retry_wait_s("soon") <= 5
    assert 0 < retry_wait_s("") <= 5


async def test_requests_at_a_time_and_pages_are_limited(site: SiteServer) -> None:
    serve(site, **{f"p{number}": "<p>text" for number in range(12)})
    site.slow_s = 0.05
    read = await read_live(site.sitemap_url, concurrency=3, most_pages=9)
    assert len(read.pages) == 9
    assert 2 <= site.most_at_once <= 3
    assert reasons(site, read) == {"/docs/p9": "it and 2 more: over the limit of 9 pages"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('<!DOCTYPE u [<!ENTITY x SYSTEM "file:///etc/passwd">]><urlset><url><loc>&x;</loc></url></urlset>', "document type"),
        ('<!DOCTYPE u SYSTEM "http://169.254.169.254/u.dtd"><urlset/>', "document type"),
        ("<urlset><url><loc>&x;</loc></url></urlset>", "well-formed"),
        ("<html><body>no sitemap</body></html>", "root element is html"),
        ("", "well-formed"),
        (b"\x1f\x8bdamaged", "damaged"),
        (gzip.compress(b"<urlset>" + b" " * 60_000_000), "larger than"),
    ],
)
async def test_a_hostile_sitemap_is_refused(site: SiteServer, content: bytes | str, reason: str) -> None:
    site.routes["/sitemap.xml"] = Answer(content)
    with pytest.raises(SiteError, match=reason):
        await read_live(site.sitemap_url)
    with pytest.raises(SitemapError, match=reason):
        read_sitemap(content.encode() if isinstance(content, str) else content)
    assert set(site.asked) == {"/robots.txt", "/sitemap.xml"}


def test_only_the_locations_of_pages_are_read_from_a_sitemap() -> None:
    image = '<i:image xmlns:i="http://www.google.com/schemas/sitemap-image/1.1"><i:loc>https://x/a.png</i:loc></i:image>'
    text = f"<urlset><url><loc> https://x/{quote('größe')}?a&amp;b </loc>{image}</url><url><loc/></url></urlset>"
    assert read_sitemap(text.encode()) == Sitemap(pages=["https://x/gr%C3%B6%C3%9Fe?a&b"])


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://x/sitemap.xml", "sitemap.xml", "http://", "http://a:b@127.0.0.1/s"]
)
async def test_only_web_addresses_are_taken(address: str) -> None:
    with pytest.raises(SiteError, match="not the http"):
        await read_live(address)


async def test_a_site_that_is_not_there_or_has_no_pages_is_an_error(site: SiteServer) -> None:
    serve(site, gone=Answer("", 404))
    with pytest.raises(SiteError, match=r"no pages to index; .*/docs/gone: the server answered with status 404"):
        await read_live(site.sitemap_url)
    with site_server() as stopped:
        pass
    with pytest.raises(SiteError, match=r"ConnectError"):
        await read_live(stopped.sitemap_url)
