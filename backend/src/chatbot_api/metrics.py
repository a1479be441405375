"""What operators watch, for Prometheus: the log line of each request counted, and how the process itself is doing.

Services know nothing of it: what they ``note`` into the request's line is what is counted here, so that log and metrics agree.
"""

import asyncio
import hmac
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    start_http_server,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from chatbot_api.models.answer_models import Usage

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)
"""Bounds of the histograms: fine below a second, and 3 s, under which nineteen of twenty answers are to stay."""
STAGES = ("recall", "standalone", "embed", "search", "find", "first_text", "answer", "keep")
"""A request's line has ``<stage>_ms`` for those it went through."""
UPSTREAMS = {
    "embedding": "gemini",
    "model": "gemini",
    "rewrite": "gemini",
    "search": "qdrant",
    "store": "database",
    "limits": "limits",
}
"""A request's line has ``<word>_error``, a slug, for what failed on its way."""
LAG_EVERY_S = 0.5

disable_created_metrics()  # a second series for each, of no use here


class Metrics:
    """One process' counts, in a registry of their own."""

    def __init__(self) -> None:
        """All zero."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = self._counter("requests", "Requests by route, method and status", "route", "method", "status")
        self._seconds = Histogram(
            "askai_request_seconds",
            "Whole time of a request, streams to their end",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._answers = self._counter("answers", "Answers by how they came out and who wrote them", "outcome", "mode")
        self._stages = Histogram(
            "askai_stage_seconds", "Time of one stage of an answer", ["stage"], buckets=SECONDS, registry=self.registry
        )
        self._degraded = self._counter("degraded", "Answers given without a part", "part")
        self._upstream = self._counter("upstream_errors", "Failures of what the service rests on", "upstream", "kind")
        self._problems = self._counter("problems", "Requests that ended with a problem", "kind")
        self._tokens = self._counter("tokens", "Tokens of the language model, thinking among the output", "kind")
        self._cost = self._counter("cost_usd", "What those tokens cost by the prices in the settings")
        self._ratings = self._counter("ratings", "Ratings that readers gave", "rating")
        self._in_flight = Gauge("askai_requests_in_flight", "Requests being answered", registry=self.registry)
        self._lag = Gauge("askai_loop_lag_seconds", "How late the event loop was in the last half second", registry=self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"askai_{name}", meaning, labels, registry=self.registry)

    def began(self) -> None:
        """A request came in."""
        self._in_flight.inc()

    def ended(self, route: str, method: str, status: int, seconds: float, line: Mapping[str, Any]) -> None:
        """A request is over: count what its log line says. ``route``: the template, never the address itself."""
        self._in_flight.dec()
        self._requests.labels(route or "none", method, status).inc()
        self._seconds.labels(route or "none").observe(seconds)
        if outcome := line.get("outcome"):
            self._answers.labels(outcome, line.get("mode", "none")).inc()
        for part in line.get("degraded") or ():
            self._degraded.labels(part).inc()
        if problem := line.get("problem"):
            self._problems.labels(problem).inc()
        if rating := line.get("rating"):
            self._ratings.labels(rating).inc()
        for word, upstream in UPSTREAMS.items():
            if kind := line.get(f"{word}_error"):
                self._upstream.labels(upstream, kind).inc()
        for stage in STAGES:
            if (took_ms := line.get(f"{stage}_ms")) is not None:
                self._stages.labels(stage).observe(took_ms / 1000)

    def spent(self, usage: Usage, usd: float) -> None:
        """A reply of the model was paid for, whether anybody still waited for it or not."""
        self._tokens.labels("input").inc(usage.input_tokens)
        self._tokens.labels("output").inc(usage.output_tokens)
        self._cost.inc(usd)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format (CONTENT_TYPE)."""
        return generate_latest(self.registry)

    @contextmanager
    def served_at(self, host: str, port: int) -> Generator[None]:
        """Served on a port of their own by a thread while the block lasts; nothing is opened where the port is 0."""
        if not port:
            yield
            return
        server, thread = start_http_server(port, host, self.registry)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Measure the event loop's lag while the block lasts."""
        task = asyncio.create_task(self._measure_lag())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._lag.set(max(0.0, loop.time() - due))


def may_read(authorization: str, token: str) -> bool:
    """Whether an Authorization header bears the token; compared in constant time."""
    return hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())
