"""A gate from a few lines of YAML, and proposals that nobody's protocol made: to put before it."""

from collections.abc import Iterable
from typing import Any

from careplan_exchange import knowledge
from careplan_exchange.model.proposal import (
    ActivityProposal,
    Citation,
    GoalProposal,
    Proposal,
    ProtocolRef,
    Reason,
    Restriction,
)
from careplan_exchange.model.snapshot import Coding, Snapshot
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.safety import Gate, compile_gate, guarded
from tests.cases.snapshots import TODAY, vocabulary

PROTOCOL = ProtocolRef(url="urn:careplan-exchange:test", version="1", title="Test")
CITATION = Citation(label="Source", url="https://example.org/source")
WHY = Reason(text="For the test.", rule="true", result="true")
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SOURCES = "sources:\n  - {id: s, citation: Source, url: 'https://example.org/source'}\n"
METFORMIN = """
rules:
  - id: metformin-egfr
    hazard: drug-laboratory
    severity: high
    effect: withhold
    medicines: [metformin]
    when: "%egfr < 30"
    unknown: withhold
    says: "Lactic acidosis."
    mitigation: "Choose another."
    alternative: "Insulin."
    source: s
"""


def document(text: str, name: str = "protocols/safety/test.yaml") -> knowledge.Document:
    return knowledge.parse(name, text.encode())


def gate(text: str, *, sources: str = SOURCES) -> Gate:
    return compile_gate([document(sources + text)], vocabulary())


def activity(key: str, *, rxnorm: str | None = None, **more: Any) -> ActivityProposal:
    """A MedicationRequest unless it only involves something."""
    medication = "involves" not in more
    fields: dict[str, Any] = {
        "kind": "medication" if medication else "lifestyle",
        "resource_kind": "MedicationRequest" if medication else "ServiceRequest",
        "title": key.capitalize(),
        "description": f"Consider {key}.",
        "patient_text": f"About {key}.",
        "priority": "routine",
        "codings": (Coding(system=RXNORM, code=rxnorm),) if rxnorm else (),
    }
    return ActivityProposal(
        key=f"test/action/{key}", protocol=PROTOCOL, reasons=(WHY,), citations=(CITATION,), **(fields | more)
    )


def goal(key: str) -> GoalProposal:
    return GoalProposal(
        key=f"test/goal/{key}",
        protocol=PROTOCOL,
        description=key,
        patient_text=key,
        category="dietary",
        priority="high-priority",
        start=TODAY,
        reasons=(WHY,),
        citations=(CITATION,),
    )


def restriction(key: str, of: ActivityProposal, goal_key: str) -> Restriction:
    return Restriction(
        key=f"test/avoid/{key}",
        protocol=PROTOCOL,
        avoid=key,
        patient_text=key,
        goal=goal_key,
        activity=of.key,
        reasons=(WHY,),
        citations=(CITATION,),
    )


def proposal(found: Snapshot, *activities: ActivityProposal, **more: Any) -> Proposal:
    fields: dict[str, Any] = {
        "protocols": (PROTOCOL,),
        "goals": (),
        "restrictions": (),
        "withheld": (),
        "not_applied": (),
        "gaps": (),
    }
    return Proposal(patient=found.patient.evidence, as_of=found.as_of, activities=activities, **(fields | more))


def through(text: str, found: Snapshot, *activities: ActivityProposal, **more: Any) -> Proposal:
    """These activities after the gate of these rules."""
    before = proposal(found, *activities, **more)
    return guarded(before, Bindings(found, vocabulary()), vocabulary(), gate(text))


def metformin(**more: Any) -> ActivityProposal:
    return activity("metformin", medicines=("metformin",), **more)


def keys(lines: Iterable[Any]) -> list[str]:
    return [line.key for line in lines]
