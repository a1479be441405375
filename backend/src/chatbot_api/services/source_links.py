"""Hits as a reader sees them: numbered, each a link to the exact heading with how its text begins."""

from collections.abc import Sequence
from functools import lru_cache

from chatbot_api.models.chat_models import Source
from chatbot_api.models.index_models import Hit, link
from chatbot_api.services.markdown_units import plain_text

SNIPPET_CHARS = 200
_beginning = lru_cache(2048)(plain_text)
"""The same passages are found again and again, and to make plain text of one takes as long as to find it."""


def sources_of(hits: Sequence[Hit], site_url: str) -> tuple[Source, ...]:
    """The hits in their order, numbered from 1."""
    return tuple(_source(number, hit, site_url) for number, hit in enumerate(hits, start=1))


def _source(number: int, hit: Hit, site_url: str) -> Source:
    passage = hit.passage
    return Source(
        id=str(number),
        title=passage.title,
        page_title=passage.title,
        heading_path=[passage.title, *passage.heading_path],
        url=link(site_url, passage.url, passage.anchor),
        snippet=_beginning(passage.text, SNIPPET_CHARS),
        score=None if hit.cosine is None else round(hit.cosine, 4),
        version=passage.version,
        locale=passage.locale,
    )
