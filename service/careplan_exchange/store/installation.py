"""Who this store is, and under which key its documents stand."""

from sqlalchemy import Connection, Select, exists, select, update

from .cipher import Cipher, Keys, key_id, no_key
from .database import Database
from .documents import Documents
from .tables import SEALED, Sealed, installation


async def unlock(database: Database, keys: Keys | None) -> str | None:
    """From here on what is clinical is sealed with `keys.current`. Out: the id of the key under which everything
    stands, None where documents may stand in the clear.

    A database that holds nothing yet is sealed from its first document. One that holds documents in the clear is
    read as it is, and sealed by `rekey`. Raises ConfigurationError where the key for it is missing; nothing is
    changed then.
    """
    named = select(installation.c.sealed_with)
    sealed_with: str | None = await database.read(lambda connection: connection.scalar(named))
    if keys is None:
        if sealed_with is not None:
            raise no_key(sealed_with)
        return None
    cipher = Cipher(keys)
    if sealed_with is None:

        def sealed_while_empty(connection: Connection) -> str | None:
            # Whoever else opens it for the first time waits here, and finds the key of the first.
            there: str | None = connection.scalar(named.with_for_update())
            if there is None and not any(connection.scalar(_holds_any(each)) for each in SEALED):
                connection.execute(update(installation).values(sealed_with=cipher.key))
                return cipher.key
            return there

        sealed_with = await database.write(sealed_while_empty)
    if sealed_with is not None and sealed_with not in map(key_id, (keys.current, *keys.older)):
        raise no_key(sealed_with)
    database.documents = Documents(cipher, clear=sealed_with is None)
    return sealed_with


def _holds_any(each: Sealed) -> Select[tuple[bool]]:
    return select(exists().select_from(each.table))
