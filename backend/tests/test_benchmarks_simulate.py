"""The simulation agrees with theory where there is one, with the running fleet where limits count, and with the documentation."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from simulate import (
    CPU_S,
    HEADINGS,
    SEATS,
    Fleet,
    erlang_b,
    mean_s,
    poisson,
    processes_for,
    row,
    simulate,
    usd_per_thousand,
)

from chatbot_api.models.quotas import Quota

SCALING = Path(__file__).resolve().parents[2] / "website" / "docs" / "scaling.md"
FLEET_LIMIT = Quota(20, 3)
"""As tests/fleet.py sets it."""


def test_erlangs_formula_gives_the_values_of_its_tables() -> None:
    assert erlang_b(1, 1.0) == pytest.approx(0.5)
    assert erlang_b(10, 5.0) == pytest.approx(0.0184, abs=0.0001)
    assert erlang_b(64, 0.0) == 0


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
def test_seats_without_a_queue_refuse_what_erlang_says_however_long_answers_differ(spread: float) -> None:
    fleet = Fleet(seats=10, cpu_s=0, model_s=1.0, spread=spread)
    offered = 8.0
    seen = simulate(fleet, poisson(offered / mean_s(fleet), 100_000))
    assert seen.overloaded / seen.asked == pytest.approx(erlang_b(10, offered), abs=0.01)


@pytest.mark.parametrize("busy", [0.3, 0.7, 0.9])
def test_questions_wait_for_the_core_as_in_a_queue_with_constant_work(busy: float) -> None:
    fleet = Fleet(seats=10_000, cpu_s=0.004, model_s=0)
    seen = simulate(fleet, poisson(busy / 0.004, 200_000))
    expected_s = busy * 0.004 / (2 * (1 - busy))
    assert sum(seen.waited_s) / seen.answered == pytest.approx(expected_s, rel=0.1)


def test_a_second_process_halves_the_wait_and_takes_every_other_question() -> None:
    waits = [sum(simulate(Fleet(processes=many, seats=10_000, model_s=0), poisson(200, 50_000)).waited_s) for many in (1, 2, 4)]
    assert all(more > 2 * less for more, less in pairwise(waits))
    seen = simulate(Fleet(processes=2, seats=10_000), poisson(20, 10_000))
    assert seen.by_process == [5000, 5000]


def test_three_replicas_that_count_together_let_in_the_quota_of_the_running_fleet_window_after_window() -> None:
    fleet = Fleet(processes=3, limit=FLEET_LIMIT)
    for windows in (1, 2, 3):
        bursts = [(4.0 * window + number / 1000, "one") for window in range(windows) for number in range(150)]
        assert simulate(fleet, bursts).answered == 20 * windows


def test_three_replicas_without_redis_let_in_half_of_it_each_as_the_running_fleet_does() -> None:
    seen = simulate(Fleet(processes=3, limit=FLEET_LIMIT, counts_together=False), [(0.0, "one")] * 150)
    assert seen.by_process == [10, 10, 10]
    assert (seen.answered, seen.limited) == (30, 120)


def test_a_fleet_at_twice_its_seats_answers_what_its_seats_can_and_refuses_the_rest() -> None:
    fleet = Fleet(processes=2)
    capacity = 2 * SEATS / mean_s(fleet)
    seen = simulate(fleet, poisson(2 * capacity, 50_000))
    assert seen.overloaded / seen.asked == pytest.approx(0.5, abs=0.02)
    assert seen.percentile_s(0.95) < 4, "who is let in is not slowed down by those who are not"


def test_the_same_seed_tells_the_same_and_another_one_nearly() -> None:
    fleet = Fleet(seats=8)
    first, again = (simulate(fleet, poisson(5, 20_000)) for _ in range(2))
    other = simulate(fleet, poisson(5, 20_000, seed=2), seed=2)
    assert first == again
    assert first != other
    assert first.overloaded / first.asked == pytest.approx(other.overloaded / other.asked, abs=0.02)


@pytest.mark.parametrize("per_hour", [10, 1000, 100_000, 1_000_000])
def test_so_many_processes_suffice_and_one_fewer_does_not(per_hour: int) -> None:
    many = processes_for(per_hour)
    peak_per_s = per_hour * 3 / 3600
    assert simulate(Fleet(processes=many), poisson(peak_per_s, 50_000)).overloaded / 50_000 < 0.003
    if many > 1:
        fewer = Fleet(processes=many - 1)
        share = peak_per_s / fewer.processes
        assert erlang_b(SEATS, share * mean_s(fewer)) > 0.001 or share * CPU_S > 0.7


def test_the_documentation_has_the_table_that_is_printed_and_the_price_that_is_computed() -> None:
    page = SCALING.read_text(encoding="utf-8")
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    start = table.index(list(HEADINGS))
    assert table[start + 2 : start + 5] == [row(per_hour, limit=Quota(20, 60)) for per_hour in (10, 1_000, 100_000)]
    model, embedding = usd_per_thousand()
    assert f"{model:.2f} dollars" in page
    assert re.search(rf"\b{embedding:.3f} dollars", page)
