"""Serves a built Docusaurus site beside the API, so that one address is the whole product: pages, widget and answers."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from chatbot_api.errors import StartRefused

_HASHED = "assets/"
"""Docusaurus' folder of files whose names change with their content."""
_FOREVER, _ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"
_NOT_FOUND = "404.html"
_SCRIPT_TYPES = frozenset({"", "module", "text/javascript", "application/javascript"})
"""Types that run; others, such as JSON-LD, are data and need no leave."""
_FIXED_HEADERS: Mapping[str, str] = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}


def add_built_site(app: FastAPI, build_dir: Path) -> None:
    """Serve the files of a build at their permalinks. Raises StartRefused when the folder is no build for the path ``/``.

    Call it after the app's own routes: an address that one of them serves stays theirs. The folder is read once: a new build
    is served after a restart.
    """
    app.router.routes.append(_SiteRoute(_BuiltSite(build_dir), tuple(app.router.routes)))


class _BuiltSite(StaticFiles):
    """The files of one build by address. What is not in the list made at start is not there, so no path leads elsewhere."""

    def __init__(self, build_dir: Path) -> None:
        files = sorted(path.relative_to(build_dir).as_posix() for path in build_dir.rglob("*") if path.is_file())
        if "index.html" not in files:
            raise StartRefused([f"SITE_BUILD: {build_dir} holds no index.html; build the site first (`make site`)."])
        documents = {name: LexborHTMLParser((build_dir / name).read_bytes()) for name in files if name.endswith(".html")}
        if not _is_at_root(documents["index.html"]):
            raise StartRefused(["SITE_BUILD: the site was built for another baseUrl than `/`, and can be served at `/` alone."])
        super().__init__(directory=build_dir, html=False)
        self._files = {address: name for name in files for address in _addresses(name)}
        self._has_not_found = _NOT_FOUND in files
        self._policy = _policy({_hash(code) for document in documents.values() for code in _inline_scripts(document)})

    def has(self, path: str) -> bool:
        """Whether there is a file for this path (decoded, without its first slash)."""
        return path in self._files

    def shows_not_found(self, scope: Scope) -> bool:
        """Whether to answer with the site's own page for addresses that do not exist: to a browser that opens a page."""
        accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"")
        return self._has_not_found and b"text/html" in accepted

    async def answer(self, request: Request) -> Response:
        """The file at the request's path, or the site's page for addresses that do not exist."""
        path: str = request.path_params["path"]
        name = self._files.get(path, _NOT_FOUND)
        response = await self.get_response(name, request.scope)
        if isinstance(response, FileResponse) and path not in self._files:
            response.status_code = 404
        response.headers.update(_FIXED_HEADERS)
        response.headers["Cache-Control"] = _FOREVER if name.startswith(_HASHED) else _ASK_AGAIN
        if name.endswith(".html"):
            response.headers["Content-Security-Policy"] = self._policy
        return response


class _SiteRoute(Route):
    """Matches the site's addresses; and, in a browser, those that no other route knows."""

    def __init__(self, site: _BuiltSite, others: tuple[BaseRoute, ...]) -> None:
        super().__init__("/{path:path}", site.answer, methods=["GET"], name="built_site", include_in_schema=False)
        self._site, self._others = site, others

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if match is Match.NONE or self._site.has(child_scope["path_params"]["path"]):
            return match, child_scope
        known = any(route.matches(scope)[0] is not Match.NONE for route in self._others)
        return (
            (Match.NONE, {})
            if known or match is not Match.FULL or not self._site.shows_not_found(scope)
            else (match, child_scope)
        )


def _addresses(name: str) -> Iterator[str]:
    """The paths a file is served at. Both forms of a page's, as hosts of static sites do: no redirect is needed, and none
    can be pointed elsewhere by a forged Host header.
    """
    yield name
    page = name.removesuffix(".html")
    if name not in {page, _NOT_FOUND}:
        folder = page.removesuffix("index") if page.rpartition("/")[2] == "index" else f"{page}/"
        yield folder
        if folder:
            yield folder.removesuffix("/")


def _is_at_root(document: LexborHTMLParser) -> bool:
    sources = [script.attributes.get("src") or "" for script in document.css("script[src]")]
    return not any(f"/{_HASHED}" in source and not source.startswith(f"/{_HASHED}") for source in sources)


def _inline_scripts(document: LexborHTMLParser) -> Iterator[str]:
    for script in document.css("script:not([src])"):
        if (script.attributes.get("type") or "").strip().lower() in _SCRIPT_TYPES:
            yield script.text()


def _hash(code: str) -> str:
    return f"'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'"


def _policy(hashes: set[str]) -> str:
    """Only the site's own files, the inline scripts it was built with, and answers from this host.

    Styles in attributes: highlighted code is coloured by them.
    """
    scripts = " ".join(["'self'", *sorted(hashes)])
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self'; "
        "style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'self'"
    )
