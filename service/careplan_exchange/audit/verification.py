"""Does a ledger hold: the chain, and what is signed of it. One set of rules, for a database and for a file."""

from collections.abc import Sequence

import msgspec

from careplan_exchange.model import chain
from careplan_exchange.model.chain import Head, Mark
from careplan_exchange.model.ledger import Verdict
from careplan_exchange.model.seals import Seal, Tombstone
from careplan_exchange.ports import Ledger, Progress

from .signing import Keyring


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the seals of a ledger come to. `start` is where the chain begins, after the last genuine tombstone."""

    start: Head
    marks: tuple[Mark, ...] = ()
    newest: Head | None = None  # the last head whose signature was checked
    newest_at: str | None = None
    broken_at: int | None = None
    problem: str | None = None


def judge(tenant: str, seals: Sequence[Seal], keys: Keyring | None) -> Judged:
    """Check every seal. Without `keys` no signature is: signed heads are compared with the chain all the same,
    and tombstones are not believed."""
    start, marks, problems = chain.start_of(tenant), [], []
    newest: Head | None = None
    newest_at: str | None = None
    for seal in seals:
        said = seal.statement
        head = Head(seq=said.seq, hash=said.hash)
        fault = _fault(seal, tenant, start, keys)
        if fault is not None:
            problems.append((said.first if isinstance(said, Tombstone) else said.seq, fault))
            continue
        if isinstance(said, Tombstone):
            start = head
        marks.append(Mark(seq=said.seq, hash=said.hash, source="signed"))
        if keys is not None and (newest is None or said.seq >= newest.seq):
            newest, newest_at = head, said.at
    seq, problem = min(problems, default=(None, None))
    return Judged(
        start=start, marks=tuple(marks), newest=newest, newest_at=newest_at, broken_at=seq, problem=problem
    )


def _fault(seal: Seal, tenant: str, start: Head, keys: Keyring | None) -> str | None:
    said = seal.statement
    is_tombstone = isinstance(said, Tombstone)
    what = f"The tombstone of the entries up to {said.seq}" if is_tombstone else f"The signed head {said.seq}"
    if said.tenant != tenant:
        return f"{what} is of another tenant."
    if keys is None:
        return f"{what} cannot be checked: no public key is given." if is_tombstone else None
    if (fault := keys.fault(seal)) is not None:
        return f"{what} {fault}."
    if isinstance(said, Tombstone):
        goes_on = (said.first, said.previous) == (start.seq + 1, start.hash)
        if not goes_on or said.entries != said.seq - start.seq:
            return f"{what} does not go on where the one before it ended."
    return None


def begin_of(tenant: str, seals: Sequence[Seal]) -> Head:
    """Where the chain begins by the word of its last tombstone, genuine or not."""
    start = chain.start_of(tenant)
    for seal in seals:
        if isinstance(seal.statement, Tombstone):
            start = Head(seq=seal.statement.seq, hash=seal.statement.hash)
    return start


def conclude(verdict: Verdict, judged: Judged, *, must_be_signed: bool) -> Verdict:
    """The verdict on the chain together with that on its seals: the first entry that either finds."""
    problem, broken_at = verdict.problem, verdict.broken_at
    if judged.problem is not None and (problem is None or (judged.broken_at or 0) <= (broken_at or 0)):
        problem, broken_at = judged.problem, judged.broken_at
    elif problem is None and must_be_signed and judged.newest is None and verdict.entries > 0:
        problem, broken_at = "No head of this ledger is signed: nobody vouches for its entries.", 1
    return msgspec.structs.replace(
        verdict,
        problem=problem,
        broken_at=broken_at,
        removed=judged.start.seq,
        signed=None if judged.newest is None else judged.newest.seq,
        signed_at=judged.newest_at,
    )


def kept_mark(kept: Head | None) -> tuple[Mark, ...]:
    return () if kept is None else (Mark(seq=kept.seq, hash=kept.hash, source="kept"),)


async def verify_ledger(
    ledger: Ledger,
    keys: Keyring | None = None,
    *,
    kept: Head | None = None,
    since: Head | None = None,
    must_be_signed: bool = False,
    progress: Progress | None = None,
) -> Verdict:
    """Walk the ledger and check its seals. `kept` is a head that somebody kept elsewhere; with `since` only what
    comes after that entry is walked. Raises what the ledger raises."""
    seals = await ledger.seals()
    while True:
        judged = judge(ledger.tenant, seals, keys)
        verdict = await ledger.verify(
            start=judged.start,
            since=since,
            marks=(*judged.marks, *kept_mark(kept), *kept_mark(since)),
            progress=progress,
        )
        before, seals = seals, await ledger.seals()
        if verdict.problem is None or seals == before:  # otherwise somebody removed entries by policy meanwhile
            break
    verdict = msgspec.structs.replace(verdict, since=since.seq if since else 0)
    return conclude(verdict, judged, must_be_signed=must_be_signed)
