"""Undoing an exchange: what it wrote goes back to what it was, as new versions; nothing is ever deleted."""

from collections.abc import Sequence

import msgspec

from careplan_exchange import logs
from careplan_exchange.audit import CompanionContext, Notes, companions_of_undo
from careplan_exchange.errors import CareplanError, UsageError
from careplan_exchange.model.changes import (
    ChangeSet,
    Commit,
    Intent,
    ResourceChange,
    WrittenResource,
    identities_of,
)
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.receipt import Receipt, ReceiptResource
from careplan_exchange.model.review import Pending, ReviewStep
from careplan_exchange.reconcile import accept, same_decision, undo

from .deciding import keep_steps
from .settling import settle_what_is_open
from .steps import Target
from .waiting import close_review
from .writing import send


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """Which exchange (`reverts`, with what it wrote: `commits`, oldest first) is taken back by which new one
    (`exchange`), and whose wish that is. `accepting` is a review of exactly this, in which a person has decided
    what was in conflict."""

    exchange: str
    reverts: str
    commits: tuple[Commit, ...]
    step: ReviewStep
    accepting: Pending | None = None

    @property
    def patient(self) -> str:
        """Whose plan it is, for the store."""
        return self.commits[0].intent.patient


async def revert(target: Target, asked: Undo) -> Receipt:
    """Take back what one exchange wrote, where nobody has changed it since; otherwise nothing is written, and the
    whole waits for a person (outcome "review").

    Afterwards what was taken back counts as a person's edit: no later exchange writes it again by itself. Raises
    what a write raises.
    """
    where = target.writer.target
    notes = Notes(target.ledger, target.clock, exchange=asked.exchange, patient=asked.patient, target=where)
    try:
        async with target.plans.patient_lock(where, asked.patient):
            await settle_what_is_open(target, asked.patient, notes)
            changes = await _compared(target, asked)
            notes.add(logs.EXCHANGE_REVERTING, of=asked.reverts, by=asked.step.by, count=len(changes.to_write))
            why = await _why(target, asked) if changes.conflicts else ()
            if asked.accepting is not None and not why:
                await keep_steps(target, asked.accepting)
            written = () if why else await _write(target, asked, changes, notes)
            if why:
                await _keep(target, asked, changes, why, notes)
            elif asked.accepting is not None:
                await close_review(target, asked.accepting)
            receipt = _receipt(asked, changes, written, why)
            await notes.finished(receipt)
            return receipt
    except CareplanError as error:
        await notes.failed(error)
        raise


async def _compared(target: Target, asked: Undo) -> ChangeSet:
    written = (one for commit in asked.commits for one in commit.written)
    held = await target.writer.current(identities_of(written))
    changes = undo(asked.commits, held, patient=_subject(asked.commits))
    if asked.accepting is not None and same_decision(asked.accepting.change_set, changes):
        return accept(changes)
    return changes


def _subject(commits: Sequence[Commit]) -> str:
    """The patient's reference on the target, as the resources themselves have it."""
    for commit in commits:
        for written in commit.written:
            subject = written.stored.get("subject") or written.stored.get("patient") or {}
            if subject.get("reference"):
                return str(subject["reference"])
    raise UsageError("What that exchange wrote names no patient.", mend="Take it back by hand on the server.")


async def _why(target: Target, asked: Undo) -> tuple[str, ...]:
    """Why it cannot be taken back without a person, and which later exchanges of ours are in the way."""
    last = asked.commits[-1]
    touched = {written.identity for commit in asked.commits for written in commit.written}
    known = await target.plans.commits(of=(last.intent.target, asked.patient))
    place = [commit.intent.id for commit in known].index(last.intent.id)
    since = dict.fromkeys(
        commit.intent.exchange
        for commit in known[place + 1 :]
        if any(written.identity in touched for written in commit.written)
    )
    sentence = f"What exchange {asked.reverts} wrote was changed since; taking it back would undo that too."
    if since:
        return (sentence, f"Later exchanges wrote there too: {', '.join(since)}. Take those back first.")
    return (sentence,)


async def _keep(target: Target, asked: Undo, changes: ChangeSet, why: tuple[str, ...], notes: Notes) -> None:
    """Nothing is written while one element is in conflict: half a plan taken back is no plan."""
    where = target.writer.target
    pending = await target.plans.put_pending(
        Pending(
            id=asked.exchange,
            request=ExchangeRequest(endpoint=where, patient=changes.patient, reverts=asked.reverts),
            target=where,
            patient=asked.patient,
            change_set=changes,
            why=why,
            created_at=target.clock.now().isoformat(),
        )
    )
    notes.add(logs.REVIEW_WAITING, review=pending.id, count=len(changes.changes))


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
        approvals=(asked.step,),
        events=target.events and form.atomic,
    )
    attached = companions_of_undo(intent.changes, context, form.release)
    return await send(target, intent, attached, notes)


def _receipt(
    asked: Undo, changes: ChangeSet, written: Sequence[WrittenResource], why: tuple[str, ...]
) -> Receipt:
    now = {one.identity: one for one in written}
    waiting = tuple(
        Issue(
            severity="warning",
            code="business-rule",
            key="review.waiting",
            detail=sentence,
            mend=f"See `careplan review show {asked.exchange}`.",
        )
        for sentence in why
    )
    return Receipt(
        outcome="review" if why else "written" if written else "unchanged",
        resources=tuple(_line(change, now.get(change.identity), waits=bool(why)) for change in changes.changes),
        issues=(*changes.issues, *waiting),
        exchange=asked.exchange,
        review=asked.exchange if why else None,
    )


def _line(change: ResourceChange, written: WrittenResource | None, *, waits: bool) -> ReceiptResource:
    if written is not None:
        return ReceiptResource(reference=change.reference, version_id=written.version_id, action=written.action)
    return ReceiptResource(
        reference=change.reference,
        version_id=change.version_id,
        action="pending" if waits and change.elements else "unchanged",
    )
