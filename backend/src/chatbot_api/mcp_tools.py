"""The tools of the MCP door over our services: search_docs, fetch_doc, list_pages, and ask_docs where the owner wants it.

What a caller can mend (arguments) and what waiting mends (an outage) is told as a result with ``isError``, which agents read; an
outage is never told as "not found". To be imported only where MCP is served: the package costs a second and tens of MiB.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ValidationError

from chatbot_api.draining import Draining
from chatbot_api.errors import ServiceError
from chatbot_api.models.chat_models import AskContext, ChatRequest, ChatResponse, Problem
from chatbot_api.models.page_models import IndexedPage
from chatbot_api.models.tool_models import (
    PART_CHARS,
    AskDocs,
    FetchDoc,
    FetchedDoc,
    FoundSection,
    FoundSections,
    ListPages,
    PageName,
    PageNames,
    SearchDocs,
)
from chatbot_api.reliability import Deadline
from chatbot_api.services.problems import problem_of
from chatbot_api.telemetry import LIBRARY_LEVEL, logger, note, request_id
from chatbot_api.wiring import Services

log = logger(__name__)
READ_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
NO_PAGE = "No page of the documentation has this address. Find addresses with search_docs or list_pages."
MOST_FAULTS = 5
Visitor = Callable[[], str]
"""Tells who asks; not asked where nothing is kept."""

logging.getLogger("mcp").setLevel(LIBRARY_LEVEL)  # it has a line for every message


class ToldAsError(Exception):
    """What a caller is to read as the tool's error; a sentence."""


@dataclass(frozen=True, slots=True)
class _Offered:
    """A tool with what it does."""

    told: Tool
    arguments: type[BaseModel]
    run: Callable[[Any, Visitor], Awaitable[BaseModel]]


class DocsTools:
    """The tools over one site's services. Every call has the deadline of an answer."""

    def __init__(self, services: Services, draining: Draining) -> None:
        """``services``: who finds, keeps the pages, and answers. ``draining``: at its cut an answer under way ends."""
        self._services, self._draining = services, draining
        title = services.settings.site_title
        self._offered = {
            one.told.name: one
            for one in (
                _offered(
                    "search_docs",
                    f"Search {title}. Gives the sections that best match, with their text and the address of the exact heading. "
                    "Use it first for any question about what is documented there.",
                    SearchDocs,
                    FoundSections,
                    self._search,
                ),
                _offered(
                    "fetch_doc",
                    f"Read a whole page of {title} as Markdown, when a section from search_docs is not enough.",
                    FetchDoc,
                    FetchedDoc,
                    self._fetch,
                ),
                _offered(
                    "list_pages",
                    f"List the pages of {title}, with their titles and addresses, to see what there is.",
                    ListPages,
                    PageNames,
                    self._list,
                ),
                _offered(
                    "ask_docs",
                    f"Have a question answered from {title}, in a few sentences with sources. "
                    "search_docs is faster and shows more.",
                    AskDocs,
                    ChatResponse,
                    self._ask,
                ),
            )
            if one.told.name != "ask_docs" or services.settings.mcp_ask_enabled
        }

    @property
    def listed(self) -> list[Tool]:
        """As clients are told of them."""
        return [one.told for one in self._offered.values()]

    def input_schema(self, name: str) -> Mapping[str, Any] | None:
        """JSON Schema of a tool's arguments; None for one that is not there."""
        return self._offered[name].told.input_schema if name in self._offered else None

    async def call(self, name: str, arguments: Mapping[str, Any], visitor: Visitor) -> CallToolResult:
        """What a tool gives. Raises MCPError for one that is not there, and nothing else. ``visitor``: tells who asks."""
        offered = self._offered.get(name)
        if offered is None:
            raise MCPError(INVALID_PARAMS, f"There is no such tool. There are: {', '.join(self._offered)}.")
        note(tool=name)
        try:
            # Agents send null for what they leave out.
            given = offered.arguments.model_validate({key: value for key, value in arguments.items() if value is not None})
            result = await offered.run(given, visitor)
        except ValidationError as error:
            note(problem="invalid-request")
            return _error(_faults(error))
        except ToldAsError as error:
            return _error(str(error))
        except ServiceError as error:
            note(problem=error.slug, cause=error.cause)
            return _error(_sentence(problem_of(error, request_id())))
        except Exception:
            # Whatever the bug, the package would tell its text to the caller.
            log.exception("tool_broke")
            note(problem="internal")
            return _error(_sentence(problem_of(ServiceError(), request_id())))
        text = TextContent(type="text", text=result.model_dump_json())
        return CallToolResult(content=[text], structured_content=result.model_dump(mode="json"))

    async def _search(self, ask: SearchDocs, _visitor: Visitor) -> FoundSections:
        context = AskContext(version=ask.version, locale=ask.locale)
        found = await self._services.rag.find(ask.query, context, ask.limit, self._deadline())
        note(degraded=found.degraded)
        sources = found.sources or found.nearest
        texts = [one.text for one in found.passages] or [one.snippet for one in sources]
        return FoundSections(
            results=[
                FoundSection(
                    id=source.url,
                    title=source.title,
                    heading_path=source.heading_path,
                    url=source.url,
                    text=text,
                    score=source.score,
                    version=source.version,
                    locale=source.locale,
                )
                for source, text in zip(sources, texts, strict=True)
            ],
            answerable=None if "dense" in found.degraded else bool(found.passages),
            degraded=list(found.degraded),
            scope=found.scope,
        )

    async def _fetch(self, ask: FetchDoc, _visitor: Visitor) -> FetchedDoc:
        found = await self._deadline().wait(self._services.pages.page(ask.url))
        if found is None:
            raise ToldAsError(NO_PAGE)
        if ask.offset and ask.offset >= len(found.markdown):
            raise ToldAsError(f"The page has {len(found.markdown)} characters; nothing begins at offset {ask.offset}.")
        return _part(found, ask.offset)

    async def _list(self, ask: ListPages, _visitor: Visitor) -> PageNames:
        reading = self._services.pages.pages(ask.prefix, ask.cursor, ask.limit + 1, version=ask.version, locale=ask.locale)
        listed = await self._deadline().wait(reading)
        pages, more = listed[: ask.limit], listed[ask.limit :]
        return PageNames(
            pages=[PageName(title=one.title, url=one.url, version=one.version, locale=one.locale) for one in pages],
            next_cursor=pages[-1].id if more else None,
        )

    async def _ask(self, ask: AskDocs, visitor: Visitor) -> ChatResponse:
        question = ChatRequest(
            query=ask.query,
            conversation_id=ask.conversation_id,
            context=AskContext(version=ask.version, locale=ask.locale),
        )
        reply = await self._draining.result(self._services.chat.reply(question, visitor(), self._deadline()))
        if isinstance(reply, Problem):
            raise ToldAsError(_sentence(reply))
        return reply

    def _deadline(self) -> Deadline:
        return Deadline(self._services.settings.deadline_s)


def docs_server(tools: DocsTools, site_title: str, visitor_of: Callable[[Any], str]) -> Server[Any]:
    """An MCP server of these tools. ``visitor_of``: who asks, by the HTTP request, or by None where there is none."""

    async def list_tools(_context: ServerRequestContext[Any], _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=tools.listed)

    async def call_tool(context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        return await tools.call(params.name, params.arguments or {}, lambda: visitor_of(context.request))

    return Server(
        "ask-ai",
        version="0.1.0",
        title=site_title,
        instructions=f"Search and read {site_title}. Search first, read whole pages when needed, and name the addresses used.",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=tools.input_schema,
    )


def _offered(
    name: str,
    description: str,
    arguments: type[BaseModel],
    result: type[BaseModel],
    run: Callable[[Any, Visitor], Awaitable[BaseModel]],
) -> _Offered:
    told = Tool(
        name=name,
        title=name.replace("_", " ").capitalize(),
        description=description,
        input_schema=arguments.model_json_schema(),
        output_schema=result.model_json_schema(mode="serialization"),
        annotations=READ_ONLY,
    )
    return _Offered(told, arguments, run)


def _part(found: IndexedPage, offset: int) -> FetchedDoc:
    """The page from ``offset`` on; a long rest is cut at the end of a paragraph, where there is one in its second half."""
    end = offset + PART_CHARS
    if end >= len(found.markdown):
        end = len(found.markdown)
    elif (paragraph := found.markdown.rfind("\n\n", offset + PART_CHARS // 2, end)) > 0:
        end = paragraph + 2
    page = found.page
    return FetchedDoc(
        id=page.url,
        title=page.title,
        url=page.url,
        text=found.markdown[offset:end],
        version=page.version,
        locale=page.locale,
        next_offset=end if end < len(found.markdown) else None,
    )


def _error(sentence: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=sentence)], is_error=True)


def _sentence(problem: Problem) -> str:
    slug = problem.type.rpartition(":")[2]
    wait = f" Wait {problem.retry_after} s." if problem.retryable and problem.retry_after else ""
    return f"{problem.detail}{wait} (problem: {slug})"


def _faults(error: ValidationError) -> str:
    """What is wrong with which argument; nothing of the input is repeated."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)[:MOST_FAULTS]
    told = "; ".join(f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults)
    return f"The arguments are not valid. {told}."
