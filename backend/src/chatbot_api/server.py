"""Runs the service: ``python -m chatbot_api.server``. Exit code 78 when the settings or the index can't be served with.

With WEB_CONCURRENCY above 1 this process only keeps the workers (``chatbot_api.workers``) and imports next to nothing.
"""

# ruff: noqa: PLC0415 - the collector has to be held before anything is imported

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatbot_api.config import Settings


def main() -> int:
    """Serve until SIGTERM or SIGINT; the process' exit code."""
    # What is imported and built from here on stays; to look through it for garbage again and again takes 0.1 to 0.2 s of CPU.
    # ``GuardedServer`` ends this when it serves.
    gc.disable()
    from chatbot_api.config import load_settings
    from chatbot_api.errors import EX_CONFIG, StartRefused
    from chatbot_api.start_refusal import print_refusal

    try:
        settings = load_settings()
        if settings.web_concurrency > 1:
            gc.enable()
            return _supervised(settings)
        from chatbot_api.guarded_server import GuardedServer, served
        from chatbot_api.main import create_app

        app = create_app(settings)
    except StartRefused as refused:
        print_refusal(refused)
        return EX_CONFIG
    return served(GuardedServer(app, host=settings.host, port=settings.port), app)


def _supervised(settings: "Settings") -> int:
    from chatbot_api.telemetry import start_logging
    from chatbot_api.workers import supervise

    start_logging(settings.log_level)
    return supervise(settings.host, settings.port, settings.web_concurrency, drain_delay_s=settings.drain_delay_s)


if __name__ == "__main__":
    sys.exit(main())
