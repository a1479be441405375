"""Structured logs: JSON lines on stdout, one a request with its id, uvicorn's among them. Never a question's text."""

import logging
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from time import monotonic
from typing import Any, TextIO, TypeVar

import stamina
import structlog
from structlog.typing import EventDict, WrappedLogger

from chatbot_api.errors import ServiceError
from chatbot_api.models.answer_models import Usage

T = TypeVar("T")
LIBRARY_LEVEL = logging.WARNING
LIBRARIES = (
    *("httpx", "httpcore", "google_genai", "aiohttp", "qdrant_client", "asyncio", "markdown_it"),
    *("sqlalchemy", "asyncpg", "alembic", "openai", "chatkit"),
)
"""Whose lines below LIBRARY_LEVEL would hold addresses, or what readers asked."""

MODEL_CALLS = ("chat", "embeddings")
"""Operations whose subject is a model."""


def start_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every log line of this process through structlog, from ``level`` (debug, info, warning, error) up.

    ``stream``: where to; standard output unless given.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=True)]
    # Our own lines go out by themselves: through the standard library each costs three times as much.
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _uvicorn_without_colour],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(LIBRARY_LEVEL)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # A retry's default log line holds the upstream's own text; ours is in the request's line.
    stamina.instrumentation.set_on_retry_hooks([])


def logger(name: str) -> Any:
    """A structlog logger; events are snake_case names, values are keyword arguments."""
    return structlog.get_logger(name)


def _uvicorn_without_colour(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)
    return event


_line: ContextVar[dict[str, Any] | None] = ContextVar("request_line", default=None)


def begin_line(identity: str) -> dict[str, Any]:
    """Start the one log line of a request; what ``note`` adds anywhere below it in the same context lands in it."""
    line: dict[str, Any] = {"request_id": identity}
    _line.set(line)
    return line


def note(**values: Any) -> None:
    """Add values to the request's log line; outside of a request nothing is kept."""
    line = _line.get()
    if line is not None:
        line.update(values)


def note_tokens(usage: Usage) -> None:
    """Add what a call of the language model was billed for to the request's log line."""
    spent = tokens_spent() + usage
    note(input_tokens=spent.input_tokens, output_tokens=spent.output_tokens)


def tokens_spent() -> Usage:
    """What the request being answered was billed for so far; nothing where no model was called."""
    line = _line.get() or {}
    return Usage(line.get("input_tokens", 0), line.get("output_tokens", 0))


@cache
def _tracing() -> tuple[Any, Any]:
    from opentelemetry import trace  # noqa: PLC0415 - the indexer sends no traces

    return trace, trace.get_tracer("chatbot_api")


@contextmanager
def span(operation: str, subject: str) -> Generator[None]:
    """A span of the request's trace, named ``operation subject`` after OpenTelemetry's conventions for generative AI.

    ``subject``: the model, or the site that is searched. Costs next to nothing where no SDK of OpenTelemetry is installed.
    """
    trace, tracer = _tracing()
    values = {"gen_ai.operation.name": operation, **({"gen_ai.request.model": subject} if operation in MODEL_CALLS else {})}
    # Not the current span: a generator's frames may be left in another context than they were entered in.
    one = tracer.start_span(f"{operation} {subject}", attributes=values)
    try:
        yield
    except BaseException as error:
        one.set_attribute("error.type", getattr(error, "slug", type(error).__name__))
        one.set_status(trace.StatusCode.ERROR)
        raise
    finally:
        one.end()


def tally(name: str) -> None:
    """Count one more of something in the request's log line, such as attempts at a call."""
    line = _line.get()
    if line is not None:
        line[name] = line.get(name, 0) + 1


def upstream_log(verb: str) -> Callable[[ServiceError | None], None]:
    """Who logs that an upstream is left alone, or asked less often, and why; and that it is asked again. For a Guard."""
    log = logger(__name__)

    def told(held: ServiceError | None) -> None:
        if _line.get() is None:  # the indexer's commands tell of it themselves, and print results where lines would go
            return
        if held:
            log.warning("upstream_throttled", verb=verb, problem=held.slug, cause=held.cause)
        else:
            log.info("upstream_asked_again", verb=verb)

    return told


async def timed(name: str, work: Awaitable[T]) -> T:
    """What the work gives; its milliseconds are noted under ``name``, whichever way it ends."""
    started = monotonic()
    try:
        return await work
    finally:
        note(**{name: round((monotonic() - started) * 1000)})


def request_id() -> str:
    """The id of the request being answered; empty outside of one."""
    return str((_line.get() or {}).get("request_id", ""))
