"""The command line of the indexer: ``python -m qdrant_indexer index DOCS_DIR``.

Exit codes: 0 done; 1 the index could not be written; 2 wrong usage or nothing to index; 4 the embedding provider failed;
78 the settings are contradictory; 130 interrupted. Whatever the code, the old index goes on serving unless it is 0.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

from chatbot_api.config import Settings, load_settings
from chatbot_api.errors import EX_CONFIG, DeadlineExceeded, IndexMismatch, ModelError, SearchError, StartRefused
from chatbot_api.models.index_models import Passage
from chatbot_api.telemetry import start_logging
from chatbot_api.wiring import marker_of, provider_of, sparse_of, writer_of
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.docusaurus import Site, SiteError, read_docs
from qdrant_indexer.sync import Report, sync

EXIT_FAILED, EXIT_USAGE, EXIT_PROVIDER, EXIT_INTERRUPTED = 1, 2, 4, 130
BAR_WIDTH = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the process' exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        start_logging("warning")
        site = read_docs(options.source, base_url=options.base_url, route_base_path=options.route_base_path)
        passages = [passage for page in site.pages for passage in passages_of(page, settings.site)]
        return asyncio.run(_index(settings, site, passages))
    except KeyboardInterrupt:
        return _fail("interrupted; the old index goes on serving", EXIT_INTERRUPTED)
    except SiteError as error:
        return _fail(str(error), EXIT_USAGE)
    except StartRefused as refused:
        return _fail("\n  - ".join(("the settings can't be worked with:", *refused.problems)), EX_CONFIG)
    except (ModelError, IndexMismatch, DeadlineExceeded) as error:
        return _fail(f"the embedding provider failed: {error.title} ({error.cause})", EXIT_PROVIDER)
    except SearchError as error:
        return _fail(f"the index can't be written: {error.title} ({error.cause})", EXIT_FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qdrant_indexer", description="Keeps the index of a documentation site.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    index = verbs.add_parser("index", help="index a folder of Docusaurus Markdown; safe to repeat")
    index.add_argument("source", type=Path, help="the site's docs folder")
    index.add_argument("--base-url", default="/", help="the site's baseUrl (default /)")
    index.add_argument("--route-base-path", default="docs", help="the docs' routeBasePath (default docs)")
    return parser


async def _index(settings: Settings, site: Site, passages: Sequence[Passage]) -> int:
    started = monotonic()
    for skipped in site.skipped:
        _say("skipped", f"skipped {skipped.source}: {skipped.reason}", source=skipped.source, reason=skipped.reason)
    async with AsyncExitStack() as stack:
        model = provider_of(settings)
        stack.push_async_callback(model.close)
        sparse = sparse_of(settings)
        writer = writer_of(settings, marker_of(model.embedder, sparse), sparse)
        stack.push_async_callback(writer.close)
        report = await sync(passages, settings.site, model, writer, _progress)
    _report(settings, site, report, monotonic() - started)
    return 0


def _report(settings: Settings, site: Site, report: Report, seconds: float) -> None:
    place = settings.qdrant_collection_name if settings.qdrant_url else str(settings.index_dir)
    words = (
        f"indexed {len(site.pages)} pages, {report.written} passages ({report.embedded} embedded, {report.reused} unchanged, "
        f"{report.removed} removed) of site {settings.site!r} into {place} in {seconds:.1f} s"
    )
    _say(
        "indexed",
        words,
        pages=len(site.pages),
        passages=report.written,
        embedded=report.embedded,
        unchanged=report.reused,
        removed=report.removed,
        other_sites=report.other_sites,
        skipped=len(site.skipped),
        seconds=round(seconds, 1),
    )


def _progress(done: int, everything: int) -> None:
    if sys.stderr.isatty():
        filled = BAR_WIDTH * done // max(1, everything)
        end = "\n" if done == everything else ""
        sys.stderr.write(f"\r[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done}/{everything} passages{end}")
        sys.stderr.flush()
    else:
        _print(json.dumps({"event": "progress", "done": done, "all": everything}))


def _say(event: str, words: str, **values: object) -> None:
    """A sentence on a terminal, a JSON line elsewhere."""
    _print(words if sys.stdout.isatty() else json.dumps({"event": event, **values}))


def _print(line: str) -> None:
    """A line on stdout; a reader that left is no reason to stop indexing."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(words: str, code: int) -> int:
    sys.stderr.write(f"qdrant_indexer: {words}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
