"""One service over BOOK for a whole test file: ``running = lantern_running(...)`` there, and the fixtures that stand on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conftest import Service
from gemini_standin import GeminiStandin
from lantern import healed, lantern


class Running(NamedTuple):
    """The file's service and what is behind it."""

    service: Service
    model: GeminiStandin
    """As the last test left it; the fixture ``model`` is well, and was asked nothing yet."""
    folder: Path
    """Holds the data folder."""


def lantern_running(*needs: str, **values: Any) -> Any:
    """The fixture ``running`` of a test file. ``needs``: fixtures that skip where a package is missing. ``values``: settings."""

    @pytest.fixture(scope="module")
    def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: Path) -> Iterator[Running]:
        for need in needs:
            request.getfixturevalue(need)
        folder = tmp_path_factory.mktemp("lantern")
        with lantern(folder, book, **values) as (service, model):
            yield Running(service, model, folder)

    return running


@pytest.fixture
def model(running: Running) -> GeminiStandin:
    """The service's model, well, and asked nothing yet."""
    return healed(running.model)


@pytest.fixture
def service(running: Running, model: GeminiStandin) -> Service:
    """The file's service, its model well."""
    return running.service
