"""Passages by the ids of an earlier answer: what an engine may be asked for, and what of its reply is still the site's."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from chatbot_api.models.index_models import Passage


def point_ids(ids: Sequence[str]) -> list[str | int]:
    """The ids as an engine takes them, UUIDs and numbers up to 64 bits; it refuses the whole request for any other."""
    return [point_id for one in ids if (point_id := _point_id(one)) is not None]


def _point_id(text: str) -> str | int | None:
    if text.isascii() and text.isdigit():
        return number if (number := int(text)) < 2**64 else None
    try:
        return str(UUID(text))
    except ValueError:
        return None


def kept(ids: Sequence[str], read: Iterable[Passage | None], site: str) -> list[Passage]:
    """The passages that were read, in the order of the ids; without those that can't be read or are of another site."""
    by_id = {passage.id: passage for passage in read if passage and passage.site == site}
    return [by_id[one] for one in dict.fromkeys(ids) if one in by_id]
