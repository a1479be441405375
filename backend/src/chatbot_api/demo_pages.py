"""The demo's pages: the documentation's, each rendered as HTML when it is first asked for, and the questions they answer."""

import re
from collections.abc import Sequence
from html import escape
from math import inf
from pathlib import Path
from string import Template
from urllib.parse import unquote, urlsplit

from chatbot_api.errors import StartRefused
from chatbot_api.page_rendering import page_body, page_path
from qdrant_indexer.html_pages import read_build
from qdrant_indexer.pages import Page, SiteError
from qdrant_indexer.source_site import read_source

_TEMPLATE = Path(__file__).with_name("demo") / "page.html"
MAX_STARTERS = 4
_LANDING = ("", "intro", "introduction", "overview", "getting-started", "index")
"""Last parts of a permalink that a site's first page usually has; the earlier the better."""
_IMPERATIVE = re.compile(
    "(add|ask|build|call|change|check|choose|configure|connect|create|debug|deploy|disable|embed|enable|evaluate|find|host|import|"
    "install|limit|listen|load|measure|migrate|monitor|move|open|pair|protect|publish|reset|restart|roll|rotate|run|save|scale|"
    "search|secure|send|serve|set|show|start|stop|switch|test|tune|update|upgrade|use|watch|write) .+",
    re.IGNORECASE,
)


class DemoPages:
    """The documentation's pages by permalink, each rendered when it is first asked for."""

    def __init__(self, pages: Sequence[Page]) -> None:
        """``pages``: listed by folder and place in the sidebar. A permalink that two of them claim is the first one's."""
        self._by_path: dict[str, Page] = {}
        for page in _in_sidebar_order(pages):
            self._by_path.setdefault(_key(unquote(urlsplit(page.url).path)), page)
        self._bodies: dict[str, str] = {}

    @classmethod
    def read(cls, docs_dir: Path) -> "DemoPages":
        """The pages of a docs folder, a site folder or a built site. Raises SiteError."""
        built = any((docs_dir / name).is_file() for name in ("sitemap.xml", "index.html"))
        return cls((read_build(docs_dir) if built else read_source(docs_dir)).pages)

    @property
    def pages(self) -> tuple[Page, ...]:
        """In the order of the page list."""
        return tuple(self._by_path.values())

    def at(self, path: str) -> Page | None:
        """The page with this permalink (not percent-encoded), with or without a slash at its end."""
        return self._by_path.get(_key(path))

    def html(self, page: Page, site_title: str) -> str:
        """The page's whole document."""
        path = page_path(page)
        if path not in self._bodies:
            self._bodies[path] = page_body(page)
        return Template(_TEMPLATE.read_text("utf-8")).substitute(
            title=escape(page.title),
            site=escape(site_title),
            description=escape(page.description),
            body=self._bodies[path],
            list=self.links(page),
        )

    def links(self, current: Page | None = None) -> str:
        """An item with a link for each page; that of the page that is open is marked."""
        return "\n".join(
            f'        <li><a href="{page_path(page)}"{_current(page is current)}>{escape(page.title)}</a></li>'
            for page in self.pages
        )

    def landing_path(self) -> str:
        """The path of the page to begin to read with; empty where there are no pages."""

        def rank(page: Page) -> tuple[int, int]:
            parts = urlsplit(page.url).path.split("/")
            return (_LANDING.index(parts[-1]) if parts[-1] in _LANDING else len(_LANDING), len(parts))

        return page_path(min(self.pages, key=rank)) if self.pages else ""

    def starters(self) -> list[str]:
        """At most MAX_STARTERS questions that the pages' own headings answer, of different pages as far as there are enough."""
        asked = [[question for heading in page.headings if (question := _question(heading.text))] for page in self.pages]
        rounds = [questions[turn] for turn in range(MAX_STARTERS) for questions in asked if turn < len(questions)]
        about = [f"What should I know about {page.title}?" for page in self.pages if len(page.title) <= 40]
        return list(dict.fromkeys([*rounds, *about]))[:MAX_STARTERS]


def pages_of(docs_dir: Path) -> DemoPages:
    """The pages of a folder; StartRefused when there are none to show."""
    try:
        return DemoPages.read(docs_dir)
    except SiteError as error:
        raise StartRefused([f"DEMO_DOCS: {error}"]) from error


def _current(is_current: bool) -> str:
    return ' aria-current="page"' if is_current else ""


def _in_sidebar_order(pages: Sequence[Page]) -> list[Page]:
    """Within each folder by place in the sidebar, pages without one last; folders as they come."""
    folders = {folder: order for order, folder in enumerate(dict.fromkeys(_folder(page) for page in pages))}
    return sorted(
        pages, key=lambda page: (folders[_folder(page)], inf if page.sidebar_position is None else page.sidebar_position)
    )


def _folder(page: Page) -> str:
    return page.source.rpartition("/")[0]


def _key(path: str) -> str:
    return path.strip("/")


def _question(heading: str) -> str | None:
    """The heading as a question, when it is one or tells to do something."""
    text = heading.strip().rstrip(".:")
    if not 12 <= len(text) <= 60:
        return None
    if text.endswith("?"):
        return text
    return f"How do I {text[0].lower()}{text[1:]}?" if _IMPERATIVE.fullmatch(text) else None
