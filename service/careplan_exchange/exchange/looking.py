"""What there is to plan from, as a digest: has anything changed since the last run for this patient?"""

import hashlib

from careplan_exchange.model.codec import canonical
from careplan_exchange.model.record import PatientRecord

from .standing import Seen
from .steps import Request, Steps, whose


async def look(steps: Steps, request: Request, record: PatientRecord) -> Seen:
    """What there is to plan from. Without a digest where a person's decision is carried out, and where the record
    does not say what stands: another server holds the plan, or the record has not all of a type of ours."""
    target, patient = steps.writer.target, whose(steps, request)
    if request.accepting is not None or not steps.same_server:
        return Seen(target, patient, None)
    bases = await steps.plans.bases(target, patient)
    if not {base.type for base in bases.values()} <= record.categories:
        return Seen(target, patient, None)
    waiting = await steps.plans.pendings(of=(target, patient))
    told = (
        request.today.isoformat(),
        request.asked.approve,
        steps.version,
        steps.knowledge.digest,
        steps.policy,
        await steps.writer.form(),
        record.endpoint,
        record.identity,
        record.release,
        sorted(record.categories),
        record.issues,
        sorted((identity, base.id, base.version_id) for identity, base in bases.items()),
        sorted(pending.id for pending in waiting),
    )
    found = hashlib.blake2b(canonical(told), digest_size=32)
    for resource in (record.patient, *record.resources):
        about = (resource.type, resource.id, resource.version_id or "", str(len(resource.content)))
        found.update("\x1f".join(about).encode() + b"\x1e")
        found.update(resource.content)
    return Seen(target, patient, found.digest())
