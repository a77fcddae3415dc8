"""The one place where a database's own errors become ours. No SQL, value, user or password gets through.

`raise … from None` on purpose: the original error holds the statement and its values, which are clinical data.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import msgspec
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from careplan_exchange.errors import (
    CareplanError,
    ConfigurationError,
    StoreUnavailableError,
    StoreVersionError,
)

Kind = type[ConfigurationError] | type[StoreUnavailableError]

_RIGHTS = "Give the user that runs this the right to write there, or set `store.url` to another place."

_LOCKED: tuple[Kind, str, str] = (
    StoreUnavailableError,
    "{place} is locked by another program",
    "Let the other program finish, or end it; then repeat the command.",
)
_FULL: tuple[Kind, str, str] = (
    StoreUnavailableError,
    "{place} cannot grow: the disk is full. Nothing of this step was stored",
    "Free space on that disk, then repeat the command.",
)

_SQLITE: dict[int, tuple[Kind, str, str]] = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    # The file that readers and writers share in WAL mode cannot grow: in practice the disk is full.
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,
    sqlite3.SQLITE_IOERR: (
        StoreUnavailableError,
        "{place} cannot be read or written: the disk reports an error",
        "Check the disk; then repeat the command.",
    ),
    sqlite3.SQLITE_CANTOPEN: (ConfigurationError, "{place} cannot be opened", _RIGHTS),
    sqlite3.SQLITE_READONLY: (ConfigurationError, "{place} may not be written", _RIGHTS),
    sqlite3.SQLITE_PERM: (ConfigurationError, "{place} may not be written", _RIGHTS),
    sqlite3.SQLITE_NOTADB: (
        ConfigurationError,
        "{place} is not a SQLite database",
        "Set `store.url` to another file; this one was left as it is.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        ConfigurationError,
        "{place} is damaged",
        "Keep a copy of the file as it is, then restore the last backup or recover it with SQLite's `.recover`.",
    ),
}

_UNREACHABLE = "Check that PostgreSQL runs there and accepts connections from here; then repeat the command."

# By SQLSTATE, the longest prefix first (https://www.postgresql.org/docs/15/errcodes-appendix.html).
_POSTGRESQL: dict[str, tuple[Kind, str, str]] = {
    "28": (
        ConfigurationError,
        "{place} does not accept this user and password",
        "Check the user in `store.url` and the password in `store.password_file` or `store.password_env`.",
    ),
    "3D000": (
        ConfigurationError,
        "{place} does not exist on that server",
        "Create the database (`createdb`), or correct its name in `store.url`.",
    ),
    "25006": (
        ConfigurationError,
        "{place} may only be read",
        "Set `store.url` to the primary server, not to a standby.",
    ),
    "42501": (
        ConfigurationError,
        "{place} does not give this user the rights that are needed",
        "Make the user the owner of the database, or grant it CREATE on the schema and all rights on its tables.",
    ),
    "42P01": (
        StoreVersionError,
        "{place} lacks a table that this version needs",
        "Run `careplan doctor`; if tables were removed, restore the last backup.",
    ),
    "53100": (
        StoreUnavailableError,
        "{place} cannot grow: the server's disk is full. Nothing of this step was stored",
        "Free space on the database server, then repeat the command.",
    ),
    "53300": (
        StoreUnavailableError,
        "{place} has no connection left",
        "Raise `max_connections`, or run fewer exchanges at once; then repeat the command.",
    ),
    "55P03": _LOCKED,
    "57P": (StoreUnavailableError, "{place} is starting or shutting down", _UNREACHABLE),
    "08": (StoreUnavailableError, "{place} broke off the connection", _UNREACHABLE),
}

_FILES: dict[int, tuple[Kind, str, str]] = {
    errno.EACCES: (ConfigurationError, "{place} may not be opened by this user", _RIGHTS),
    errno.EPERM: (ConfigurationError, "{place} may not be opened by this user", _RIGHTS),
    errno.EROFS: (ConfigurationError, "{place} stands on a disk that may only be read", _RIGHTS),
    errno.EISDIR: (ConfigurationError, "{place} is a folder", "Set `store.url` to a file in it."),
    errno.ENOENT: (
        ConfigurationError,
        "{place} has no folder to stand in",
        "Create the folder first, or set `store.url` to another place.",
    ),
    errno.ENOTDIR: (
        ConfigurationError,
        "{place} has no folder to stand in",
        "Create the folder first, or set `store.url` to another place.",
    ),
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
}


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Errors of the database, inside the block, become ConfigurationError, StoreVersionError or
    StoreUnavailableError. `place` names the database for a person (Address.label)."""
    try:
        yield
    except DBAPIError as error:
        raise _ours(error.orig or error, place) from None
    except (sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _ours(error, place) from None
    except (OSError, TimeoutError) as error:
        raise _not_reached(error, place) from None
    except SQLAlchemyError as error:
        raise _unknown(type(error).__name__, place) from None
    except msgspec.MsgspecError:
        raise StoreVersionError(
            f"{_sentence(place)} holds a document that this version cannot read.",
            mend="Run the version that wrote it, or restore the last backup.",
        ) from None


def _ours(error: BaseException, place: str) -> CareplanError:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        found = (_SQLITE.get(code) or _SQLITE.get(code & 0xFF)) if code is not None else None
        return _made(found, place) if found else _unknown(getattr(error, "sqlite_errorname", "SQLite"), place)
    state = _sqlstate(error)
    for prefix in (state, state[:3], state[:2]):
        if prefix in _POSTGRESQL:
            return _made(_POSTGRESQL[prefix], place)
    return _unknown(f"SQLSTATE {state}", place) if state else _not_reached(error, place)


def _sqlstate(error: BaseException | None) -> str:
    while error is not None:
        state = getattr(error, "sqlstate", None)
        if isinstance(state, str):
            return state
        error = error.__cause__
    return ""


def _made(found: tuple[Kind, str, str], place: str) -> CareplanError:
    kind, detail, mend = found
    return kind(f"{_sentence(detail.format(place=place))}.", mend=mend)


def _not_reached(error: BaseException, place: str) -> CareplanError:
    found = _FILES.get(error.errno) if isinstance(error, OSError) and error.errno else None
    return _made(found or (StoreUnavailableError, "{place} cannot be reached", _UNREACHABLE), place)


def _unknown(name: str, place: str) -> CareplanError:
    return StoreUnavailableError(
        f"{_sentence(place)} refused a statement ({name}).",
        mend="Run `careplan doctor`; if it finds nothing, report this with the version of the product.",
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
