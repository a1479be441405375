"""The demo: a page to ask on, the widget, and the documentation's pages at their own permalinks, so that citations open."""

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from math import inf
from pathlib import Path
from string import Template
from typing import Literal
from urllib.parse import unquote, urlsplit

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from chatbot_api.errors import StartRefused
from chatbot_api.page_rendering import page_body, page_path
from qdrant_indexer.html_pages import read_build
from qdrant_indexer.pages import Page, SiteError
from qdrant_indexer.source_site import read_source

_FILES = Path(__file__).with_name("demo")
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""On every response of the demo. No other host is ever asked for anything; ``no-cache`` so that an upgrade shows at once."""

OFFLINE_NOTICE = "Offline mode: no language model is connected, so answers quote the documentation word for word."
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
        return _template("page.html").substitute(
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

    def landing(self) -> Page | None:
        """The page to begin to read with."""

        def rank(page: Page) -> tuple[int, int]:
            parts = urlsplit(page.url).path.split("/")
            return (_LANDING.index(parts[-1]) if parts[-1] in _LANDING else len(_LANDING), len(parts))

        return min(self.pages, key=rank, default=None)

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


def add_demo(
    app: FastAPI,
    pages: DemoPages | None,
    *,
    title: str,
    provider: Literal["gemini", "offline"],
    starters: Sequence[str] | None = None,
) -> None:
    """Serve the landing page at ``/``, its files and the widget's below ``/_demo/`` and the pages at their permalinks.

    Call it after the app's own routes: a permalink that one of them serves stays theirs. ``title``: how the page names the
    documentation. ``starters``: questions offered to begin with; None takes them from the pages.
    """
    questions = list(starters) if starters is not None else pages.starters() if pages else []
    landing = _landing(pages, title, provider, questions).encode()
    _add_file(app, "/", landing, "text/html; charset=utf-8")
    _add_file(app, "/_demo/config.json", json.dumps(_widget_options(title, provider)).encode(), "application/json")
    for file in sorted(_FILES.iterdir()):
        if media_type := _MEDIA_TYPES.get(file.suffix):
            _add_file(app, f"/_demo/{file.name}", file.read_bytes(), f"{media_type}; charset=utf-8")
    if pages:
        app.router.routes.append(_PageRoute(pages, title))


class _PageRoute(Route):
    """Matches the permalinks and nothing else, so that unknown paths get the app's own 404."""

    def __init__(self, pages: DemoPages, site_title: str) -> None:
        super().__init__("/{path:path}", self._answer, methods=["GET"], name="docs_page", include_in_schema=False)
        self._pages = pages
        self._site_title = site_title

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if match is Match.NONE or self._pages.at(child_scope["path_params"]["path"]) is None:
            return Match.NONE, {}
        return match, child_scope

    def _answer(self, request: Request) -> Response:
        page = self._pages.at(request.path_params["path"])
        if page is None:
            return Response(status_code=404, headers=SECURITY_HEADERS)
        return Response(self._pages.html(page, self._site_title), headers=SECURITY_HEADERS, media_type="text/html")


def _add_file(app: FastAPI, path: str, content: bytes, media_type: str) -> None:
    async def answer(_request: Request) -> Response:
        return Response(content, headers=SECURITY_HEADERS, media_type=media_type)

    app.router.routes.append(Route(path, answer, methods=["GET"], name=path, include_in_schema=False))


def _template(name: str) -> Template:
    return Template(_FILES.joinpath(name).read_text("utf-8"))


def _widget_options(title: str, provider: Literal["gemini", "offline"]) -> dict[str, object]:
    """What the widget reads of the demo's pages; questions to begin with it takes from the page it is on."""
    return {
        "apiUrl": "/",
        "title": f"Ask {title}",
        **({"disclaimer": {"text": OFFLINE_NOTICE}} if provider == "offline" else {}),
    }


def _landing(pages: DemoPages | None, title: str, provider: Literal["gemini", "offline"], questions: Sequence[str]) -> str:
    first = pages.landing() if pages else None
    buttons = "\n".join(f'        <li><button type="button">{escape(question)}</button></li>' for question in questions)
    return _template("index.html").substitute(
        site=escape(title),
        # The widget parts the questions at this sign.
        questions=escape("|".join(question.replace("|", "/") for question in questions)),
        notice=f'    <p class="notice">{OFFLINE_NOTICE}</p>' if provider == "offline" else "",
        docs=f'      <a class="quiet" href="{page_path(first)}">Read the docs</a>' if first else "",
        starters=_section("starters", "Questions to start with", buttons),
        pages=_section("contents", "Pages", pages.links() if pages else ""),
    )


def _section(kind: str, heading: str, items: str) -> str:
    """A list below its heading; nothing for no items."""
    if not items:
        return ""
    return (
        f'    <section aria-labelledby="{kind}-title">\n      <h2 class="small-title" id="{kind}-title">{heading}</h2>\n'
        f'      <ul class="{kind}">\n{items}\n      </ul>\n    </section>'
    )


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
