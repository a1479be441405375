"""Memory that was freed is handed back to the system, where the C library would keep it for later."""

import ctypes
from collections.abc import Callable
from typing import cast


def give_back() -> None:
    """Hand back all that is free, some ms; nothing where the C library is not glibc.

    What is freed beneath something that is still used stays with the process otherwise: after the local model was read 50 MiB,
    after a start 5 to 10.
    """
    try:
        trim = cast("Callable[[int], int]", ctypes.CDLL(None).malloc_trim)
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows has no name for the process itself
        return
    trim(0)
