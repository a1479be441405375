"""The steps that make the conversation tables and bring them up to date (Alembic), configured in code."""
