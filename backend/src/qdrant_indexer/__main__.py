"""The command of the indexer: ``python -m qdrant_indexer VERB``; see ``--help`` and website/docs/index-your-site.md.

Exit codes: 0 done; 1 the index can't be read or written; 2 wrong usage or nothing to index; 3 something was found wrong (dead
links, pages that could not be read, a collection that can't be answered from); 4 the embedding provider failed; 5 refused, too
much would be removed or passages of other sites would be lost; 78 the settings are contradictory; 130 interrupted. Whatever
fails, the live index goes on serving as it is.
"""

import asyncio
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module

from chatbot_api.config import Settings, load_settings
from chatbot_api.errors import EX_CONFIG, ModelError, SearchError, StartRefused
from chatbot_api.telemetry import start_logging
from qdrant_indexer.arguments import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_PROVIDER,
    EXIT_REFUSED,
    EXIT_USAGE,
    parser,
)
from qdrant_indexer.output import Stopped, fail
from qdrant_indexer.pages import SiteError
from qdrant_indexer.plan import RunRefused

Verb = Callable[[Settings, Namespace], Awaitable[int]]
_VERBS: Mapping[str, tuple[str, str]] = {
    "index": ("indexing", "index"),
    "status": ("inspection", "status"),
    "rollback": ("inspection", "rollback"),
    "check": ("inspection", "check"),
    "search": ("searching", "search"),
    "eval": ("searching", "evaluate"),
    "probe": ("probing", "probe"),
}
_WRITING = ("index", "rollback")
_FAILURES = (SiteError, Stopped, RunRefused, StartRefused, ModelError, SearchError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the process' exit code."""
    options = parser().parse_args(arguments)
    try:
        settings = load_settings()
        start_logging("warning")
        return asyncio.run(_run(_verb(options.verb), settings, options))
    except KeyboardInterrupt:
        return fail("interrupted; the old index goes on serving", EXIT_INTERRUPTED)
    except _FAILURES as failure:
        return fail(*_told(failure, options.verb))


def _told(failure: Exception, verb: str) -> tuple[str, int]:
    """One line for the user, and the exit code."""
    match failure:
        case Stopped():
            return str(failure), failure.code
        case RunRefused():
            return f"refused: {failure}; --force runs it all the same", EXIT_REFUSED
        case StartRefused():
            return "\n  - ".join(("the settings can't be worked with:", *failure.problems)), EX_CONFIG
        case ModelError():
            return f"the embedding provider failed: {failure.title} ({failure.cause})", EXIT_PROVIDER
        case SearchError():
            done = "written" if verb in _WRITING else "read"
            return f"the index can't be {done}: {failure.title} ({failure.cause})", EXIT_FAILED
        case _:
            return str(failure), EXIT_USAGE


def _verb(name: str) -> Verb:
    """Only the verb's own modules are imported: the readers of sites are no matter of a search."""
    module, function = _VERBS[name]
    return getattr(import_module(f"qdrant_indexer.{module}"), function)


async def _run(verb: Verb, settings: Settings, options: Namespace) -> int:
    return await verb(settings, options)


if __name__ == "__main__":
    sys.exit(main())
