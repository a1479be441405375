"""Runs the service: ``python -m chatbot_api.server``. Exit code 78 when the settings or the index can't be served with."""

import sys
from contextlib import suppress

import uvicorn

from chatbot_api.config import load_settings
from chatbot_api.errors import EX_CONFIG, StartRefused
from chatbot_api.main import create_app, print_refusal

GRACE_S = 8
"""Seconds that answers in flight get after SIGTERM; Cloud Run gives a process ten."""


def main() -> int:
    """Serve until SIGTERM or SIGINT; the process' exit code."""
    try:
        settings = load_settings()
        app = create_app(settings)
    except StartRefused as refused:
        print_refusal(refused)
        return EX_CONFIG
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)
    with suppress(SystemExit):  # uvicorn's way out of any failed start; which one it was is told here
        server.run()
    if getattr(app.state, "refused", None):
        return EX_CONFIG
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
