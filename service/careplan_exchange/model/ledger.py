"""Entries of the append-only ledger, each chained to the one before it by its hash."""

from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that happened, before it has a place in the chain. `event` is a dotted name from logs.py.

    `data` holds references, versions, counts, keys and hashes; never a name, a birth date or a value that was
    measured.
    """

    exchange: str
    event: str
    at: str  # FHIR instant, UTC
    data: dict[str, Any] = {}


class Link(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An entry in its place. `hash` covers `seq`, `previous` and the canonical JSON of the entry."""

    seq: int
    entry: Entry
    previous: str
    hash: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The result of `audit verify`: the number of the last entry that fits, and the first that does not.

    `removed` entries at the beginning are covered by tombstones; with `since` the walk began after that entry.
    `signed` is the last entry that a head covers whose signature was checked; None where none was.
    """

    entries: int
    head: str
    broken_at: int | None = None
    problem: str | None = None
    removed: int = 0
    since: int = 0
    signed: int | None = None
    signed_at: str | None = None
