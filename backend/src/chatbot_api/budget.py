"""What the language model may cost in a day (UTC): tokens and money, as its replies say, counted by all processes together."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from chatbot_api.limit_store import LimitStore, StoreDown
from chatbot_api.models.answer_models import Usage
from chatbot_api.telemetry import logger

log = logger(__name__)
EXCHANGE_EVERY_S = 1.0
"""How often this process tells the others what it spent, and learns what they did."""
LOOK_EVERY_S = 0.5
"""How soon a server that came back is found."""
DAYS_KEPT = 2


def _now() -> datetime:
    return datetime.now(UTC)


class Budget:
    """Today's spending. It is looked at before a call and added to after it, so that answers under way can exceed it."""

    def __init__(
        self,
        *,
        tokens: int = 0,
        usd: float = 0.0,
        input_usd_per_mtok: float = 0.0,
        output_usd_per_mtok: float = 0.0,
        store: LimitStore | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """``tokens``, ``usd``: what a day may cost, 0: any. Prices: US dollars a million tokens. ``now``: the time, in UTC."""
        self._tokens, self._usd = tokens, usd
        self._prices = (input_usd_per_mtok, output_usd_per_mtok)
        self._store, self._now = store, now
        self._known: dict[str, Usage] = {}
        """Of all processes, as last heard."""
        self._mine: dict[str, Usage] = {}
        """Of this process, since."""
        self._told = ""

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return bool(self._tokens or self._usd)

    @property
    def today(self) -> Usage:
        """What is known to be spent today."""
        day = self._day()
        return self._known.get(day, Usage()) + self._mine.get(day, Usage())

    @property
    def cost_usd(self) -> float:
        """What that costs by the prices of the settings."""
        return self.cost_of(self.today)

    @property
    def is_spent(self) -> bool:
        """Whether the model is left alone for the rest of the day. Asks nobody."""
        if not self.is_limited:
            return False
        spent = self.today
        over = bool(self._tokens and spent.total >= self._tokens) or bool(self._usd and self.cost_usd >= self._usd)
        if over and self._told != self._day():
            self._told = self._day()
            log.warning("budget_spent", tokens=spent.total, usd=round(self.cost_usd, 4), until="midnight UTC")
        return over

    @property
    def problems(self) -> list[str]:
        """For /health."""
        return ["budget: spent"] if self.is_spent else []

    def cost_of(self, usage: Usage) -> float:
        """US dollars, by the prices of the settings."""
        return (usage.input_tokens * self._prices[0] + usage.output_tokens * self._prices[1]) / 1e6

    def add(self, usage: Usage) -> None:
        """Count what a reply of the model cost."""
        if self.is_limited:
            day = self._day()
            self._mine[day] = self._mine.get(day, Usage()) + usage

    async def exchange(self) -> None:
        """Tell the server what was spent here since the last time; learn what all spent. Without one, nothing; it may be down."""
        today = self._day()
        if self._store is None or not self.is_limited or not self._store.is_up:
            return
        for day in sorted({today, *self._mine}):
            mine = self._mine.get(day, Usage())
            try:
                sums = await self._store.add(day, {"input": mine.input_tokens, "output": mine.output_tokens})
            except StoreDown:
                return
            self._known[day] = Usage(sums["input"], sums["output"])
            later = self._mine.get(day, Usage())
            self._mine[day] = Usage(later.input_tokens - mine.input_tokens, later.output_tokens - mine.output_tokens)
        for days in (self._known, self._mine):
            for old in sorted(days)[:-DAYS_KEPT]:
                del days[old]

    def _day(self) -> str:
        return self._now().date().isoformat()


async def keep_in_touch(store: LimitStore, budget: Budget) -> None:
    """Look after the server, and exchange what was spent, until cancelled."""
    while True:
        await budget.exchange()
        for _ in range(round(EXCHANGE_EVERY_S / LOOK_EVERY_S)):
            await asyncio.sleep(LOOK_EVERY_S)
            await store.look()
