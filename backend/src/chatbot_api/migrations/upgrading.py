"""Brings a database to the newest revision, one replica at a time: all at once where it is new, else step by step."""

from time import monotonic, sleep

from sqlalchemy import Connection, insert
from sqlalchemy.exc import OperationalError

from chatbot_api.services.conversation_tables import SCHEMA, metadata, schema_table
from chatbot_api.services.database_schema import is_current, revision_in

LOCK = 0x61736B5F6169
"""Key of the advisory lock on PostgreSQL: "ask_ai" in ASCII."""
_WAL_S = 10.0


def upgrade(connection: Connection) -> None:
    """Bring it to SCHEMA, within the transaction the connection is in. Raises StartRefused, StoreDamaged."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    revision = revision_in(connection)
    if is_current(revision):  # another replica was first
        return
    if revision is None:
        make_tables(connection)
    else:
        run_steps(connection)


def make_tables(connection: Connection) -> None:
    """All tables at once, where there are none: what the steps come to, and a service's first start need not import Alembic."""
    schema_table.create(connection, checkfirst=False)
    metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(schema_table).values(version_num=SCHEMA))


def run_steps(connection: Connection) -> None:
    """The steps that are missing, each from one revision to the next."""
    from alembic import command  # noqa: PLC0415 - 0.1 s of CPU and 11 MiB, for databases of older versions alone
    from alembic.config import Config  # noqa: PLC0415

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
