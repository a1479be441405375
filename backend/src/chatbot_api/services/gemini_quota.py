"""When a daily quota of Gemini is given anew: at midnight in California, by rule, for many images hold no time zones."""

from datetime import UTC, date, datetime, time, timedelta

LONGEST_S = 25 * 3600.0
"""A day with the hour that autumn adds."""
LATE_S = 3600.0
"""A quota that is used up so soon after midnight was more likely not given anew yet: clocks differ, and summer time may go."""
LOOK_AGAIN_S = 600.0


def day_quota_wait_s(now_s: float, told_s: float | None = None) -> float:
    """Seconds until a daily quota may be asked again: until midnight Pacific time, or longer when the upstream said so.

    ``now_s``: seconds since 1970. ``told_s``: of RetryInfo. A shorter one is not believed: errors of the quota per day bear
    the delay of the one per minute. Source: https://ai.google.dev/gemini-api/docs/rate-limits
    """
    now = datetime.fromtimestamp(now_s, UTC)
    today = (now - timedelta(hours=8)).date()
    if now >= _midnight(today + timedelta(days=1)):
        today += timedelta(days=1)
    wait = _midnight(today + timedelta(days=1)) - now
    late = now - _midnight(today) < timedelta(seconds=LATE_S)
    return min(LONGEST_S, max(LOOK_AGAIN_S if late else wait.total_seconds(), told_s or 0.0))


def _midnight(day: date) -> datetime:
    """When the day begins in California. Summer time is from the second Sunday in March to the first in November, at two o'clock
    (Energy Policy Act of 2005, section 110), so that the day of a change begins by the time before it.
    """
    summer = _sunday(day.year, 3, 8) < day <= _sunday(day.year, 11, 1)
    return datetime.combine(day, time(7 if summer else 8), UTC)


def _sunday(year: int, month: int, from_day: int) -> date:
    first = date(year, month, from_day)
    return first + timedelta(days=6 - first.weekday())
