"""Which version a database is of, and how it becomes the current one. Runs inside a transaction of the caller."""

from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, inspect, text

from careplan_exchange import logs
from careplan_exchange.errors import ConfigurationError, StoreVersionError

from .tables import VERSION_TABLE, metadata

REVISIONS = ("0001", "0002", "0003")
"""Every revision this code knows, oldest first; the last is the one it works with."""

MIGRATIONS = Path(__file__).parent / "migrations"

State = Literal["empty", "older", "current"]


def state_of(connection: Connection, place: str) -> State:
    """Raises StoreVersionError where the database is newer than this code or of no version that can be told, and
    ConfigurationError where it is a SQLite file of another program."""
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in tables:
        if tables & set(metadata.tables):
            raise StoreVersionError(
                f"In {place} there are tables of this product but no version.",
                mend="Restore the last backup, or set `store.url` to a new database.",
            )
        if connection.dialect.name == "sqlite" and tables:
            raise ConfigurationError(
                f"In {place} there are tables of another program.",
                mend="Set `store.url` to a file of its own; this one was left as it is.",
            )
        return "empty"
    revision = revision_of(connection)
    if revision == REVISIONS[-1]:
        return "current"
    if revision in REVISIONS:
        return "older"
    raise StoreVersionError(
        f"In {place} the tables are of a version that this code does not know; it knows {REVISIONS[-1]}.",
        mend="Install the version of careplan-exchange that wrote it, or a later one. Nothing was changed.",
    )


def look(connection: Connection, place: str) -> tuple[State, str | None]:
    """State and revision; of an empty database there is none. Raises as `state_of`."""
    state = state_of(connection, place)
    return state, None if state == "empty" else revision_of(connection)


def revision_of(connection: Connection) -> str | None:
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608 - a constant
    return str(found[0]) if len(found) == 1 else None


def upgrade(connection: Connection) -> str:
    """Brings an empty or older database to the current version; returns the revision."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, REVISIONS[-1])
    logs.get_logger().info(logs.STORE_MIGRATED, revision=REVISIONS[-1], kind=connection.dialect.name)
    return REVISIONS[-1]
