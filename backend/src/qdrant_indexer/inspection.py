"""The verbs that look at the live index without searching it: ``status`` and ``check``; and ``rollback`` to the run before."""

import json
import re
from argparse import Namespace
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chatbot_api.config import Settings
from chatbot_api.errors import IndexMismatch, IndexMissing
from chatbot_api.models.index_models import IndexMarker, Passage
from qdrant_indexer.arguments import EXIT_DONE, EXIT_FOUND_WRONG
from qdrant_indexer.opened_parts import to_write
from qdrant_indexer.output import write
from qdrant_indexer.pages import Page
from qdrant_indexer.sources import read, source_of

_TIME = re.compile(r"(\d{8}T\d{6})\d*-[0-9a-f]+$")
"""At the end of a run's name."""


@dataclass(frozen=True, slots=True)
class Live:
    """The live run."""

    name: str
    marker: IndexMarker
    passages: int
    differences: tuple[str, ...]
    """From what the settings ask for; none: it fits."""
    writer: Any

    @property
    def made_at(self) -> str | None:
        """ISO 8601, by the run's name."""
        found = _TIME.search(self.name)
        return datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).isoformat() if found else None

    async def passages_stored(self) -> AsyncGenerator[Passage, None]:
        """All of them, of every site, whether the run fits the settings or not."""
        async with aclosing(self.writer.stored(vectors=False)) as stored:
            async for one in stored:
                yield one.passage


@asynccontextmanager
async def live(settings: Settings) -> AsyncGenerator[Live, None]:
    """The live run. Raises SearchError; IndexMissing when there is none, IndexMismatch when it bears no marker of ours."""
    async with to_write(settings) as (_, wanted, writer):
        found = await writer.live()
        if found is None:
            raise IndexMissing(f"nothing was indexed into {_place(settings)}")
        name, marker, passages = found
        if marker is None:
            raise IndexMismatch(f"{name} bears no marker of ours; for a collection of another tool use the verb probe")
        yield Live(name, marker, passages, tuple(wanted.differences(marker)), writer)


def _place(settings: Settings) -> str:
    return settings.qdrant_collection_name if settings.qdrant_url else str(settings.index_dir)


# --- status


async def status(settings: Settings, options: Namespace) -> int:
    """Show what is live. Raises SearchError."""
    async with live(settings) as run:
        counted: Counter[tuple[str, str, str]] = Counter()
        pages: set[str] = set()
        async with aclosing(run.passages_stored()) as stored:
            async for passage in stored:
                counted[passage.site, passage.version or "", passage.locale] += 1
                pages.add(f"{passage.site}|{passage.page_id}")
    values = {
        "engine": "qdrant" if settings.qdrant_url else "embedded",
        "place": _place(settings),
        "run": run.name,
        "made_at": run.made_at,
        "passages": run.passages,
        "pages": len(pages),
        "marker": run.marker.as_dict(),
        "fits": not run.differences,
        "differences": list(run.differences),
        "parts": [
            {"site": site, "version": version or None, "locale": locale, "passages": number}
            for (site, version, locale), number in sorted(counted.items())
        ],
    }
    if options.json:
        write(json.dumps(values))
    else:
        for line in _status_words(values, settings.site):
            write(line)
    return EXIT_DONE


def _status_words(values: Mapping[str, Any], site: str) -> list[str]:
    marker = values["marker"]
    embedded = (
        "words alone"
        if marker["embedding_model"] == "none"
        else f"{marker['embedding_model']}, {marker['dimensions']} dimensions"
    )
    lines = [
        f"{values['engine']} index in {values['place']}",
        f"live run: {values['run']}, made {values['made_at'] or 'at a time its name does not tell'}",
        f"{values['passages']} passages of {values['pages']} pages, made by {embedded}",
    ]
    for part in values["parts"]:
        version = f", version {part['version']}" if part["version"] else ""
        lines.append(f"  site {part['site']}{version}, locale {part['locale']}: {part['passages']} passages")
    if all(part["site"] != site for part in values["parts"]):
        lines.append(f"  site {site}, which the settings name: none")
    lines += [f"it does not fit the settings: {difference}" for difference in values["differences"]]
    return lines if values["differences"] else [*lines, "it fits the settings"]


# --- rollback


async def rollback(settings: Settings, options: Namespace) -> int:
    """Make the run before live again. Raises SearchError."""
    async with to_write(settings) as (_, _, writer):
        name = await writer.rollback()
    write(json.dumps({"run": name}) if options.json else f"{name} is live again; a running service takes it up by itself")
    return EXIT_DONE


# --- check


@dataclass(frozen=True, slots=True)
class _Dead:
    address: str
    reason: str


async def check(settings: Settings, options: Namespace) -> int:
    """Compare every stored address and heading of the site with the source. Raises SiteError, SearchError."""
    source = source_of(options)
    site = await read(source, options)
    pages = {page.url: page for page in site.pages}
    passed_over = {one.source: one.reason for one in site.skipped}
    dead: dict[str, str] = {}
    links: set[str] = set()
    async with live(settings) as run, aclosing(run.passages_stored()) as stored:
        async for passage in stored:
            if passage.site != settings.site or not _asked_for(passage, options):
                continue
            address = f"{passage.url}#{passage.anchor}" if passage.anchor else passage.url
            links.add(address)
            if reason := _why_dead(passage, pages):
                dead[address] = reason
    if not links:
        raise IndexMissing(f"the live run holds no passage of site {settings.site!r}")
    found = [_Dead(address, dead[address]) for address in sorted(dead)]
    if options.json:
        listed = [{"address": one.address, "reason": one.reason} for one in found]
        write(json.dumps({"links": len(links), "dead": listed, "pages": len(pages), "passed_over": len(passed_over)}))
    else:
        for one in found:
            write(f"dead: {one.address}: {one.reason}")
        write(f"{len(links)} links of site {settings.site!r} compared with {source.place}: {len(found)} dead")
    return EXIT_FOUND_WRONG if found else EXIT_DONE


def _asked_for(passage: Passage, options: Namespace) -> bool:
    if options.locale and passage.locale not in options.locale:
        return False
    return not options.kind or passage.kind in options.kind


def _why_dead(passage: Passage, pages: Mapping[str, Page]) -> str:
    """Empty when the link leads somewhere."""
    page = pages.get(passage.url)
    if page is None:
        bare = passage.url.rstrip("/")
        other = next((url for url in (bare, f"{bare}/") if url in pages), None)
        return f"the page is at {other}" if other else "there is no such page to be found"
    anchors = {heading.anchor for heading in page.headings}
    return "the page has no such heading" if passage.anchor and passage.anchor not in anchors else ""
