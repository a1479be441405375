"""The figures as tables in Markdown, printed and put between the markers of the documentation's page."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from speed.goals import GOALS, Goal
from speed.latency import CROWDS
from speed.processes import BACKEND
from speed.results import Results

PAGE = BACKEND.parent / "website" / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
FLOOR, LANGCHAIN = "floor", "langchain"
Columns = tuple[tuple[str, str], ...]
"""Heading and measurement."""
CPU = {
    "chat_cpu_ms": "Processor time of an answer",
    "stream_cpu_ms": "Processor time of a stream, 64 readers",
    "cached_cpu_ms": "Processor time of a cached answer",
}
GROUPS: dict[str, Columns] = {
    "Overhead, ms, p50": tuple((f"{n} at once", f"overhead_p50_ms_at_{n}") for n in CROWDS),
    "Overhead, ms, p99": tuple((f"{n} at once", f"overhead_p99_ms_at_{n}") for n in CROWDS),
    "Answers, % of the ideal rate": tuple((f"{n} at once", f"rate_share_at_{n}") for n in CROWDS),
    "First piece, overhead, 64 readers": (("p50, ms", "first_piece_p50_ms"), ("p95, ms", "first_piece_p95_ms")),
    "500 at once": (
        ("answered, p99 over the upstreams, ms", "crowd_over_p99_ms"),
        ("% of the ideal rate", "crowd_rate_share"),
        ("refused, p99, ms", "crowd_refused_p99_ms"),
        ("/health/live, p99, ms", "crowd_live_p99_ms"),
        ("other statuses", "crowd_other_5xx"),
    ),
    "50 identical first questions": (("embeddings", "identical_embeddings"), ("generations", "identical_generations")),
    "50 readers at Gemini's published times": (
        ("whole answer, p95, ms", "published_whole_p95_ms"),
        ("first piece, p95, ms", "published_first_p95_ms"),
    ),
    "Start and memory": (
        ("first /health, s", "start_s"),
        ("processor time until then, s", "start_cpu_s"),
        ("memory after 1,000 answers, MB", "rss_mb"),
    ),
    "Install, without .pyc": (("MB", "install_mb"), ("packages", "distributions")),
    "Embedded engine, by passages": (
        ("hybrid query, p50, ms", "engine_p50_ms"),
        ("p99, ms", "engine_p99_ms"),
        ("memory, MB", "engine_mb"),
    ),
}


def verdicts(results: Results) -> str:
    """The table of the goals."""
    rows = [_judged(goal, goal.value(results)) for goal in GOALS]
    return _table(("row", "unit", "measured", "must", "goal", "verdict"), rows)


def _judged(goal: Goal, value: float | None) -> list[str]:
    verdict = goal.verdict(value)
    told = "reached" if verdict == "goal" and goal.goal is None else verdict
    return [goal.row, goal.unit, number(value), _bound(goal, goal.must), _bound(goal, goal.goal), told]


def _bound(goal: Goal, bound: float | None) -> str:
    return "-" if bound is None else f"{'>=' if goal.at_least else '<='} {number(bound)}"


def measured(results: Results) -> str:
    """Every measurement by contestant: medians over the rounds, and of processor time the ratios within the rounds."""
    tables = [_cpu(results, measurement, title) for measurement, title in CPU.items() if measurement in results.rounds]
    for title, columns in GROUPS.items():
        there = [(heading, measurement) for heading, measurement in columns if measurement in results.rounds]
        names = list(dict.fromkeys(name for _, measurement in there for name in results.contestants(measurement)))
        rows = [[name, *(number(results.of(measurement, name)) for _, measurement in there)] for name in names]
        if rows:
            tables.append(_table((title, *(heading for heading, _ in there)), rows))
    return "\n\n".join(tables)


def _cpu(results: Results, measurement: str, title: str) -> str:
    rows: list[list[str]] = []
    for name in results.contestants(measurement):
        each = " ".join(number(one[name]) for one in results.rounds[measurement] if name in one)
        ratios = [number(results.ratio(measurement, name, other)) for other in (FLOOR, LANGCHAIN)]
        rows.append([name, number(results.of(measurement, name)), each, *ratios])
    return _table((title, "ms", "each round", "x floor", "x LangChain"), rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None) -> str:
    """With three significant digits; a dash for none."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def provenance() -> str:
    """One sentence: when, on what machine, and how busy that is."""
    busy = f"{os.getloadavg()[1]:.0f} processes wanting to run"
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, {busy}"
    return f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine}."


def write_page(text: str, page: Path = PAGE) -> None:
    """Put the figures between the page's markers. Raises ValueError when it lacks them."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} lacks the markers {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
