"""Where hits are counted: moving windows, exact, in memory by a clock that never goes back.

The library's own memory counts by the wall clock, and with every hit it sweeps all keys, each in a thread.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from chatbot_api.models.quotas import Quota

MOST_KEYS = 50_000
"""Keys of one period, at most: whoever was quiet longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Window:
    """A quota of somebody."""

    name: str
    """What the quota is called in a reply's headers."""
    key: str
    """Whose it is, as a digest."""
    quota: Quota


@dataclass(frozen=True, slots=True)
class Standing:
    """How a window stands after a hit, or after the refusal of one."""

    window: Window
    left: int
    """Hits left; 0 in a window that refused, too."""
    reset_s: float
    """Seconds until the next hit is given back; where it refused, until one would be let through."""
    refused: bool = False


class MemoryWindows:
    """The hits of one process."""

    def __init__(self, clock: Callable[[], float] = monotonic, most_keys: int = MOST_KEYS) -> None:
        """``clock``: seconds that never go back."""
        self._clock, self._most_keys = clock, most_keys
        self._hits: dict[int, OrderedDict[str, deque[float]]] = {}

    @property
    def size(self) -> int:
        """Keys that are remembered."""
        return sum(len(one) for one in self._hits.values())

    def hit(self, windows: Sequence[Window]) -> list[Standing]:
        """Count a hit in all windows, or in none when one of them is full."""
        now = self._clock()
        hits = [self._of(window, now) for window in windows]
        full = [len(times) >= window.quota.amount for window, times in zip(windows, hits, strict=True)]
        if not any(full):
            for window, times in zip(windows, hits, strict=True):
                times.append(now)
                self._keep(window, times)
        return [
            _standing(window, times, now, refused=is_full) for window, times, is_full in zip(windows, hits, full, strict=True)
        ]

    def _of(self, window: Window, now: float) -> deque[float]:
        period_s = window.quota.period_s
        kept = self._hits.setdefault(period_s, OrderedDict())
        # Who hit last is at the end: the first ones are the first to be over.
        while kept and next(iter(kept.values()))[-1] <= now - period_s:
            kept.popitem(last=False)
        times = kept.get(window.key) or deque[float]()
        while times and times[0] <= now - period_s:
            times.popleft()
        return times

    def _keep(self, window: Window, times: "deque[float]") -> None:
        kept = self._hits[window.quota.period_s]
        kept[window.key] = times
        kept.move_to_end(window.key)
        if len(kept) > self._most_keys:
            kept.popitem(last=False)


def _standing(window: Window, times: "deque[float]", now: float, *, refused: bool) -> Standing:
    amount, period_s = window.quota.amount, window.quota.period_s
    first = times[-amount] if refused else times[0] if times else now
    return Standing(window, max(0, amount - len(times)), period_s - (now - first), refused)
