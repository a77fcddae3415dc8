"""What there is to plan from, as a digest: has anything changed since the last run for this patient?"""

import hashlib

from careplan_exchange.model.codec import canonical
from careplan_exchange.model.outline import Outline
from careplan_exchange.model.record import PatientRecord

from .standing import Seen
from .steps import Request, Steps, whose


async def look(steps: Steps, request: Request, record: PatientRecord, remembered: Outline) -> Seen:
    """What there is to plan from. Without a digest where a person's decision is carried out, and where the record
    does not say what stands: another server holds the plan, or the record has not all of a type of ours."""
    target, patient = steps.writer.target, whose(steps, request)
    if request.accepting is not None or not steps.same_server:
        return Seen(target, patient, None)
    if not {base.type for base in remembered.bases} <= record.categories:
        return Seen(target, patient, None)
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
        remembered,
    )
    found = hashlib.blake2b(canonical(told), digest_size=32)
    for resource in (record.patient, *record.resources):
        about = (resource.type, resource.id, resource.version_id or "", str(len(resource.content)))
        found.update("\x1f".join(about).encode() + b"\x1e")
        found.update(resource.content)
    return Seen(target, patient, found.digest())
