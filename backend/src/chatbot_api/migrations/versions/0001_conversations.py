"""The first tables: conversations, turns, feedback, items."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "ask_ai_conversations",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("visitor", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("touched_at", sa.BigInteger, nullable=False),
        sa.Column("thread", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_ask_ai_conversations"),
    )
    op.create_index("ix_ask_ai_conversations_touched_at", "ask_ai_conversations", ["touched_at"])
    op.create_index("ix_ask_ai_conversations_visitor_created_at", "ask_ai_conversations", ["visitor", "created_at"])
    _make_turns()
    _make_feedback()
    _make_items()


def _of_conversation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["conversation_id"],
        ["ask_ai_conversations.id"],
        name=f"fk_{table}_conversation_id_ask_ai_conversations",
        ondelete="CASCADE",
    )


def _make_turns() -> None:
    op.create_table(
        "ask_ai_turns",
        sa.Column("sequence", SEQUENCE, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("conversation_id", sa.Text, nullable=False),
        sa.Column("visitor", sa.String(64), nullable=False),
        sa.Column("question", sa.Text),
        sa.Column("standalone", sa.Text),
        sa.Column("response", sa.Text),
        sa.Column("done", sa.Text),
        sa.Column("passage_ids", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_ask_ai_turns"),
        sa.UniqueConstraint("message_id", name="uq_ask_ai_turns_message_id"),
        _of_conversation("ask_ai_turns"),
    )
    op.create_index("ix_ask_ai_turns_conversation_id_sequence", "ask_ai_turns", ["conversation_id", "sequence"])


def _make_feedback() -> None:
    op.create_table(
        "ask_ai_feedback",
        sa.Column("visitor", sa.String(64), nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("conversation_id", sa.Text),
        sa.Column("rating", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("comment", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("sources", sa.Text, nullable=False),
        sa.Column("rated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("visitor", "message_id", name="pk_ask_ai_feedback"),
        _of_conversation("ask_ai_feedback"),
    )
    op.create_index("ix_ask_ai_feedback_rated_at", "ask_ai_feedback", ["rated_at"])
    op.create_index("ix_ask_ai_feedback_conversation_id", "ask_ai_feedback", ["conversation_id"])


def _make_items() -> None:
    op.create_table(
        "ask_ai_items",
        sa.Column("sequence", SEQUENCE, nullable=False),
        sa.Column("conversation_id", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_ask_ai_items"),
        sa.UniqueConstraint("conversation_id", "id", name="uq_ask_ai_items_conversation_id_id"),
        _of_conversation("ask_ai_items"),
    )
    op.create_index("ix_ask_ai_items_conversation_id_sequence", "ask_ai_items", ["conversation_id", "sequence"])
