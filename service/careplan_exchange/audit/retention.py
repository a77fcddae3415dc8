"""Entries that were kept long enough, removed up to a signed head; a signed tombstone takes their place.

Never by itself: somebody asks for it, sees what would go, and says so. What goes cannot be brought back from
here: export the ledger first, and keep the file as long as the law asks.
"""

import re
from datetime import datetime, timedelta

import msgspec

from careplan_exchange.errors import DecisionNeededError, UsageError
from careplan_exchange.model.chain import Head
from careplan_exchange.model.seals import SignedHead, Tombstone
from careplan_exchange.ports import Ledger

from .signing import Keyring, SigningKey
from .verification import judge, verify_ledger

_PAGE = 1000
_AGE = re.compile(r"([1-9][0-9]{0,3})([yd])", re.ASCII)


class Removal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a policy would remove: the entries `first` to `seq`, the last of them made before `before`. Of nothing
    `entries` is 0."""

    entries: int
    first: int
    seq: int
    previous: str
    hash: str
    policy: str
    before: str


def cutoff(age: str, now: datetime) -> datetime:
    """The moment that is this long ago: `10y` (years of the calendar) or `400d`. Raises UsageError."""
    found = _AGE.fullmatch(age)
    if found is None:
        raise UsageError(f"'{age}' is no age.", mend="Give years or days: 10y, 400d.")
    number = int(found[1])
    try:
        if found[2] == "d":
            return now - timedelta(days=number)
        year = now.year - number
        return now.replace(year=year, day=28) if (now.month, now.day) == (2, 29) else now.replace(year=year)
    except (ValueError, OverflowError):
        raise UsageError(f"'{age}' is longer than there are dates.", mend="Give fewer years.") from None


async def removable(ledger: Ledger, keys: Keyring, age: str, now: datetime) -> Removal:
    """What would go. The whole ledger is verified first: of one that does not hold nothing is removed.

    Only up to a signed head, and only while every entry before it is old enough: an entry with a clock gone wrong
    stops it there. Raises UsageError (age), DecisionNeededError (the ledger does not hold).
    """
    before = cutoff(age, now)
    verdict = await verify_ledger(ledger, keys)
    if verdict.problem is not None:
        raise DecisionNeededError(
            f"The ledger does not hold: {verdict.problem} Nothing was removed.",
            mend="See `careplan audit verify`. Keep the database as it is, for evidence.",
        )
    seals = await ledger.seals()
    judged = judge(ledger.tenant, seals, keys)
    old_up_to = await _old_up_to(ledger, judged.start.seq, before)
    heads = [
        Head(seq=seal.statement.seq, hash=seal.statement.hash)
        for seal in seals
        if isinstance(seal.statement, SignedHead) and judged.start.seq < seal.statement.seq <= old_up_to
    ]
    last = max(heads, key=lambda head: head.seq, default=judged.start)
    return Removal(
        entries=last.seq - judged.start.seq,
        first=judged.start.seq + 1,
        seq=last.seq,
        previous=judged.start.hash,
        hash=last.hash,
        policy=f"older than {age}",
        before=before.isoformat(),
    )


async def remove(ledger: Ledger, key: SigningKey, removal: Removal, *, by: str, at: datetime) -> Tombstone:
    """Remove what `removable` found, and leave the signed tombstone. Raises what the ledger raises."""
    tombstone = Tombstone(
        tenant=ledger.tenant,
        first=removal.first,
        seq=removal.seq,
        previous=removal.previous,
        hash=removal.hash,
        entries=removal.entries,
        policy=removal.policy,
        by=by,
        at=at.isoformat(),
        key=key.id,
    )
    await ledger.remove(key.seal(tombstone))
    return tombstone


async def _old_up_to(ledger: Ledger, start: int, before: datetime) -> int:
    last = start
    while page := await ledger.links(after=last, limit=_PAGE):
        for link in page:
            at = _moment(link.entry.at)
            if at is None or at >= before:
                return last
            last = link.seq
    return last


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
