"""The Alembic migrations, run by `schema.py` on a connection of ours; there is no alembic.ini."""
