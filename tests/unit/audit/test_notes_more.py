"""What an exchange leaves in the ledger, entry by entry."""

import msgspec

from careplan_exchange import logs
from careplan_exchange.audit import Notes
from careplan_exchange.errors import RefusedError, StoreUnavailableError
from careplan_exchange.model.changes import ChangeSet, ElementChange
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.receipt import Receipt, ReceiptResource
from careplan_exchange.store import MemoryLedger
from tests.support.exchanges import TickingClock
from tests.support.plans import a_proposal
from tests.support.writing import a_record, an_update, as_written, creates

ISSUE = Issue(severity="warning", code="value", key="write.lost", detail="Words.", source="Goal/7/_history/1")


class Full(MemoryLedger):
    async def append(self, entries):
        raise StoreUnavailableError("Full.", mend="Make room.")


def a_note(ledger):
    return Notes(ledger, TickingClock(), exchange="x1", patient="Patient/p1", target="https://t.example.org/fhir")


async def entries_of(ledger):
    return [(link.entry.event, link.entry.data) for link in await ledger.links()]


async def test_an_exchange_is_told_from_its_beginning_to_its_end():
    ledger = MemoryLedger()
    notes = a_note(ledger)
    proposal = a_proposal()
    notes.planned(a_record("https://s.example.org/fhir", {"resourceType": "Patient", "id": "p1"}), proposal)
    goal, plan = creates()[0], creates()[-1]
    update = an_update(as_written(goal))
    asked = msgspec.structs.replace(
        update, action="unchanged", elements=(ElementChange(path="Goal.note", kind="conflict"),)
    )
    notes.compared(ChangeSet(patient="Patient/p1", changes=(goal, plan, update, asked)))
    receipt = Receipt(
        outcome="written",
        resources=(ReceiptResource(reference="Goal/7", version_id="2", action="update"),),
        issues=(ISSUE,),
        exchange="x1",
    )
    await notes.finished(receipt)
    started, planned, compared, finished = await entries_of(ledger)
    assert started == (
        logs.EXCHANGE_STARTED,
        {"patient": "Patient/p1", "target": "https://t.example.org/fhir"},
    )
    assert planned == (
        logs.EXCHANGE_PLANNED,
        {
            "endpoint": "https://s.example.org/fhir",
            "protocols": [protocol.canonical for protocol in proposal.protocols],
            "evidence": [f"{each.reference}/_history/{each.version_id}" for each in proposal.evidence],
            "counts": {
                "resources": 0,
                "goals": len(proposal.goals),
                "activities": len(proposal.activities),
                "restrictions": len(proposal.restrictions),
                "withheld": len(proposal.withheld),
                "gaps": len(proposal.gaps),
                "issues": len(proposal.issues),
            },
        },
    )
    assert compared == (
        logs.EXCHANGE_COMPARED,
        {"counts": {"conflict": 1, "create": 2, "update": 1, "unchanged": 1}},
    )
    assert finished == (
        logs.EXCHANGE_FINISHED,
        {
            "outcome": "written",
            "resources": [{"reference": "Goal/7", "versionId": "2", "action": "update"}],
            "issues": [{"key": "write.lost", "source": "Goal/7/_history/1"}],
        },
    )


async def test_evidence_without_a_version_is_named_without_one():
    ledger = MemoryLedger()
    notes = a_note(ledger)
    bare = tuple(msgspec.structs.replace(each, version_id=None) for each in a_proposal().evidence)
    proposal = msgspec.structs.replace(a_proposal(), evidence=bare)
    notes.planned(a_record("https://s.example.org/fhir", {"resourceType": "Patient", "id": "p1"}), proposal)
    await notes.flush()
    assert (await entries_of(ledger))[1][1]["evidence"] == [each.reference for each in bare]


async def test_a_failure_is_told_by_its_key_and_once():
    ledger = MemoryLedger()
    notes = a_note(ledger)
    await notes.failed(RefusedError("Words.", mend="None.", issues=(ISSUE,)))
    assert (await entries_of(ledger))[1:] == [
        (logs.EXCHANGE_FAILED, {"error": "refused", "issues": [{"key": "write.lost"}]})
    ]


async def test_a_ledger_that_is_full_does_not_hide_why_it_failed():
    await a_note(Full()).failed(RefusedError("Words.", mend="None."))
