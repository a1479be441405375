"""A database that fails, seen by a reader: answers go on without history and say so, and all is well again soon after."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatbot_api.config import Settings
from conftest import Service
from postgres_server import PostgresServer
from processes import ran

DOCKER = "How do I install Lantern with Docker?"
VISITOR = {"X-Visitor-Id": "v_abcdefghijklmnopqrstuv"}
BACK_WITHIN_S = 2.0
"""After the database's return, as far as the service is to blame; a busy machine is given twice that."""


def ask(service: Service, conversation_id: str | None = None) -> dict[str, Any]:
    reply = service.client.post("/chat", json={"query": DOCKER, "conversation_id": conversation_id}, headers=VISITOR)
    assert reply.status_code == 200, reply.text
    return reply.json()


def well_again(service: Service, conversation_id: str) -> float:
    """Seconds until an answer comes with history, in the conversation there was."""
    started = time.monotonic()
    while (answer := ask(service, conversation_id))["degraded"]:
        assert answer["degraded"] == ["history"]
        assert answer["response"], "the answer itself must not suffer"
        assert time.monotonic() - started < 2 * BACK_WITHIN_S, "history did not come back"
        time.sleep(0.05)
    assert answer["conversation_id"] == conversation_id
    return time.monotonic() - started


def queries(service: Service, conversation_id: str) -> list[str]:
    kept = service.client.get(f"/conversations/{conversation_id}", headers=VISITOR).json()
    return [turn["query"] for turn in kept["turns"]]


def test_a_locked_sqlite_file_costs_the_history_and_not_the_answer(
    gemini_service: Callable[..., Service], settings_of: Callable[..., Settings]
) -> None:
    service = gemini_service(store_timeout_s=1.0)  # a busy machine may need half of it for what is kept after the lock
    first = ask(service)
    with closing(sqlite3.connect(settings_of().sqlite_file, isolation_level=None)) as other:
        other.execute("begin immediate")
        locked = ask(service, first["conversation_id"])
        other.execute("rollback")
    assert (locked["outcome"], locked["degraded"]) == ("degraded", ["history"])
    assert locked["response"] == first["response"]
    assert locked["conversation_id"] == first["conversation_id"], "it could be read, so the conversation is known"
    well_again(service, first["conversation_id"])
    assert queries(service, first["conversation_id"]) == [DOCKER, DOCKER]


def test_a_stopped_postgresql_costs_the_history_and_is_found_again(
    gemini_service: Callable[..., Service],
    postgres: PostgresServer,
) -> None:
    service = gemini_service(database_url=postgres.new_database())
    first = ask(service)
    assert first["degraded"] == []
    for immediate in (False, True):
        postgres.stop(immediate=immediate)
        down = ask(service, first["conversation_id"])
        assert (down["degraded"], down["conversation_id"]) == (["history"], first["conversation_id"])
        assert service.client.get(f"/conversations/{first['conversation_id']}", headers=VISITOR).status_code == 503
        postgres.start()
        took_s = well_again(service, first["conversation_id"])
        print(f"history was back {took_s:.2f} s after the server")
    assert queries(service, first["conversation_id"]) == [DOCKER] * 3
    assert service.client.get("/health").json()["problems"] == []


def test_a_frozen_postgresql_is_waited_for_once_and_not_by_every_reader(
    gemini_service: Callable[..., Service],
    postgres: PostgresServer,
) -> None:
    service = gemini_service(database_url=postgres.new_database(), store_timeout_s=0.5)
    first = ask(service)
    postgres.freeze()
    started = time.monotonic()
    assert ask(service, first["conversation_id"])["degraded"] == ["history"]
    assert time.monotonic() - started < 3
    while not service.client.get("/health").json()["problems"]:
        time.sleep(0.05)
    health = service.client.get("/health").json()
    assert (health["status"], health["problems"]) == ("degraded", ["history: store-unavailable"])
    started = time.monotonic()
    for _ in range(5):
        assert ask(service, first["conversation_id"])["degraded"] == ["history"]
    assert time.monotonic() - started < 5 * 0.5, "each reader waited for the frozen server"
    postgres.thaw()
    well_again(service, first["conversation_id"])


def test_a_postgresql_that_is_down_at_start_is_taken_up_when_it_comes(
    gemini_service: Callable[..., Service],
    postgres: PostgresServer,
) -> None:
    url = postgres.new_database()
    postgres.stop()
    service = gemini_service(database_url=url)
    first = ask(service)
    assert first["degraded"] == ["history"]
    assert service.client.get("/health/ready").status_code == 200, "questions can be answered"
    reply = service.client.post("/feedback", json={"message_id": first["message_id"], "rating": "up"}, headers=VISITOR)
    assert (reply.status_code, reply.json()["type"]) == (503, "urn:ask-ai:problem:store-unavailable")
    assert reply.headers["Retry-After"]
    postgres.start()
    end = time.monotonic() + 2 * BACK_WITHIN_S
    while (second := ask(service))["degraded"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert queries(service, second["conversation_id"]) == [DOCKER]


@pytest.mark.parametrize("damage", ["no database", "a page overwritten", "somebody else's"])
def test_a_damaged_file_is_refused_at_start_and_left_as_it_is(
    settings_of: Callable[..., Settings], tmp_path: Path, damage: str
) -> None:
    file = settings_of().sqlite_file
    file.parent.mkdir(parents=True, exist_ok=True)
    if damage == "no database":
        file.write_bytes(b"once upon a time" * 400)
    else:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript("create table theirs (x); insert into theirs values (1);")
        if damage == "a page overwritten":
            file.write_bytes(b"SQLite format 3\x00" + b"\xff" * (file.stat().st_size - 16))
    before = file.read_bytes()
    done = ran(["-m", "chatbot_api.server"], tmp_path, DATA_DIR=str(file.parent), PORT="0")
    assert done.returncode == 78, done.stderr
    assert "conversations" in done.stderr
    assert "it was not touched" in done.stderr
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_databases_password_is_never_said(settings_of: Callable[..., Settings], tmp_path: Path) -> None:
    url = "postgresql://ask:canary-password@127.0.0.1:9/x"
    assert "canary-password" not in repr(settings_of(database_url=url))
    done = ran(["-m", "chatbot_api.migrate"], tmp_path, DATABASE_URL=url, DATA_DIR=str(tmp_path), STORE_TIMEOUT_S="1")
    assert done.returncode != 0
    assert "canary-password" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
