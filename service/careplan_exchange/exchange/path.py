"""The whole path for one patient: read `sync` from top to bottom."""

from typing import NamedTuple

from careplan_exchange import logs
from careplan_exchange.audit import Notes, naming, receipt_of
from careplan_exchange.errors import (
    CareplanError,
    PatientMergedError,
    PatientNotEligibleError,
    UnavailableError,
    VersionConflictError,
)
from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.review import Lines, lines_of

from .closing import closed
from .comparing import compared
from .comparison import Comparison
from .decided import require_undecided
from .deciding import Ruling, permitted, ruled
from .letters import keep_letter, resolve_letter
from .looking import look
from .reading import planned
from .remembering import require_memory
from .settling import require_nothing_came_late, settle_what_is_open
from .standing import Seen
from .steps import Request, Steps, whose
from .waiting import close_or_ask, keep_what_waits, revert_that_waits
from .writing import NotCarriedOutError, write

MERGE_ATTEMPTS = 4
"""How often a plan is read, merged and sent before we give up: somebody else keeps changing it, or the server
keeps failing without carrying it out."""


class Considered(NamedTuple):
    """What there is to write and what waits. Without `comparison` nothing was planned: the patient gets no plan
    any more, and what stands would be ended."""

    record: PatientRecord
    proposal: Proposal
    ruling: Ruling
    lines: Lines
    comparison: Comparison | None
    seen: Seen | None


async def sync(steps: Steps, request: Request) -> Receipt:
    """The whole path, safe to repeat and to run many times at once.

    Raises CareplanError and its kind. Whatever it raises, nothing was sent without an intent in the store, and
    the next run for this patient settles that intent before it does anything else.
    """
    notes = Notes(
        steps.ledger,
        steps.clock,
        exchange=request.exchange,
        patient=request.subject,
        target=steps.writer.target,
    )
    meant: ChangeSet | None = None
    try:
        async with steps.plans.patient_lock(steps.writer.target, whose(steps, request)):
            await settle_what_is_open(steps, whose(steps, request), notes)
            await require_undecided(steps.plans, request.accepting)
            failure: CareplanError
            for _ in range(MERGE_ATTEMPTS):
                found = await considered(steps, request, notes)
                if isinstance(found, Receipt):
                    return await _finished(steps, request, found, notes)
                meant = found.ruling.decision.write
                try:
                    await require_nothing_came_late(steps, whose(steps, request), notes)
                    waiting = await keep_what_waits(steps, request, found.ruling.decision, notes)
                    written = await write(
                        steps, request, record=found.record, proposal=found.proposal, changes=meant, notes=notes
                    )
                except VersionConflictError as error:
                    notes.add(logs.WRITE_CONFLICT)  # somebody was quicker: read and merge again, never resend
                    failure = error
                    continue
                except NotCarriedOutError as error:
                    failure = error
                    continue
                waiting = waiting or await close_or_ask(
                    steps,
                    request,
                    found.comparison,
                    ruling=found.ruling,
                    written=written,
                    lines=found.lines,
                    notes=notes,
                )
                receipt = receipt_of(request.exchange, found.proposal, found.ruling.decision, written)
                if waiting is not None:
                    receipt = naming(receipt, waiting.id, found.ruling.decision.why or waiting.why)
                if found.seen is not None:
                    steps.standing.keep(found.seen, receipt)
                return await _finished(steps, request, receipt, notes)
            raise _given_up(failure)
    except CareplanError as error:
        await keep_letter(steps, request, error, notes, meant)
        await notes.failed(error)
        raise


async def considered(steps: Steps, request: Request, notes: Notes) -> Considered | Receipt:
    """Pull, map, plan, compare, decide; or the receipt, where nothing has changed since all was as it should,
    or a revert waits for a person."""
    # Read once: under the patient's lock nobody else may change it.
    remembered = await steps.plans.outline(steps.writer.target, whose(steps, request))
    if (waiting := await revert_that_waits(steps, request, remembered)) is not None:
        return waiting
    try:
        record = await steps.source.pull(request.asked.patient)
        seen = await look(steps, request, record, remembered)
        if (receipt := steps.standing.found(seen, request.exchange)) is not None:
            notes.add(logs.EXCHANGE_UNCHANGED)
            return receipt
        proposal, lines = permitted(steps, record, planned(record, steps.knowledge, request.today))
        notes.planned(record, proposal)
        comparison = await compared(steps, request, record, proposal)
        ruling = await ruled(steps, request, comparison, record=record, proposal=proposal, lines=lines)
        found = Considered(record, proposal, ruling, lines, comparison, seen)
    except (PatientMergedError, PatientNotEligibleError) as error:
        record, proposal, ruling = await closed(steps, request, error)
        found = Considered(record, proposal, ruling, lines_of(proposal, record), None, None)
    await require_memory(steps, found.ruling.changes)
    notes.compared(found.ruling.changes)
    return found


async def _finished(steps: Steps, request: Request, receipt: Receipt, notes: Notes) -> Receipt:
    await resolve_letter(steps, request, notes)
    await notes.finished(receipt)
    return receipt


def _given_up(failure: CareplanError) -> CareplanError:
    if isinstance(failure, NotCarriedOutError):
        return UnavailableError(
            f"{MERGE_ATTEMPTS} tries, and a look at the server shows that it is not done. {failure.detail}",
            mend="Look at the server's log and at any proxy between, then run the same command again.",
            issues=failure.issues,
        )
    return VersionConflictError(
        f"The plan was changed by somebody else {MERGE_ATTEMPTS} times while it was being merged.",
        mend="Run the same command again when nobody is editing the plan.",
        issues=failure.issues,
    )
