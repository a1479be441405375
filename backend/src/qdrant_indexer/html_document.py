"""Reads what one built HTML document says of itself: whether it is a page to be found, its address, locale, version and title.

Source of the markers: pages built by Docusaurus 3.10.2. Built HTML is minified and its
attributes unquoted, so everything is asked of a parser.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from chatbot_api.models.clean_text import clean
from qdrant_indexer.html_to_markdown import Converted, to_markdown
from qdrant_indexer.pages import Kind, Page, Skipped

_LISTS = {
    "docs-tags-list-page": "tag page: it only lists tags",
    "docs-tags-doc-list-page": "tag page: it only lists pages",
}
_MARKERS = "meta[name=generator][content^=Docusaurus], meta[name^=docusaurus_], #__docusaurus"
_VERSION_CLASS = "docs-version-"
_DELIMITED = re.compile(r"\s+\S{1,3}\s+\S")


class NotAPage(Exception):
    """The document is not to be indexed; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Document:
    """A page, and what tells it from its copies in other locales."""

    page: Page
    default_url: str | None
    """Raw address of the same page in the default locale, its own if that is its locale; None when the page does not say."""
    other_urls: tuple[str, ...]
    """Raw addresses of the same page in all locales."""
    fingerprint: str
    """Equal for two copies of a page that nobody translated."""
    found_at: str
    """Path in the build or address, whatever the page's source is said to be."""
    plugin: str = ""
    """Id of the content plugin that serves the page: a site may have several docs."""
    has_version_banner: bool = False
    """Whether the page says that it is not of the last version."""


def document_of(html: bytes | str, *, address: str | None, source: str) -> Document | Skipped:
    """The document's page; ``address`` is its raw path for the case that it names none, ``source`` where it was found."""
    try:
        text = html if isinstance(html, str) else html.decode("utf-8-sig")
        return _Reader(LexborHTMLParser(text), address, source).document()
    except UnicodeDecodeError:
        return Skipped(source, "unreadable: not UTF-8 text")
    except RecursionError:
        return Skipped(source, "its elements are nested too deeply")
    except NotAPage as reason:
        return Skipped(source, str(reason))


class _Reader:
    def __init__(self, tree: LexborHTMLParser, address: str | None, source: str) -> None:
        self._tree = tree
        self._source = source
        root = tree.css_first("html")
        self._language = _attribute(root, "lang")
        self._classes = frozenset(_attribute(root, "class").split())
        self._url = self._served_at() or address

    def document(self) -> Document:
        self._refuse_what_is_no_page()
        if self._url is None:
            raise NotAPage("it does not say its address: no canonical link")
        converted = to_markdown(self._article())
        h1 = _text(self._tree.css_first("main h1"))
        title = self._title(h1) or self._url
        page = Page(
            source=self._source,
            url=self._url,
            title=title,
            description=" ".join(clean(self._meta("description")).split()),
            markdown=converted.markdown,
            headings=converted.headings,
            version=self._version(),
            locale=self._meta("docusaurus_locale") or self._language or "en",
            kind=self._kind(),
        )
        return Document(
            page,
            self._default_url(page),
            self._alternates(),
            _fingerprint(title, converted),
            self._source,
            next((name for name in self._classes if name.startswith("plugin-id-")), ""),
            self._tree.css_first(".theme-doc-version-banner") is not None,
        )

    def _kind(self) -> Kind:
        if self._classes & {"plugin-blog", "blog-post-page"}:
            return "blog"
        return "doc" if self._classes & {"plugin-docs", "docs-doc-page"} else "page"

    def _refuse_what_is_no_page(self) -> None:
        if self._tree.css_first("meta[http-equiv=refresh i]") is not None:
            raise NotAPage("redirect: it only leads to another page")
        if self._tree.css_first(_MARKERS) is None:
            raise NotAPage("not a page of Docusaurus")
        robots = self._tree.css_first("meta[name=robots], meta[property=robots]")
        if "noindex" in _attribute(robots, "content").lower():
            raise NotAPage("noindex: built, but not to be found")
        last = (self._url or "").rstrip("/").rpartition("/")[2]
        if last == "404.html" or (last == "404" and "plugin-native" in self._classes):
            raise NotAPage("the page for addresses that do not exist")
        if last == "search" and not self._classes & {"docs-doc-page", "blog-post-page", "mdx-page"}:
            raise NotAPage("the search page")
        for marker, reason in _LISTS.items():
            if marker in self._classes:
                raise NotAPage(reason)
        if "plugin-blog" in self._classes and "blog-post-page" not in self._classes:
            raise NotAPage("blog list, archive, tag or author page: it only lists posts")

    def _article(self) -> list[LexborNode]:
        index = self._tree.css_first("main [class*=generatedIndexPage]")
        if index is not None:
            header = index.css_first("header")
            if header is None or header.css_first("p") is None:
                raise NotAPage("generated category index without a text of its own")
            return [node for node in index.iter() if node.tag in {"header", "article"}]
        wanted = [".theme-doc-markdown", "#__blog-post-container", "main article .markdown"]
        if "mdx-page" in self._classes:
            wanted.append("main article")
        for selector in (*wanted, "main"):
            found = self._tree.css_first(selector)
            if found is not None:
                return [found]
        raise NotAPage("it has no article")

    def _served_at(self) -> str | None:
        """Path of the canonical link, unless that names another site: then of ``og:url``, which stays the page's own."""
        canonical = _attribute(self._tree.css_first("link[rel=canonical]"), "href")
        own = _attribute(self._tree.css_first('meta[property="og:url"]'), "content")
        if canonical and own and _host(canonical) != _host(own):
            canonical = own
        return _path(canonical)

    def _alternates(self) -> tuple[str, ...]:
        links = self._tree.css("link[rel=alternate][hreflang]")
        return tuple(path for link in links if (path := _path(_attribute(link, "href"))) is not None)

    def _default_url(self, page: Page) -> str | None:
        default = _path(_attribute(self._tree.css_first("link[rel=alternate][hreflang=x-default]"), "href"))
        segment = f"/{page.locale}/"
        return default or (page.url.replace(segment, "/", 1) if segment in page.url else None)

    def _version(self) -> str | None:
        named = self._meta("docusaurus_version")
        if named:
            return None if "," in named else named
        return next((name.removeprefix(_VERSION_CLASS) for name in self._classes if name.startswith(_VERSION_CLASS)), None)

    def _title(self, h1: str) -> str:
        """The page's own part of ``<title>``: the site's title and the sign before it are left out."""
        full = _text(self._tree.css_first("head title"))
        site = _text(self._tree.css_first(".navbar__title"))
        if site and full != site and full.endswith(f" {site}"):
            return re.sub(r"\s+\S{1,3}$", "", full.removesuffix(f" {site}"))
        if h1 and full.startswith(h1) and (full == h1 or _DELIMITED.match(full, len(h1))):
            return h1
        return full.rpartition(" | ")[0] or full or h1

    def _meta(self, name: str) -> str:
        return _attribute(self._tree.css_first(f"meta[name={name}]"), "content").strip()


def _attribute(node: LexborNode | None, name: str) -> str:
    return (node.attributes.get(name) or "") if node is not None else ""


def _text(node: LexborNode | None) -> str:
    return " ".join(clean(node.text()).split()) if node is not None else ""


def _parts(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.netloc.lower(), parts.path


def _host(address: str) -> str:
    return _parts(address)[0]


def _path(address: str) -> str | None:
    host, path = _parts(address)
    return clean(unquote(path)) or ("/" if host else None)


def _fingerprint(title: str, converted: Converted) -> str:
    return sha256(f"{title}\n{converted.comparable}".encode()).hexdigest()
