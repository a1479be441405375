"""What the command line takes: its verbs, their options and the exit codes, as ``--help`` tells them."""

import argparse
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from qdrant_indexer.pages import KINDS
from qdrant_indexer.sources import MODES

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_FOUND_WRONG, EXIT_PROVIDER, EXIT_REFUSED = 0, 1, 2, 3, 4, 5
EXIT_INTERRUPTED = 130
EXIT_CODES = """exit codes:
  0    done
  1    the index can't be read or written
  2    wrong usage, or nothing to index
  3    something was found wrong: dead links (check), pages that could not be read (index), a collection that can't be
       answered from (probe)
  4    the embedding provider failed
  5    refused: too much would be removed, or passages of other sites would be lost; --force overrules
  78   the settings are contradictory
  130  interrupted
Whatever fails, the live index goes on serving as it is."""
MOST_HITS = 50


def parser() -> ArgumentParser:
    """Of the whole command; what it gives has ``verb`` and that verb's options."""
    top = ArgumentParser(
        prog="qdrant_indexer",
        description="Keeps the search index of a documentation site.",
        epilog=EXIT_CODES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    _index(verbs)
    _verb(verbs, "status", "what the live index holds, and whether it fits the settings")
    _verb(verbs, "rollback", "make the run before the live one live again")
    check = _verb(verbs, "check", "does every stored address and heading still exist? lists the dead ones")
    _source(check, optional=False)
    _search(verbs)
    _eval(verbs)
    probe = _verb(verbs, "probe", "how a collection of another tool would be read, and what it lacks; writes nothing")
    probe.add_argument("--collection", metavar="NAME", help="the collection (default: QDRANT_COLLECTION_NAME)")
    return top


def _verb(verbs: Any, name: str, words: str) -> ArgumentParser:
    verb: ArgumentParser = verbs.add_parser(
        name, help=words, description=words, epilog=EXIT_CODES, formatter_class=RawDescriptionHelpFormatter
    )
    verb.add_argument("--json", action="store_true", help="JSON instead of sentences")
    return verb


def _index(verbs: Any) -> None:
    index = _verb(verbs, "index", "bring the index in line with a site; safe to repeat, embeds only what changed")
    _source(index, optional=True)
    index.add_argument(
        "--include", action="append", metavar="GLOB", help="only pages whose file or address fits; may be repeated"
    )
    index.add_argument("--exclude", action="append", metavar="GLOB", help="no page whose file or address fits; may be repeated")
    index.add_argument(
        "--prune-max",
        type=share,
        default=0.3,
        metavar="SHARE",
        help="refuse to remove more than this share of the site's passages (default 30%%)",
    )
    index.add_argument("--force", action="store_true", help="remove all the same")
    index.add_argument("--dry-run", action="store_true", help="tell what would be done and what it would cost; write nothing")
    index.add_argument("--verbose", action="store_true", help="name each page that is passed over")


def _source(verb: ArgumentParser, *, optional: bool) -> None:
    verb.add_argument(
        "source",
        nargs="?" if optional else None,
        metavar="SOURCE",
        help="a built site, a site's folder, a folder of Markdown, or the address of a sitemap"
        + (" (default: the site in this folder)" if optional else ""),
    )
    verb.add_argument("--source", dest="mode", choices=MODES, help="how to read it, instead of finding out")
    verb.add_argument("--locale", action="append", metavar="L", help="only this locale; may be repeated")
    verb.add_argument("--kind", action="append", choices=KINDS, help="only docs, blog posts or pages; may be repeated")
    verb.set_defaults(include=None, exclude=None)
    markdown = verb.add_argument_group("Markdown only", "as in docusaurus.config; a built site has these in its addresses")
    markdown.add_argument("--base-url", help="baseUrl (default /)")
    markdown.add_argument("--route-base-path", help="routeBasePath of the docs (default docs)")
    markdown.add_argument("--default-locale", help="defaultLocale (default en)")
    markdown.add_argument("--last-version", metavar="V", help="lastVersion (default: the first of versions.json)")
    markdown.add_argument("--version-path", action="append", type=pair, metavar="V=P", help="path of a version; may be repeated")
    markdown.add_argument("--trailing-slash", type=truth, metavar="true|false", help="trailingSlash (default: not set)")


def _search(verbs: Any) -> None:
    search = _verb(verbs, "search", "what a question finds, and whether the gate lets it be answered")
    search.add_argument("query", help="the question")
    search.add_argument("--explain", action="store_true", help="show the ranks in both arms of the search too")
    search.add_argument("--top-k", type=hits, metavar="N", help="hits to show (default: TOP_K)")
    search.add_argument("--version", metavar="V", help="only this version of the docs")
    search.add_argument("--locale", metavar="L", help="only this locale")


def _eval(verbs: Any) -> None:
    evaluation = _verb(verbs, "eval", "how well the live index finds the right pages for labelled questions")
    evaluation.add_argument("questions", type=Path, metavar="QUESTIONS.jsonl", help="one question a line")
    evaluation.add_argument(
        "--permalinks", type=Path, metavar="FILE.json", help="file -> address, for questions that name files (gold_files)"
    )


def share(text: str) -> float:
    """``30%`` or ``0.3`` as a number from 0 to 1."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: write 30% or 0.3")
    return value


def pair(text: str) -> tuple[str, str]:
    """``V=P`` as its two sides."""
    name, sign, path = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is no pair: write VERSION=PATH")
    return name, path


def truth(text: str) -> bool:
    """``true`` or ``false``."""
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text == "true"


def hits(text: str) -> int:
    """A number of hits."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= value <= MOST_HITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST_HITS}")
    return value
