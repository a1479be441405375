"""The verb ``index``: reads a site, tells what is passed over and what is done, and brings the index in line."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from chatbot_api.config import Settings
from chatbot_api.errors import DeadlineExceeded, IndexMismatch, ModelBadResponse, ModelUnavailable
from chatbot_api.models.index_models import Passage
from chatbot_api.reliability import Deadline
from qdrant_indexer.arguments import EXIT_DONE, EXIT_FOUND_WRONG
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.costs import Estimate, estimate
from qdrant_indexer.opened_parts import to_write
from qdrant_indexer.output import Teller
from qdrant_indexer.pages import Site, Skipped
from qdrant_indexer.plan import Plan, plan
from qdrant_indexer.sources import groups, is_fault, read, source_of
from qdrant_indexer.sync import Report, sync


@dataclass(frozen=True, slots=True)
class _NamedFailures:
    """An embedder whose failures are all ModelErrors: the index has failures of the same names."""

    model: Any

    @property
    def batch_size(self) -> int:
        return self.model.batch_size

    async def embed_passages(self, passages: Sequence[Passage], deadline: Deadline) -> list[list[float]] | None:
        try:
            return await self.model.embed_passages(passages, deadline)
        except IndexMismatch as error:
            raise ModelBadResponse(error.cause) from error
        except DeadlineExceeded as error:
            raise ModelUnavailable("no vectors in time") from error


async def index(settings: Settings, options: Namespace) -> int:
    """Index the source the options name. Raises SiteError, SearchError, ModelError and RunRefused."""
    started = monotonic()
    teller = Teller(as_json=options.json)
    source = source_of(options)
    teller.say("source", source.words, place=source.place, mode=source.mode)
    site = await read(source, options)
    _tell_skipped(teller, site.skipped, each=options.verbose)
    passages = [passage for page in site.pages for passage in passages_of(page, settings.site)]
    async with to_write(settings) as (model, _, writer):
        if options.dry_run:
            made = await plan(passages, settings.site, writer)
            _tell_plan(teller, settings, site, made, estimate(made.to_embed, model.embedder.model, model.batch_size))
        else:
            report = await sync(
                passages,
                settings.site,
                _NamedFailures(model),
                writer,
                teller.progress,
                prune_max=options.prune_max,
                force=options.force,
            )
            _tell_report(teller, settings, site, report, monotonic() - started)
    return EXIT_FOUND_WRONG if any(is_fault(one.reason) for one in site.skipped) else EXIT_DONE


def _tell_skipped(teller: Teller, skipped: Sequence[Skipped], *, each: bool) -> None:
    if each:
        for one in skipped:
            teller.say("skipped", f"passed over {one.source}: {one.reason}", source=one.source, reason=one.reason)
        return
    for group in groups(skipped):
        some = f"{group.sources[0]} and {group.count - 1} more" if group.count > 1 else group.sources[0]
        teller.say(
            "skipped",
            f"passed over {some}: {group.reason}",
            reason=group.reason,
            count=group.count,
            sources=list(group.sources),
            fault=group.is_fault,
        )


def _tell_plan(teller: Teller, settings: Settings, site: Site, made: Plan, cost: Estimate) -> None:
    words = (
        f"would index {len(site.pages)} pages of site {settings.site!r}; passages: {made.added} added, {made.changed} changed, "
        f"{made.moved} moved, {made.removed} removed, {made.unchanged} unchanged; {len(made.to_embed)} to embed\n"
        f"{cost.words}\nnothing was written"
    )
    teller.say(
        "planned",
        words,
        pages=len(site.pages),
        added=made.added,
        changed=made.changed,
        moved=made.moved,
        removed=made.removed,
        unchanged=made.unchanged,
        updated=made.updated,
        other_sites=dict(made.other_sites),
        to_embed=len(made.to_embed),
        tokens=cost.tokens,
        dollars=cost.dollars,
        estimated_seconds=cost.seconds,
        estimated_by=cost.method,
        nothing_to_do=made.nothing_to_do,
        skipped=len(site.skipped),
    )


def _tell_report(teller: Teller, settings: Settings, site: Site, report: Report, seconds: float) -> None:
    place = settings.qdrant_collection_name if settings.qdrant_url else str(settings.index_dir)
    did = "indexed" if report.published else "nothing to do:"
    words = (
        f"{did} {len(site.pages)} pages, {report.written} passages ({report.embedded} embedded, {report.reused} taken over, "
        f"{report.removed} removed) of site {settings.site!r} into {place} in {seconds:.1f} s"
    )
    teller.say(
        "indexed",
        words,
        pages=len(site.pages),
        passages=report.written,
        embedded=report.embedded,
        unchanged=report.reused,
        resumed=report.resumed,
        removed=report.removed,
        other_sites=report.other_sites,
        published=report.published,
        skipped=len(site.skipped),
        seconds=round(seconds, 1),
    )
