"""A listening socket for the stand-ins."""

import socket


def listen(port: int = 0) -> socket.socket:
    """Listen on 127.0.0.1; port 0 takes a free one.

    The protocol is named on purpose: asyncio sets TCP_NODELAY only on sockets that name it (``socket.create_server`` does not),
    and without it a reply in two writes waits 40 ms for the client's delayed ACK.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener
