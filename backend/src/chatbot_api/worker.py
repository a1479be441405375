"""One of several workers: ``python -m chatbot_api.worker NUMBER LISTENER STARTED``, begun by ``chatbot_api.workers`` alone.

``LISTENER``: descriptor of the socket that all workers take connections from. ``STARTED``: of a pipe that is told when this one
serves.
"""

import gc
import sys


def main(number: int, listening: int, telling: int) -> int:
    """Serve until told to end; the process' exit code."""
    gc.disable()  # as ``chatbot_api.server`` does, before anything is imported
    from chatbot_api.worker_server import serve  # noqa: PLC0415

    return serve(number, listening, telling)


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:4])))
