"""Undoing an exchange: what it wrote goes back to what it was, as new versions; nothing is ever deleted."""

from collections.abc import Sequence

import msgspec

from careplan_exchange import logs
from careplan_exchange.audit import CompanionContext, Notes, companions_of_undo, naming
from careplan_exchange.errors import CareplanError
from careplan_exchange.model.changes import ChangeSet, Intent, ResourceChange, WrittenResource
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.receipt import Receipt, ReceiptResource
from careplan_exchange.model.review import Pending
from careplan_exchange.review import consents, content_of

from .decided import close_review, require_undecided
from .deciding import keep_steps, note_step
from .judging import Judged, Undo, forbidden, judged
from .settling import settle_what_is_open
from .steps import Target
from .writing import send


async def revert(target: Target, asked: Undo) -> Receipt:
    """Take back what one exchange wrote, where nobody has changed it since and the policy lets this one person;
    otherwise nothing is written, and the whole waits for a person, or for another one (outcome "review").

    Afterwards what was taken back counts as a person's edit: no later exchange writes it again by itself. Raises
    ForbiddenByPolicyError, and what a write raises.
    """
    where = target.writer.target
    notes = Notes(target.ledger, target.clock, exchange=asked.exchange, patient=asked.patient, target=where)
    try:
        async with target.plans.patient_lock(where, asked.patient):
            await settle_what_is_open(target, asked.patient, notes)
            await require_undecided(target.plans, asked.accepting)
            found = await judged(target, asked)
            state = {"state": "waits"} if found.why else {}
            count = len(found.changes.to_write)
            notes.add(logs.EXCHANGE_REVERTING, of=asked.reverts, by=asked.step.by, count=count, **state)
            if found.needs == "never":
                raise forbidden(asked)
            if found.why:
                receipt = await _asked_of_a_person(target, asked, found, notes)
            else:
                receipt = await _carried_out(target, asked, found, notes)
            await notes.finished(receipt)
            return receipt
    except CareplanError as error:
        await notes.failed(error)
        raise


async def _carried_out(target: Target, asked: Undo, found: Judged, notes: Notes) -> Receipt:
    """A question whether just this is taken back is answered by it, and waits no longer."""
    if asked.accepting is not None and found.same:
        await keep_steps(target, asked.accepting)
    written = await _write(target, asked, found.changes, notes)
    if asked.accepting is not None and found.same:
        await close_review(target.plans, target.ledger, target.clock, asked.accepting)
    waiting = await target.plans.pendings(of=(target.writer.target, asked.patient))
    if any(one.request.reverts == asked.reverts for one in waiting):
        await target.plans.clear_pending(target.writer.target, asked.patient, target.clock.now().isoformat())
    return _receipt(asked, found, written)


async def _asked_of_a_person(target: Target, asked: Undo, found: Judged, notes: Notes) -> Receipt:
    """Nothing is written while a part of it waits: half a plan taken back is no plan. What was approved by too
    few waits on under its own id, with those who approved."""
    if asked.accepting is not None and found.same:
        await keep_steps(target, asked.accepting)
        pending = asked.accepting
    else:
        pending = await _kept(target, asked, found)
    notes.add(logs.REVIEW_WAITING, review=pending.id, count=len(found.changes.changes))
    return naming(_receipt(asked, found, ()), pending.id, found.why)


async def _kept(target: Target, asked: Undo, found: Judged) -> Pending:
    """The same wish again, whoever has it, finds the review that waits: to approve it is another command."""
    pending = await target.plans.put_pending(
        Pending(
            id=asked.exchange,
            request=ExchangeRequest(
                endpoint=target.writer.target, patient=found.changes.patient, reverts=asked.reverts
            ),
            target=target.writer.target,
            patient=asked.patient,
            change_set=found.changes,
            why=found.why,
            created_at=target.clock.now().isoformat(),
            persons=found.persons,
        )
    )
    if found.counts and pending.id == asked.exchange:
        step = msgspec.structs.replace(asked.step, content=content_of(pending))
        await note_step(target.plans, target.ledger, pending.id, step)
    return pending


async def _write(target: Target, asked: Undo, changes: ChangeSet, notes: Notes) -> tuple[WrittenResource, ...]:
    if not changes.to_write:
        return ()
    now = target.clock.now()
    intent = Intent(
        id=target.ids.new(),
        exchange=asked.exchange,
        target=target.writer.target,
        patient=asked.patient,
        changes=changes.to_write,
        created_at=now.isoformat(),
        reverts=asked.reverts,
        review=asked.accepting.id if asked.accepting is not None else None,
    )
    form = await target.writer.form()
    context = CompanionContext(
        exchange=asked.exchange,
        request_id=intent.id,
        recorded=now,
        subject=changes.patient,
        target=target.writer.target,
        version=target.version,
        same_server=True,
        source_endpoint=target.writer.target,
        installation=await target.plans.installation(),
        approvals=consents(asked.accepting) if asked.accepting is not None else (asked.step,),
        events=target.events and form.atomic,
    )
    attached = companions_of_undo(intent.changes, context, form.release)
    return await send(target, intent, attached, notes)


def _receipt(asked: Undo, found: Judged, written: Sequence[WrittenResource]) -> Receipt:
    now = {one.identity: one for one in written}
    waits = bool(found.why)
    return Receipt(
        outcome="review" if waits else "written" if written else "unchanged",
        resources=tuple(_line(change, now.get(change.identity), waits=waits) for change in found.changes.changes),
        issues=found.changes.issues,
        exchange=asked.exchange,
    )


def _line(change: ResourceChange, written: WrittenResource | None, *, waits: bool) -> ReceiptResource:
    if written is not None:
        return ReceiptResource(reference=change.reference, version_id=written.version_id, action=written.action)
    return ReceiptResource(
        reference=change.reference,
        version_id=change.version_id,
        action="pending" if waits and change.elements else "unchanged",
    )
