"""Step seven: intent first, then the write, then the new bases."""

from collections.abc import Sequence

from careplan_exchange import logs
from careplan_exchange.audit import CompanionContext, Notes, companions
from careplan_exchange.errors import (
    CareplanError,
    OutcomeUnknownError,
    PartlyWrittenError,
    UnavailableError,
    UnsettledWriteError,
    VersionConflictError,
)
from careplan_exchange.model.changes import ChangeSet, Intent, Json, WrittenResource
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord

from .deciding import approvals_of
from .settling import as_held, bases_of, committed, in_the_ledger, note_undone, settle
from .steps import Request, Steps, Target, whose


class NotCarriedOutError(UnavailableError):
    """A write came to nothing, and a look at the server has shown that nothing of it stands there."""


async def write(
    steps: Steps,
    request: Request,
    *,
    record: PatientRecord,
    proposal: Proposal,
    changes: ChangeSet,
    notes: Notes,
) -> tuple[WrittenResource, ...]:
    """Intent first, then one transaction, then the new bases. Raises VersionConflictError and NotCarriedOutError
    where a fresh read and merge is due; nothing of ours stands on the server then."""
    adopted = tuple(change for change in changes.changes if change.action == "unchanged" and change.base is None)
    if adopted:
        await steps.plans.save_bases(
            steps.writer.target, whose(steps, request), bases_of(adopted, as_held(adopted))
        )
    if not changes.to_write:
        return ()
    now = steps.clock.now()
    intent = Intent(
        id=steps.ids.new(),
        exchange=request.exchange,
        target=steps.writer.target,
        patient=whose(steps, request),
        changes=changes.to_write,
        created_at=now.isoformat(),
        # A review of which enough persons do not approve, or that is out of date, leaves nothing to write.
        review=request.accepting.id if request.accepting is not None else None,
    )
    form = await steps.writer.form()
    context = CompanionContext(
        exchange=request.exchange,
        request_id=intent.id,
        recorded=now,
        subject=changes.patient,
        target=steps.writer.target,
        version=steps.version,
        same_server=steps.same_server,
        source_endpoint=record.endpoint,
        installation=await steps.plans.installation(),
        approvals=approvals_of(request, changes, now.isoformat()),
        events=steps.events and form.atomic,
    )
    attached = companions(intent.changes, proposal, context, form.release)
    return await send(steps, intent, attached, notes)


async def send(
    target: Target, intent: Intent, attached: Sequence[Json], notes: Notes
) -> tuple[WrittenResource, ...]:
    """Intent, write, bases, and where the answer was lost a look at what became of it. Raises as `write`."""
    notes.add(logs.WRITE_INTENT, intent=intent.id, resources=[change.reference for change in intent.changes])
    await notes.flush()
    await target.plans.open_intent(intent)
    try:
        written = await _written(target, intent, attached, notes)
    except OutcomeUnknownError as error:
        notes.add(logs.WRITE_UNKNOWN, intent=intent.id)
        settled = await settle(target, intent, notes)
        if settled is None:
            raise NotCarriedOutError(error.detail, mend=error.mend, issues=error.issues) from None
        return settled
    except PartlyWrittenError as error:
        notes.add(logs.WRITE_PARTLY, intent=intent.id, resources=in_the_ledger(error.written))
        await notes.flush()
        await committed(target, intent, error.written)
        raise error.cause from None
    except VersionConflictError:
        settled = await _stands_after_all(target, intent, notes)
        if settled is None:
            await target.plans.abandon_intent(intent)
            raise
        return settled
    except CareplanError:
        await target.plans.abandon_intent(intent)
        raise
    # Before the intent is closed: from then on nobody would look again at what became of it.
    notes.add(logs.EXCHANGE_WRITTEN, intent=intent.id, resources=in_the_ledger(written))
    await notes.flush()
    await committed(target, intent, written)
    return written


async def _written(
    target: Target, intent: Intent, attached: Sequence[Json], notes: Notes
) -> tuple[WrittenResource, ...]:
    """What the writer wrote. What it took back or put back again is in the ledger before anything else is done
    about its error: those versions were on the server, and a reader may have seen them."""
    try:
        return await target.writer.write(intent, attached)
    except CareplanError as error:
        note_undone(notes, intent, error.undone)
        if error.undone:
            await notes.flush()
        raise


async def _stands_after_all(target: Target, intent: Intent, notes: Notes) -> tuple[WrittenResource, ...] | None:
    """A network that sends a request twice gives the second answer: a conflict with our own first one."""
    try:
        return await settle(target, intent, notes)
    except UnsettledWriteError:
        return None  # somebody else's stands there; where the server cannot be asked, the intent stays open
