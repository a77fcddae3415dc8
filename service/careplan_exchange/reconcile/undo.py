"""What undoing an exchange would change: each element back to what it was, where nobody has changed it since.

In: what the exchange wrote (`Commit`s, oldest first) and what the target holds now. Out: a ChangeSet. An element
that still says what the exchange wrote goes back; one that was changed since is a conflict, theirs stays in the
body, and a person must decide. What the exchange made is not deleted: it is marked `entered-in-error`, a status
after which nothing is changed (http://hl7.org/fhir/R4/valueset-goal-status.html and its like). Pure.
"""

from collections.abc import Mapping, Sequence

import msgspec

from careplan_exchange.model.changes import (
    Base,
    ChangeSet,
    Commit,
    ElementChange,
    Held,
    Json,
    ResourceChange,
    WrittenResource,
)
from careplan_exchange.model.issue import Issue

from .decisions import as_recorded, three_way
from .merge import Decide, Decided, Sides, Walk
from .rules import NEVER_COMPARED, STATUSES, WRITE_ORDER
from .values import MISSING, put, same

ENTERED_IN_ERROR = "entered-in-error"
WORKED_ON = "Somebody has worked on it since, and taking it back would end that too."


def undo(commits: Sequence[Commit], held: Sequence[Held], *, patient: str) -> ChangeSet:
    """The ChangeSet that takes `commits` back. The plan comes first, so that no reader sees a plan in use whose
    goals are taken back already."""
    standing = {one.identity: one for one in held}
    issues: list[Issue] = []
    changes: list[ResourceChange] = []
    for before, after in _spans(commits).values():
        now = standing.get(after.identity)
        if now is None:
            issues.append(_gone(after))
        else:
            changes.append(_taken_back(before, after, now))
    changes.sort(key=lambda change: -WRITE_ORDER.index(change.type))
    return ChangeSet(patient=patient, changes=tuple(changes), issues=tuple(issues))


def base_after_undo(base: Base, written: WrittenResource) -> Base:
    """What is remembered of a resource after it was taken back: what was remembered before, so that the next
    comparison finds a person's edit that stays."""
    return msgspec.structs.replace(base, id=written.id, version_id=written.version_id)


def _spans(commits: Sequence[Commit]) -> Mapping[str, tuple[Json | None, WrittenResource]]:
    """By identity: the body before the first of these writes (None: it was made by it), and the last one."""
    spans: dict[str, tuple[Json | None, WrittenResource]] = {}
    for commit in commits:
        theirs = {change.identity: change.theirs for change in commit.intent.changes}
        for written in commit.written:
            if written.action == "unchanged":
                continue
            first = spans.get(written.identity)
            spans[written.identity] = (first[0] if first else theirs.get(written.identity), written)
    return spans


def _taken_back(before: Json | None, after: WrittenResource, now: Held) -> ResourceChange:
    element = STATUSES[after.type].element
    wanted = put(after.stored, (element,), ENTERED_IN_ERROR) if before is None else before
    edited = _differ(after.stored, now.body)
    decide = _whole(edited=edited) if before is None else three_way(known=True)
    base = Base(
        identity=after.identity,
        type=after.type,
        id=after.id,
        version_id=after.version_id,
        ours=after.stored,
        stored=after.stored,
    )
    walk = Walk(decide, known=True)
    merged = walk.resource(after.type, Sides(wanted, now.body, after.stored, after.stored))
    if any(each.kind == "conflict" for each in walk.elements):
        return _asked(walk.elements, wanted, base, now)
    if not edited:
        # Exactly what it was: a merge would keep the order that the lists have now.
        own: Json = {name: now.body[name] for name in ("id", "meta") if name in now.body}
        return _change(tuple(walk.elements), {**wanted, **own}, wanted=wanted, base=base, now=now)
    return _change(tuple(walk.elements), merged.value, wanted=wanted, base=base, now=now)


def _differ(stored: Json, now: Json) -> bool:
    """Whether anybody has worked on it since."""
    names = {*stored, *now} - NEVER_COMPARED - {"meta"}
    return any(not same(stored.get(name, MISSING), now.get(name, MISSING)) for name in names)


def _whole(*, edited: bool) -> Decide:
    """A resource that the exchange made is taken back whole or not at all: once anybody has worked on it, a
    person decides."""

    def decide(_path: str, sides: Sides, _line: str | None) -> Decided | None:
        if same(sides.ours, sides.theirs) or not sides.proposed:
            return None
        return Decided("conflict", WORKED_ON) if edited else Decided("ours")

    return decide


def _asked(elements: Sequence[ElementChange], wanted: Json, base: Base, now: Held) -> ResourceChange:
    """Nothing of a resource with a conflict is written: half of what it was is nothing that ever stood."""
    questions = tuple(
        msgspec.structs.replace(each, kind="conflict", why=WORKED_ON) if each.kind == "ours" else each
        for each in elements
    )
    walk = Walk(as_recorded(questions), known=True)
    merged = walk.resource(now.type, Sides(wanted, now.body, base.ours, base.stored))
    return _change(questions, merged.value, wanted=wanted, base=base, now=now)


def _change(
    elements: tuple[ElementChange, ...], body: Json, *, wanted: Json, base: Base, now: Held
) -> ResourceChange:
    return ResourceChange(
        identity=now.identity,
        type=now.type,
        action="update" if any(each.kind == "ours" for each in elements) else "unchanged",
        full_url=now.reference,
        body=body,
        ours=wanted,
        theirs=now.body,
        base=base,
        id=now.id,
        version_id=now.version_id,
        elements=elements,
    )


def _gone(after: WrittenResource) -> Issue:
    return Issue(
        severity="information",
        code="deleted",
        key="revert.gone",
        detail="Somebody has deleted it since; there is nothing to take back.",
        source=f"{after.type}/{after.id}/_history/{after.version_id}",
    )
