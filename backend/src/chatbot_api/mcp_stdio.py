"""``python -m chatbot_api.mcp_stdio``: the tools for an agent on this machine, over standard input and output, without a server.

An agent's client starts it and ends it, by the end of standard input or by a signal. It reads the same settings and the same
index as the service, and may run beside it; log lines go to standard error. Exit code 78 (EX_CONFIG): the settings or the index
can't be served with.
"""

# ruff: noqa: PLC0415 - where the package mcp is missing, a sentence says so

import asyncio
import os
import signal
import sys
from contextlib import suppress

from chatbot_api.config import Settings, load_settings
from chatbot_api.draining import Draining
from chatbot_api.errors import EX_CONFIG, StartRefused
from chatbot_api.services.conversation_memory import new_id
from chatbot_api.telemetry import start_logging
from chatbot_api.wiring import Services, open_services


def main() -> int:
    """Serve until the client closes standard input, or sends a signal."""
    try:
        settings = load_settings()
        start_logging(settings.log_level, sys.stderr)  # standard output is the protocol's
        asyncio.run(_serve(settings))
    except StartRefused as refused:
        lines = ["chatbot_api.mcp_stdio does not start:", *(f"  - {problem}" for problem in refused.problems)]
        print("\n".join(lines), file=sys.stderr)  # noqa: T201 - nobody reads a log by then
        return EX_CONFIG
    return 0


async def _serve(settings: Settings) -> None:
    told_to_end = asyncio.Event()
    with suppress(NotImplementedError):  # Windows ends a process without asking
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, told_to_end.set)
    async with open_services(settings) as services:
        speaking = asyncio.create_task(_speak(services))
        ending = asyncio.create_task(told_to_end.wait())
        await asyncio.wait({speaking, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if speaking.done():
            return speaking.result()
    # A thread of the package waits for standard input, and nothing wakes it.
    sys.stderr.flush()
    os._exit(0)


async def _speak(services: Services) -> None:
    """Answer until standard input ends. Raises StartRefused without the package."""
    try:
        from mcp.server.stdio import stdio_server

        from chatbot_api.mcp_tools import DocsTools, docs_server
    except ImportError as error:
        sentence = f"It needs the package {error.name or error}: pip install -r backend/requirements-mcp.txt."
        raise StartRefused([sentence]) from error
    visitor = new_id("v")
    server = docs_server(DocsTools(services, Draining()), services.settings.site_title, lambda _request: visitor)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    sys.exit(main())
