"""Step six: what policy did not let through is kept for a person, and what a person decided is closed."""

from careplan_exchange import logs
from careplan_exchange.audit import Notes, naming
from careplan_exchange.model.changes import ChangeSet, WrittenResource
from careplan_exchange.model.outline import Outline
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Decision, Pending
from careplan_exchange.review import Lines, adoption, allowed, same_question

from .comparison import Comparison
from .decided import close_review
from .deciding import Ruling, approvals_of, unless_rejected
from .steps import Request, Steps, whose


async def keep_what_waits(steps: Steps, request: Request, decision: Decision, notes: Notes) -> Pending | None:
    """What waits is kept once: the same question on another day keeps the id under which a person knows it."""
    if not decision.waits:
        return None
    target, patient = steps.writer.target, whose(steps, request)
    waiting = await steps.plans.pendings(of=(target, patient))
    pending = next((one for one in waiting if _is_asked_by(one, decision)), None)
    if pending is None:
        pending = await steps.plans.put_pending(
            Pending(
                id=request.exchange,
                request=request.asked,
                target=target,
                patient=patient,
                change_set=decision.wait,
                why=decision.why,
                created_at=steps.clock.now().isoformat(),
                persons=decision.persons,
                adopts=decision.adopts,
            )
        )
        pending = await _still_assigned(steps, waiting[-1:], pending)
    notes.add(logs.REVIEW_WAITING, review=pending.id, count=len(decision.wait.changes))
    return pending


def _is_asked_by(pending: Pending, decision: Decision) -> bool:
    return pending.persons == decision.persons and same_question(pending, decision)


async def _still_assigned(steps: Steps, earlier: tuple[Pending, ...], pending: Pending) -> Pending:
    """Whoever was to look at what waited before looks at what took its place."""
    assigned = [step for one in earlier for step in one.steps if step.kind == "assign"]
    return await steps.plans.add_step(pending.id, assigned[-1]) if assigned else pending


async def close_or_ask(
    steps: Steps,
    request: Request,
    comparison: Comparison | None,
    *,
    ruling: Ruling,
    written: tuple[WrittenResource, ...],
    lines: Lines,
    notes: Notes,
) -> Pending | None:
    """After the write: what was decided is closed; a plan that stands as a draft waits to be adopted; where
    nothing waits any more, nothing is left waiting. Without `comparison` the plan was ended."""
    decision = ruling.decision
    if decision.waits:
        return None
    if request.accepting is not None and not ruling.expired:
        await close_review(steps.plans, steps.ledger, steps.clock, request.accepting)
    elif decision.write.to_write:
        for step in approvals_of(request, decision.write, steps.clock.now().isoformat()):
            notes.add(logs.REVIEW_DECIDED, state="approved", by=step.by)
    after = None if comparison is None else comparison.after(decision.write, written)
    if after is not None and after.is_draft:
        pending = await _ask_for_adoption(steps, request, after, changes=decision.write, lines=lines, notes=notes)
        if pending is not None:
            return pending
    await steps.plans.clear_pending(steps.writer.target, whose(steps, request), steps.clock.now().isoformat())
    return None


async def _ask_for_adoption(
    steps: Steps, request: Request, after: Comparison, *, changes: ChangeSet, lines: Lines, notes: Notes
) -> Pending | None:
    """Where nothing was written, and nothing on the server has moved since it was asked, it still is asked."""
    if not changes.to_write:
        waiting = await steps.plans.pendings(of=(steps.writer.target, whose(steps, request)))
        versions = after.versions
        for pending in waiting:
            asked = {one.identity: one.version_id for one in pending.change_set.changes if one.theirs is not None}
            if pending.adopts and all(versions.get(identity) == one for identity, one in asked.items()):
                return pending
    approved = allowed(after.against(approve=True), steps.policy, lines)
    decision = adoption(approved, steps.policy, lines)
    return await keep_what_waits(steps, request, await unless_rejected(steps, request, decision), notes)


async def revert_that_waits(steps: Steps, request: Request, remembered: Outline) -> Receipt | None:
    """While a person is asked whether an exchange is taken back, nothing is written over what it left, and
    nothing else takes the place of that question."""
    if not remembered.asks_to_revert:
        return None
    for pending in await steps.plans.pendings(of=(steps.writer.target, whose(steps, request))):
        if pending.request.reverts is not None:
            empty = Receipt(outcome="review", resources=(), issues=(), exchange=request.exchange)
            return naming(empty, pending.id, pending.why)
    return None
