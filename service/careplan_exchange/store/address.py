"""A database URL, taken apart. Pure: nothing is opened here."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from careplan_exchange.errors import SettingsError

_MEND = (
    "Set `store.url` to `sqlite:///careplan.db` (relative), `sqlite:////var/lib/careplan/careplan.db` (absolute) "
    "or `postgresql://user@host:5432/name`; the password goes into `store.password_file` or the variable that "
    "`store.password_env` names."
)


@dataclass(frozen=True)
class FileAddress:
    """A SQLite file, or (`path` None) a SQLite database in memory that ends when it is closed."""

    path: Path | None

    @property
    def label(self) -> str:
        return "the database in memory" if self.path is None else f"the database file {self.path.name}"


@dataclass(frozen=True)
class ServerAddress:
    """A PostgreSQL database. `dsn` is as libpq takes it, without a password."""

    dsn: str
    password: str | None
    label: str

    def __repr__(self) -> str:
        return f"ServerAddress({self.label})"


def address_of(url: str, *, password: str | None = None) -> FileAddress | ServerAddress:
    """In: `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` (memory) or `postgresql://…`, where
    `password` wins over one in the URL. Raises SettingsError, which repeats nothing of the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingsError("The database URL cannot be read.", mend=_MEND) from None
    if parts.scheme == "sqlite":
        if parts.netloc or parts.query or parts.fragment:
            raise SettingsError("The SQLite URL has a host, a query or a fragment.", mend=_MEND)
        # The first slash parts the (empty) host from the path: three give a relative path, four an absolute one.
        path = parts.path[1:]
        return FileAddress(None if path in {"", ":memory:"} else Path(path))
    if parts.scheme == "postgresql":
        user, host = parts.username, parts.hostname or ""
        name = parts.path.lstrip("/")
        if not name:
            raise SettingsError("The PostgreSQL URL names no database.", mend=_MEND)
        # What stands before the @ is written anew without the password, from the URL's own (encoded) text.
        place = parts.netloc.rpartition("@")[2]
        encoded_user = parts.netloc.rpartition("@")[0].partition(":")[0]
        netloc = place if user is None else f"{encoded_user}@{place}"
        label = f"the PostgreSQL database {name} on {host or 'this machine'}{f':{port}' if port else ''}"
        dsn = f"postgresql://{netloc}{parts.path}{'?' if parts.query else ''}{parts.query}"
        own = unquote(parts.password) if parts.password is not None else None
        return ServerAddress(dsn=dsn, password=password if password is not None else own, label=label)
    raise SettingsError("The database URL is of no kind that is supported.", mend=_MEND)
