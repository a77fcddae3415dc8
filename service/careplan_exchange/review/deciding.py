"""The policy: who may let which part of a ChangeSet through."""

from collections.abc import Iterator

import msgspec

from careplan_exchange.model.changes import ChangeSet, ElementChange, ResourceChange
from careplan_exchange.model.review import Decision, ReviewPolicy

_NOT_IN_USE = frozenset({"draft", "revoked", "completed", "entered-in-error"})
"""CarePlan.status of a plan that nobody works from (http://hl7.org/fhir/R4/valueset-request-status.html)."""


def decide(change_set: ChangeSet, policy: ReviewPolicy, *, approve: bool) -> Decision:
    """Part a ChangeSet into what may be written now and what waits, with a sentence for each reason to wait.

    | the plan on the server | without approval | with `approve` |
    |---|---|---|
    | is not there | `policy.new_plans`: written as it is, or "review": waits whole | written |
    | is a draft, or ended by us | written | written |
    | is in use (any other status) | `policy.changes_to_active_plans`: waits whole, or "write" | written |
    | was deleted by somebody | waits whole | waits whole |

    A conflict always waits; the rest of its resource may be written, with theirs in its place.
    """
    why = [*_whole(change_set, policy, approve=approve)]
    waits_whole = bool(why)
    why += [sentence for change in change_set.changes if (sentence := _conflict(change)) is not None]
    write: list[ResourceChange] = []
    wait: list[ResourceChange] = []
    for change in change_set.changes:
        questions = _questions(change)
        if change.action != "unchanged" and not waits_whole:
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
        why=tuple(why),
    )


def _whole(change_set: ChangeSet, policy: ReviewPolicy, *, approve: bool) -> Iterator[str]:
    """Why nothing of the set may be written now."""
    plans = [change for change in change_set.changes if change.type == "CarePlan"]
    if any(_is_deleted(plan) for plan in plans):
        yield "Somebody deleted the plan on the server, so nothing of it is written until a person decides."
    if approve or not change_set.to_write:
        return
    if policy.new_plans == "review" and any(plan.action == "create" for plan in plans):
        yield "This is a new plan, and new plans wait for a person here (new_plans = review)."
    if policy.changes_to_active_plans == "review" and any(_is_in_use(plan) for plan in plans):
        changes = _count(len(change_set.to_write), "resource")
        yield f"The plan is in use, so the change of {changes} waits for a person."


def _conflict(change: ResourceChange) -> str | None:
    questions = _questions(change)
    if not questions:
        return None
    if _is_deleted(change):
        name = f"{change.type}/{change.base.id}" if change.base else change.type
        return f"{name} was deleted on the server and is proposed again."
    elements = _count(len(questions), "element")
    if change.base is None:
        return f"{change.reference}: not as proposed in {elements}, and nothing here tells who wrote what stands."
    return f"{change.reference}: {elements} changed by a person and proposed otherwise now."


def _questions(change: ResourceChange) -> tuple[ElementChange, ...]:
    return tuple(element for element in change.elements if element.kind == "conflict")


def _is_deleted(change: ResourceChange) -> bool:
    return change.theirs is None and change.action == "unchanged"


def _is_in_use(plan: ResourceChange) -> bool:
    return plan.theirs is not None and plan.theirs.get("status") not in _NOT_IN_USE


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
