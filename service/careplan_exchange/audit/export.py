"""The ledger as newline-delimited JSON: a header line, then one entry a line; and the check of such a file.

The header's `head` is what to keep outside this installation. Whoever holds it can tell, from a later export,
that nothing up to that entry was changed since (see model/chain.py for what the chain alone cannot show).
"""

from collections.abc import AsyncIterator, Iterable

import msgspec

from careplan_exchange.model import chain, codec
from careplan_exchange.model.chain import Head
from careplan_exchange.model.ledger import Link, Verdict
from careplan_exchange.ports import Ledger

FORMAT = "careplan-ledger/1"
_PAGE = 500


class Header(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The first line: how many entries follow, and the hash of the last. `broken_at` and `problem` stand there
    where the ledger did not fit when it was exported; every entry is exported all the same."""

    format: str
    entries: int
    head: str
    broken_at: int | None = None
    problem: str | None = None


async def to_audit_ndjson(ledger: Ledger) -> AsyncIterator[bytes]:
    """The whole ledger, line by line (each ends in a line feed), read in pages.

    Entries that are appended meanwhile are left to the next export. Raises what the ledger raises.
    """
    verdict = await ledger.verify()
    header = Header(
        format=FORMAT,
        entries=verdict.entries,
        head=verdict.head,
        broken_at=verdict.broken_at,
        problem=verdict.problem,
    )
    yield codec.canonical(header) + b"\n"
    last = 0
    while page := await ledger.links(after=last, limit=_PAGE):
        for link in page:
            if verdict.problem is None and link.seq > verdict.entries:
                return
            yield codec.canonical(link) + b"\n"
        last = page[-1].seq


def verify_audit_ndjson(lines: Iterable[bytes], kept: Head | None = None) -> Verdict:
    """Check an export, line by line: the chain, the header's count and head, and, where `kept` is given, that the
    entry which was the head then still has its hash. Never raises for what a line holds."""
    walk = iter(lines)
    header = _header(next(walk, b""))
    if header is None:
        return chain.broken(chain.START, 0, f"The first line is no header of {FORMAT}.")
    verdict, kept_hash = chain.START, chain.GENESIS
    for line in walk:
        verdict = _followed(verdict, line)
        if kept is not None and verdict.entries == kept.seq:
            kept_hash = verdict.head
    verdict = chain.close(verdict, Head(seq=header.entries, hash=header.head))
    if verdict.problem is None and header.problem is not None:
        verdict = chain.broken(verdict, header.broken_at or 0, f"When it was exported: {header.problem}")
    return verdict if kept is None else against_kept(verdict, kept, kept_hash)


def _header(line: bytes) -> Header | None:
    try:
        header = msgspec.convert(codec.decode(line), Header)
    except msgspec.MsgspecError:
        return None
    as_exported = codec.canonical(header) == line.rstrip(b"\n")
    return header if header.format == FORMAT and as_exported else None


def _followed(verdict: Verdict, line: bytes) -> Verdict:
    if verdict.problem is not None:
        return verdict
    seq = verdict.entries + 1
    try:
        link = msgspec.convert(codec.decode(line), Link)
    except msgspec.MsgspecError:
        return chain.broken(verdict, seq, f"Line {seq + 1} is no ledger entry.")
    if codec.canonical(link) != line.rstrip(b"\n"):
        # What a struct does not know it would pass over: the line must be the entry and nothing else.
        return chain.broken(verdict, seq, f"Line {seq + 1} is not as it was exported.")
    return chain.follow(verdict, (link,))


def against_kept(verdict: Verdict, kept: Head, found: str) -> Verdict:
    """The verdict on a chain whose entry `kept.seq` has the hash `found` today, against the one that was kept."""
    if verdict.problem is not None:
        return verdict
    if verdict.entries < kept.seq:
        problem = f"The entries after number {verdict.entries} are missing: the kept head is number {kept.seq}."
        return chain.broken(verdict, verdict.entries + 1, problem)
    if found != kept.hash:
        return chain.broken(verdict, kept.seq, f"Entry {kept.seq} does not have the hash that was kept.")
    return verdict
