"""Generated requests to the doors of other protocols: no reply is a fault of ours, late, undeclared or an echo."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from conftest import Service, index_book, with_gemini
from gemini_standin import gemini_standin
from generated_bodies import DOOR_ROUTES, Caller, Sent, requests_of
from generated_replies import Tally
from guarded_service import guarded_service
from lantern import settings_in

BODIES = 150
"""For each route."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Iterator[Service]:
    """Answered by the Gemini stand-in, behind the guard."""
    with gemini_standin() as gemini:
        doors: dict[str, Any] = {"openai_compat_enabled": True, "ai_sdk_enabled": True}
        values = settings_in(tmp_path_factory.mktemp("generated-doors"), **with_gemini(gemini, **doors))
        index_book(values, book)
        with guarded_service(values) as running:
            yield running


@pytest.mark.parametrize("route", DOOR_ROUTES)
def test_bodies_beyond_any_schema_are_answered_or_refused(service: Service, route: str) -> None:
    tally, caller = Tally(service.client.get("/openapi.json").json()), Caller(service.url)

    @seed(1)
    @settings(
        max_examples=BODIES,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests_of(route))
    def ask(sent: Sent) -> None:
        assert tally.take(caller.reply_to(sent)) == []

    try:
        ask()
    finally:
        caller.close()
    assert {200, 400, 415, 422} <= {status for _, status in tally.counts}
