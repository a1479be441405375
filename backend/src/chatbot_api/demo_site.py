"""The demo: a page to ask on, the widget, and the documentation's pages at their own permalinks, so that citations open."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Literal

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

if TYPE_CHECKING:  # what reads and renders pages is not paid for where there are none to show
    from chatbot_api.demo_pages import DemoPages

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


def add_demo(
    app: FastAPI,
    pages: "DemoPages | None",
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

    def __init__(self, pages: "DemoPages", site_title: str) -> None:
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


def _widget_options(title: str, provider: Literal["gemini", "offline"]) -> dict[str, object]:
    """What the widget reads of the demo's pages; questions to begin with it takes from the page it is on."""
    return {
        "apiUrl": "/",
        "title": f"Ask {title}",
        **({"disclaimer": {"text": OFFLINE_NOTICE}} if provider == "offline" else {}),
    }


def _landing(pages: "DemoPages | None", title: str, provider: Literal["gemini", "offline"], questions: Sequence[str]) -> str:
    first = pages.landing_path() if pages else ""
    buttons = "\n".join(f'        <li><button type="button">{escape(question)}</button></li>' for question in questions)
    return Template(_FILES.joinpath("index.html").read_text("utf-8")).substitute(
        site=escape(title),
        # The widget parts the questions at this sign.
        questions=escape("|".join(question.replace("|", "/") for question in questions)),
        notice=f'    <p class="notice">{OFFLINE_NOTICE}</p>' if provider == "offline" else "",
        docs=f'      <a class="quiet" href="{first}">Read the docs</a>' if first else "",
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
