"""What the parts of the plan store share: the database, and a few statements."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from .database import Database


class Part:
    def __init__(self, database: Database) -> None:
        self._database = database

    def _insert_new(self, connection: Connection, table: Any, key: str | None, values: Mapping[str, Any]) -> bool:
        """Whether the row was new. `key` names the unique column that may be there already; None: any."""
        statement = self._database.insert(table).values(**values)
        elements = None if key is None else [key]
        result = connection.execute(statement.on_conflict_do_nothing(index_elements=elements))
        return bool(result.rowcount)
