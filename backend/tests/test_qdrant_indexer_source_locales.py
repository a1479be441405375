"""Translations, blog and pages of a Docusaurus site's folder get the addresses the built site has."""

from pathlib import Path

import pytest

from qdrant_indexer.source_site import read_source
from site_folders import page_at, reasons, urls, written

# Locales

FRENCH = "i18n/fr/docusaurus-plugin-content-docs/current"


def test_locales_are_those_of_the_translations_unless_they_are_named(tmp_path: Path) -> None:
    files = {f"i18n/{locale}/docusaurus-plugin-content-docs/current/a.md": locale for locale in ("fr", "de")}
    site_dir = written(tmp_path, {"docs/a.md": "Text.", **files})
    assert sorted(page.url for page in read_source(site_dir).pages) == ["/de/docs/a", "/docs/a", "/fr/docs/a"]
    named = read_source(site_dir, locales=["fr"], base_url="/base")
    assert [(page.url, page.locale) for page in named.pages] == [("/base/fr/docs/a", "fr")]


def test_the_default_locale_has_no_path_part_and_its_own_translations_replace_the_originals(tmp_path: Path) -> None:
    site_dir = written(tmp_path, {"docs/a.md": "Original.", f"{FRENCH}/a.md": "Traduction.", "docs/b.md": "Other."})
    site = read_source(site_dir, default_locale="fr")
    assert [(page.url, page.locale, page.markdown) for page in site.pages] == [
        ("/docs/b", "fr", "Other.\n"),
        ("/docs/a", "fr", "Traduction.\n"),
    ]


def test_few_untranslated_copies_are_told_one_by_one_and_hidden_originals_once(tmp_path: Path) -> None:
    files = {
        "docs/a.md": "Text.",
        "docs/b.md": "---\nslug: /other\n---\nText.",
        "docs/draft.md": "---\ndraft: true\n---\n",
        "docs/_part.md": "Text.",
        f"{FRENCH}/a.md": "Texte.",
        f"{FRENCH}/draft.md": "Prêt.",
        f"{FRENCH}/only.md": "Seul.",
        "src/pages/about.md": "About.",
    }
    site = read_source(written(tmp_path, files))
    assert sorted(urls(site).values()) == ["/about", "/docs/a", "/docs/other", "/fr/docs/a", "/fr/docs/draft"]
    assert reasons(site) == {
        "docs/_part.md": "partial: its name begins with an underscore",
        "docs/b.md": "untranslated copy of /docs/other in fr",
        "docs/draft.md": "draft",
        f"{FRENCH}/only.md": "a translation without an original: it is not built",
        "src/pages/about.md": "untranslated copy of /about in fr",
    }


def test_a_translation_may_have_its_own_slug_and_links_stay_in_its_locale(tmp_path: Path) -> None:
    files = {
        "docs/sub/a.md": "Text.",
        "docs/sub/b.md": "Text.",
        f"{FRENCH}/sub/a.md": "---\nslug: /le-a\n---\n[b](./b.md) [a](/sub/a.md) [b](sub/b.md) [b](@site/docs/sub/b.md)",
    }
    page = page_at(read_source(written(tmp_path, files)), "/fr/docs/le-a")
    b = "/fr/docs/sub/b"
    assert page.markdown == f"[b]({b}) [a](/fr/docs/le-a) [b]({b}) [b]({b})\n"


def test_a_translation_uses_the_originals_partials_where_it_has_none_of_its_own(tmp_path: Path) -> None:
    text = "import P from './_p.mdx';\nimport Q from '../_q.mdx';\n\n<P />\n\n<Q />\n"
    files = {
        "docs/sub/a.mdx": text,
        "docs/sub/_p.mdx": "## Own\n",
        "docs/_q.mdx": "## Shared\n",
        f"{FRENCH}/sub/a.mdx": text,
        f"{FRENCH}/sub/_p.mdx": "## Propre\n",
    }
    site = read_source(written(tmp_path, files))
    assert [heading.anchor for heading in page_at(site, "/fr/docs/sub/a").headings] == ["propre", "shared"]
    assert [heading.anchor for heading in page_at(site, "/docs/sub/a").headings] == ["own", "shared"]


# Blog and pages


@pytest.mark.parametrize(
    ("source", "front_matter", "url", "title"),
    [
        ("blog/2024-05-01-hello.md", "", "/blog/2024/05/01/hello", "hello"),
        ("blog/2024-5-1-hello.mdx", "", "/blog/2024/5/1/hello", "hello"),
        ("blog/2024-05-01-trip/index.md", "", "/blog/2024/05/01/trip", "trip"),
        ("blog/2024/05/01/hello.md", "", "/blog/2024/05/01/hello", "hello"),
        ("blog/2024/05/01-trip/index.md", "", "/blog/2024/05/01/trip", "trip"),
        ("blog/news/2024-05-01-hello.md", "", "/blog/2024/05/01/news/hello", "hello"),
        ("blog/hello.md", "date: 2024-05-01", "/blog/hello", "hello"),
        ("blog/news/hello/index.md", "", "/blog/news/hello", "news/hello"),
        ("blog/2024-05-01-hello.md", "slug: short", "/blog/short", "hello"),
        ("blog/2024-05-01-hello.md", "slug: /short/", "/blog/short/", "hello"),
        ("src/pages/about.md", "", "/about", "about"),
        ("src/pages/index.md", "", "/", "index"),
        ("src/pages/team/index.mdx", "", "/team/", "team"),
        ("src/pages/01-team/02-who.md", "", "/01-team/02-who", "02-who"),
        ("src/pages/about.md", "slug: /us", "/us", "about"),
    ],
)
def test_posts_and_pages_have_the_addresses_docusaurus_gives_them(
    tmp_path: Path, source: str, front_matter: str, url: str, title: str
) -> None:
    site = read_source(written(tmp_path, {"docusaurus.config.ts": "", source: f"---\n{front_matter}\n---\n\nText."}))
    assert [(page.url, page.title, page.kind) for page in site.pages] == [
        (url, title, "blog" if source.startswith("blog/") else "page")
    ]


def test_hidden_posts_and_pages_are_skipped_with_their_reasons(tmp_path: Path) -> None:
    files = {
        "docs/code.md": 'Use `<head>` so:\n\n```html\n<head>\n<meta name="robots" content="noindex" />\n</head>\n```\n',
        "blog/a.md": "---\ndraft: true\n---\nText.",
        "blog/b.md": "---\nunlisted: true\n---\nText.",
        "blog/_c.md": "Text.",
        "src/pages/d.md": "---\nunlisted: true\n---\nText.",
        "src/pages/e.mdx": '<head>\n  <meta name="robots" content="noindex" />\n</head>\n\nText.',
        "src/pages/home.tsx": "export default 1;",
        "src/pages/_part.tsx": "export default 1;",
    }
    site = read_source(written(tmp_path, files))
    assert urls(site) == {"docs/code.md": "/docs/code"}
    assert reasons(site) == {
        "blog/a.md": "draft",
        "blog/b.md": "unlisted: built, but not to be found",
        "blog/_c.md": "partial: its name begins with an underscore",
        "src/pages": "1 written in React, such as home.tsx: only the built site has their text",
        "src/pages/d.md": "unlisted: built, but not to be found",
        "src/pages/e.mdx": "its head says noindex: not to be found",
    }


def test_a_plugin_the_site_has_switched_off_can_be_left_out(tmp_path: Path) -> None:
    site_dir = written(tmp_path, {"docs/a.md": "A.", "blog/b.md": "B.", "src/pages/c.md": "C.", "src/pages/index.js": ""})
    assert urls(read_source(site_dir, kinds=["doc"])) == {"docs/a.md": "/docs/a"}
