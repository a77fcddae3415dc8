"""The hash chain of the ledger, as arithmetic: no database, no clock, no keys.

It stands in `model` because both the store, which appends, and the audit, which exports, reckon with it.

What it shows: an entry that was altered, removed, inserted, repeated or moved, at its place. What it cannot
show alone: entries cut off at the end. For that the store keeps the head (number and hash of the last entry) in a
row of its own. Whoever may write to both the entries and that row can rewrite the whole tail with fresh hashes,
or cut it off and set the head back, and the chain will fit. Only a head that they cannot write tells: one that is
signed (model/seals.py), or one that is kept elsewhere. Both come to the walk as a `Mark`.
"""

import hashlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from . import codec
from .ledger import Entry, Link, Verdict

GENESIS = "0" * 64
"""What the first entry of the default tenant has for `previous`."""

DEFAULT_TENANT = "default"

_entries = msgspec.json.Decoder(Entry, float_hook=Decimal)
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a chain: the number of its last entry and that entry's hash; of no entry, 0 and the genesis."""

    seq: int
    hash: str


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What entry `seq` must have for its hash, by somebody else's word."""

    seq: int
    hash: str
    source: Literal["kept", "signed"]


def genesis_of(tenant: str) -> str:
    """What the first entry of this tenant's chain has for `previous`: a chain fits under no other name. The
    default tenant has the chains that were begun before there were tenants."""
    if tenant == DEFAULT_TENANT:
        return GENESIS
    return hashlib.sha256(f"careplan-ledger\n{tenant}".encode()).hexdigest()


def start_of(tenant: str) -> Head:
    """The head of an empty chain."""
    return Head(seq=0, hash=genesis_of(tenant))


def entry_hash(previous: str, seq: int, text: bytes) -> str:
    """SHA-256, in hexadecimal, over `seq`, a line feed, `previous`, a line feed, the entry's canonical JSON."""
    return hashlib.sha256(f"{seq}\n{previous}\n".encode() + text).hexdigest()


class Settled(msgspec.Struct, frozen=True):
    """An entry as JSON gives it back, and the canonical text that its hash covers."""

    entry: Entry
    text: bytes


def settle(entry: Entry) -> Settled:
    """`data` is brought to the form that JSON gives back (tuples to arrays, floats to Decimal), so that an entry
    read from a database or file has the hash it was stored with. Raises TypeError where `data` is not JSON."""
    settled = msgspec.convert(codec.decode(codec.canonical(entry)), Entry)
    return Settled(settled, codec.canonical(settled))


def place(last: Head, settled: Settled) -> Link:
    """The entry in its place after `last`, with its hash."""
    seq = last.seq + 1
    return Link(seq=seq, entry=settled.entry, previous=last.hash, hash=entry_hash(last.hash, seq, settled.text))


def link(previous: str, seq: int, entry: Entry) -> Link:
    """An entry in its place. Raises TypeError as `settle`."""
    return place(Head(seq=seq - 1, hash=previous), settle(entry))


class Walk:
    """A walk along a chain, entry by entry, from where it begins or from a later head that is trusted.

    The first break ends it: what comes after cannot be judged. It keeps one hash, and the marks that lie ahead.
    """

    def __init__(self, start: Head, marks: Iterable[Mark] = ()) -> None:
        """`start` is the head before the first entry that will be given. Marks before it are not looked at."""
        self.seq, self.hash = start.seq, start.hash
        self.problem: str | None = None
        self.broken_at: int | None = None
        self._fits_up_to = start.seq  # the last entry that a mark, or the start, vouches for
        self._ahead: dict[int, list[Mark]] = {}
        for mark in marks:
            if mark.seq >= start.seq:
                self._ahead.setdefault(mark.seq, []).append(mark)
        self._look()

    def step(self, seq: int, previous: str, digest: str, text: bytes, exchange: str | None = None) -> bool:
        """Go on to this entry; `exchange` is the copy of the entry's own that stands beside it, where one does.
        False once the chain is broken."""
        if self.problem is not None:
            return False
        expected = self.seq + 1
        if seq != expected or previous != self.hash or digest != entry_hash(previous, seq, text):
            return self.break_at(expected, self._misfit(seq, previous, text))
        try:
            # The chain covers the text; the text may hold more than an entry, and the column is a copy of it.
            entry = _entries.decode(text)
            if codec.canonical(entry) != text or exchange not in {None, entry.exchange}:
                return self.break_at(seq, f"Entry {seq} was altered beside its content.")
        except _UNREADABLE:
            return self.break_at(seq, f"Entry {seq} cannot be read.")
        self.seq, self.hash = seq, digest
        return seq not in self._ahead or self._look()

    def _misfit(self, seq: int, previous: str, text: bytes) -> str:
        expected = self.seq + 1
        if seq > expected:
            return f"Entry {expected} is missing."
        if seq < expected:
            return f"Entry {expected} is missing: number {seq} stands in its place."
        try:
            _entries.decode(text)
        except _UNREADABLE:
            return f"Entry {seq} cannot be read."
        if previous != self.hash:
            return f"Entry {seq} does not follow the entry before it."
        return f"Entry {seq} was altered."

    def stand_on(self, found: str | None) -> bool:
        """Where the walk begins after an entry that stands in the chain: the hash that it has there today, None
        where it is not there."""
        if found is None:
            return self.break_at(self.seq, f"Entry {self.seq} is missing.")
        if found != self.hash:
            return self.break_at(self.seq, f"Entry {self.seq} does not have the hash from which to go on.")
        return True

    def break_at(self, seq: int, problem: str) -> bool:
        """The chain does not fit from `seq` on. The first break stands. Always False."""
        if self.problem is None:
            self.broken_at, self.problem = seq, problem
        return False

    def close(self, head: Head | None) -> Verdict:
        """The verdict at the end of the chain, against its head where it has one, and the marks that are left."""
        if self.problem is None and head is not None:
            self._compare(head)
        if self.problem is None and self._ahead:
            first = min((mark for marks in self._ahead.values() for mark in marks), key=lambda mark: mark.seq)
            problem = f"The entries after number {self.seq} are missing: the {first.source} head is "
            self.break_at(self.seq + 1, f"{problem}number {first.seq}.")
        return Verdict(entries=self.seq, head=self.hash, broken_at=self.broken_at, problem=self.problem)

    def _compare(self, head: Head) -> None:
        if self.seq < head.seq:
            problem = f"The entries after number {self.seq} are missing: the head is number {head.seq}."
            self.break_at(self.seq + 1, problem)
        elif self.seq > head.seq:
            self.break_at(head.seq + 1, f"The entries after number {head.seq} were added past the head.")
        elif self.hash != head.hash:
            self.break_at(head.seq, f"Entry {head.seq} does not have the hash that the head says.")

    def _look(self) -> bool:
        for mark in self._ahead.pop(self.seq, ()):
            if mark.hash != self.hash:
                since = self._fits_up_to + 1
                what = f"entry {since}" if since >= self.seq else f"an entry from {since} to {self.seq}"
                return self.break_at(
                    self.seq,
                    f"Entry {self.seq} does not have the hash that was {mark.source}: {what} was written anew.",
                )
            self._fits_up_to = self.seq
        return True


def verify(
    links: Iterable[Link], head: Head | None = None, *, start: Head | None = None, marks: Sequence[Mark] = ()
) -> Verdict:
    """Walk `links` from `start` (of the default tenant where none is given), and compare the end with `head`
    where one was kept."""
    walk = Walk(start or start_of(DEFAULT_TENANT), marks)
    for current in links:
        if not walk.step(current.seq, current.previous, current.hash, codec.canonical(current.entry)):
            break
    return walk.close(head)
