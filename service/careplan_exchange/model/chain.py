"""The hash chain of the ledger, as arithmetic: no database, no clock.

It stands in `model` because both the store, which appends, and the audit, which exports, reckon with it.

What it shows: an entry that was altered, removed, inserted, repeated or moved, at its place. What it cannot
show alone: entries cut off at the end. For that the store keeps the head (number and hash of the last entry) in a
row of its own. Whoever may write to both the entries and that row can rewrite the whole tail with fresh hashes,
or cut it off and set the head back, and the chain will fit. Only a head kept elsewhere, by somebody else, tells:
keep the last line of `audit verify` (or the header of `audit export`) outside the database, and hand it to the
check as `kept`.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from . import codec
from .ledger import Entry, Link, Verdict

GENESIS = "0" * 64
"""What the first entry has for `previous`."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a chain: the number of its last entry, and that entry's hash (of no entry: 0 and GENESIS)."""

    seq: int
    hash: str


START = Verdict(entries=0, head=GENESIS)
"""The verdict on an empty chain; `follow` goes on from it."""


def entry_hash(previous: str, seq: int, entry: Entry) -> str:
    """SHA-256, in hexadecimal, over `seq`, a line feed, `previous`, a line feed, the entry's canonical JSON."""
    return hashlib.sha256(f"{seq}\n{previous}\n".encode() + codec.canonical(entry)).hexdigest()


def link(previous: str, seq: int, entry: Entry) -> Link:
    """The entry in its place, with its hash.

    `data` is brought to the form that JSON gives back (tuples to arrays, floats to Decimal), so that an entry
    read from a database or file has the hash it was stored with. Raises TypeError where `data` is not JSON.
    """
    settled = msgspec.convert(codec.decode(codec.canonical(entry)), Entry)
    return Link(seq=seq, entry=settled, previous=previous, hash=entry_hash(previous, seq, settled))


def follow(verdict: Verdict, links: Iterable[Link]) -> Verdict:
    """The verdict after `links`, which go on where `verdict` ended. The first break found stands for good."""
    seq, head = verdict.entries, verdict.head
    if verdict.problem is not None:
        return verdict
    for current in links:
        problem = _misfit(seq + 1, head, current)
        if problem is not None:
            return Verdict(entries=seq, head=head, broken_at=seq + 1, problem=problem)
        seq, head = current.seq, current.hash
    return Verdict(entries=seq, head=head)


def close(verdict: Verdict, kept: Head) -> Verdict:
    """The verdict on a chain that was walked to its end, against the head that was kept of it."""
    if verdict.problem is not None:
        return verdict
    if verdict.entries < kept.seq:
        problem = f"The entries after number {verdict.entries} are missing: the head is number {kept.seq}."
        return broken(verdict, verdict.entries + 1, problem)
    if verdict.entries > kept.seq:
        problem = f"The entries after number {kept.seq} were added past the head."
        return broken(verdict, kept.seq + 1, problem)
    if verdict.head != kept.hash:
        return broken(verdict, kept.seq, f"Entry {kept.seq} does not have the hash that the head says.")
    return verdict


def verify(links: Iterable[Link], head: Head | None = None) -> Verdict:
    """Walk a whole chain from its first entry, and compare its end with `head` where one was kept."""
    verdict = follow(START, links)
    return verdict if head is None else close(verdict, head)


def _misfit(seq: int, previous: str, current: Link) -> str | None:
    if current.seq > seq:
        return f"Entry {seq} is missing."
    if current.seq < seq:
        return f"Entry {seq} is missing: number {current.seq} stands in its place."
    if current.previous != previous:
        return f"Entry {seq} does not follow the entry before it."
    if current.hash != entry_hash(previous, seq, current.entry):
        return f"Entry {seq} was altered."
    return None


def broken(verdict: Verdict, seq: int, problem: str) -> Verdict:
    """The same verdict, with the entry that does not fit and what is wrong with it."""
    return msgspec.structs.replace(verdict, broken_at=seq, problem=problem)
