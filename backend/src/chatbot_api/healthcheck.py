"""``python -m chatbot_api.healthcheck``: exit code 0 when the service on this machine is live; for containers without curl.

Asks /health/live at PORT (and HOST, where that is no wildcard), as the environment has them: no setting but those is read.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

PATIENCE_S = 2.5
WILDCARDS = {"", "0.0.0.0", "::"}  # noqa: S104 - known here, not listened on


def main() -> int:
    """Ask; 0 when the answer is 200, else 1, and why on stderr."""
    host, port = os.environ.get("HOST", ""), os.environ.get("PORT") or "8000"
    connection = HTTPConnection("127.0.0.1" if host in WILDCARDS else host, int(port), timeout=PATIENCE_S)
    try:
        connection.request("GET", "/health/live")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        status = type(error).__name__
    finally:
        connection.close()
    if status == 200:
        return 0
    sys.stderr.write(f"not live: {status}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
