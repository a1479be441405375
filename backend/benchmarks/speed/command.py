"""The command line: what is measured, against whom, and where the figures go. Without a verb: everything that is quick."""

import argparse
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from speed import cpu, crowd, engine, footprint, guard, latency
from speed.contestants import (
    ALL,
    EMBEDDED,
    FLOOR,
    GRPC,
    LANGCHAIN,
    OFFLINE,
    PEERS,
    REMOTE,
    SDKS,
    Arena,
    Contestant,
    service_settings,
)
from speed.corpus import indexed
from speed.processes import BACKEND, NotStarted, pin_this_process
from speed.results import Results
from speed.table import measured, provenance, verdicts, write_page
from speed.upstreams import upstreams

VERBS = {
    "cpu": "processor time of an answer",
    "streams": "processor time of a stream of 20 pieces at 64 readers",
    "cached": "processor time of an answer from the cache",
    "latency": "overhead over the upstreams at 1, 16, 64 and 256 readers",
    "first": "overhead to the first piece at 64 readers",
    "crowd": "500 readers in the same moment",
    "identical": "what 50 identical first questions cost upstream",
    "published": "a whole chat with Gemini's published latencies, 50 readers",
    "start": "time to the first /health",
    "memory": "memory after 1,000 answers",
    "install": "megabytes to install",
    "engine": "the embedded engine's query time and memory",
    "guard": "a few rows in a minute; fails beyond 1.3 times what they must reach",
}
OWN_SETTINGS = BACKEND / ".env"
ONCE = ("install", "engine", "guard")
OFFLINE_PASSAGES = 200
"""The local model embeds them in some seconds."""


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    verbs = "\n".join(f"  {verb:<10} {words}" for verb, words in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="speed",
        description=(__doc__ or "").strip(),
        epilog=f"verbs:\n{verbs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verbs", nargs="*", metavar="VERB", help="what to measure (default: all but guard)")
    parser.add_argument("--rounds", type=int, default=3, help="every contestant once a round (default: 3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of load a figure of processor time (default: 3)")
    parser.add_argument("--only", nargs="+", choices=ALL, default=None, help="these, and the floor, alone")
    parser.add_argument("--peers", action="store_true", help="all peers whose environment is installed, not LangChain alone")
    parser.add_argument("--large", action="store_true", help="the engine with 50,000 and 100,000 passages too (minutes)")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write every value of every round there")
    parser.add_argument(
        "--from-json", type=Path, nargs="+", default=(), metavar="FILE", help="take over what these runs measured"
    )
    parser.add_argument("--page", action="store_true", help="put the tables into website/docs/benchmarks.md")
    options = parser.parse_args(arguments)
    if unknown := [verb for verb in options.verbs if verb not in VERBS]:
        parser.error(f"unknown verb {unknown[0]}; there are {', '.join(VERBS)}")
    if not options.verbs and not options.from_json:
        options.verbs = [verb for verb in VERBS if verb != "guard"]
    return options


def _chosen(options: argparse.Namespace) -> list[Contestant]:
    """The floor first. Peers whose environment is not installed are left out."""
    usual = [EMBEDDED, REMOTE, GRPC, SDKS, *(PEERS if options.peers else (LANGCHAIN,))]
    wanted = [ALL[name] for name in options.only] if options.only else usual
    return [FLOOR, *(one for one in wanted if one is not FLOOR and one.is_installed)]


@asynccontextmanager
async def arena(*, offline: bool = False) -> AsyncGenerator[Arena, None]:
    """The stand-ins, and the index of the made-up site. ``offline``: one made by the local model too."""
    with TemporaryDirectory(prefix="speed-index-") as name:
        folder = Path(name)
        async with upstreams() as running:
            made = {EMBEDDED.name: indexed(folder / "gemini", service_settings(running))}
            if offline:
                made[OFFLINE.name] = indexed(folder / "offline", OFFLINE.settings, OFFLINE_PASSAGES)
            yield Arena(running, made)


async def _round(verb: str, ground: Arena, who: list[Contestant], results: Results, seconds: float) -> None:
    """One round of one verb."""
    streaming = [one for one in who if one.streams]
    ours = [OFFLINE, *(one for one in who if one is not OFFLINE)]
    match verb:
        case "cpu":
            await cpu.chats(ground, who, results, seconds=seconds)
        case "streams":
            await cpu.streams(ground, streaming, results, seconds=seconds)
        case "cached":
            await cpu.cached(ground, (FLOOR, EMBEDDED), results, seconds=seconds)
        case "latency":
            await latency.overheads(ground, who, results)
        case "first":
            await latency.first_pieces(ground, streaming, results)
        case "crowd":
            await crowd.crowds(ground, [EMBEDDED], results)
        case "identical":
            await latency.identical(ground, EMBEDDED, results)
        case "published":
            await latency.published(ground, [one for one in who if one.is_ours], results)
        case "start":
            await footprint.starts(ground, ours, results)
        case _:
            await footprint.memory(ground, ours, results)


async def measure(options: argparse.Namespace, results: Results) -> None:
    """Every verb, round by round."""
    who, repeated = _chosen(options), [verb for verb in options.verbs if verb not in ONCE]
    async with arena(offline=bool({"start", "memory"} & set(repeated))) as ground:
        for number in range(options.rounds):
            for verb in repeated:
                _kept(options, results)
                print(f"round {number + 1} of {options.rounds}: {VERBS[verb]}", file=sys.stderr)
                try:
                    await _round(verb, ground, who, results, options.seconds)
                except NotStarted as failure:
                    results.notes.append(f"{verb}: {failure}")
    if "install" in options.verbs:
        footprint.install([one for one in PEERS if one.is_installed], results)
    if "engine" in options.verbs:
        engine.measure(results, (*engine.SIZES, *(engine.LARGE if options.large else ())))


async def _guarded() -> Results:
    async with arena() as ground:
        return await guard.measure(ground)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when the guard fails."""
    options = _parsed(arguments)
    pin_this_process()
    if options.verbs == ["guard"]:
        results = uvloop.run(_guarded())
        print(measured(results))
        for line in (beyond := guard.broken(results)):
            print(f"beyond its bound: {line}", file=sys.stderr)
        return int(bool(beyond))
    if OWN_SETTINGS.exists():
        print(f"{OWN_SETTINGS.name} is there: the service reads what it sets and the benchmark does not", file=sys.stderr)
    results = Results.merged([json.loads(file.read_text(encoding="utf-8")) for file in options.from_json])
    if options.verbs:
        uvloop.run(measure(options, results))
        results.where = provenance()
    _told(options, results)
    return 0


def _told(options: argparse.Namespace, results: Results) -> None:
    text = f"{results.where or provenance()} {results.often.capitalize()}.\n\n{verdicts(results)}\n\n{measured(results)}"
    if results.notes:
        text += "\n\nNot as it should have been:\n\n" + "\n".join(f"- {note.splitlines()[0]}" for note in results.notes)
    print(text)
    _kept(options, results)
    if options.page:
        write_page(text)


def _kept(options: argparse.Namespace, results: Results) -> None:
    if options.json:
        results.where = provenance()
        options.json.write_text(json.dumps(results.as_dict(), indent=2), encoding="utf-8")
