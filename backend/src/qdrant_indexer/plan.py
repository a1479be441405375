"""Says beforehand what a run would do to the index, and refuses one that would lose what it should not; calls no model."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from chatbot_api.models.index_models import IndexMarker, Passage, StoredPassage


class StoredIndex(Protocol):
    """An index as it is now. Raises SearchError."""

    marker: IndexMarker
    """How a new run would be made."""

    async def live(self) -> tuple[str, IndexMarker | None, int] | None: ...  # noqa: D102
    def stored(self, vectors: bool = True) -> AsyncGenerator[StoredPassage, None]: ...  # noqa: D102


class RunRefused(Exception):
    """The run would lose what its user may not have meant to lose; ``force`` runs it all the same."""


class PruneRefused(RunRefused):
    """Too many of the site's passages would be removed: an empty or half build must not empty the index."""


class OtherSitesLost(RunRefused):
    """Other sites' vectors were made otherwise, so that they can't be carried over."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, in passages of the site unless said otherwise. A passage is the same when its id is."""

    added: int
    """New ids with new content."""
    changed: int
    """The same id with other content, or, where the live run was made otherwise, to be made anew."""
    moved: int
    """Stored content under a new id: another page, or another place on its page."""
    unchanged: int
    """The same id with the same content."""
    updated: int
    """Of the unchanged: those of which another field differs, such as the version they belong to."""
    removed: int
    """Stored ids that vanish; of moved content the old ones too."""
    other_sites: Mapping[str, int]
    """Site -> its stored passages."""
    to_embed: tuple[Passage, ...]
    """One of each text that has no stored vector; none in a lexical index."""
    nothing_to_do: bool
    """What is stored of the site is what would be, field by field."""
    made_otherwise: bool
    """The live run was made by another model or with other settings: nothing of it can be taken over."""

    @property
    def stored(self) -> int:
        """Passages of the site in the live run."""
        return self.changed + self.unchanged + self.removed

    def refuse_losses(self, passages: int, prune_max: float) -> None:
        """Raise PruneRefused or OtherSitesLost. ``passages``: the site's new number; ``prune_max``: share that may vanish."""
        if not passages:
            raise PruneRefused(f"there are no passages to index, and {self.stored} are stored of this site")
        if self.removed > prune_max * self.stored:
            raise PruneRefused(
                f"{self.removed} of the site's {self.stored} stored passages ({self.removed / self.stored:.0%}) would be removed,"
                f" more than the {prune_max:.0%} that are allowed"
            )
        if self.made_otherwise and self.other_sites:
            named = ", ".join(f"{site} ({count} passages)" for site, count in sorted(self.other_sites.items()))
            raise OtherSitesLost(
                f"the live index was made with other settings, so these sites would be lost and have to be indexed again: {named}"
            )


async def plan(passages: Sequence[Passage], site: str, writer: StoredIndex) -> Plan:
    """What ``sync`` would do with these passages of ``site``. Reads what is stored once, without vectors. Raises SearchError."""
    live = await writer.live()
    made_otherwise = live is not None and live[1] != writer.marker
    new = {passage.id: passage for passage in passages}
    hashes = {key: passage.content_hash for key, passage in new.items()}
    wanted, held = set(hashes.values()), set[str]()
    seen: set[str] = set()
    others = Counter[str]()
    unchanged = updated = removed = 0
    async with aclosing(writer.stored(vectors=False)) as stored:
        async for one in stored:
            old, key = one.passage, one.passage.id
            if old.site != site:
                others[old.site] += 1
                continue
            content = old.content_hash
            if content in wanted and not made_otherwise:
                held.add(content)
            if key not in new:
                removed += 1
                continue
            seen.add(key)
            if hashes[key] == content and not made_otherwise:
                unchanged += 1
                updated += old != new[key]
    moved = sum(hashes[key] in held for key in new if key not in seen)
    fresh = {hashes[key]: passage for key, passage in new.items() if hashes[key] not in held}
    return Plan(
        added=len(new) - len(seen) - moved,
        changed=len(seen) - unchanged,
        moved=moved,
        unchanged=unchanged,
        updated=updated,
        removed=removed,
        other_sites=dict(others),
        to_embed=tuple(fresh.values()) if writer.marker.dimensions else (),
        nothing_to_do=live is not None and len(new) == unchanged and not updated and not removed and not made_otherwise,
        made_otherwise=made_otherwise,
    )
