"""From three views of a plan to a ChangeSet: which resource is created, updated, retired, or left alone."""

from collections.abc import Collection, Mapping, Sequence

from careplan_exchange.model.changes import Base, ChangeSet, Ground, Held, Rendered, ResourceChange

from . import notices
from .asking import asked, instead_of
from .ending import Ending, retired_status
from .standing import ended_by_a_person
from .view import View

_PLAN = "CarePlan"
_NO_GROUNDS: Mapping[str, Ground] = {}

ON_HOLD = "The plan is on hold, so nothing of it is changed before a person decides."
WITH_THE_PLAN = "It is written together with the plan, which waits for a person."
REPLACES = "The plan before it has ended: a new one takes its place only if a person agrees."


def compare(
    rendered: Sequence[Rendered],
    held: Sequence[Held],
    bases: Mapping[str, Base],
    *,
    approve: bool,
    patient: str,
    grounds: Mapping[str, Ground] = _NO_GROUNDS,
    resolved: Collection[str] = (),
    again: bool = False,
    after: Held | None = None,
) -> ChangeSet:
    """What would be written, in the order in which it is written: goals, requests, detected issues, the plan.

    `rendered`: what we propose now. `held`: what the target holds of it, and of what `bases` know (by identity),
    read without a cache. `approve`: the statuses of `rendered` are a person's decision and not our first word.
    `patient`: the reference for the ChangeSet. Nothing is deleted, nothing that a person wrote is overwritten,
    and nothing that somebody deleted comes back unless a conflict is accepted (`accept`).

    `grounds`: why each resource (by identity) and each activity (by its element id) is proposed. What a person
    took out or ended is asked about only where this differs from what the base remembers, or with `again`.
    `resolved`: references of problems that are over (`resolved_problems`). `after`: the plan that has ended and
    in whose place the rendered one would stand (`current_plan`).
    """
    view = View(rendered, held, bases, approve=approve, grounds=grounds, resolved=resolved, again=again)
    plan = view.plan()
    if after is not None:
        return _in_its_place(view, after, patient)
    if view.stays_deleted(_PLAN) or (plan is not None and view.has_been_ended(plan)):
        return _untouched(view, patient)
    changes = tuple(view.change(identity) for identity in view.identities)
    if any(change.theirs is None and change.action == "unchanged" for change in changes if change.type == _PLAN):
        changes = _with_the_plan(view, changes)
    elif plan is not None and plan.body.get("status") == "on-hold":
        changes = tuple(asked(change, ON_HOLD) for change in changes)
    return ChangeSet(patient=patient, changes=tuple(map(view.with_reasons, changes)), issues=tuple(view.issues))


def close(held: Sequence[Held], bases: Mapping[str, Base], *, why: str, patient: str) -> ChangeSet:
    """The plan of a patient who gets none any more (deceased, merged into another record): all that is not over
    would be ended, and each of it is a question. `why` is the sentence for it."""
    view = View((), held, bases, approve=False)
    changes = (
        view.untouched(identity)
        if ended_by_a_person(view.held[identity], view.bases.get(identity))
        else asked(view.retired(identity, Ending(retired_status(view.held[identity]), why)), why, whole=True)
        for identity in view.identities
    )
    return ChangeSet(patient=patient, changes=tuple(changes))


def _untouched(view: View, patient: str) -> ChangeSet:
    """A person has ended or deleted the plan, and nothing is new: everything stays."""
    changes = tuple(view.untouched(identity) for identity in view.identities if identity in view.held)
    plan = view.plan()
    if plan is not None and any(one.type == _PLAN for one in view.rendered.values()):
        view.issues.append(notices.plan_ended(plan))
    return ChangeSet(patient=patient, changes=changes, issues=tuple(view.issues))


def _in_its_place(view: View, after: Held, patient: str) -> ChangeSet:
    """A plan has ended and another one is proposed: it would be made beside it, if a person agrees. What goes on
    from the old plan is left alone until then."""
    changes = []
    for identity in view.identities:
        if identity in view.held:
            changes.append(view.untouched(identity))
            continue
        change = view.change(identity)
        if change.type == _PLAN:
            changes.append(asked(instead_of(change, after), REPLACES))
        else:
            changes.append(asked(change, WITH_THE_PLAN))
    view.issues.append(notices.plan_replaced(after))
    return ChangeSet(patient=patient, changes=tuple(map(view.with_reasons, changes)), issues=tuple(view.issues))


def _with_the_plan(view: View, changes: Sequence[ResourceChange]) -> tuple[ResourceChange, ...]:
    """A person is asked whether a deleted plan is made again: nothing else of it is written before."""
    return tuple(
        change
        if change.type == _PLAN
        else view.untouched(change.identity)
        if change.theirs is not None
        else asked(change, WITH_THE_PLAN)
        for change in changes
    )
