"""A uvicorn server in a thread, on a free port of 127.0.0.1."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from loopback import listen


@contextmanager
def in_thread(server: uvicorn.Server) -> Iterator[str]:
    """The address of a server that runs for as long as the block lasts."""
    listener = listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        assert server.started, "the server did not start"
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
