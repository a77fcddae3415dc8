"""Which plan is the current one, where others before it have ended.

A plan that has ended stays as it is, and the next one is another resource that `replaces` it. Its identity
follows from that of the first (model/identity.nth), so it is found without any memory and made once only: the
second plan can be asked for only where the first has ended, the third where the second has, and so on. A goal,
request or detected issue that is still open goes on under its own identity and belongs to the new plan as well;
one that has ended gets the next identity too, together with the plan.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from careplan_exchange.model.changes import Base, Ground, Held
from careplan_exchange.model.identity import nth

from .standing import ended_by_a_person, has_ended


class Current(NamedTuple):
    """`number` is the generation of the plan that is proposed now. `after` is the plan before it, where that has
    ended and the new one is not there yet."""

    number: int
    after: Held | None = None


def numbered(first: str, bases: Collection[str], *, ahead: int = 0) -> dict[str, int]:
    """The identities that come from `first`, by generation: as many as are remembered, and `ahead` more."""
    latest = 1
    while nth(first, latest + 1) in bases:
        latest += 1
    return {nth(first, each): each for each in range(1, latest + ahead + 1)}


def current_plan(
    numbers: Mapping[str, int], held: Iterable[Held], bases: Mapping[str, Base], ground: Ground, *, again: bool
) -> Current:
    """The plan to propose, of the identities in `numbers`.

    The latest that stands or is remembered; or the next one, where that has ended: by a person under another
    reason than `ground`, or for an unknown one, or with `again`; or by us because its work was done.
    """
    standing = {one.identity: one for one in held if one.identity in numbers}
    known = [number for identity, number in numbers.items() if identity in standing or identity in bases]
    latest = max(known, default=1)
    identity = next(one for one, number in numbers.items() if number == latest)
    plan, base = standing.get(identity), bases.get(identity)
    if plan is None or not has_ended(plan, base):
        return Current(latest)
    if ended_by_a_person(plan, base) and not again and base and base.grounds.get(identity) == ground.digest:
        return Current(latest)
    return Current(latest + 1, plan)


def generations(
    firsts: Iterable[str], held: Iterable[Held], bases: Mapping[str, Base], current: Current
) -> dict[str, int]:
    """Of each part of the plan, by its first identity, the generation to propose, where that is not the first."""
    standing = {one.identity: one for one in held}
    found = {}
    for first in firsts:
        number = 1
        for candidate in range(2, current.number + 1):
            if nth(first, candidate) in standing or nth(first, candidate) in bases:
                number = candidate
        identity = nth(first, number)
        if current.after is not None and identity in standing:
            number += has_ended(standing[identity], bases.get(identity))
        if number > 1:
            found[first] = number
    return found
