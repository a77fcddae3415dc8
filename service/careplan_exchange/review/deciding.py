"""The policy over a whole ChangeSet: what may be written now, what waits, for how many persons, and why."""

from collections.abc import Iterator, Mapping

import msgspec

from careplan_exchange.model.changes import ChangeSet, ElementChange, ResourceChange
from careplan_exchange.model.review import Decision, Needs, ReviewPolicy

from .asking import STRICTNESS, needed, needed_anew, strictest
from .kinds import facts
from .lines import Lines
from .plans import is_in_use, is_plan

_PERSONS = {1: "a person", 2: "two persons"}
_ADOPTED_BY = {1: "a person adopts", 2: "two persons adopt"}
_ASKED = frozenset({"conflict", "deleted"})

_DELETED = "Somebody deleted the plan on the server."


def decide(change_set: ChangeSet, policy: ReviewPolicy, lines: Lines, *, approvals: int = 0) -> Decision:
    """Part a ChangeSet into what may be written now and what waits, with a sentence for each reason to wait.

    | the plan on the server | written | waits |
    |---|---|---|
    | is not there | whole | whole, where the policy holds new plans |
    | is a draft, or ended by us | everything | nothing |
    | is in use (any other status) | everything, where no part needs more than `approvals` persons | everything |
    | was deleted by somebody | nothing | everything |

    A plan in use is never changed in part: whoever reads it reads what one decision made of it. A conflict always
    waits, whatever the number of approvals: they were given before it was seen. The rest of its resource may be
    written, with theirs in its place. `change_set` is one that went through `allowed`.
    """
    needs = {change.identity: _needs(change, policy, lines) for change in change_set.to_write}
    why: list[str] = []
    waiting: frozenset[str] = frozenset()
    adopts = False
    if asked_for := next((plan for plan in _plans(change_set) if _is_deleted(plan)), None):
        waiting = frozenset(needs)
        said = next((element.why for element in asked_for.elements if element.why), _DELETED)
        why.append(f"{said} Nothing of it is written until a person decides.")
    elif change_set.to_write and any(_is_in_use(plan) for plan in _plans(change_set)):
        asked = persons(strictest(needs.values()))
        if asked > approvals:
            waiting = frozenset(needs)
            changes = _count(len(needs), "resource")
            why.append(f"The plan is in use, so the change of {changes} waits for {_PERSONS[asked]}.")
    elif change_set.to_write and _is_new(change_set):
        asked = persons(needed_anew(lines, policy))
        adopts = policy.new_plans == "hold" and asked > approvals
        if adopts:
            waiting = frozenset(needs)
            why.append(f"This is a new plan, and new plans wait for {_PERSONS[asked]} here (new-plans: hold).")
            needs = dict.fromkeys(needs, STRICTNESS[asked])
    why += [sentence for change in change_set.changes if (sentence := _conflict(change)) is not None]
    decision = _parted(change_set, waiting, tuple(why), adopts=adopts)
    return msgspec.structs.replace(decision, persons=_persons(decision.wait, needs, policy, lines))


def allowed(change_set: ChangeSet, policy: ReviewPolicy, lines: Lines) -> ChangeSet:
    """Without the changes that the policy lets nobody make: what stands is left as it is, and nobody is asked."""
    if all(rule.needs != "never" for rule in policy.rules):
        return change_set
    return msgspec.structs.replace(
        change_set, changes=tuple(_allowed(change, policy, lines) for change in change_set.changes)
    )


def _allowed(change: ResourceChange, policy: ReviewPolicy, lines: Lines) -> ResourceChange:
    if change.action != "create" and _needs(change, policy, lines) == "never":
        change = _left(change)
    asked = [fact for fact in facts(change, lines) if fact.change in _ASKED]
    if all(needed(fact, policy) != "never" for fact in asked):
        return change
    kept = tuple(element for element in change.elements if element.kind != "conflict")
    return msgspec.structs.replace(change, elements=kept)


def adoption(approved: ChangeSet, policy: ReviewPolicy, lines: Lines) -> Decision:
    """What a person is asked about a new plan that stands as a draft. `approved` is what an approval would write:
    nothing of it is written now."""
    needs = strictest(
        needed(fact, policy)
        for change in approved.to_write
        for fact in facts(change, lines)
        if fact.change != "status"  # to become active is what is asked, and needs what a new line needs
    )
    asked = max(1, persons(strictest((needs, needed_anew(lines, policy)))))
    return Decision(
        write=untouched(approved),
        wait=approved,
        why=(f"The plan stands as a draft until {_ADOPTED_BY[asked]} it.",),
        persons=asked,
        adopts=True,
    )


def persons(needs: Needs) -> int:
    """How many different persons it takes. What nobody may write asks for as many as there can be."""
    return min(STRICTNESS.index(needs), 2)


def untouched(change_set: ChangeSet) -> ChangeSet:
    """The same with nothing to write: what stands on the server stays."""
    return msgspec.structs.replace(
        change_set, changes=tuple(_left(change) for change in change_set.changes if change.theirs is not None)
    )


def _persons(wait: ChangeSet, needs: Mapping[str, Needs], policy: ReviewPolicy, lines: Lines) -> int:
    asked = [needs.get(change.identity, "one") for change in wait.to_write]
    asked += [
        needed(fact, policy) for change in wait.changes for fact in facts(change, lines) if fact.change in _ASKED
    ]
    return max(1, persons(strictest(asked)))


def _needs(change: ResourceChange, policy: ReviewPolicy, lines: Lines) -> Needs:
    """What is written for a reason that nobody can name is no re-check."""
    asked = [needed(fact, policy) for fact in facts(change, lines) if fact.change not in _ASKED]
    return strictest(asked) if asked or change.action == "unchanged" else "one"


def _parted(change_set: ChangeSet, waiting: frozenset[str], why: tuple[str, ...], *, adopts: bool) -> Decision:
    write: list[ResourceChange] = []
    wait: list[ResourceChange] = []
    for change in change_set.changes:
        questions = _questions(change)
        if change.action != "unchanged" and change.identity not in waiting:
            write.append(change)
            if questions:
                wait.append(msgspec.structs.replace(change, action="unchanged", elements=questions))
        elif change.action != "unchanged" or questions:
            wait.append(change)
        else:
            write.append(change)
    return Decision(
        write=msgspec.structs.replace(change_set, changes=tuple(write)),
        wait=msgspec.structs.replace(change_set, changes=tuple(wait)),
        why=why,
        adopts=adopts,
    )


def _left(change: ResourceChange) -> ResourceChange:
    """As the server holds it. What was deleted has no body, and stays away."""
    return msgspec.structs.replace(
        change,
        action="unchanged",
        body=change.theirs or {},
        elements=tuple(element for element in change.elements if element.kind == "theirs"),
    )


def _conflict(change: ResourceChange) -> str | None:
    questions = _questions(change)
    if not questions:
        return None
    said = " ".join(dict.fromkeys(element.why for element in questions if element.why))
    if _is_deleted(change):
        name = f"{change.type}/{change.base.id}" if change.base else change.type
        return f"{name}: {said}" if said else f"{name} was deleted on the server and is proposed again."
    elements = _count(len(questions), "element")
    if said:
        return f"{change.reference}, {elements}: {said}"
    if change.base is None:
        return f"{change.reference}: not as proposed in {elements}, and nothing here tells who wrote what stands."
    return f"{change.reference}: {elements} changed by a person and proposed otherwise now."


def _plans(change_set: ChangeSet) -> Iterator[ResourceChange]:
    return (change for change in change_set.changes if is_plan(change.type))


def _questions(change: ResourceChange) -> tuple[ElementChange, ...]:
    return tuple(element for element in change.elements if element.kind == "conflict")


def _is_new(change_set: ChangeSet) -> bool:
    return any(plan.action == "create" for plan in _plans(change_set))


def _is_deleted(change: ResourceChange) -> bool:
    return change.theirs is None and change.action == "unchanged" and bool(change.elements)


def _is_in_use(plan: ResourceChange) -> bool:
    return plan.theirs is not None and is_in_use(plan.type, plan.theirs)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
