"""A whole Docusaurus site's folder is read into pages: versions, locales, blog and pages, at the built site's addresses."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from qdrant_indexer.docusaurus import Page, Site, SiteError, read_docs
from qdrant_indexer.source_site import read_source
from site_folders import page_at, reasons, urls, written

FIXTURE = Path(__file__).resolve().parents[3] / "shared" / "retrieval" / "fixture"
UNLISTED = "docs/02-guides/unlisted.md"
TRANSLATED = "docusaurus-plugin-content-docs/version-2.0/01-getting-started/01-install.md"
CONTENTS = {
    "docs/": "docusaurus-plugin-content-docs/current/",
    "versioned_docs/": "docusaurus-plugin-content-docs/",
    "blog/": "docusaurus-plugin-content-blog/",
    "src/pages/": "docusaurus-plugin-content-pages/",
}


@pytest.fixture
def lantern() -> Site:
    return lantern_site()


@cache
def lantern_site() -> Site:
    return read_source(built_site())


def built_site() -> Path:
    if not FIXTURE.is_dir():
        pytest.skip("the development data (shared/retrieval beside the checkout) is missing")
    return FIXTURE / "site"


def facts(file: str) -> dict[str, Any]:
    return json.loads((FIXTURE / file).read_text(encoding="utf-8"))


def in_french(source: str) -> str:
    """Where the translation of a file of the site lies."""
    start = next(start for start in CONTENTS if source.startswith(start))
    return f"i18n/fr/{CONTENTS[start]}{source.removeprefix(start)}"


def check_anchors(pages: list[Page]) -> None:
    built = facts("anchors.json")
    ours = Counter((page.url, heading.anchor) for page in pages for heading in page.headings if heading.anchor)
    theirs = Counter((page.url, anchor) for page in pages for anchor in built[page.url])
    print(f"{(ours & theirs).total()} of {theirs.total()} anchors, {(ours - theirs).total()} that do not exist")
    assert (ours & theirs).total() >= 0.98 * theirs.total()
    assert not ours - theirs


# Against real builds


def test_every_file_of_a_built_site_has_its_address_and_none_is_invented(lantern: Site) -> None:
    built = facts("permalinks.json")
    del built[UNLISTED]
    assert {source: url for source, url in urls(lantern).items() if not source.startswith("i18n/")} == built


def test_a_base_url_and_a_trailing_slash_stand_where_the_build_has_them() -> None:
    site = read_source(built_site(), base_url="/book/", trailing_slash=True, locales=["en"])
    built = facts("permalinks-book.json")
    del built[UNLISTED]
    assert urls(site) == built


def test_a_translation_is_a_page_and_what_is_not_translated_is_told_in_one_line(lantern: Site) -> None:
    built = facts("permalinks-fr.json")
    french = {page.source: page.url for page in lantern.pages if page.locale == "fr"}
    assert french == {f"i18n/fr/{TRANSLATED}": built[f"i18n/fr/{TRANSLATED}"]}
    untranslated = len(built) - len(french) - 1  # one is unlisted
    assert reasons(lantern)["i18n/fr"].startswith(f"{untranslated} untranslated copies of other pages: ")
    assert page_at(lantern, "/fr/docs/getting-started/install").title == "Installer le concentrateur"


def test_a_site_translated_in_full_has_every_french_address_and_anchor_of_the_build(tmp_path: Path) -> None:
    site_dir = Path(copytree(built_site(), tmp_path / "site"))
    originals = [source for source in facts("permalinks.json") if source != UNLISTED]
    for source in originals:
        translation = site_dir / in_french(source)
        if not translation.exists():
            translation.parent.mkdir(parents=True, exist_ok=True)
            translation.write_bytes((site_dir / source).read_bytes())
    french = [page for page in read_source(site_dir).pages if page.locale == "fr"]
    built = {
        source if source.startswith("i18n/") else in_french(source): url for source, url in facts("permalinks-fr.json").items()
    }
    del built[in_french(UNLISTED)]
    assert {page.source: page.url for page in french} == built
    check_anchors(french)


def test_the_anchors_of_a_built_site_are_found(lantern: Site) -> None:
    check_anchors(list(lantern.pages))


def test_what_a_build_leaves_out_is_skipped_for_the_reason_it_has(lantern: Site) -> None:
    words = {"draft: true": "draft", "folder name begins": "folder whose name begins", "partial": "partial: its name begins"}
    for source, built in facts("not-built.json").items():
        expected = next(ours for theirs, ours in words.items() if theirs in built)
        assert expected in reasons(lantern)[source]
    assert "unlisted" in reasons(lantern)[UNLISTED]
    assert set(reasons(lantern)) == {*facts("not-built.json"), UNLISTED, "i18n/fr", "src/pages"}


def test_pages_know_their_version_locale_and_kind(lantern: Site) -> None:
    known = {(page.kind, page.version, page.locale, page.is_last_version) for page in lantern.pages}
    assert known == {
        ("doc", "current", "en", False),
        ("doc", "2.0", "en", True),
        ("doc", "1.0", "en", False),
        ("doc", "2.0", "fr", True),
        ("blog", None, "en", True),
        ("page", None, "en", True),
    }
    assert [page.source for page in lantern.pages] == sorted(page.source for page in lantern.pages)


def test_a_docs_folder_within_a_site_is_read_alone_as_it_always_was() -> None:
    docs = built_site() / "docs"
    assert read_source(docs, route_base_path="docs/next") == read_docs(docs, route_base_path="docs/next")
    assert {(page.version, page.kind) for page in read_source(docs).pages} == {(None, "doc")}


# Versions

VERSIONED = {
    "versions.json": '["2.0", "1.0"]',
    "docs/a.md": "Next.",
    "versioned_docs/version-2.0/a.md": "Two.",
    "versioned_docs/version-1.0/a.md": "One.",
}


def version_urls(site: Site) -> dict[str | None, tuple[str, bool]]:
    return {page.version: (page.url, page.is_last_version) for page in site.pages}


def test_the_first_version_listed_is_the_last_one_and_has_no_path_part(tmp_path: Path) -> None:
    assert version_urls(read_source(written(tmp_path, VERSIONED))) == {
        "current": ("/docs/next/a", False),
        "2.0": ("/docs/a", True),
        "1.0": ("/docs/1.0/a", False),
    }


@pytest.mark.parametrize(
    ("last_version", "paths", "expected"),
    [
        ("current", {}, {"current": "/docs/a", "2.0": "/docs/2.0/a", "1.0": "/docs/1.0/a"}),
        ("1.0", {}, {"current": "/docs/next/a", "2.0": "/docs/2.0/a", "1.0": "/docs/a"}),
        (None, {"current": "dev", "2.0": "stable"}, {"current": "/docs/dev/a", "2.0": "/docs/stable/a", "1.0": "/docs/1.0/a"}),
        ("current", {"current": "3.x", "1.0": ""}, {"current": "/docs/3.x/a", "2.0": "/docs/2.0/a", "1.0": "/docs/a"}),
    ],
)
def test_the_last_version_and_paths_of_versions_can_be_set(
    tmp_path: Path, last_version: str | None, paths: dict[str, str], expected: dict[str, str]
) -> None:
    site = read_source(written(tmp_path, VERSIONED), last_version=last_version, version_paths=paths)
    assert {page.version: page.url for page in site.pages} == expected
    assert [page.version for page in site.pages if page.is_last_version] == [last_version or "2.0"]


def test_a_version_the_site_has_not_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    site_dir = written(tmp_path, VERSIONED)
    with pytest.raises(SiteError, match=r"no version '3.0'; it has current, 2.0, 1.0"):
        read_source(site_dir, last_version="3.0")
    with pytest.raises(SiteError, match="no version 'next'"):
        read_source(site_dir, version_paths={"next": "dev"})


@pytest.mark.parametrize("text", ["{}", "[1]", '["../x"]', '["a/b"]', '[".."]', "[", '[""]', "\udcff"])
def test_a_broken_list_of_versions_is_an_error_with_a_sentence(tmp_path: Path, text: str) -> None:
    written(tmp_path, {"docs/a.md": "Text."})
    (tmp_path / "versions.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SiteError, match="no JSON list of version names"):
        read_source(tmp_path)


def test_a_version_without_its_folder_is_told(tmp_path: Path) -> None:
    site = read_source(written(tmp_path, {"versions.json": '["1.0"]', "docs/a.md": "Text."}))
    assert urls(site) == {"docs/a.md": "/docs/next/a"}
    assert reasons(site) == {"versioned_docs/version-1.0": "the folder of a version of versions.json is missing"}


def test_an_unversioned_site_has_no_versions_and_may_have_a_path_all_the_same(tmp_path: Path) -> None:
    site = read_source(written(tmp_path, {"docs/a.md": "Text."}), version_paths={"current": "2.x"}, route_base_path="/")
    assert version_urls(site) == {None: ("/2.x/a", True)}


def test_links_between_files_lead_to_the_page_of_the_same_version(tmp_path: Path) -> None:
    files = {f"{folder}/sub/b.md": "B." for folder in ("docs", "versioned_docs/version-1.0")}
    text = "[b](sub/b.md#x) [root](/sub/b.md) [up](../blog/2024-01-02-post.md) [other](@site/docs/sub/b.md)\n"
    files |= {"docs/a.md": text, "versioned_docs/version-1.0/a.md": text, "blog/2024-01-02-post.md": "[a](../docs/a.md)"}
    site = read_source(written(tmp_path, {**files, "versions.json": '["1.0"]'}), trailing_slash=True)
    post = "/blog/2024/01/02/post/"
    assert page_at(site, "/docs/next/a/").markdown == (
        f"[b](/docs/next/sub/b/#x) [root](/docs/next/sub/b/) [up]({post}) [other](/docs/next/sub/b/)\n"
    )
    assert page_at(site, "/docs/a/").markdown == (
        "[b](/docs/sub/b/#x) [root](/docs/sub/b/) [up](../blog/2024-01-02-post.md) [other](/docs/next/sub/b/)\n"
    )
    assert page_at(site, post).markdown == "[a](/docs/next/a/)\n"


# Trailing slash


@pytest.mark.parametrize(
    ("trailing_slash", "expected"),
    [
        (None, ["/b/", "/b/docs/", "/b/docs/a", "/b/docs/sub/", "/b/fr/"]),
        (True, ["/b/", "/b/docs/", "/b/docs/a/", "/b/docs/sub/", "/b/fr/"]),
        (False, ["/b/", "/b/docs", "/b/docs/a", "/b/docs/sub", "/b/fr/"]),
    ],
)
def test_the_trailing_slash_is_set_everywhere_but_at_a_locales_root(
    tmp_path: Path, trailing_slash: bool | None, expected: list[str]
) -> None:
    files = {
        "docs/index.md": "Text.",
        "docs/a.md": "Text.",
        "docs/sub/readme.md": "Text.",
        "src/pages/index.md": "Text.",
        "i18n/fr/docusaurus-plugin-content-pages/index.md": "Texte.",
    }
    site_dir = written(tmp_path, files)
    assert sorted(page.url for page in read_source(site_dir, base_url="b", trailing_slash=trailing_slash).pages) == expected
    docs = [page.url for page in read_source(site_dir / "docs", base_url="/b/", trailing_slash=trailing_slash).pages]
    assert sorted(docs) == expected[1:4]


# Folders


def test_versions_and_locales_of_a_folder_that_is_no_site_are_refused(tmp_path: Path) -> None:
    docs = written(tmp_path, {"docs/a.md": "Text."}) / "docs"
    for settings in ({"locales": ["fr"]}, {"last_version": "1.0"}, {"version_paths": {"current": "x"}}):
        with pytest.raises(SiteError, match="the one with a Docusaurus config"):
            read_source(docs, **settings)


def test_a_folder_called_docs_within_the_docs_of_a_site_makes_no_site_of_them(tmp_path: Path) -> None:
    site_dir = written(tmp_path, {"docusaurus.config.js": "", "docs/docs/a.md": "Text."})
    assert urls(read_source(site_dir / "docs")) == {"docs/a.md": "/docs/docs/a"}
    assert urls(read_source(site_dir)) == {"docs/docs/a.md": "/docs/docs/a"}


def test_a_site_without_markdown_and_a_missing_folder_are_errors_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "docusaurus.config.js").write_text("")
    with pytest.raises(SiteError, match="holds no Markdown"):
        read_source(tmp_path)
    with pytest.raises(SiteError, match="There is no folder"):
        read_source(tmp_path / "missing")


def test_nothing_outside_of_the_site_is_read(tmp_path: Path) -> None:
    files = {
        "secret.md": "secret",
        "site/docusaurus.config.js": "",
        "site/docs/a.mdx": "import S from '../../secret.md';\n\n<S/>\n\nOk.",
    }
    assert read_source(written(tmp_path, files) / "site").pages[0].markdown == "Ok.\n"


def test_docs_that_are_linked_into_the_site_keep_their_partials(tmp_path: Path) -> None:
    written(
        tmp_path,
        {"site/docusaurus.config.js": "", "text/sub/a.mdx": "import P from '../_p.mdx';\n\n<P/>\n", "text/_p.mdx": "Part."},
    )
    (tmp_path / "site" / "docs").symlink_to(tmp_path / "text", target_is_directory=True)
    assert [(page.source, page.markdown) for page in read_source(tmp_path / "site").pages] == [("docs/sub/a.mdx", "Part.\n")]
