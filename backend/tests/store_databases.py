"""Databases for the tests of the stores: a new one a test, on SQLite and on the real PostgreSQL, opened as often as wanted."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from chatbot_api.models.chat_models import Done, Source
from chatbot_api.models.conversation_models import StoredTurn
from chatbot_api.services.database import Database

PATIENT_S = 20.0
"""For tests that are about something else than time, on a busy machine."""


@dataclass
class Place:
    """Where a database is: the settings' two values."""

    url: str
    file: Path
    opened: list[Database] = field(default_factory=list)

    def open(self, timeout_s: float = PATIENT_S) -> Database:
        database = Database.at(self.url, self.file, timeout_s)
        self.opened.append(database)
        return database


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """An empty place; every Database opened there is closed after the test."""
    url = request.getfixturevalue("postgres").new_schema() if request.param == "postgresql" else ""
    there = Place(url, tmp_path / "data" / "conversations.db")
    yield there
    for database in there.opened:
        await database.close()


@pytest.fixture
async def sqlite_place(tmp_path: Path) -> AsyncIterator[Place]:
    there = Place("", tmp_path / "data" / "conversations.db")
    yield there
    for database in there.opened:
        await database.close()


@pytest.fixture
async def postgres_place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    there = Place(request.getfixturevalue("postgres").new_database(), tmp_path)
    yield there
    for database in there.opened:
        await database.close()


@pytest.fixture
async def database(place: Place) -> Database:
    """With its tables."""
    made = place.open()
    await made.migrate()
    return made


async def rows_of(database: Database, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a statement gives, committed: the tests' own way in."""

    def work(connection: Any) -> list[tuple[Any, ...]]:
        result = connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []

    return await database.writing(work)


async def age(database: Database, conversation_id: str, days: float) -> None:
    """Make a conversation as old as if its last turn was that long ago."""
    ago = int(days * 24 * 60 * 60 * 1000)
    statement = "UPDATE ask_ai_conversations SET touched_at = touched_at - CAST(:ago AS BIGINT) WHERE id = :id"
    await rows_of(database, statement, ago=ago, id=conversation_id)


def source(url: str = "/docs/intro") -> Source:
    return Source(
        id="1",
        title="Intro",
        page_title="Intro",
        heading_path=["Intro"],
        url=url,
        snippet="A hub.",
        score=0.9,
        version=None,
        locale="en",
    )


def done(**values: Any) -> Done:
    base: dict[str, Any] = {"outcome": "answered", "mode": "generated", "finish_reason": "stop", "citations": []}
    return Done(**{**base, "sources": [source()], **values})


def turn(message_id: str, **values: Any) -> StoredTurn:
    """A complete turn."""
    base: dict[str, Any] = {"question": f"q {message_id}", "standalone": None, "response": f"a {message_id}", "done": done()}
    return StoredTurn(message_id=message_id, **{**base, **values})
