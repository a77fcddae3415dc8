"""A little of everything that a store keeps of one patient."""

from decimal import Decimal

from careplan_exchange.model.changes import Base, ChangeSet, ElementChange, Intent, ResourceChange
from careplan_exchange.model.deadletter import DeadLetter
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.review import Pending

TARGET, PATIENT, AT, LATER = (
    "https://t.example/fhir",
    "Patient/1",
    "2026-01-01T00:00:00Z",
    "2026-01-02T00:00:00Z",
)
GOAL = {"resourceType": "Goal", "target": [{"detailQuantity": {"value": Decimal("7.20"), "unit": "%"}}]}
REQUEST = ExchangeRequest(endpoint="https://s.example/fhir", patient="1", today="2026-01-01")


def a_base(identity: str = "goal-1", version_id: str = "1") -> Base:
    return Base(identity=identity, type="Goal", id="g1", version_id=version_id, ours=GOAL, stored=GOAL)


def a_change_set(note: str = "") -> ChangeSet:
    change = ResourceChange(
        identity="goal-1",
        type="Goal",
        action="update",
        full_url="urn:uuid:1",
        body={**GOAL, "note": note},
        ours=GOAL,
        theirs=GOAL,
        base=a_base(),
        id="g1",
        version_id="1",
        elements=(ElementChange(path="Goal.note", kind="ours", before=None, ours=[note, Decimal("1.50")]),),
    )
    issue = Issue(severity="warning", code="invalid", key="k", detail="d")
    return ChangeSet(patient=PATIENT, changes=(change,), issues=(issue,))


def an_intent(intent_id: str, patient: str = PATIENT) -> Intent:
    return Intent(
        id=intent_id,
        exchange="x1",
        target=TARGET,
        patient=patient,
        changes=a_change_set().changes,
        created_at=AT,
    )


def a_pending(pending_id: str, change_set: ChangeSet | None = None, patient: str = PATIENT) -> Pending:
    return Pending(
        id=pending_id,
        request=REQUEST,
        target=TARGET,
        patient=patient,
        change_set=change_set or a_change_set(),
        why=("A person made this plan active.",),
        created_at=AT,
    )


def a_letter(letter_id: str, patient: str = PATIENT, error: str = "refused") -> DeadLetter:
    return DeadLetter(
        id=letter_id, request=REQUEST, target=TARGET, patient=patient, error=error, detail="d", mend="m",
        issues=a_change_set().issues, intent=an_intent("i"), created_at=AT,
    )  # fmt: skip
