"""The words of a limit: how often somebody may do something, as ``20/minute;300/day`` or ``5 per second, 10/30 minutes``."""

from dataclasses import dataclass
from re import IGNORECASE, compile, split

NONE = "none"
"""No limit; an empty setting would be taken for one that was not set."""
MOST_AMOUNT = 10_000
"""A moving window remembers every hit: one key takes at most 80 KiB with this."""
LONGEST_S = 31 * 86400
MOST_QUOTAS = 4
_PERIODS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "month": 30 * 86400, "year": 360 * 86400}
_QUOTA = compile(r"\s*([0-9]{1,9})\s*(?:/|per)\s*([0-9]{0,9})\s*(second|minute|hour|day|month|year)s?\s*", IGNORECASE)


@dataclass(frozen=True, slots=True)
class Quota:
    """``amount`` hits in any ``period_s`` seconds."""

    amount: int
    period_s: int

    @property
    def halved(self) -> "Quota":
        """Half of it, at least one."""
        return Quota(max(1, self.amount // 2), self.period_s)


def quotas_of(notation: str) -> tuple[Quota, ...]:
    """The quotas of a notation; none for ``none`` or an empty one. Raises ValueError, its text a clause for the owner."""
    if notation.strip().lower() in ("", NONE):
        return ()
    quotas = tuple(_quota_of(part) for part in split("[,;|]", notation))
    if not all(1 <= quota.amount <= MOST_AMOUNT and 1 <= quota.period_s <= LONGEST_S for quota in quotas):
        raise ValueError(f"has an amount that is not 1 to {MOST_AMOUNT}, or a period over {LONGEST_S // 86400} days")
    if len(quotas) > MOST_QUOTAS or len({quota.period_s for quota in quotas}) < len(quotas):
        raise ValueError(f"has more than {MOST_QUOTAS} limits, or two for the same period")
    return quotas


def _quota_of(words: str) -> Quota:
    read = _QUOTA.fullmatch(words)
    if read is None:
        raise ValueError("is no limit; write amount/period, such as 20/minute;300/day, or none")
    amount, many, period = read.groups()
    return Quota(int(amount), int(many or 1) * _PERIODS_S[period.lower()])
