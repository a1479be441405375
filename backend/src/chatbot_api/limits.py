"""Who may ask now: limits on how often an address and a visitor ask, and a Gate on how much is under way at once.

Both refuse and never queue. The limits are exact. They count in this process, or in a server that several share; while that is
down, in this process with half of each quota, as the others do too.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from random import random

from chatbot_api.errors import Overloaded, RateLimited
from chatbot_api.hit_windows import MemoryWindows, Standing, Window
from chatbot_api.limit_store import LimitStore, StoreDown
from chatbot_api.models.quotas import Quota

LONGEST_WAIT_S = 3.0
"""A refused client is told to come back within 1 to so many seconds: answers take about that long, and they spread."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a hit."""

    standings: tuple[Standing, ...] = ()

    @property
    def refusal(self) -> RateLimited | None:
        """Why it is refused, and until when; None: it is not."""
        full = [one for one in self.standings if one.refused]
        if not full:
            return None
        longest = max(full, key=lambda one: one.reset_s)
        return RateLimited(longest.window.name, retry_after_s=longest.reset_s)

    @property
    def headers(self) -> dict[str, str]:
        """RateLimit-Policy and RateLimit, the scarcest limit first; draft-ietf-httpapi-ratelimit-headers-11."""
        scarce = sorted(self.standings, key=lambda one: (not one.refused, one.left / one.window.quota.amount))
        if not scarce:
            return {}
        policy = ", ".join(f'"{w.name}";q={w.quota.amount};w={w.quota.period_s}' for w in (one.window for one in scarce))
        state = ", ".join(f'"{one.window.name}";r={one.left};t={ceil(one.reset_s)}' for one in scarce)
        return {"RateLimit-Policy": policy, "RateLimit": state}


class RateLimit:
    """The limits of addresses and of visitors. A hit counts for both or, refused, for neither."""

    def __init__(
        self,
        per_address: Sequence[Quota],
        per_visitor: Sequence[Quota],
        *,
        store: LimitStore | None = None,
        secret: str = "",
        memory: MemoryWindows | None = None,
    ) -> None:
        """``store``: where several processes count together. ``secret``: what the digests in it are keyed with."""
        self._per_address, self._per_visitor = tuple(per_address), tuple(per_visitor)
        self._store, self._secret = store, blake2b(secret.encode()).digest()
        self._memory = MemoryWindows() if memory is None else memory

    @property
    def problems(self) -> list[str]:
        """For /health."""
        return ["limits: store-unavailable"] if self._store and not self._store.is_up else []

    async def hit(self, address: str, visitor: str | None = None) -> Verdict:
        """Count a request of an address, and of a visitor where that one counts too."""
        windows = self._windows("address", address, self._per_address)
        if visitor is not None:
            windows += self._windows("visitor", visitor, self._per_visitor)
        if not windows:
            return Verdict()
        if self._store is None:
            return Verdict(tuple(self._memory.hit(windows)))
        if self._store.is_up:
            try:
                return Verdict(tuple(await self._store.hit(windows)))
            except StoreDown:
                pass  # told by the store
        alone = [Window(window.name, window.key, window.quota.halved) for window in windows]
        return Verdict(tuple(self._memory.hit(alone)))

    def _windows(self, kind: str, identity: str, quotas: Sequence[Quota]) -> list[Window]:
        if not quotas:
            return []
        key = blake2b(f"{kind}:{identity}".encode(), key=self._secret, digest_size=16).hexdigest()
        return [Window(f"{kind}-{quota.period_s}s", key, quota) for quota in quotas]


class Gate:
    """So many answers at once, and no queue before it."""

    def __init__(self, seats: int, dice: Callable[[], float] = random) -> None:
        """``dice``: a number from 0 to below 1."""
        self._seats, self._dice = seats, dice
        self.taken = 0

    @property
    def refusal(self) -> Overloaded | None:
        """Why nobody is let in, and until when; None: a seat is free."""
        return Overloaded(retry_after_s=LONGEST_WAIT_S * self._dice()) if self.taken >= self._seats else None

    def take(self) -> None:
        """Take a seat; who took it gives it back. Raises Overloaded when all are taken."""
        if refusal := self.refusal:
            raise refusal
        self.taken += 1

    def give_back(self) -> None:
        """Give a seat back."""
        self.taken -= 1

    @contextmanager
    def seat(self) -> Generator[None, None, None]:
        """A seat for as long as the block lasts. Raises Overloaded."""
        self.take()
        try:
            yield
        finally:
            self.give_back()
