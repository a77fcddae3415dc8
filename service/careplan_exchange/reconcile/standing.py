"""What our rendering is worth beside what stands already: first values and statuses are not proposed anew."""

from typing import NamedTuple

from careplan_exchange.model.changes import Base, Held, Json

from .ending import Ending
from .keys import align
from .rules import FIRST_VALUES, FIRST_VALUES_OF_ITEMS, LIST_KEYS, STATUSES, WRITTEN_ONCE
from .values import MISSING, at, put, same


class Standing(NamedTuple):
    """`ours`: what we propose of this resource now. `ours_before` and `stored_before`: the base, or where there
    is none the few elements that need no memory to tell whose they are."""

    ours: Json
    ours_before: Json
    stored_before: Json


def stand(ours: Json, held: Held, base: Base | None, *, approve: bool) -> Standing:
    """Our rendering (references resolved) as a proposal for a resource that the server holds."""
    body = _with_first_values(ours, held, base)
    return _with_status(body, held, base, approve=approve)


def retire(held: Held, base: Base | None, ending: Ending) -> Standing:
    """What we propose for a resource of ours that is no longer part of the plan: everything as it was, and the
    status that says so, with the reason where there is a place for it and nobody has written one. What we have
    ended before stays ended as it was. Nothing is ever deleted."""
    rule = STATUSES[held.type]
    if base is not None and base.ours.get(rule.element) in rule.terminal:
        return _with_seed(base.ours, held, base)
    ours = {**(base.ours if base else {}), rule.element: ending.status}
    if base is not None and rule.reason is not None and rule.reason not in held.body:
        ours[rule.reason] = ending.reason
    return _with_seed(ours, held, base)


def has_ended(held: Held, base: Base | None) -> bool:
    """Whether it is over for good, so that what is proposed again is another one in its place: a person has ended
    it, or we have because it had done its work."""
    return ended_by_a_person(held, base) or held.body.get(STATUSES[held.type].element) == "completed"


def ended_by_a_person(held: Held, base: Base | None) -> bool:
    """Whether the status is one after which nothing is changed, and it was not us who set it."""
    rule = STATUSES[held.type]
    return held.body.get(rule.element) in rule.terminal and not _retired_by_us(held, base)


def _retired_by_us(held: Held, base: Base | None) -> bool:
    """Whether the status is the one by which we retired it, as the server keeps that."""
    rule = STATUSES[held.type]
    return (
        base is not None
        and base.ours.get(rule.element) in rule.terminal
        and same(base.stored.get(rule.element), held.body.get(rule.element))
    )


def _with_status(ours: Json, held: Held, base: Base | None, *, approve: bool) -> Standing:
    """An approved status is a proposal. Our first word (draft, proposed) is one only for what is not there yet,
    and to take back our own retiring."""
    rule = STATUSES[held.type]
    theirs = held.body.get(rule.element)
    approved = approve and ours.get(rule.element) not in rule.initial
    if _retired_by_us(held, base) or (approved and (base or not same(ours.get(rule.element), theirs))):
        return _with_seed(ours, held, base)
    if base is None:
        before = theirs if theirs in rule.initial else MISSING
    else:
        before = base.ours.get(rule.element, MISSING)
    return _with_seed(put(ours, (rule.element,), before), held, base)


def _with_seed(ours: Json, held: Held, base: Base | None) -> Standing:
    """Without a base, a status that only we write (draft, proposed) is known to be nobody's decision."""
    if base is not None:
        return Standing(ours, base.ours, base.stored)
    rule = STATUSES[held.type]
    status = held.body.get(rule.element)
    seed = {rule.element: status} if status in rule.initial else {}
    return Standing(ours, seed, seed)


def _with_first_values(ours: Json, held: Held, base: Base | None) -> Json:
    """What we did not write at first is not added on another day either."""
    before = base.ours if base else {}
    for path in FIRST_VALUES[held.type]:
        ours = put(ours, path, at(before, path))
    for name in WRITTEN_ONCE.get(held.type, ()):
        ours = put(ours, (name,), ours.get(name, at(before, (name,))))
    if held.type not in FIRST_VALUES_OF_ITEMS:
        return ours
    name, element = FIRST_VALUES_OF_ITEMS[held.type]
    earlier = before if base else held.body
    items = []
    for mine, was in align(LIST_KEYS[name], [ours.get(name, ()), earlier.get(name, ())]):
        if mine is MISSING:
            continue
        rest = put(mine, (element,), MISSING)
        if was is not MISSING and all(same(value, was.get(key)) for key, value in rest.items()):
            mine = put(mine, (element,), at(was, (element,)) if base else MISSING)  # noqa: PLW2901 - the same item
        items.append(mine)
    return put(ours, (name,), items or MISSING)
