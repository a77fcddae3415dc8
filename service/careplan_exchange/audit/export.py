"""The ledger as newline-delimited JSON (a header line, the seals, then one entry a line), and the check of it.

The file stands for itself: with it and the public key alone anybody can check it, on any machine. The header's
`head`, or a signed head, is what to keep outside this installation. Whoever holds it can tell, from a later
export, that nothing up to that entry was changed since (see model/chain.py for what the chain cannot show).
"""

from collections.abc import AsyncIterator, Iterable
from itertools import islice

import msgspec

from careplan_exchange.model import chain, codec
from careplan_exchange.model.chain import DEFAULT_TENANT, Head, Walk
from careplan_exchange.model.ledger import Link, Verdict
from careplan_exchange.model.seals import Seal, seal_from
from careplan_exchange.ports import Ledger, Progress

from .signing import Keyring
from .verification import begin_of, conclude, judge, kept_mark

FORMAT = "careplan-ledger/1"
_PAGE = 500
_TOLD_EVERY = 1000


class Header(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The first line: whose ledger it is, how many lines are seals, the number of the last entry that follows and
    its hash. `broken_at` and `problem` stand there where the chain did not fit when it was exported; every entry
    is exported all the same."""

    format: str
    entries: int
    head: str
    broken_at: int | None = None
    problem: str | None = None
    tenant: str = DEFAULT_TENANT
    seals: int = 0


async def to_audit_ndjson(ledger: Ledger) -> AsyncIterator[bytes]:
    """The whole ledger, line by line (each ends in a line feed), read in pages.

    Entries that are appended meanwhile are left to the next export. Raises what the ledger raises.
    """
    seals = await ledger.seals()
    verdict = await ledger.verify(start=begin_of(ledger.tenant, seals))
    header = Header(
        format=FORMAT,
        entries=verdict.entries,
        head=verdict.head,
        broken_at=verdict.broken_at,
        problem=verdict.problem,
        tenant=ledger.tenant,
        seals=len(seals),
    )
    yield codec.canonical(header) + b"\n"
    for seal in seals:
        yield codec.canonical(seal) + b"\n"
    last = 0
    while page := await ledger.links(after=last, limit=_PAGE):
        for link in page:
            if verdict.problem is None and link.seq > verdict.entries:
                return
            yield codec.canonical(link) + b"\n"
        last = page[-1].seq


def verify_audit_ndjson(
    lines: Iterable[bytes],
    keys: Keyring | None = None,
    *,
    kept: Head | None = None,
    must_be_signed: bool = False,
    progress: Progress | None = None,
) -> Verdict:
    """Check an export, line by line: the chain, the seals, the header's count and head, and, where `kept` is
    given, that the entry which was the head then still has its hash. Never raises for what a line holds."""
    rest = iter(lines)
    header = _header(next(rest, b""))
    if header is None:
        return _nothing(f"The first line is no header of {FORMAT}.")
    seals: list[Seal] = []
    for number, line in enumerate(islice(rest, header.seals), start=2):
        try:
            seals.append(seal_from(line.rstrip(b"\n")))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return _nothing(f"Line {number} is no seal.")
    judged = judge(header.tenant, seals, keys)
    walk = Walk(judged.start, (*judged.marks, *kept_mark(kept)))
    for number, line in enumerate(rest, start=2 + header.seals):
        if not _stepped(walk, number, line):
            break
        if progress is not None and walk.seq % _TOLD_EVERY == 0:
            progress(walk.seq, header.entries)
    verdict = conclude(
        walk.close(Head(seq=header.entries, hash=header.head)), judged, must_be_signed=must_be_signed
    )
    if verdict.problem is None and header.problem is not None:
        return msgspec.structs.replace(
            verdict, broken_at=header.broken_at or 0, problem=f"When it was exported: {header.problem}"
        )
    return verdict


def _nothing(problem: str) -> Verdict:
    return Verdict(entries=0, head=chain.GENESIS, broken_at=0, problem=problem)


def _header(line: bytes) -> Header | None:
    try:
        header = msgspec.convert(codec.decode(line), Header)
    except msgspec.MsgspecError:
        return None
    as_exported = codec.canonical(header) == line.rstrip(b"\n")
    return header if header.format == FORMAT and as_exported and header.seals >= 0 else None


def _stepped(walk: Walk, number: int, line: bytes) -> bool:
    try:
        link = msgspec.convert(codec.decode(line), Link)
        as_exported = codec.canonical(link) == line.rstrip(b"\n")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return walk.break_at(walk.seq + 1, f"Line {number} is no ledger entry.")
    if not as_exported:
        # What a struct does not know it would pass over: the line must be the entry and nothing else.
        return walk.break_at(walk.seq + 1, f"Line {number} is not as it was exported.")
    return walk.step(link.seq, link.previous, link.hash, codec.canonical(link.entry))
