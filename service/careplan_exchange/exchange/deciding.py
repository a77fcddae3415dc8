"""Step five: what of the changes is written now, and what waits: by policy, by request, or by a review."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from careplan_exchange import logs
from careplan_exchange.errors import UsageError
from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.review import Decision, Pending, ReviewStep
from careplan_exchange.ports import Ledger, PlanStore
from careplan_exchange.reconcile import accept
from careplan_exchange.review import (
    Lines,
    adoption,
    allowed,
    approvers,
    consents,
    decide,
    is_draft,
    is_plan,
    lines_of,
    needed_anew,
    never_written,
    same_question,
    untouched,
    without_lines,
)

from .comparison import Comparison
from .modifying import as_modified, edits_of
from .steps import Request, Steps, Target, whose


class Ruling(NamedTuple):
    """`expired`: a review was to be carried out, and shows something else than there is to decide now."""

    changes: ChangeSet
    decision: Decision
    expired: bool = False


def permitted(steps: Steps, record: PatientRecord, proposal: Proposal) -> tuple[Proposal, Lines]:
    """The proposal without what the policy lets nobody write, and its lines as the policy asks about them."""
    lines = lines_of(proposal, record)
    never = never_written(lines, steps.policy)
    if not never:
        return proposal, lines
    proposal = without_lines(proposal, never)
    return proposal, lines_of(proposal, record)


def approvals_of(request: Request, changes: ChangeSet, at: str) -> tuple[ReviewStep, ...]:
    """What persons did to let this run write `changes`, for whoever records it: of the review that it carries out
    the steps that let through just this, or the one approval that it was asked with. That was not enough where
    the plan stays a draft: then nobody has approved anything yet."""
    if request.accepting is not None:
        return consents(request.accepting)
    unadopted = any(is_plan(one.type) and is_draft(one.type, one.body) for one in changes.changes)
    if request.asked.approve and request.asked.by and not unadopted:
        return (ReviewStep(kind="approve", by=request.asked.by, at=at),)
    return ()


async def ruled(
    steps: Steps,
    request: Request,
    comparison: Comparison,
    *,
    record: PatientRecord,
    proposal: Proposal,
    lines: Lines,
) -> Ruling:
    """A review lets through what it showed and nothing else. Raises UnsafeModificationError and UsageError for a
    modification that must not be."""
    bench = _Bench(steps, comparison, lines)
    if request.accepting is not None:
        return await _accepted(bench, request, request.accepting, record, proposal)
    changes, decision = _by_policy(bench, approvals=1 if request.asked.approve else 0)
    return Ruling(changes, await unless_rejected(steps, request, decision))


class _Bench(NamedTuple):
    steps: Steps
    comparison: Comparison
    lines: Lines

    def changes(self, *, approve: bool) -> ChangeSet:
        return allowed(self.comparison.against(approve=approve), self.steps.policy, self.lines)

    def decided(self, changes: ChangeSet, approvals: int = 0) -> Decision:
        return decide(changes, self.steps.policy, self.lines, approvals=approvals)

    def adopted(self, changes: ChangeSet) -> Decision:
        return adoption(changes, self.steps.policy, self.lines)

    @property
    def at_once(self) -> bool:
        """Whether the plan is shown, or written, as one in use from the first: it is never a draft there."""
        if self.comparison.replaces:
            return True
        policy = self.steps.policy
        return self.comparison.is_new and (
            policy.new_plans == "hold" or needed_anew(self.lines, policy) == "auto"
        )


def _by_policy(bench: _Bench, approvals: int) -> tuple[ChangeSet, Decision]:
    unadopted = bench.comparison.is_new or bench.comparison.is_draft
    if approvals:
        changes = bench.changes(approve=True)
        if not unadopted or bench.adopted(changes).persons <= approvals:
            return changes, bench.decided(changes, approvals)
    changes = bench.changes(approve=bench.at_once)
    return changes, bench.decided(changes)


async def _accepted(
    bench: _Bench, request: Request, shown: Pending, record: PatientRecord, proposal: Proposal
) -> Ruling:
    unadopted = bench.comparison.is_new or bench.comparison.is_draft
    adopts = shown.adopts and unadopted
    asked_whole = shown.request.approve and not shown.adopts
    changes = bench.changes(approve=adopts or asked_whole or bench.at_once)
    asked = bench.adopted(changes) if adopts else bench.decided(changes)

    async def edited(final: ChangeSet) -> ChangeSet:
        if not edits_of(shown):
            return final
        return await as_modified(bench.steps, request, shown, final, record=record, proposal=proposal)

    return await carried_out(bench.steps, shown, changes, asked, edited)


async def carried_out(
    steps: Steps,
    shown: Pending,
    changes: ChangeSet,
    asked: Decision,
    edited: Callable[[ChangeSet], Awaitable[ChangeSet]] | None = None,
) -> Ruling:
    """What becomes of `changes`, of which `asked` is what waits now and `shown` what a person has decided about:
    all of it is written, with what that person wants otherwise (`edited`), once enough persons have approved."""
    still = msgspec.structs.replace(asked, write=untouched(changes))
    if not same_question(shown, asked):
        return Ruling(changes, still, expired=True)
    final = accept(changes)
    if edited is not None:
        final = await edited(final)
    await keep_steps(steps, shown)
    if len(approvers(shown)) < asked.persons:
        return Ruling(changes, still)
    nothing = msgspec.structs.replace(changes, changes=(), issues=())
    return Ruling(final, Decision(write=final, wait=nothing))


async def keep_steps(target: Target, shown: Pending) -> None:
    """What a person did is kept once it is known to be possible, and before anything is written. Raises
    UsageError where another person has decided, or wanted it otherwise, since this one looked."""
    stored = await target.plans.pending(shown.id)
    known, wanted = (_deciding(one.steps) if one is not None else () for one in (stored, shown))
    if stored is not None and (stored.state != "pending" or wanted[: len(known)] != known):
        raise UsageError(
            f"Somebody else has decided about {shown.id} at the same time. Nothing was written.",
            mend=f"Look at it again: `careplan review show {shown.id}`.",
        )
    for step in wanted[len(known) :]:
        await note_step(target.plans, target.ledger, shown.id, step)


def _deciding(steps: Sequence[ReviewStep]) -> tuple[ReviewStep, ...]:
    """Whoever may be assigned meanwhile changes nothing of what is decided."""
    return tuple(step for step in steps if step.kind != "assign")


async def note_step(plans: PlanStore, ledger: Ledger, review: str, step: ReviewStep) -> Pending:
    """In the store, and without the words and values of it in the ledger. Raises UsageError where it does not
    wait any more."""
    pending = await plans.add_step(review, step)
    told = {"kind": step.kind, "by": step.by, "to": step.to, "edits": sorted(step.edits)}
    data = {name: value for name, value in told.items() if value}
    await ledger.append([Entry(exchange=review, event=logs.REVIEW_STEP, at=step.at, data=data)])
    return pending


async def unless_rejected(steps: Steps, request: Request, decision: Decision) -> Decision:
    """What a person has rejected is not asked again while it is the same, unless somebody asks to approve."""
    if not decision.waits or request.asked.approve:
        return decision
    rejected = await steps.plans.pendings("rejected", of=(steps.writer.target, whose(steps, request)))
    if not any(same_question(one, decision) for one in rejected):
        return decision
    return msgspec.structs.replace(decision, wait=untouched(decision.wait), why=())
