"""The indexed pages for agents that only fetch: GET /llms.txt lists them, and each is Markdown at its permalink with ``.md``.

To be imported only where LLMS_TXT_ENABLED is set. The form of the list is that of https://llmstxt.org. Nothing is kept here: the
list is made of one that is read once a minute for all who ask, and clients are told to keep what they have as long.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response

from chatbot_api.admission import COUNTED, SITE_KEY_HEADER, Wired, known_site
from chatbot_api.errors import NotFound
from chatbot_api.http_edge import PROBLEMS
from chatbot_api.models.page_models import IndexedPage, ListedPage
from chatbot_api.services.indexed_pages import FRESH_S, IndexedPages

llms_router = APIRouter(tags=["llms.txt"], dependencies=[Depends(known_site), *COUNTED])
MOST_LISTED = 2000
"""Pages in one list, some 100 KB; a longer one ends with a link to the rest."""
LONGEST_TITLE = 200
_PROBLEMS: dict[int | str, dict[str, Any]] = {status: PROBLEMS[status] for status in (401, 422, 429, 500, 503)}
_SIGNS = re.compile(r"([\\`\[\]<])")
_Name = Annotated[str | None, Query(max_length=100)]


def _text(media: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media: {"schema": {"type": "string"}}}}, 304: {"description": "The client has it already"}}


@llms_router.head("/llms.txt", include_in_schema=False)
@llms_router.get("/llms.txt", responses={**_PROBLEMS, **_text("text/plain")}, response_class=Response)
async def llms_txt(
    request: Request,
    wired: Wired,
    version: _Name = None,
    locale: _Name = None,
    after: Annotated[
        str | None, Query(max_length=2000, description="Begin behind this page's id; the list's end says it.")
    ] = None,
) -> Response:
    """The pages of the version that readers see by default, or of another, as a list of links to their Markdown."""
    found = await wired.pages.pages(None, after, MOST_LISTED + 1, version=version, locale=locale)
    asked = {name: value for name, value in (("version", version), ("locale", locale)) if value}
    return _kept(request, _list_of(found, wired.settings.site_title, asked), "text/plain")


@llms_router.head("/{path:path}.md", include_in_schema=False)
@llms_router.get(
    "/{path:path}.md", responses={**_PROBLEMS, 404: PROBLEMS[404], **_text("text/markdown")}, response_class=Response
)
async def markdown(request: Request, wired: Wired, path: str) -> Response:
    """A page by its permalink, of whichever version, as Markdown. The header Link names the page that readers open."""
    found = await _page_at(path, wired.pages)
    if found is None:
        raise NotFound
    reply = _kept(request, f"{found.markdown}\n", "text/markdown")
    reply.headers["Link"] = f'<{found.page.url}>; rel="canonical"'
    return reply


async def _page_at(path: str, pages: IndexedPages) -> IndexedPage | None:
    at = "/" if path == "index" else f"/{path}"
    if found := await pages.page(quote(at)):
        return found
    # Another tool's collection may hold addresses in full.
    listed = next((one for one in await pages.pages(None, None, MOST_LISTED) if _path_of(one) == f"{at.rstrip('/')}.md"), None)
    return await pages.page(listed.path) if listed else None


def _list_of(found: Sequence[ListedPage], site_title: str, asked: dict[str, str]) -> str:
    title = _plain(site_title)
    scope = "".join(f", {name} {_plain(value)}" for name, value in asked.items())
    lines = [
        f"# {title[:1].upper()}{title[1:]}",
        "",
        f"> The pages of {title}{scope}, as Markdown. Readers open them at the same addresses without `.md`.",
        "",
        "## Pages",
        "",
        *(f"- [{_plain(page.title)}]({quote(_path_of(page))})" for page in found[:MOST_LISTED]),
    ]
    if len(found) > MOST_LISTED:
        rest = urlencode({**asked, "after": found[MOST_LISTED - 1].id})
        lines += ["", "## Optional", "", f"- [More pages](/llms.txt?{rest})"]
    return "\n".join(lines) + "\n"


def _path_of(page: ListedPage) -> str:
    """Where its Markdown is, not percent-encoded."""
    return f"{urlsplit(page.path).path.rstrip('/') or '/index'}.md"


def _plain(text: str) -> str:
    """In one line, with the signs that Markdown and HTML would take for theirs made harmless."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split())[:LONGEST_TITLE])


def _kept(request: Request, text: str, media: str) -> Response:
    """The text, or 304 for a client that has it."""
    content = text.encode("utf-8", "replace")
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": f"max-age={int(FRESH_S)}",
        "Vary": f"{SITE_KEY_HEADER}, Authorization",  # a proxy's copy is not for who has no key
        "X-Content-Type-Options": "nosniff",  # what a page holds is not to be taken for HTML
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=f"{media}; charset=utf-8", headers=headers)
