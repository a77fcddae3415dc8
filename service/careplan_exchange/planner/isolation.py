"""What keeps one broken protocol, or one impossible day, from spoiling the rest of a plan."""

from collections.abc import Iterator, Sequence

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import NotApplied, Reason
from careplan_exchange.model.vocabulary import Vocabulary

from .assembly import Lines, lines
from .bindings import Bindings
from .dates import days_of
from .protocol import Protocol


def fit(protocols: Sequence[Protocol], bindings: Bindings, whole: Lines) -> Iterator[Protocol]:
    """The protocols of which a plan can be made. Of one with faults nothing is proposed rather than a part, and
    on a day before the patient was born nothing at all; `whole` is told."""
    if (unborn := _unborn(bindings)) is not None:
        whole.issues.append(unborn)
        return
    for protocol in protocols:
        if protocol.faults:
            why = Reason(text=protocol.faults[0].detail, rule="PlanDefinition", result="false")
            whole.not_applied.append(NotApplied(key=protocol.id, title=protocol.ref.title, reasons=(why,)))
            whole.issues.extend(protocol.faults)
            continue
        whole.issues.extend(protocol.problems)
        yield protocol


def isolated(protocol: Protocol, bindings: Bindings, vocabulary: Vocabulary) -> Lines:
    """The lines of one protocol; a failure that nobody foresaw takes this protocol alone, and whole."""
    try:
        return lines(protocol, bindings, vocabulary)
    except Exception as error:  # noqa: BLE001 # whatever it is, the other protocols must be applied
        # Its text may hold a patient's value: only its kind is passed on.
        detail = (
            f"Nothing of protocol '{protocol.id}' is proposed: applying it fails with {type(error).__name__}."
        )
        why = Reason(text=detail, rule="PlanDefinition", result="unknown")
        return Lines(
            not_applied=[NotApplied(key=protocol.id, title=protocol.ref.title, reasons=(why,))],
            issues=[
                Issue(
                    severity="error",
                    code="exception",
                    key="planner.protocol.failed",
                    detail=detail,
                    mend="Report it with the protocol, without patient data.",
                )
            ],
        )


def _unborn(bindings: Bindings) -> Issue | None:
    days = days_of(bindings.snapshot.patient.birth_date or "")
    if days is None or days[0] <= bindings.snapshot.as_of:
        return None
    return Issue(
        severity="error",
        code="business-rule",
        key="planner.patient.unborn",
        detail="Nothing is planned: the patient is born after the day of the plan.",
        source=bindings.snapshot.patient.evidence.reference,
        mend="Correct the birth date in the record, or plan for a later day.",
    )
