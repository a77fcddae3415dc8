"""A plan of a patient who gets none any more: deceased, inactive, or merged into another record.

Nothing is planned for such a patient, and no plan ends by itself. Where one of ours stands, a person is asked
whether it is ended; without one the error stays what it is. A plan is never moved to another patient: it is ended
here, and the run for the other record plans anew from that record.
"""

from collections.abc import Mapping

from careplan_exchange.errors import CareplanError, PatientMergedError
from careplan_exchange.model.changes import Base, Held, identities_of
from careplan_exchange.model.identity import PLAN_KEY, identity_of
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.reconcile import close, not_again, numbered
from careplan_exchange.review import decide, is_plan, lines_of

from .comparing import AHEAD
from .deciding import Ruling, carried_out
from .steps import Request, Steps, whose

_OVER = frozenset({"completed", "revoked", "superseded", "entered-in-error"})
_MEND = "See `careplan review list`: approve to end the plan, reject to leave it, or mend a record that is wrong."


async def closed(steps: Steps, request: Request, error: CareplanError) -> tuple[PatientRecord, Proposal, Ruling]:
    """In place of pull, map, plan, compare and decide: an empty record and proposal, and what becomes of what
    would end the plan. Raises `error` where no plan of ours is in use, or a person rejected this."""
    target, patient = steps.writer.target, whose(steps, request)
    bases = await steps.plans.bases(target, patient)
    held = await _held(steps, request, bases)
    plans = [one for one in held if is_plan(one.type) and one.body.get("status") not in _OVER]
    if not plans:
        raise error
    subject = plans[0].body.get("subject", {}).get("reference", request.subject)
    changes = close(held, bases, why=_why(error), patient=subject)
    rejected = await steps.plans.pendings("rejected", of=(target, patient))
    changes = not_again(changes, [pending.change_set for pending in rejected])
    if not changes.conflicts:
        raise error
    record, proposal = _nothing(steps, request, error)
    decision = decide(changes, steps.policy, lines_of(proposal, record))
    if request.accepting is None:
        return record, proposal, Ruling(changes, decision)
    return record, proposal, await carried_out(steps, request.accepting, changes, decision)


async def _held(steps: Steps, request: Request, bases: Mapping[str, Base]) -> tuple[Held, ...]:
    """What stands of everything that we remember, and every plan that there may be, asked of the target itself:
    the record of the patient may not be readable any more."""
    first = identity_of(steps.source.identity, request.subject, "CarePlan", PLAN_KEY)
    wanted = identities_of(bases.values())
    wanted.setdefault("CarePlan", set()).update(numbered(first, bases, ahead=AHEAD))
    return await steps.writer.current(wanted)


def _why(error: CareplanError) -> str:
    if isinstance(error, PatientMergedError):
        return f"{error.detail} The plan would be ended here; a run for that record plans anew."
    return f"{error.detail} The plan would be ended."


def _nothing(steps: Steps, request: Request, error: CareplanError) -> tuple[PatientRecord, Proposal]:
    """A record of which nothing is used, and a proposal in which nothing is proposed. The receipt tells why."""
    patient = Resource(
        type="Patient", id=request.asked.patient, version_id=None, last_updated=None, content=b"{}"
    )
    record = PatientRecord(
        endpoint=steps.source.endpoint,
        identity=steps.source.identity,
        release="R4",
        patient=patient,
        resources=(),
        categories=frozenset(),
    )
    told = Issue(severity="warning", code="business-rule", key=error.key, detail=error.detail, mend=_MEND)
    proposal = Proposal(
        patient=Evidence(reference=request.subject, version_id=None),
        as_of=request.today,
        protocols=(),
        goals=(),
        activities=(),
        restrictions=(),
        withheld=(),
        not_applied=(),
        gaps=(),
        issues=(*error.issues, told),
    )
    return record, proposal
