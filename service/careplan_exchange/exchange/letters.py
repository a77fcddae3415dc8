"""Exchanges that fail for good are kept as dead letters, one for a patient; one that goes through closes them.

Which failures make a letter, and why:

- the server refused (RefusedError and its kinds; also a plan that our own lint refused, and one that somebody
  else kept changing): the same command would be refused again until something is mended;
- a person must decide about what stands on the server (DecisionNeededError), except where the answer is that
  there is no plan to make (PatientNotEligibleError): that is a result and not a failure;
- the server or the database failed once a write was due (UnavailableError, with a change to write or an open
  intent): what was due may not be on the server, and nobody may be there who would repeat the command;
- the record could not be read whole (RecordError) while a plan of ours stands: that plan is no longer kept up to
  date, and its reader cannot see it.

None is made of a request that cannot be (UsageError, UnsafeModificationError), of an installation that is not set
up (ConfigurationError), of a record that was merged into another one (a person is asked about the plan that
stands there; once that is decided, there is none to keep up to date), nor where nothing of ours stands and
nothing was meant to be written: the next run begins at the same place.
"""

from contextlib import suppress

from careplan_exchange import logs
from careplan_exchange.audit import Notes
from careplan_exchange.errors import (
    CareplanError,
    DecisionNeededError,
    PatientMergedError,
    PatientNotEligibleError,
    RecordError,
    RefusedError,
    StoreUnavailableError,
    UnavailableError,
    UnsafeModificationError,
)
from careplan_exchange.model.changes import ChangeSet, Intent
from careplan_exchange.model.deadletter import DeadLetter

from .steps import Request, Steps, whose


async def keep_letter(
    steps: Steps, request: Request, error: CareplanError, notes: Notes, meant: ChangeSet | None
) -> None:
    """Keep what failed where it will not come right by itself. `meant` is what was about to be written, where it
    came so far. A database that cannot be written must not hide why the exchange failed."""
    with suppress(CareplanError):
        if await _is_for_good(steps, request, error, meant):
            letter = await steps.plans.put_letter(_letter(steps, request, error, meant))
            notes.add(logs.LETTER_KEPT, letter=letter.id, error=error.key, count=letter.failures)


async def resolve_letter(steps: Steps, request: Request, notes: Notes) -> None:
    """An exchange went through: what waited for this patient is answered by it."""
    for letter in await steps.plans.letters(of=(steps.writer.target, whose(steps, request))):
        await steps.plans.close_letter(letter.id, "resolved", steps.clock.now().isoformat())
        notes.add(logs.LETTER_RESOLVED, letter=letter.id)


async def _is_for_good(steps: Steps, request: Request, error: CareplanError, meant: ChangeSet | None) -> bool:
    match error:
        case UnsafeModificationError() | PatientMergedError():
            return False
        case RefusedError():
            return True
        case DecisionNeededError():
            return not isinstance(error, PatientNotEligibleError)
        case UnavailableError():
            due = meant is not None and bool(meant.to_write)
            # Where the store is at fault, an open intent may be that of the exchange that was waited for.
            elsewhere = not isinstance(error, StoreUnavailableError)
            target, patient = steps.writer.target, whose(steps, request)
            return due or (elsewhere and bool(await steps.plans.open_intents(target, patient)))
        case RecordError():
            return bool(await steps.plans.bases(steps.writer.target, whose(steps, request)))
    return False


def _letter(steps: Steps, request: Request, error: CareplanError, meant: ChangeSet | None) -> DeadLetter:
    now = steps.clock.now().isoformat()
    target, patient = steps.writer.target, whose(steps, request)
    intent = None
    if meant is not None and meant.to_write:
        intent = Intent(
            id=request.exchange,
            exchange=request.exchange,
            target=target,
            patient=patient,
            changes=meant.to_write,
            created_at=now,
        )
    return DeadLetter(
        id=request.exchange,
        request=request.asked,
        target=target,
        patient=patient,
        error=error.key,
        detail=error.detail,
        mend=error.mend,
        issues=error.issues,
        intent=intent,
        created_at=now,
    )
