"""What a merge tells a person besides its elements: what was left alone, and why."""

from careplan_exchange.model.changes import Base, Held, Rendered
from careplan_exchange.model.issue import Issue

DELETED = "reconcile.deleted"
LEFT_DELETED = "reconcile.left-deleted"
PLAN_ENDED = "reconcile.plan-ended"
PLAN_REPLACED = "reconcile.plan-replaced"
ENDED = "reconcile.ended"
NARRATIVE_KEPT = "reconcile.narrative-kept"
DOCUMENT_CHANGED = "reconcile.document-changed"
RENDERED_TWICE = "reconcile.rendered-twice"

QUESTIONS = frozenset({DELETED, PLAN_REPLACED, DOCUMENT_CHANGED})
"""Those that go with a conflict, and are settled when it is accepted."""


def deleted(base: Base) -> Issue:
    return Issue(
        severity="warning",
        code="deleted",
        key=DELETED,
        detail="Somebody deleted this part of the plan. It is not made again, and the plan does not refer to it.",
        source=f"{base.type}/{base.id}/_history/{base.version_id}",
        mend="Approve the review to have it made again, or reject it to leave it deleted.",
    )


def left_deleted(base: Base) -> Issue:
    return Issue(
        severity="information",
        code="deleted",
        key=LEFT_DELETED,
        detail="Somebody deleted this part of the plan. The reason for it is the same, and it stays deleted.",
        source=f"{base.type}/{base.id}/_history/{base.version_id}",
        mend="If it was deleted by mistake, restore it on the server, or sync with --approve to be asked.",
    )


def plan_ended(plan: Held) -> Issue:
    return Issue(
        severity="information",
        code="business-rule",
        key=PLAN_ENDED,
        detail="Somebody has ended this plan. The reasons for it are the same, and nothing was changed.",
        source=_source(plan),
        expression="CarePlan.status",
        mend="To have another one in its place, sync with --approve: a person is asked before it is made.",
    )


def plan_replaced(plan: Held) -> Issue:
    return Issue(
        severity="warning",
        code="business-rule",
        key=PLAN_REPLACED,
        detail="This plan has ended, and another one is proposed. Nothing of it was changed.",
        source=_source(plan),
        expression="CarePlan.status",
        mend="Approve the review to have a new plan made in its place, or reject it to leave things as they are.",
    )


def ended(held: Held) -> Issue:
    return Issue(
        severity="information",
        code="informational",
        key=ENDED,
        detail="Somebody has ended this part of the plan. It stays as it is.",
        source=_source(held),
    )


def narrative_kept(held: Held) -> Issue:
    return Issue(
        severity="information",
        code="informational",
        key=NARRATIVE_KEPT,
        detail="Somebody else wrote or changed the narrative. It stays, and may say other than the elements.",
        source=_source(held),
        expression=f"{held.type}.text",
    )


def rendered_twice(rendered: Rendered) -> Issue:
    return Issue(
        severity="error",
        code="duplicate",
        key=RENDERED_TWICE,
        detail=f"Two {rendered.type} resources of the proposal have one identity. Only the first was used.",
        mend="Give the two goals or actions different keys in their protocols (`careplan knowledge check`).",
    )


def _source(held: Held) -> str:
    return f"{held.type}/{held.id}/_history/{held.version_id}"
