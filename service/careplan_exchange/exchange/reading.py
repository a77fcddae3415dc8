"""Pull, map, plan: the dry run, and what is asked of it. Nothing is written, here or on any server."""

from collections.abc import Sequence
from datetime import date

import msgspec

from careplan_exchange.mapping import assumed, map_record
from careplan_exchange.model.explanation import Explanation
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.planner import plan, trace
from careplan_exchange.ports import Source

from .steps import Knowledge


async def read(source: Source, knowledge: Knowledge, patient: str, today: date) -> tuple[PatientRecord, Snapshot]:
    """Pull and map: what `careplan map` shows. Nothing is written, here or on any server."""
    record = await source.pull(patient)
    return record, map_record(record, knowledge.mappings, knowledge.vocabulary, today=today)


async def propose(
    source: Source, knowledge: Knowledge, patient: str, today: date
) -> tuple[PatientRecord, Proposal]:
    """Pull, map, plan: what `careplan plan` shows. Nothing is written, here or on any server.

    `Proposal.issues` are those of all three steps.
    """
    record = await source.pull(patient)
    return record, planned(record, knowledge, today)


def planned(record: PatientRecord, knowledge: Knowledge, today: date) -> Proposal:
    """Map and plan a record that was read."""
    snapshot = map_record(record, knowledge.mappings, knowledge.vocabulary, today=today)
    proposal = plan(snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies, record)
    return msgspec.structs.replace(proposal, issues=(*snapshot.issues, *proposal.issues))


async def explain(
    source: Source, knowledge: Knowledge, patient: str, today: date
) -> tuple[PatientRecord, Explanation]:
    """Of everything that could be in the plan why it is or is not, and what would change it."""
    record, snapshot = await read(source, knowledge, patient, today)
    proposal = plan(snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies)
    return record, trace(proposal, snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies)


async def suppose(
    source: Source, knowledge: Knowledge, patient: str, today: date, given: Sequence[str]
) -> tuple[Proposal, Proposal]:
    """The plan as it is, and as it would be if what is `given` held (`egfr=28`). The second is hypothetical: it
    names its assumptions, and no renderer takes it. Raises UsageError for an assumption that is none."""
    wanted = assumed(given, knowledge.vocabulary, today=today)
    record, proposal = await propose(source, knowledge, patient, today)
    snapshot = map_record(record, knowledge.mappings, knowledge.vocabulary, today=today, given=wanted)
    other = plan(snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies)
    issues = (*snapshot.issues, *other.issues)
    return proposal, msgspec.structs.replace(other, issues=issues, assumed=wanted.texts)
