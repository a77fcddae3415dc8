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
    """The result of `audit verify`: how many entries were checked, and the first that does not fit."""

    entries: int
    head: str
    broken_at: int | None = None
    problem: str | None = None
