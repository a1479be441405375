"""The HTTP door: POST /chat, /chat/stream, /search, GET /health*, the conversations, ChatKit, and the demo page.

Start it with ``python -m chatbot_api.server``, or with ``uvicorn chatbot_api.main:app --app-dir backend/src --reload``.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from chatbot_api import conversation_endpoint
from chatbot_api.admission import ASKING, Turnstile, Wired, costing_an_answer
from chatbot_api.answering import answer_events, whole_answer
from chatbot_api.client_messages import idempotency_key
from chatbot_api.config import Settings, load_settings
from chatbot_api.draining import Draining
from chatbot_api.errors import EX_CONFIG, ShuttingDown, StartRefused
from chatbot_api.event_streams import EVENT, NDJSON, EventStream, as_ndjson, as_sse
from chatbot_api.http_edge import PROBLEMS, add_edge, problem_response
from chatbot_api.metrics import CONTENT_TYPE, Metrics, may_read
from chatbot_api.models.chat_models import ChatRequest, ChatResponse, Problem, SearchRequest, SearchResponse
from chatbot_api.openapi_headers import OF_ASKING, OF_CHAT, OF_QUESTIONS
from chatbot_api.optional_doors import add_optional_doors, opened_doors
from chatbot_api.reliability import Deadline
from chatbot_api.services.problems import RETRY_AFTER_S
from chatbot_api.start_refusal import print_refusal
from chatbot_api.telemetry import logger, note, start_logging
from chatbot_api.visitors import VisitorIds, visitor_of
from chatbot_api.wiring import open_services

log = logger(__name__)
router = APIRouter()


async def draining_of(request: Request) -> Draining:
    """How far the process is on its way down, from the lifespan's state."""
    return request.state["draining"]


Ending = Annotated[Draining, Depends(draining_of)]
_PROBLEMS = {status: told for status, told in PROBLEMS.items() if status != 404}
_SEARCH_PROBLEMS = {status: told for status, told in _PROBLEMS.items() if status != 409}
_EVENTS: dict[str, Any] = {"text/event-stream": {"itemSchema": EVENT}}
_UNREADY: dict[str, Any] = {"application/json": {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}}


def _marked(ask: ChatRequest, request: Request) -> ChatRequest:
    """The question; an Idempotency-Key is taken for the client_message_id that the body does not give."""
    key = idempotency_key(request)
    return ask if key is None or ask.client_message_id else ask.model_copy(update={"client_message_id": key})


@router.post(
    "/chat",
    responses={**_PROBLEMS, 200: {"content": {**_EVENTS, NDJSON: {}}}},
    response_model=ChatResponse,
    dependencies=ASKING,
    openapi_extra=OF_CHAT,
    tags=["chat"],
)
async def chat(ask: ChatRequest, request: Request) -> Response:
    """Answer a question from the documentation: as JSON, or as a stream where the client asks for one.

    ``"stream": true`` or ``Accept: text/event-stream``: the events of /chat/stream. ``X-Stream-Response: true``: ndjson.
    """
    ask, visitor = _marked(ask, request), visitor_of(request)
    if request.headers.get("X-Stream-Response", "").lower() == "true":
        return as_ndjson(answer_events(request, ask, visitor))
    if ask.stream or "text/event-stream" in request.headers.get("Accept", ""):
        return as_sse(answer_events(request, ask, visitor))
    reply = await whole_answer(request, ask, visitor)
    if isinstance(reply, Problem):
        return problem_response(reply)
    return Response(reply.model_dump_json(), media_type="application/json")  # FastAPI would check our own model once more


@router.post(
    "/chat/stream",
    responses={**_PROBLEMS, 200: {"content": _EVENTS}},
    response_class=StreamingResponse,
    dependencies=ASKING,
    openapi_extra=OF_QUESTIONS,
    tags=["chat"],
)
async def chat_stream(ask: ChatRequest, request: Request) -> EventStream:
    """Answer as server-sent events: start, status, sources, delta, then done or error."""
    return as_sse(answer_events(request, _marked(ask, request), visitor_of(request)))


@router.post("/search", responses=_SEARCH_PROBLEMS, dependencies=ASKING, openapi_extra=OF_ASKING, tags=["search"])
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
    problems = [
        *wired.model.problems,
        *wired.index.problems,
        *([f"index: {problem.slug}"] if problem else []),
        *wired.store_watch.problems,
        *wired.rate.problems,
        *wired.budget.problems,
    ]
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
@router.get(
    "/health/ready", tags=["health"], responses={503: {"description": "Questions can't be answered yet", "content": _UNREADY}}
)
async def ready(wired: Wired, draining: Ending, response: Response) -> dict[str, str]:
    """For readiness probes: 200 when all is loaded, the index can be searched, and the process is not on its way down.

    A model that is down does not make the service unready.
    """
    problem = ShuttingDown() if draining.begun else wired.watch.problem
    if problem is None and wired.loaded.done():
        return {"status": "ready"}
    response.status_code = 503
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return {"status": "not ready", "problem": problem.slug if problem else "loading"}


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app for these settings, or for the environment's. Raises StartRefused; nothing is opened before the lifespan."""
    chosen = settings or load_settings()
    start_logging(chosen.log_level)
    draining, metrics = Draining(chosen.drain_delay_s), Metrics()
    app = FastAPI(
        title="Ask AI for Docusaurus",
        version="0.1.0",
        lifespan=_lifespan_of(chosen, draining, metrics),
        docs_url="/api" if chosen.api_docs else None,
        redoc_url=None,
        openapi_url="/openapi.json" if chosen.api_docs else None,
        redirect_slashes=False,  # a redirect's address would be made of the request's Host header
    )
    app.state.draining = draining
    app.add_middleware(Turnstile, routes=costing_an_answer(router.routes))
    app.add_middleware(
        VisitorIds,
        secret=chosen.visitor_cookie_secret.get_secret_value(),
        max_age_s=chosen.conversation_ttl_days * 86400,
        cross_site=chosen.cors_allow_credentials,
    )
    add_edge(app, chosen.cors_origins, metrics, credentials=chosen.cors_allow_credentials)
    app.include_router(router)
    app.include_router(conversation_endpoint.router)
    if token := chosen.metrics_token.get_secret_value():
        _add_metrics(app, metrics, token)
    add_optional_doors(app, chosen)
    if chosen.site_build:
        from chatbot_api.built_site import add_built_site  # noqa: PLC0415 - reads the site: not paid for without one

        add_built_site(app, chosen.site_build)
    elif chosen.demo_page:
        from chatbot_api.demo_site import add_demo  # noqa: PLC0415 - not paid for behind a widget

        pages = None
        if chosen.demo_docs:
            from chatbot_api.demo_pages import pages_of  # noqa: PLC0415 - what reads and renders pages: 0.1 s of CPU

            pages = pages_of(chosen.demo_docs)
        add_demo(app, pages, title=chosen.site_title, provider=chosen.effective_provider)
    return app


def _lifespan_of(
    settings: Settings, draining: Draining, metrics: Metrics
) -> Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Any]]]:
    """What is opened before the first request and closed after the last; its values are each request's state."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, Any], None]:
        try:
            with metrics.served_at(settings.metrics_host, settings.metrics_port):
                async with (
                    metrics.watching(),
                    open_services(settings, metrics.spent) as services,
                    opened_doors(services, draining) as kept,
                ):
                    yield {"services": services, "draining": draining, **kept}
        except StartRefused as refused:
            app.state.refused = refused
            print_refusal(refused)
            raise

    return lifespan


def _add_metrics(app: FastAPI, metrics: Metrics, token: str) -> None:
    @app.get("/metrics", include_in_schema=False)
    async def read(request: Request) -> Response:
        if not may_read(request.headers.get("Authorization", ""), token):
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def __getattr__(name: str) -> FastAPI:
    """Make ``app`` when a server first asks for it (PEP 562), so that importing this module reads and builds nothing."""
    if name != "app":
        raise AttributeError(name)
    try:
        return create_app()
    except StartRefused as refused:
        print_refusal(refused)
        raise SystemExit(EX_CONFIG) from None
