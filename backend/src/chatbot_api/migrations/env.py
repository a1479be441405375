"""What Alembic runs for every command: it works on the connection it is given, inside that connection's transaction."""

from alembic import context

from chatbot_api.services.conversation_tables import SCHEMA_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=SCHEMA_TABLE,
    transactional_ddl=True,  # SQLite's tables are made in a transaction too, once BEGIN was said
    render_as_batch=True,
)
context.run_migrations()
