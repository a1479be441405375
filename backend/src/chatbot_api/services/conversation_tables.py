"""The tables conversations are kept in, the same on SQLite and PostgreSQL.

Times are whole milliseconds since 1970 by the wall clock. JSON is plain text: neither engine's JSON type takes every text a model
can write. Every row bears the sha256 of its visitor's id, never the id, so that a copy of the tables opens no conversation.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA = "0001"
"""The revision (``chatbot_api.migrations``) these tables are; known here so that a start need not import Alembic to compare."""
PREFIX = "ask_ai_"
"""Our tables' names begin with it: a PostgreSQL database may be shared with another application."""
SCHEMA_TABLE = f"{PREFIX}schema"
"""Alembic's table with the revision; not its usual name, which another application may have taken."""
schema_table = Table(
    SCHEMA_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{SCHEMA_TABLE}_pkc"),
)
"""As Alembic makes it."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up by itself in a column of type INTEGER alone."""
_HASH = String(64)


def _of_conversation(*, nullable: bool) -> Column[str]:
    return Column("conversation_id", Text, ForeignKey(f"{PREFIX}conversations.id", ondelete="CASCADE"), nullable=nullable)


conversations = Table(
    f"{PREFIX}conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("visitor", _HASH, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("touched_at", BigInteger, nullable=False, index=True),
    Column("thread", Text),  # JSON of the ChatKit thread; null for conversations of other doors
    Index(None, "visitor", "created_at"),
)
turns = Table(
    f"{PREFIX}turns",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True),
    Column("message_id", Text, nullable=False, unique=True),
    _of_conversation(nullable=False),
    Column("visitor", _HASH, nullable=False),
    Column("question", Text),
    Column("standalone", Text),
    Column("response", Text),
    Column("done", Text),  # JSON of Done; null while the answer has no end
    Column("passage_ids", Text, nullable=False),  # JSON list
    Column("created_at", BigInteger, nullable=False),
    Index(None, "conversation_id", "sequence"),
)
feedback = Table(
    f"{PREFIX}feedback",
    metadata,
    Column("visitor", _HASH, primary_key=True),
    Column("message_id", Text, primary_key=True),
    _of_conversation(nullable=True),  # null for ratings of the predecessor's messages
    Column("rating", Text, nullable=False),
    Column("reason", Text),
    Column("comment", Text),
    Column("outcome", Text),
    Column("sources", Text, nullable=False),  # JSON list of Source
    Column("rated_at", BigInteger, nullable=False, index=True),
    Index(None, "conversation_id"),
)
items = Table(
    f"{PREFIX}items",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True),
    _of_conversation(nullable=False),
    Column("id", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON of the ChatKit item
    UniqueConstraint("conversation_id", "id"),
    Index(None, "conversation_id", "sequence"),
)
