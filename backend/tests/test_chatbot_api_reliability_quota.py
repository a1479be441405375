"""When a daily quota of Gemini is asked again: the way to midnight in California by rule, held against the time zone itself."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot_api.errors import ModelBusy
from chatbot_api.services.gemini_errors import named
from chatbot_api.services.gemini_quota import LATE_S, LONGEST_S, LOOK_AGAIN_S, day_quota_wait_s
from chatbot_api.services.gemini_wire import GeminiRefused
from gemini_faults import status_reply


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.fixture
def california() -> ZoneInfo:
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        pytest.skip("this machine holds no time zones")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-15T20:00:00", "2026-01-16T08:00:00"),
        ("2026-07-15T20:00:00", "2026-07-16T07:00:00"),
        ("2026-07-16T06:59:00", "2026-07-16T07:00:00"),
        ("2026-03-08T09:30:00", "2026-03-09T07:00:00"),  # a day of 23 hours
        ("2026-11-01T08:30:00", "2026-11-02T08:00:00"),  # a day of 25 hours
        ("2026-12-31T23:00:00", "2027-01-01T08:00:00"),
        ("2028-02-29T12:00:00", "2028-03-01T08:00:00"),
    ],
)
def test_the_wait_ends_at_midnight_in_california(now: str, until: str) -> None:
    assert day_quota_wait_s(seconds(now)) == seconds(until) - seconds(now)


@given(st.floats(seconds("2020-01-01T00:00:00"), seconds("2040-01-01T00:00:00")))
def test_the_wait_never_exceeds_a_day_and_never_ends_before_it_is_worth_a_look(now_s: float) -> None:
    assert 0 < day_quota_wait_s(now_s) <= LONGEST_S - LATE_S


def test_every_hour_of_twenty_years_agrees_with_the_time_zone(california: ZoneInfo) -> None:
    at = datetime(2020, 1, 1, 0, 30, tzinfo=UTC)
    wrong: list[datetime] = []
    while at.year < 2040:
        local = at.astimezone(california)
        midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), california)
        begun = datetime.combine(local.date(), datetime.min.time(), california)
        late = at.timestamp() - begun.timestamp() < LATE_S
        if day_quota_wait_s(at.timestamp()) != (LOOK_AGAIN_S if late else midnight.timestamp() - at.timestamp()):
            wrong.append(at)
        at += timedelta(hours=7)
    assert wrong == []


def test_a_quota_used_up_just_after_midnight_is_looked_at_again_soon() -> None:
    """Else clocks that differ by a minute would cost a day."""
    assert day_quota_wait_s(seconds("2026-01-15T08:00:30")) == LOOK_AGAIN_S
    assert day_quota_wait_s(seconds("2026-01-15T09:00:30")) == 23 * 3600 - 30


@pytest.mark.parametrize(("told_s", "wait_s"), [(59.0, 12 * 3600), (13 * 3600, 13 * 3600), (1e9, LONGEST_S)])
def test_a_longer_wait_that_the_upstream_names_is_believed_and_a_shorter_one_is_not(told_s: float, wait_s: float) -> None:
    assert day_quota_wait_s(seconds("2026-01-15T20:00:00"), told_s) == wait_s


@pytest.mark.parametrize(("fault", "wait_s"), [("429day", 12 * 3600.0), ("429ri", 59.0), ("429ra", 59.0), ("429", None)])
def test_an_error_of_the_api_tells_the_wait(fault: str, wait_s: float | None) -> None:
    assert _named_reply(fault, {"seconds": 59}).retry_after_s == wait_s


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("Thu, 15 Jan 2026 20:01:30 GMT", 90),
        ("Thu, 15 Jan 2026 19:00:00 GMT", 0),
        ("0", 0),
        ("soon", None),
        ("-5", None),
        ("9" * 400, None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(header: str, wait_s: float | None) -> None:
    assert _named_reply("429ra", {"seconds": header}).retry_after_s == wait_s


def _named_reply(fault: str, kw: dict[str, object]) -> ModelBusy:
    headers = {"Retry-After": str(kw["seconds"])} if fault == "429ra" else {}
    error = GeminiRefused(429, json.loads(status_reply(fault, kw).parts[0]), headers)
    failed = named(error, seconds("2026-01-15T20:00:00"))
    assert isinstance(failed, ModelBusy)
    return failed
