"""Generated requests to the doors of other protocols: no reply is a fault of ours, late, undeclared or an echo."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Service
from generated_bodies import DOOR_ROUTES, send_generated
from generated_replies import Reply, Tally
from guarded_service import guarded_lantern

BODIES = 150
"""For each route."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("generated-doors")
    with guarded_lantern(folder, book, openai_compat_enabled=True, ai_sdk_enabled=True) as running:
        yield running


@pytest.mark.parametrize("route", DOOR_ROUTES)
def test_bodies_beyond_any_schema_are_answered_or_refused(service: Service, route: str) -> None:
    tally = Tally(service.client.get("/openapi.json").json())

    def judged(reply: Reply) -> None:
        assert tally.take(reply) == []

    send_generated(service.url, route, judged, requests=BODIES, start=1)
    assert {200, 400, 415, 422} <= {status for _, status in tally.counts}
