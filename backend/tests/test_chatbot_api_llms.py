"""GET /llms.txt and the pages as Markdown, over a real socket and a versioned, translated site."""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from markdown_it import MarkdownIt

from chatbot_api.config import Settings
from chatbot_api.models.chat_models import Problem
from conftest import Service, serving, write_index
from lantern import passage, settings_in
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.source_site import read_source
from site_folders import written

FRENCH = "i18n/fr/docusaurus-plugin-content-docs/version-2.0"
PAIR = "# Pair a lamp\n\n## By the button\n\nPress it *twice*.\n\n```bash\nlantern pair\n```"
SITE = {
    "versions.json": '["2.0", "1.0"]',
    "docs/pair.md": "# Pair a lamp\n\nWave at the lamp to pair it.\n",
    "versioned_docs/version-2.0/intro.md": "---\nslug: /\ntitle: Lantern\n---\n\nA hub that switches lamps.\n",
    "versioned_docs/version-2.0/pair.md": f"{PAIR}\n",
    "versioned_docs/version-2.0/größe.md": '---\ntitle: "a](javascript:x) `b` <i>c</i> \\\\"\n---\n\nTen <script>1</script>.\n',
    "versioned_docs/version-1.0/pair.md": "# Pair a lamp\n\nPoint the remote at the lamp.\n",
    f"{FRENCH}/pair.md": "# Associer une lampe\n\nAppuyez deux fois.\n",
    "src/pages/index.md": "# Welcome\n\nThe front page.\n",
}
KEY = "site-key-0123456789"
OTHER = passage("Held by another tool.", url="https://docs.example.com/docs/absolute/", page_id="zz", title="Absolute")
NOWHERE = passage("Held by another site.", url="https://other.example/docs/away/", page_id="zzz", title="Away")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("llms")
    settings = settings_in(
        folder, llms_txt_enabled=True, site_title="the [Lantern] handbook", site_url="https://docs.example.com"
    )
    pages = [one for page in read_source(written(folder, SITE)).pages for one in passages_of(page, "docs")]
    asyncio.run(write_index(settings, [*pages, OTHER, NOWHERE]))
    with serving(settings) as running:
        yield running


def links_of(text: str) -> dict[str, str]:
    """Address -> title of every link, as a Markdown reader sees them."""
    found: dict[str, str] = {}
    for token in MarkdownIt().parse(text):
        inner = token.children or []
        for at, one in enumerate(inner):
            if one.type == "link_open":
                close = next(later for later in range(at, len(inner)) if inner[later].type == "link_close")
                found[str(one.attrs["href"])] = "".join(part.content for part in inner[at + 1 : close])
    return found


def listed(service: Service, **asked: str) -> dict[str, str]:
    reply = service.client.get("/llms.txt", params=asked)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    return links_of(reply.text)


def test_the_list_has_a_title_a_summary_and_every_page_of_the_default_version(service: Service) -> None:
    lines = service.client.get("/llms.txt").text.splitlines()
    assert lines[0] == r"# The \[Lantern\] handbook"
    assert lines[2].startswith("> ")
    assert lines[4] == "## Pages"
    assert all(re.fullmatch(r"- \[.+\]\(/\S+\.md\)", line) for line in lines[6:])
    assert set(listed(service)) == {
        "/index.md",
        "/docs.md",
        "/docs/pair.md",
        "/docs/gr%C3%B6%C3%9Fe.md",
        "/fr/docs/pair.md",
        "/docs/absolute.md",
        "/docs/away.md",
    }


def test_every_address_of_the_list_leads_to_its_page_and_names_the_readers_one(service: Service) -> None:
    for address, title in listed(service).items():
        reply = service.client.get(address)
        assert reply.status_code == 200, address
        assert reply.headers["content-type"] == "text/markdown; charset=utf-8"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.text.startswith(f"# {title}\n")
        canonical = re.fullmatch(r'<(https://\S+)>; rel="canonical"', reply.headers["link"])
        assert canonical
        readers = re.sub(r"(/index)?\.md$", "", address)
        assert httpx.URL(canonical[1]).raw_path.decode().rstrip("/") == readers


def test_a_page_is_its_markdown_with_headings_and_code(service: Service) -> None:
    text = service.client.get("/docs/pair.md").text
    assert text == f"{PAIR}\n"


def test_a_title_cannot_break_out_of_its_link(service: Service) -> None:
    assert listed(service)["/docs/gr%C3%B6%C3%9Fe.md"] == "a](javascript:x) `b` <i>c</i> \\"


def test_another_version_or_language_is_listed_where_it_is_asked_for(service: Service) -> None:
    assert set(listed(service, version="1.0")) == {"/docs/1.0/pair.md"}
    assert set(listed(service, version="current")) == {"/docs/next/pair.md"}
    assert set(listed(service, locale="fr")) == {"/fr/docs/pair.md"}
    assert listed(service, version="9.9") == {}
    assert service.client.get("/docs/1.0/pair.md").text == "# Pair a lamp\n\nPoint the remote at the lamp.\n"


def test_a_list_goes_on_behind_a_page(service: Service) -> None:
    after = listed(service, after="zz")
    assert set(after) == {"/docs/away.md"}
    assert listed(service, after="zzz") == {}


def test_who_has_it_already_is_told_so(service: Service) -> None:
    for address in ("/llms.txt", "/docs/pair.md"):
        first = service.client.get(address)
        assert first.headers["cache-control"] == "max-age=60"
        assert {"x-site-key", "authorization"} <= set(first.headers["vary"].lower().split(", "))
        again = service.client.get(address, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert service.client.get(address, headers={"If-None-Match": '"else"'}).status_code == 200
        head = service.client.head(address)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize(
    "path", ["/docs/nothing.md", "/.md", "/docs/../../etc/passwd.md", "/%00.md", "/docs/pair.md.md", "/docs/%5B.md", "//x/y.md"]
)
def test_what_is_no_page_is_not_found(service: Service, path: str) -> None:
    reply = service.client.get(path)
    if reply.status_code == 200:
        assert path == "/.md"
        assert reply.text.startswith("# Welcome")
        return
    assert reply.status_code == 404
    assert Problem.model_validate_json(reply.text).type == "urn:ask-ai:problem:not-found"


def test_a_parameter_that_is_too_long_is_refused(service: Service) -> None:
    assert service.client.get("/llms.txt", params={"version": "x" * 101}).status_code == 422
    assert service.client.get("/llms.txt", params={"after": "x" * 2001}).status_code == 422


def test_it_is_counted_and_keyed_as_all_else(
    settings_of: Callable[..., Settings], serve: Callable[[Settings], Service], tmp_path: Path
) -> None:
    values: dict[str, Any] = {"llms_txt_enabled": True, "site_key": KEY, "rate_limit_per_address": "2/minute"}
    settings = settings_of(**values)
    asyncio.run(write_index(settings, [OTHER]))
    service = serve(settings)
    assert service.client.get("/llms.txt").status_code == 401
    keyed = {"Authorization": f"Bearer {KEY}"}
    statuses = [service.client.get("/llms.txt", headers=keyed).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_before_there_is_an_index_it_says_so(settings_of: Callable[..., Settings], serve: Callable[[Settings], Service]) -> None:
    reply = serve(settings_of(llms_txt_enabled=True)).client.get("/llms.txt")
    assert (reply.status_code, reply.json()["type"]) == (503, "urn:ask-ai:problem:index-missing")


def test_where_it_is_off_there_is_nothing(settings_of: Callable[..., Settings], serve: Callable[[Settings], Service]) -> None:
    settings = settings_of()
    asyncio.run(write_index(settings, [OTHER]))
    service = serve(settings)
    assert {service.client.get(path).status_code for path in ("/llms.txt", "/docs/absolute.md")} == {404}
