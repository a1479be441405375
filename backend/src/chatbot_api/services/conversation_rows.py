"""How a value becomes a row of the conversation tables, whose row it is, and whether it is still alive."""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from time import time_ns
from typing import Any

from sqlalchemy import ColumnElement

from chatbot_api.services.conversation_tables import conversations

DAY_MS = 24 * 60 * 60 * 1000
_UNWRITABLE = re.compile("[\u0000\ud800-\udfff]")


def writable(text: str) -> str:
    """The text without U+0000, which PostgreSQL refuses, and without lone surrogates, which are no UTF-8."""
    return _UNWRITABLE.sub("", text)


def to_json(value: object) -> str:
    """Compact, writable JSON of plain values."""
    return writable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def from_json(text: str) -> Any:
    """What ``to_json`` was given."""
    return json.loads(text)


def owner_of(visitor: str) -> str:
    """How a visitor stands in the tables: the hex sha256 of its id."""
    return sha256(visitor.encode("utf-8", "surrogatepass")).hexdigest()


def now_ms() -> int:
    """The wall clock, in whole milliseconds since 1970."""
    return time_ns() // 1_000_000


def alive_since(ttl_days: int) -> int:
    """The moment (ms) a conversation must have been touched at, or later, to be alive."""
    return now_ms() - ttl_days * DAY_MS


def as_time(at_ms: int) -> datetime:
    """A moment of the tables, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def visible(owner: str, since_ms: int) -> ColumnElement[bool]:
    """Conversations that are this owner's and alive: an expired one is gone for its reader before it is purged."""
    return (conversations.c.visitor == owner) & (conversations.c.touched_at >= since_ms)
