"""Each worker keeps to processors of its own, where the system can be told so (Linux).

Left to itself the system moves two busy workers' threads to and fro between two processors, now both onto one of them. Only one
of a Python process' threads runs at a time, and each move makes the next one wait for what the last one held. ``make workers``:
1.6 times one worker's answers without this, 2 times with it.
"""

import os
from collections.abc import Sequence
from contextlib import suppress


def share_of(number: int, many: int, processors: Sequence[int]) -> set[int]:
    """The processors of worker ``number`` of so many, from 0; all of them where there are fewer than workers."""
    has = len(processors)
    return set(processors[number * has // many : (number + 1) * has // many]) if many <= has else set(processors)


def keep_to_share(number: int, many: int) -> None:
    """Keep this process, and the threads it will start, to its share of the processors that it may use."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # a sandbox may forbid it: then all is as it was
            os.sched_setaffinity(0, share_of(number, many, sorted(os.sched_getaffinity(0))))
