"""Brings a database to the newest revision, one replica at a time."""

from time import monotonic, sleep

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from chatbot_api.services.database_schema import is_current, revision_in

LOCK = 0x61736B5F6169
"""Key of the advisory lock on PostgreSQL: "ask_ai" in ASCII."""
_WAL_S = 10.0


def upgrade(connection: Connection) -> None:
    """Run the steps that are missing, within the transaction the connection is in. Raises StartRefused, StoreDamaged."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    if is_current(revision_in(connection)):  # another replica was first
        return
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "chatbot_api:migrations")
    command.upgrade(config, "head")


def set_up_file(connection: Connection) -> None:
    """Put a SQLite file into WAL mode, for good: readers go on while another writes."""
    until = monotonic() + _WAL_S
    while True:
        try:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            return
        except OperationalError:  # SQLite does not wait for others by itself here
            if monotonic() > until:
                raise
            sleep(0.02)
