"""The words of a limit: how often somebody may do something, in the notation of the library ``limits``: ``20/minute;300/day``."""

from dataclasses import dataclass

from limits.util import parse_many

NONE = "none"
"""No limit; an empty setting would be taken for one that was not set."""
MOST_AMOUNT = 10_000
"""A moving window remembers every hit: one key takes at most 80 KiB with this."""
LONGEST_S = 31 * 86400
MOST_QUOTAS = 4


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
    try:
        items = parse_many(notation.strip())
    except ValueError:
        raise ValueError("is no limit; write amount/period, such as 20/minute;300/day, or none") from None
    quotas = tuple(Quota(item.amount, item.get_expiry()) for item in items)
    if not all(1 <= quota.amount <= MOST_AMOUNT and 1 <= quota.period_s <= LONGEST_S for quota in quotas):
        raise ValueError(f"has an amount that is not 1 to {MOST_AMOUNT}, or a period over {LONGEST_S // 86400} days")
    if len(quotas) > MOST_QUOTAS or len({quota.period_s for quota in quotas}) < len(quotas):
        raise ValueError(f"has more than {MOST_QUOTAS} limits, or two for the same period")
    return quotas
