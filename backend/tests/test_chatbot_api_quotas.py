"""How a limit is written: amounts and periods that are read, and what is refused in words."""

from collections.abc import Sequence

import pytest

from chatbot_api.models.quotas import quotas_of

MINUTE, DAY = 60, 86400


@pytest.mark.parametrize(
    ("notation", "quotas"),
    [
        ("20/minute;300/day", [(20, MINUTE), (300, DAY)]),
        ("5 per second, 10/30minutes", [(5, 1), (10, 1800)]),
        (" 1 / 2 Hours | 3PER day ", [(1, 7200), (3, DAY)]),
        ("1/month", [(1, 30 * DAY)]),
        ("none", []),
        ("", []),
    ],
)
def test_amounts_and_periods_are_read(notation: str, quotas: Sequence[tuple[int, int]]) -> None:
    assert [(quota.amount, quota.period_s) for quota in quotas_of(notation)] == quotas


@pytest.mark.parametrize(
    "notation",
    [
        *("twenty", "20", "20/fortnight", "0/minute", "5/0minutes", "20/minute;", "20000/day", "1/year", "5/minute;6/60seconds"),
        *("5 every minute", "-5/minute", "1.5/minute", "5//minute", "9" * 5000 + "/minute"),
    ],
)
def test_what_is_no_limit_is_refused_in_words(notation: str) -> None:
    with pytest.raises(ValueError, match=r"^(is no limit; write|has )"):
        quotas_of(notation)
