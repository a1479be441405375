"""Whether an upstream is worth asking: what became of the calls of late, by which new ones and second tries are refused here.

Adaptive throttling and the budget of retries as in the SRE book, "Handling Overload" (chapter 21). Our own are the number of
failures before anything is refused, and the way back: its formula alone takes minutes to find that a dead upstream has returned.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import random
from time import monotonic
from typing import NamedTuple

WINDOW_S = 120.0
"""How long a call's outcome counts."""
SLOTS = 24
"""The window moves on in so many steps."""
RATIO = 2.0
"""Calls wanted for each one accepted that are still let through: the book's K."""
FEWEST_FAILURES = 12
"""Nothing is refused before so many in the window: a few say nothing, and cost little."""
PROBE_EVERY_S = 1.0
"""A call is let through when none was for so long, whatever the odds: how soon an upstream's return is noticed."""
PROBE_S = 0.4
"""Time of a call that is let through while others are refused: its reader shall not wait long for a silent upstream."""
PATIENT_EVERY_S = 10.0
"""So often one of them has all its time: else an upstream that came back slower than PROBE_S would never be found."""
WELL_AFTER = 5
"""Accepted one after another, so many end the throttling; after the first of them no call is refused."""
RETRY_SHARE = 0.1
"""Retries for each call that was made, at most."""
FEWEST_RETRIES = 3
"""Retries in a window that even a quiet service may make."""


class Passed(NamedTuple):
    """A call that was let through: its number, for its outcome, and the seconds it may take, None for all there are."""

    number: int
    limit_s: float | None


@dataclass(slots=True)
class Counts:
    """What became of calls: ``sent`` and ``retried`` when they begin, the others when they end."""

    sent: int = 0
    retried: int = 0
    accepted: int = 0
    failed: int = 0
    refused: int = 0

    @property
    def odds(self) -> float:
        """The share of calls to refuse, from 0 to below 1. Calls that were refused count as wanted, as in the book."""
        if self.failed < FEWEST_FAILURES:
            return 0.0
        wanted = self.accepted + self.failed + self.refused
        return max(0.0, (wanted - RATIO * self.accepted) / (wanted + 1))

    @property
    def retry_left(self) -> bool:
        """Whether one more retry keeps within the budget."""
        return self.retried + 1 <= max(FEWEST_RETRIES, RETRY_SHARE * self.sent)


class Throttle:
    """The outcomes of one upstream's calls within the window. Changed by one event loop; any thread may read ``odds``."""

    def __init__(self, clock: Callable[[], float] = monotonic, dice: Callable[[], float] = random) -> None:
        """``clock``: seconds that never go back. ``dice``: a number from 0 to below 1."""
        self._clock, self._dice = clock, dice
        self._slots = [(-SLOTS, Counts())] * SLOTS
        self._calls = 0
        self._last_call_at = self._last_patient_at = clock()
        self._last_failure_at = -WINDOW_S - 1.0 + clock()
        self._forgotten = 0
        self._streak = 0
        self._streak_since = 0

    @property
    def counts(self) -> Counts:
        """The sums of the window."""
        step = self._step()
        there = [counts for at, counts in self._slots if step - at < SLOTS]
        return Counts(*(sum(getattr(one, name) for one in there) for name in Counts.__slots__))

    @property
    def odds(self) -> float:
        """The share of calls that is refused at the moment."""
        # Told without the sums while all is well: they take longer than all else that a call passes here.
        return self.counts.odds if self._clock() - self._last_failure_at <= WINDOW_S else 0.0

    def begin(self) -> Passed | None:
        """Let a call through; None when it is refused."""
        now_s = self._clock()
        odds = 0.0 if self._streak else self.odds
        if odds and now_s - self._last_call_at < PROBE_EVERY_S and self._dice() < odds:
            self._now().refused += 1
            return None
        brisk = odds > 0 and now_s - self._last_patient_at < PATIENT_EVERY_S
        self._calls += 1
        self._last_call_at = now_s
        if not brisk:
            self._last_patient_at = now_s
        self._now().sent += 1
        return Passed(self._calls, PROBE_S if brisk else None)

    def take_retry(self) -> bool:
        """Spend a retry; False when the budget is used up, or the upstream is throttled."""
        counts = self.counts
        if counts.odds or not counts.retry_left:
            return False
        self._now().retried += 1
        return True

    def accepted(self, call: int) -> None:
        """The upstream took the call, whatever it said to it."""
        if not self._streak:
            self._streak_since = call
        self._streak += 1
        self._now().accepted += 1
        if self._streak >= WELL_AFTER and self.odds:
            self._forget()

    def failed(self, call: int) -> None:
        """The upstream did not take the call, or not in time. One from before it was well again says nothing any more."""
        if call <= self._forgotten:
            return
        if call >= self._streak_since:
            self._streak = 0
        self._last_failure_at = self._clock()
        self._now().failed += 1

    def _forget(self) -> None:
        """What is spent of the budget of retries stays spent."""
        self._forgotten = self._calls
        for _, counts in self._slots:
            counts.accepted = counts.failed = counts.refused = 0

    def _step(self) -> int:
        return int(self._clock() // (WINDOW_S / SLOTS))

    def _now(self) -> Counts:
        step = self._step()
        at, counts = self._slots[step % SLOTS]
        if at != step:
            counts = Counts()
            self._slots[step % SLOTS] = (step, counts)
        return counts
