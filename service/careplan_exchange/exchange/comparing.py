"""Step five: our rendering beside what the target holds and what was written last."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Literal

import msgspec

from careplan_exchange.errors import PlanElsewhereError
from careplan_exchange.model.changes import Base, ChangeSet, Ground, Held, Rendered, identities_of
from careplan_exchange.model.identity import PLAN_KEY, nth
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.target import TargetForm
from careplan_exchange.reconcile import (
    as_revision,
    compare,
    current_plan,
    generations,
    ground_of_plan,
    grounds_of,
    held_in,
    not_again,
    numbered,
    resolved_problems,
    stands_as_final,
)
from careplan_exchange.review import is_plan
from careplan_exchange.writer import RenderContext, kept, render

from .comparison import Comparison
from .steps import Request, Steps, whose

AHEAD = 2
"""How many plans beyond those that we remember are looked for: the next one, and one that was made before a
memory was lost."""

_LIVING = frozenset({"draft", "active", "on-hold", "unknown"})

_REJECTED = Issue(
    severity="information",
    code="informational",
    key="review.rejected-before",
    detail="Some of what would change was rejected by a person, for the same reasons and with the same values.",
    mend="`careplan review list --state rejected` shows what, when and by whom.",
)


async def compared(steps: Steps, request: Request, record: PatientRecord, proposal: Proposal) -> Comparison:
    """All three sides, read without a cache. Raises PlanElsewhereError, DuplicateError, and what reading does."""
    of = (steps.writer.target, whose(steps, request))
    bases = await steps.plans.bases(*of)
    form = await steps.writer.form()
    context = RenderContext(
        endpoint_identity=record.identity,
        source_endpoint=record.endpoint,
        source_patient=record.patient.reference,
        subject=await steps.writer.subject(record),
        same_server=steps.same_server,
        now=steps.clock.now(),
        status="draft",
        version=steps.version,
    )
    plans = numbered(context.identity("CarePlan", PLAN_KEY), bases, ahead=AHEAD)

    async def holds(form: TargetForm) -> tuple[tuple[Rendered, ...], tuple[Held, ...]]:
        """What would be written in this form, and what the target holds of it and of what was written last."""
        first = _rendered(proposal, context, form, active=False)
        final = _rendered(proposal, context, form, active=True) if form.rung == "document" else ()
        return first, await _held(steps, record, (*first, *final), bases, plans)

    first, held = await holds(form)
    if (standing := kept(form, held, bases.values())).rung != form.rung:
        first, held = await holds(standing)
    form = standing
    if steps.same_server:
        _refuse_a_second_plan(record, plans)
    again = request.asked.approve
    lines = grounds_of(proposal)
    whole = ground_of_plan(lines, proposal)
    current = current_plan(plans, held, bases, whole, again=again)
    numbers = generations((one.identity for one in first), held, bases, current)
    context = msgspec.structs.replace(context, generations=numbers)
    grounds = _grounds(proposal, lines, whole, context)
    resolved = resolved_problems(record.of("Condition"))
    before = () if again else await steps.plans.pendings("rejected", of=of)
    rejected = [one.change_set for one in before if not one.adopts]

    @cache
    def rendered(*, active: bool) -> tuple[Rendered, ...]:
        return _rendered(proposal, context, form, active=active)

    def against(held: Sequence[Held], bases: Mapping[str, Base], approve: bool) -> ChangeSet:
        changes = compare(
            rendered(active=approve or stands_as_final(held)),
            held,
            bases,
            approve=approve,
            patient=context.subject,
            grounds=grounds,
            resolved=resolved,
            again=again,
            after=current.after,
        )
        changes = as_revision(changes, bases, form.release)
        left = not_again(changes, rejected)
        told = () if left == changes else (_REJECTED,)
        return msgspec.structs.replace(left, issues=(*left.issues, *told, *form.issues))

    forms = (False, True) if form.rung == "document" else (False,)
    plan = {one.identity for active in forms for one in rendered(active=active) if is_plan(one.type)}
    return Comparison(against, held, bases, plan, replaces=current.after is not None)


def _rendered(
    proposal: Proposal, context: RenderContext, form: TargetForm, *, active: bool
) -> tuple[Rendered, ...]:
    status: Literal["active", "draft"] = "active" if active else "draft"
    return render(proposal, msgspec.structs.replace(context, status=status), form)


def _grounds(
    proposal: Proposal, lines: Mapping[str, Ground], whole: Ground, context: RenderContext
) -> dict[str, Ground]:
    """The reasons by the identity of the resource, and of an activity by the element id that it has too."""
    return {
        **{activity.key: lines[activity.key] for activity in proposal.activities},
        **{context.identity("Goal", goal.key): lines[goal.key] for goal in proposal.goals},
        **{
            context.identity(kind, line.key): lines[line.key]
            for line in proposal.activities
            for kind in line.stands_as
        },
        **{context.identity("DetectedIssue", issue.key): lines[issue.key] for issue in proposal.detected},
        context.identity("CarePlan", PLAN_KEY): whole,
    }


async def _held(
    steps: Steps,
    record: PatientRecord,
    rendered: Sequence[Rendered],
    bases: Mapping[str, Base],
    plans: Mapping[str, int],
) -> tuple[Held, ...]:
    """What the target holds of what is proposed or remembered, and of every plan that there may be. Where it has
    a later plan than we remember, the parts of that are looked for too."""

    async def holding(latest: int) -> tuple[Held, ...]:
        wanted = identities_of(bases.values())
        wanted.setdefault("CarePlan", set()).update(plans)
        for one in rendered:
            wanted.setdefault(one.type, set()).update(nth(one.identity, number + 1) for number in range(latest))
        # Where source and target are one server, the record holds what it was read for; the rest is asked for.
        read = {kind: ids for kind, ids in wanted.items() if steps.same_server and kind in record.categories}
        asked = {kind: ids for kind, ids in wanted.items() if kind not in read}
        return (*held_in(record.resources, read), *(await steps.writer.current(asked) if asked else ()))

    held = await holding(1)
    latest = max((plans[one.identity] for one in held if one.identity in plans), default=1)
    remembered = all(one.identity in bases for one in held)
    return held if latest == 1 or remembered else await holding(latest)


def _refuse_a_second_plan(record: PatientRecord, plans: Collection[str]) -> None:
    """A plan of ours under another identity was written when this endpoint was named or addressed differently:
    writing a second one beside it would double the plan."""
    for held in held_in(record.of("CarePlan")):
        if held.identity not in plans and held.body.get("status") in _LIVING:
            raise PlanElsewhereError(
                f"{held.reference} was written by careplan-exchange under another identity of this server.",
                mend="Set `identity` of the endpoint in careplan.toml to what it was when that plan was written "
                "(without one it was the URL then in use), or revoke that plan.",
            )
