"""Alembic's migrations of the read model, applied on start by ``database.migrate``."""
