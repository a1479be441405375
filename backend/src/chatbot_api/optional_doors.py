"""The doors that are open only where a setting says so: what a closed one needs is not even imported."""

# ruff: noqa: PLC0415 - that is what this file is for

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

from chatbot_api.config import Settings
from chatbot_api.draining import Draining
from chatbot_api.errors import StartRefused
from chatbot_api.wiring import Services


def add_optional_doors(app: FastAPI, settings: Settings) -> None:
    """Open those that the settings name. To be called when the edge is on: one of them stands outside it. Raises StartRefused."""
    if settings.chatkit_enabled:
        app.include_router(_chatkit_router())
    if settings.mcp_enabled:
        app.include_router(_mcp_router())
    if settings.openai_compat_enabled:
        from chatbot_api.openai_endpoint import openai_router
        from chatbot_api.openai_errors import OpenAIErrors

        app.add_middleware(OpenAIErrors)
        app.include_router(openai_router)
    if settings.ai_sdk_enabled:
        from chatbot_api.ai_sdk_endpoint import ai_sdk_router

        app.include_router(ai_sdk_router)
    if settings.llms_txt_enabled:
        from chatbot_api.llms_endpoint import llms_router

        app.include_router(llms_router)


@asynccontextmanager
async def opened_doors(services: Services, draining: Draining) -> AsyncGenerator[dict[str, Any], None]:
    """What open doors keep for as long as the service runs, for each request's state."""
    if not services.settings.mcp_enabled:
        yield {}
        return
    from chatbot_api.mcp_endpoint import speaking_mcp

    async with speaking_mcp(services, draining) as speaker:
        yield {"mcp": speaker}


def _chatkit_router() -> APIRouter:
    try:
        from chatbot_api.chatkit_endpoint import chatkit_router  # 3 s of imports, 65 MiB
    except ImportError as error:  # missing, or of versions that do not fit together
        refusal = (
            f"CHATKIT_ENABLED=true needs the package {error.name or error}: pip install -r backend/requirements-chatkit.txt."
        )
        raise StartRefused([refusal]) from error
    return chatkit_router


def _mcp_router() -> APIRouter:
    try:
        from chatbot_api.mcp_endpoint import mcp_router  # 1 s of imports, 30 MiB
    except ImportError as error:
        refusal = f"MCP_ENABLED=true needs the package {error.name or error}: pip install -r backend/requirements-mcp.txt."
        raise StartRefused([refusal]) from error
    return mcp_router
