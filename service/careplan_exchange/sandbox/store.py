"""Every version of every resource in SQLite, with an index for searches and one for references.

The connection is shared and every use of it is behind one lock: a sandbox has one writer. With a file, what was
committed survives `kill -9` and a power failure (WAL, synchronous FULL).
"""

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from careplan_exchange.errors import StoreUnavailableError, StoreVersionError
from careplan_exchange.model.record import FhirRelease

_SCHEMA_VERSION = 2
_AT_ONCE = 1000
_SCHEMA = """
CREATE TABLE version (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, id TEXT NOT NULL, number INTEGER NOT NULL,
  updated TEXT NOT NULL, method TEXT NOT NULL, body BLOB, UNIQUE (type, id, number)
) STRICT;
CREATE TABLE current (
  type TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL REFERENCES version (seq), PRIMARY KEY (type, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE term (type TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL) STRICT;
CREATE INDEX term_by_value ON term (type, name, value, id);
CREATE INDEX term_by_resource ON term (type, id);
CREATE TABLE link (type TEXT NOT NULL, id TEXT NOT NULL, target TEXT NOT NULL) STRICT;
CREATE INDEX link_by_target ON link (target);
CREATE INDEX link_by_resource ON link (type, id);
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""


class Version(msgspec.Struct, frozen=True):
    """One version of a resource. `body` is its JSON, None where this version is its deletion."""

    seq: int
    type: str
    id: str
    number: int
    updated: str
    method: str
    body: bytes | None

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"


class Hit(NamedTuple):
    """What a search finds: a version by its number in the whole store, and when it was written."""

    seq: int
    updated: str


class Condition(msgspec.Struct, frozen=True):
    """A search by indexed values: the resource has one of `values` under the parameter `name`."""

    name: str
    values: tuple[str, ...]


class Store:
    """The versions. Writes happen inside `writing()` only, all of its block or nothing."""

    def __init__(self, path: Path | None, release: FhirRelease) -> None:
        """`path` None: in memory. Raises StoreVersionError for another schema or release,
        StoreUnavailableError."""
        self._lock = threading.RLock()
        self._depth = 0
        self._where = str(path) if path is not None else ":memory:"
        try:
            self._db = sqlite3.connect(self._where, isolation_level=None, check_same_thread=False, timeout=5)
            try:
                self._open(release)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise StoreUnavailableError(
                f"The sandbox's database cannot be opened: {error}.",
                mend="Give --database a file that can be written and that no other sandbox uses.",
            ) from None
        self._before_last_write = self._last_seq()

    def _open(self, release: FhirRelease) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA}")
            self._db.execute("INSERT INTO setting VALUES ('release', ?)", (release,))
            self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            self._db.execute("COMMIT")
            return
        if found != _SCHEMA_VERSION:
            raise StoreVersionError(
                f"The sandbox's database has schema {found}, this version has {_SCHEMA_VERSION}.",
                mend="Give --database a new file and load the data again.",
            )
        held = self._db.execute("SELECT value FROM setting WHERE name = 'release'").fetchone()[0]
        if held != release:
            raise StoreVersionError(
                f"The sandbox's database holds {held} resources, not {release}.",
                mend=f"Start it with --fhir {held}, or give --database another file.",
            )

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing, durable at the end of the outermost block."""
        with self._lock:
            if self._depth:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            before = self._last_seq()
            self._depth += 1
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            else:
                written = self._last_seq() != before
                self._db.execute("COMMIT")
                if written:
                    self._before_last_write = before
            finally:
                self._depth -= 1

    def put(
        self,
        version: Version,
        terms: Mapping[str, Iterable[str]],
        links: Iterable[str],
    ) -> None:
        """Adds a version as the current one (its `seq` is given by the store), with what it is found by and
        what it refers to. Only inside `writing()`."""
        where = (version.type, version.id)
        cursor = self._db.execute(
            "INSERT INTO version (type, id, number, updated, method, body) VALUES (?, ?, ?, ?, ?, ?)",
            (*where, version.number, version.updated, version.method, version.body),
        )
        self._db.execute("INSERT OR REPLACE INTO current VALUES (?, ?, ?)", (*where, cursor.lastrowid))
        self._db.execute("DELETE FROM term WHERE type = ? AND id = ?", where)
        self._db.execute("DELETE FROM link WHERE type = ? AND id = ?", where)
        self._db.executemany(
            "INSERT INTO term VALUES (?, ?, ?, ?)",
            [(*where, name, value) for name, values in terms.items() for value in sorted(values)],
        )
        self._db.executemany("INSERT INTO link VALUES (?, ?, ?)", [(*where, target) for target in sorted(links)])

    def current(self, resource_type: str, resource_id: str) -> Version | None:
        """The newest version, a deletion too; None where there never was one."""
        return self._one("JOIN current c USING (seq) WHERE c.type = ? AND c.id = ?", (resource_type, resource_id))

    def version(self, resource_type: str, resource_id: str, number: int) -> Version | None:
        return self._one("WHERE v.type = ? AND v.id = ? AND v.number = ?", (resource_type, resource_id, number))

    def history(self, resource_type: str, resource_id: str) -> list[Version]:
        """Every version, newest first."""
        return self._all("WHERE v.type = ? AND v.id = ? ORDER BY v.seq DESC", (resource_type, resource_id))

    def find(self, resource_type: str, conditions: Sequence[Condition]) -> list[Hit]:
        """The current resources of a type that meet every condition, in the order of their last change."""
        clause = "JOIN current c USING (seq) WHERE c.type = ? AND v.body IS NOT NULL"
        values: list[Any] = [resource_type]
        for condition in conditions:
            marks = ", ".join("?" * len(condition.values))
            terms = f"SELECT id FROM term WHERE type = ? AND name = ? AND value IN ({marks})"  # noqa: S608 - only marks
            clause += f" AND c.id IN ({terms})"
            values += [resource_type, condition.name, *condition.values]
        return self._hits(f"{clause} ORDER BY v.seq", values)

    def before_last_write(self, resource_type: str) -> list[Hit]:
        """The resources of a type as they stood before the last write, whatever type that was of."""
        clause = (
            "WHERE v.seq IN (SELECT max(seq) FROM version WHERE type = ? AND seq <= ? GROUP BY id)"
            " AND v.body IS NOT NULL ORDER BY v.seq"
        )
        return self._hits(clause, (resource_type, self._before_last_write))

    def versions(self, seqs: Sequence[int]) -> list[Version]:
        """The versions with these numbers, in this order."""
        found: dict[int, Version] = {}
        for start in range(0, len(seqs), _AT_ONCE):
            some = seqs[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            found.update((one.seq, one) for one in self._all(f"WHERE v.seq IN ({marks})", some))
        return [found[seq] for seq in seqs]

    def only_of(self, seqs: Sequence[int], types: Collection[str]) -> list[int]:
        """Those of them that are of these types, in the same order."""
        marks = ", ".join("?" * len(types))
        query = f"SELECT seq FROM version WHERE type IN ({marks}) AND seq BETWEEN ? AND ?"  # noqa: S608 - only marks
        with self._lock:
            values = (*types, min(seqs, default=0), max(seqs, default=0))
            kept = {row[0] for row in self._db.execute(query, values)}
        return [seq for seq in seqs if seq in kept]

    def referred(self, seqs: Sequence[int]) -> set[str]:
        """`Type/id` of everything that the current resources among these refer to."""
        targets: set[str] = set()
        for start in range(0, len(seqs), _AT_ONCE):
            some = seqs[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            own = f"SELECT type, id FROM version WHERE seq IN ({marks})"  # noqa: S608 - only marks
            query = f"SELECT DISTINCT target FROM link WHERE (type, id) IN ({own})"  # noqa: S608 - see above
            with self._lock:
                targets.update(row[0] for row in self._db.execute(query, some))
        return targets

    def referrers(self, reference: str) -> list[str]:
        """`Type/id` of the current resources that refer to it, itself left out."""
        with self._lock:
            rows = self._db.execute(
                "SELECT DISTINCT type, id FROM link WHERE target = ?", (reference,)
            ).fetchall()
        return sorted(name for kind, one in rows if (name := f"{kind}/{one}") != reference)

    def _last_seq(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM version").fetchone()[0])

    def _one(self, clause: str, values: Sequence[Any]) -> Version | None:
        found = self._all(clause, values)
        return found[0] if found else None

    def _hits(self, clause: str, values: Sequence[Any]) -> list[Hit]:
        query = f"SELECT v.seq, v.updated FROM version v {clause}"  # noqa: S608 - as in `_all`
        with self._lock:
            return [Hit(*row) for row in self._db.execute(query, values)]

    def _all(self, clause: str, values: Sequence[Any]) -> list[Version]:
        columns = "v.seq, v.type, v.id, v.number, v.updated, v.method, v.body"
        # The clauses are literals of this module; what a client sends goes through the placeholders alone.
        query = f"SELECT {columns} FROM version v {clause}"  # noqa: S608 - see the line above
        with self._lock:
            return [Version(*row) for row in self._db.execute(query, values)]
