"""A review whose change stands is closed: at once, or by whoever comes next where a process died before it could.

The write names its review (Intent.review), so that the store itself remembers what was carried out. The ledger is
told first and the store last: a review that still waits may have been told already, one that is closed has been.
"""

from careplan_exchange import logs
from careplan_exchange.errors import UsageError
from careplan_exchange.model.changes import Commit
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.review import Pending
from careplan_exchange.ports import Clock, Ledger, PlanStore
from careplan_exchange.review import approvers


async def close_review(plans: PlanStore, ledger: Ledger, clock: Clock, pending: Pending) -> None:
    """What was decided stands now: in the ledger under the review's own id, once however often this is called,
    and in the store. The caller holds the patient's lock."""
    by = ", ".join(approvers(pending)) or "unknown"
    at = clock.now().isoformat()
    if not await _is_told(ledger, pending.id):
        data = {"state": "approved", "by": by}
        await ledger.append([Entry(exchange=pending.id, event=logs.REVIEW_DECIDED, at=at, data=data)])
    await plans.decide_pending(pending.id, "approved", by, at)


async def close_what_was_carried_out(plans: PlanStore, ledger: Ledger, clock: Clock, of: tuple[str, str]) -> None:
    """A review that still waits although what was approved stands on the server: the process that wrote it died
    before it could say so. The caller holds the patient's lock."""
    if not any(one.touched for one in (await plans.outline(*of)).waiting):
        return  # nearly always, and a small part of reading it whole
    for pending in await plans.pendings(of=of):
        if pending.steps and any(_carries_out(one, pending) for one in await plans.commits(of=of)):
            await close_review(plans, ledger, clock, pending)


async def require_undecided(plans: PlanStore, pending: Pending | None) -> None:
    """Raises UsageError where the review was carried out before this run had its turn."""
    stored = await plans.pending(pending.id) if pending is not None else None
    if stored is not None and stored.state == "approved":
        raise UsageError(
            f"The review {stored.id} is approved already.", mend=f"See `careplan review show {stored.id}`."
        )


async def require_known_outcome(plans: PlanStore, pending: Pending) -> None:
    """Raises UsageError where what was approved was sent, and only the server knows what became of it."""
    intents = await plans.open_intents(pending.target, pending.patient)
    if any(intent.review == pending.id for intent in intents):
        raise UsageError(
            f"What was approved of {pending.id} was sent, and it is not known yet whether it was carried out.",
            mend="Run `careplan sync` for this patient: it asks the server first. Then look again. A request "
            "that nobody answered is waited for up to an hour.",
        )


def _carries_out(commit: Commit, pending: Pending) -> bool:
    """Whether this write was of that review, and whole: a part of it is no plan that anybody approved."""
    if commit.intent.review != pending.id:
        return False
    return {one.identity for one in commit.intent.changes} <= {one.identity for one in commit.written}


async def _is_told(ledger: Ledger, review: str) -> bool:
    links = await ledger.links(exchange=review)
    return any(
        link.entry.event == logs.REVIEW_DECIDED and link.entry.data.get("state") == "approved" for link in links
    )
