"""The goals: what each row of the table is measured by, what it must reach, and what it is meant to reach."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from speed.crowd import SEATS
from speed.results import Results

Verdict = Literal["goal", "must", "missed", "not yet", "not measured"]
"""``goal``: reached, or of a row without a goal what it must reach; ``must``: that alone; ``not yet``: of a row without it."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One row of the table."""

    row: str
    unit: str
    value: Callable[[Results], float | None]
    must: float | None
    goal: float | None = None
    at_least: bool = False
    """Whether more is better."""

    def verdict(self, value: float | None, slack: float = 1.0) -> Verdict:
        """How a value stands. ``slack``: times the bound that is still allowed."""
        if value is None:
            return "not measured"
        best = self.goal if self.goal is not None else self.must
        if best is not None and self._holds(value, best, slack):
            return "goal"
        if self.must is None:
            return "not yet"
        return "must" if self._holds(value, self.must, slack) else "missed"

    def _holds(self, value: float, bound: float, slack: float) -> bool:
        return value >= bound / slack if self.at_least else value <= bound * slack


def _ratio(measurement: str, ours: str, other: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(measurement, ours, other)


def _value(measurement: str, ours: str) -> Callable[[Results], float | None]:
    return lambda results: results.of(measurement, ours)


CHAT = "chat_cpu_ms"
GOALS = (
    Goal("CPU of an answer, embedded index", "x floor", _ratio(CHAT, "embedded", "floor"), 6.0, 4.8),
    Goal("CPU of an answer, embedded index", "x LangChain", _ratio(CHAT, "embedded", "langchain"), 0.5, 0.35),
    Goal("CPU of an answer, embedded index", "x SDKs as installed", _ratio(CHAT, "embedded", "sdks"), None, 0.6),
    Goal("CPU of an answer, Qdrant over REST", "x floor", _ratio(CHAT, "remote", "floor"), 8.5, 7.0),
    Goal("CPU of an answer, Qdrant over gRPC", "x floor", _ratio(CHAT, "grpc", "floor"), 5.0, 4.0),
    Goal("CPU of a stream of 20 pieces at 64", "x LangChain", _ratio("stream_cpu_ms", "embedded", "langchain"), 0.65, 0.35),
    Goal("CPU of a stream of 20 pieces at 64", "x SDKs as installed", _ratio("stream_cpu_ms", "embedded", "sdks"), None, 0.5),
    Goal("Overhead at 64 readers, p50", "ms", _value("overhead_p50_ms_at_64", "embedded"), 20, 10),
    Goal("Overhead at 64 readers, p99", "ms", _value("overhead_p99_ms_at_64", "embedded"), 60, 30),
    Goal(
        "Overhead at 256 readers, p99",
        "x LangChain",
        _ratio("overhead_p99_ms_at_256", "embedded", "langchain"),
        0.12,
    ),
    Goal("Overhead at 256 readers, p99", "ms", _value("overhead_p99_ms_at_256", "embedded"), None, 300),
    Goal("Answers at 256 readers", "% of ideal", _value("rate_share_at_256", "embedded"), 75, 90, at_least=True),
    Goal("First piece at 64 readers, overhead p95", "ms", _value("first_piece_p95_ms", "embedded"), 60, 30),
    Goal("500 at once: answered, p99 over the upstreams", "ms", _value("crowd_over_p99_ms", "embedded"), 1000),
    Goal("500 at once: refused, p99", "ms", _value("crowd_refused_p99_ms", "embedded"), 50),
    Goal("500 at once: /health/live, p99", "ms", _value("crowd_live_p99_ms", "embedded"), 50),
    Goal("500 at once: statuses but 200, 429, 503", "", _value("crowd_other_5xx", "embedded"), 0),
    Goal(f"500 at once: answers, {SEATS} seats", "% of ideal", _value("crowd_rate_share", "embedded"), None, 95, at_least=True),
    Goal("CPU of a cached answer", "x floor", _ratio("cached_cpu_ms", "embedded", "floor"), 0.7, 0.4),
    Goal("50 identical first questions: embeddings", "", _value("identical_embeddings", "embedded"), 1),
    Goal("50 identical first questions: generations", "", _value("identical_generations", "embedded"), 1),
    Goal("Start to the first /health, offline", "s", _value("start_s", "offline"), 1.5, 0.8),
    Goal("Start to the first /health, Gemini and Qdrant", "s", _value("start_s", "remote"), 1.5, 0.8),
    Goal("Memory after 1,000 answers, Gemini and Qdrant", "MB", _value("rss_mb", "remote"), 160, 130),
    Goal("Memory after 1,000 answers, offline", "MB", _value("rss_mb", "offline"), 350, 300),
    Goal("Hybrid query, 10,000 passages, p50", "ms", _value("engine_p50_ms", "10000"), 4, 2.5),
    Goal("Hybrid query, 50,000 passages, p50", "ms", _value("engine_p50_ms", "50000"), 30, 15),
)
"""In the table's order. Ratios are medians of ratios within a round; the sources of the bounds stand in the documentation."""
