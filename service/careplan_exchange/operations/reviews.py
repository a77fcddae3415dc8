"""What persons do with changes that wait: look, assign, approve, modify, reject."""

from collections.abc import Mapping
from typing import Any

import msgspec

from careplan_exchange import logs
from careplan_exchange.errors import UsageError
from careplan_exchange.exchange import close_what_was_carried_out, note_step, require_known_outcome
from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.receipt import Outcome, Receipt, ReceiptResource
from careplan_exchange.model.review import Pending, ReviewState, ReviewStep
from careplan_exchange.ports import Clock, Ids, Ledger, PlanStore
from careplan_exchange.review import (
    approvers,
    content_of,
    differences,
    has_approved,
    has_seen,
    modified_since,
    signed,
)

from .running import Run

_MOST_EDITS = 100


class Decided(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an approval or a modification came to.

    `state` is the review's: "approved" (`outcome`, `exchange`, `resources` and `issues` are those of the exchange
    that wrote it), "pending" (another of `persons` different people has to approve), or "superseded": record or
    plan have changed since it was shown, nothing was written, `differences` are the lines that are otherwise now,
    and `waiting` is the review under which that waits, None where nothing does.

    With `content` it is "pending", and this person has not approved: somebody modified it since they looked.
    `differences` are what they have not seen, and an approval that says to have `seen` this content counts.
    """

    review: str
    state: ReviewState
    outcome: Outcome
    exchange: str | None = None
    resources: tuple[ReceiptResource, ...] = ()
    issues: tuple[Issue, ...] = ()
    approved_by: tuple[str, ...] = ()
    persons: int = 1
    differences: tuple[str, ...] = ()
    waiting: str | None = None
    content: str | None = None


class Reviews:
    """`run` carries an exchange out again."""

    def __init__(self, *, plans: PlanStore, ledger: Ledger, clock: Clock, ids: Ids, run: Run) -> None:
        self._plans = plans
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self._run = run

    async def listed(
        self, state: ReviewState | None = "pending", assigned_to: str | None = None
    ) -> tuple[Pending, ...]:
        """Reviews in this state (None: in any), oldest first; of one person only those assigned to them."""
        found = await self._plans.pendings(state)
        if assigned_to is None:
            return found
        return tuple(one for one in found if signed(one.assigned_to or "") == signed(assigned_to))

    async def shown(self, review: str) -> Pending:
        """One review, also one that is decided. Raises UsageError where there is none."""
        pending = await self._plans.pending(review)
        if pending is None:
            raise UsageError(
                f"The review {review} does not exist.", mend="`careplan review list` shows what waits."
            )
        return pending

    async def waiting(self, review: str) -> Pending:
        """One that a person can decide. Raises UsageError, which names what took its place."""
        pending = await self.shown(review)
        if pending.state == "pending":
            return pending
        newer = await self._plans.pendings(of=(pending.target, pending.patient))
        raise UsageError(
            f"The review {review} is {pending.state} already.",
            mend=f"`careplan review show {newer[-1].id}` shows what waits for this patient now."
            if newer
            else "`careplan review list` shows what waits.",
        )

    async def approve(
        self, review: str, *, by: str, reason: str | None = None, seen: str | None = None
    ) -> Decided:
        """Carry out a change that waited, if it still is what was shown and enough different people approve.

        `seen` is the content that this person was shown (review.content_of); without it they have seen what was
        first shown, and what they modified themselves. An approval of other content than there is counts for
        nothing, and the answer says what is otherwise. Raises UsageError where this one has approved already,
        CareplanError.
        """
        looked = await self.waiting(review)
        async with self._plans.patient_lock(looked.target, looked.patient):
            pending = await self._still_waiting(looked)  # another may have modified or approved it meanwhile
            if not has_seen(pending, by, seen):
                return _stale(pending, by, seen)
            content = content_of(pending)
            if not has_approved(pending, by):
                step = ReviewStep(kind="approve", by=by, at=self._now(), reason=reason, content=content)
                pending = msgspec.structs.replace(pending, steps=(*pending.steps, step))
                if not _is_approved(pending):
                    await note_step(self._plans, self._ledger, review, step)
                    return _decided(pending, "review", waiting=review)
            elif not _is_approved(pending):
                raise UsageError(
                    "This person has approved it already.", mend=f"It takes {pending.persons} different people."
                )
        return await self._carried_out(pending, by, content)

    async def modify(
        self,
        review: str,
        *,
        by: str,
        edits: Mapping[str, Any],
        reason: str | None = None,
        seen: str | None = None,
    ) -> Decided:
        """The same with what a person wants otherwise (review/modifying.py says how edits are written). It goes
        past the safety gate again, counts as that person's approval, and undoes approvals of what was before.

        Raises UnsafeModificationError, UsageError, CareplanError; then nothing of it is kept.
        """
        pending = await self.waiting(review)
        if not edits or len(edits) > _MOST_EDITS:
            raise UsageError(
                f"A modification has 1 to {_MOST_EDITS} edits.", mend="Give --set, --without or a file of edits."
            )
        if pending.request.reverts is not None:
            raise UsageError(
                "An exchange is taken back as it was written, and not otherwise.",
                mend="Approve or reject it, and change what stands then.",
            )
        if not has_seen(pending, by, seen):
            return _stale(pending, by, seen)
        step = ReviewStep(kind="modify", by=by, at=self._now(), reason=reason, edits=dict(edits))
        after = msgspec.structs.replace(pending, steps=(*pending.steps, step))
        return await self._carried_out(after, by, content_of(pending))

    async def reject(self, review: str, *, by: str, reason: str) -> None:
        """Put a waiting change away. It is not asked again while it is the same. An approval that is being
        carried out comes first. Raises UsageError."""
        pending = await self.waiting(review)
        async with self._plans.patient_lock(pending.target, pending.patient):
            await require_known_outcome(self._plans, await self._still_waiting(pending))
            now = self._now()
            step = ReviewStep(kind="reject", by=by, at=now, reason=reason)
            await note_step(self._plans, self._ledger, pending.id, step)
            await self._plans.decide_pending(pending.id, "rejected", by, now)
            data = {"state": "rejected", "by": by}
            await self._ledger.append([Entry(exchange=pending.id, event=logs.REVIEW_DECIDED, at=now, data=data)])

    async def assign(self, review: str, *, to: str, by: str, reason: str | None = None) -> Pending:
        """Say who is to look at it. Whoever else may still decide. Raises UsageError."""
        pending = await self.waiting(review)
        step = ReviewStep(kind="assign", by=by, at=self._now(), to=to, reason=reason)
        return await note_step(self._plans, self._ledger, pending.id, step)

    async def _still_waiting(self, looked: Pending) -> Pending:
        """The same review, now that nobody else is at this patient. Raises UsageError where it is decided, also
        where it was carried out and the process that did died before it could say so."""
        of = (looked.target, looked.patient)
        await close_what_was_carried_out(self._plans, self._ledger, self._clock, of)
        return await self.waiting(looked.id)

    async def _carried_out(self, pending: Pending, by: str, seen: str) -> Decided:
        """`seen`: the content that this person knew before they did what `pending` has as its last step."""
        try:
            receipt = await self._run(pending.request, exchange_id=self._ids.new(), accepting=pending)
        except UsageError:
            stored = await self.shown(pending.id)
            if stored.state == "pending" and content_of(stored) != seen:
                return _stale(stored, by, seen)  # another was quicker, between our look and the patient's lock
            if stored.state == "approved" and pending.steps[-1] in stored.steps:
                return _decided(stored, "unchanged")  # an earlier run had carried it out, and was killed
            raise
        stored = await self.shown(pending.id)
        if stored.state != "superseded":
            return _decided(stored, receipt.outcome, receipt=receipt, waiting=receipt.review)
        newer = await self._plans.pending(receipt.review) if receipt.review else None
        now = newer.change_set if newer else ChangeSet(patient=pending.change_set.patient, changes=())
        return _decided(
            stored,
            receipt.outcome,
            receipt=receipt,
            waiting=receipt.review,
            differences=differences(pending.change_set, now),
        )

    def _now(self) -> str:
        return self._clock.now().isoformat()


def _is_approved(pending: Pending) -> bool:
    """Whether enough people approve. It may still wait then, where writing it failed."""
    return len(approvers(pending)) >= pending.persons


def _stale(pending: Pending, by: str, seen: str | None) -> Decided:
    """Nothing was approved: it is not what this person has seen."""
    return msgspec.structs.replace(
        _decided(pending, "review", waiting=pending.id, differences=modified_since(pending, by, seen)),
        content=content_of(pending),
    )


def _decided(
    pending: Pending,
    outcome: Outcome,
    *,
    receipt: Receipt | None = None,
    waiting: str | None = None,
    differences: tuple[str, ...] = (),
) -> Decided:
    return Decided(
        review=pending.id,
        state=pending.state,
        outcome=outcome,
        exchange=receipt.exchange if receipt else None,
        resources=receipt.resources if receipt else (),
        issues=receipt.issues if receipt else (),
        approved_by=approvers(pending),
        persons=pending.persons,
        differences=differences,
        waiting=waiting,
    )
