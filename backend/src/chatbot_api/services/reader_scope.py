"""Which part of the site is searched for a reader: the version and language asked for, else those of the reader's page."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import unquote, urlsplit

from chatbot_api.models.chat_models import AskContext
from chatbot_api.models.index_models import Passage, Scope


class Pages(Protocol):
    """Who knows the site's pages by their addresses. Raises SearchError."""

    async def page(self, urls: Sequence[str], site: str) -> Passage | None: ...  # noqa: D102


async def scope_of(context: AskContext, pages: Pages, site: str) -> Scope:
    """The version and language asked for, else those of the reader's page, else the default version in any language."""
    version, locale = context.version, context.locale
    addresses = _addresses(context.page_url or "")
    if addresses and not (version and locale):
        page = await pages.page(addresses, site)
        if page:
            version = version or (None if page.is_last_version else page.version)
            locale = locale or page.locale
    return Scope(site, version, locale, last_version=None if version else True)


def _addresses(page_url: str) -> list[str]:
    """The addresses a page may be indexed by: as given, with and without a slash at its end."""
    try:
        path = unquote(urlsplit(page_url).path)
    except ValueError:
        return []
    bare = path.rstrip("/")
    if not path:
        return []
    return [bare or "/", f"{bare}/"]
