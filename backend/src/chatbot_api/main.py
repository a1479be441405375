"""The HTTP door: POST /chat, /chat/stream, /search, GET /health*, and the demo page.

Start it with ``python -m chatbot_api.server``, or with ``uvicorn chatbot_api.main:app --app-dir backend/src --reload``.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from chatbot_api.config import Settings, load_settings
from chatbot_api.errors import EX_CONFIG, StartRefused
from chatbot_api.http_edge import add_edge, problem_response, while_connected
from chatbot_api.models.chat_models import ChatRequest, ChatResponse, Problem, SearchRequest, SearchResponse
from chatbot_api.reliability import Deadline
from chatbot_api.services.problems import RETRY_AFTER_S
from chatbot_api.telemetry import logger, note, start_logging
from chatbot_api.wiring import Services, open_services

log = logger(__name__)
router = APIRouter()


def services_of(request: Request) -> Services:
    """The process' services, from the lifespan's state."""
    return request.state["services"]


Wired = Annotated[Services, Depends(services_of)]
# In full: as a "model" FastAPI would declare it with the media type of the route's own reply, on a stream as an event stream.
_PROBLEM: dict[str, Any] = {"application/problem+json": {"schema": Problem.model_json_schema()}}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": _PROBLEM}
    for status, words in {
        400: "Not JSON",
        413: "Body over 64 KiB",
        415: "Not application/json",
        422: "A field is not valid",
        500: "A fault of ours",
        502: "The language model's reply can't be used (ON_MODEL_FAILURE=error)",
        503: "Search or language model unavailable",
        504: "Deadline exceeded",
    }.items()
}


@router.post("/chat", responses=_PROBLEMS, tags=["chat"])
async def chat(ask: ChatRequest, wired: Wired, request: Request) -> ChatResponse:
    """Answer a question from the documentation."""
    reply = await while_connected(request, wired.chat.reply(ask, Deadline(wired.settings.deadline_s)))
    return problem_response(reply) if isinstance(reply, Problem) else reply  # type: ignore[return-value]


@router.post("/chat/stream", responses=_PROBLEMS, response_class=EventSourceResponse, tags=["chat"])
async def chat_stream(ask: ChatRequest, wired: Wired) -> AsyncGenerator[ServerSentEvent, None]:
    """Answer as server-sent events: start, status, sources, delta, then done or error."""
    async with aclosing(wired.chat.stream(ask, Deadline(wired.settings.deadline_s))) as events:
        async for event in events:
            yield ServerSentEvent(event=event.type, data=event)


@router.post("/search", responses=_PROBLEMS, tags=["search"])
async def search(ask: SearchRequest, wired: Wired) -> SearchResponse:
    """The sections nearest to a query, without an answer."""
    found = await wired.rag.find(ask.query, ask.context, ask.top_k, Deadline(wired.settings.deadline_s))
    note(degraded=found.degraded)
    answerable = None if "dense" in found.degraded else bool(found.passages)
    return SearchResponse(
        results=list(found.sources or found.nearest),
        answerable=answerable,
        degraded=list(found.degraded),
        scope=found.scope,
    )


@router.head("/health", include_in_schema=False)
@router.get("/health", tags=["health"])
async def health(wired: Wired) -> dict[str, Any]:
    """For uptime probes: always 200 while the process answers; ``status`` says whether all parts do. Asks no upstream."""
    problem = wired.watch.problem
    problems = [*wired.model.problems, *wired.index.problems, *([f"index: {problem.slug}"] if problem else [])]
    return {
        "status": "degraded" if problems else "ok",
        "provider": wired.settings.effective_provider,
        "index": {"engine": wired.index.place, "ready": problem is None, "passages": wired.watch.passages},
        "problems": problems,
    }


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live", tags=["health"])
async def live() -> dict[str, str]:
    """For liveness probes: the process answers. Touches nothing."""
    return {"status": "ok"}


@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", tags=["health"], responses={503: {"description": "Questions can't be answered yet"}})
async def ready(wired: Wired, response: Response) -> dict[str, str]:
    """For readiness probes: 200 when the index can be searched; a model that is down does not make the service unready."""
    problem = wired.watch.problem
    if problem is None:
        return {"status": "ready"}
    response.status_code = 503
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return {"status": "not ready", "problem": problem.slug}


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app for these settings, or for the environment's. Raises StartRefused; nothing is opened before the lifespan."""
    chosen = settings or load_settings()
    start_logging(chosen.log_level)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, Any], None]:
        try:
            async with open_services(chosen) as services:
                yield {"services": services}
        except StartRefused as refused:
            app.state.refused = refused
            print_refusal(refused)
            raise

    app = FastAPI(
        title="Ask AI for Docusaurus",
        version="0.1.0",
        lifespan=lifespan,
        docs_url="/api" if chosen.api_docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if chosen.api_docs else None,
        redirect_slashes=False,  # a redirect's address would be made of the request's Host header
    )
    add_edge(app, chosen.cors_origins, credentials=chosen.cors_allow_credentials)
    app.include_router(router)
    if chosen.demo_page:
        from chatbot_api.demo_pages import add_demo, pages_of  # noqa: PLC0415 - not paid for behind a widget

        pages = pages_of(chosen.demo_docs) if chosen.demo_docs else None
        add_demo(app, pages, title=chosen.site_title, provider=chosen.effective_provider)
    return app


def print_refusal(refused: StartRefused) -> None:
    """Say on stderr why the service does not start, every problem on a line of its own."""
    lines = [f"chatbot_api does not start, {len(refused.problems)} problem(s):", *(f"  - {text}" for text in refused.problems)]
    sys.stderr.write("\n".join(lines) + "\n")


def __getattr__(name: str) -> FastAPI:
    """Make ``app`` when a server first asks for it (PEP 562), so that importing this module reads and builds nothing."""
    if name != "app":
        raise AttributeError(name)
    try:
        return create_app()
    except StartRefused as refused:
        print_refusal(refused)
        raise SystemExit(EX_CONFIG) from None
