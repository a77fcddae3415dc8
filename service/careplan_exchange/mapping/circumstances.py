"""What surrounds the patient: what was consented to or refused, who pays, whether a team looks after them,
whether an interpreter is needed. No name of a person and no number of a policy is read.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Fact, FactState

from .conditions import note_entered_in_error
from .context import Context
from .dates import span_of
from .orders import RESOURCE_TYPES
from .tables import plain
from .understanding import note_not_used, of_code
from .wire import Patient, Period
from .wire_care import CareTeam, Consent, Coverage, Payer

_CONSENT = msgspec.json.Decoder(Consent)
_COVERAGE = msgspec.json.Decoder(Coverage)
_CARE_TEAM = msgspec.json.Decoder(CareTeam)

INTERPRETER = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-interpreter-needed"
_INTERPRETER_QUESTION = ("http://loinc.org", "54588-9")

_DECISIONS: dict[str, FactState] = {"deny": "present", "permit": "absent"}


def read_consent(context: Context, resource: Resource) -> Iterator[Fact]:
    """What an active Consent denies or permits, where its scope or category is one that counts."""
    consent = context.decode(resource, _CONSENT)
    if consent is None or not context.is_about_patient(resource, consent.patient or consent.subject):
        return
    if consent.status == "entered-in-error":
        note_entered_in_error(context, resource)
        return
    if consent.status != "active":
        note_not_used(
            context,
            resource,
            consent.status,
            {"draft", "proposed", "rejected", "inactive", "not-done", "unknown"},
        )
        return
    on, future = context.dated(resource, "dateTime", consent.date_time, consent.date)
    if future:
        return
    concepts = (*((consent.scope,) if consent.scope is not None else ()), *consent.category)
    codings = [coding for concept in concepts for coding in concept.coding]
    known = {
        key: (scope, coding)
        for coding in codings
        if (scope := context.mappings.care.consents.get(key := context.key(coding))) is not None
    }
    if not known:
        _note(context, resource, "consent.scope", "A Consent is about nothing that a protocol asks for.", "scope")
        return
    decision, exceptions = _decision(consent)
    for scope, coding in known.values():
        if scope.recorded is not None:
            yield context.fact(resource, context.concepts[scope.recorded], coding, on)
        if scope.denied is None:
            continue
        state = _DECISIONS.get(decision or "", "unknown")
        if state == "unknown" or exceptions:
            # A rule with exceptions neither permits nor refuses the whole.
            state = "unknown"
            _note(
                context,
                resource,
                "consent.unclear",
                "A Consent does not say as a whole whether it permits or denies: it counts as unknown.",
                "provision",
            )
        yield context.fact(resource, context.concepts[scope.denied], coding, on, state=state)


def _decision(consent: Consent) -> tuple[str | None, bool]:
    """`permit` or `deny`, and whether there are exceptions to it (a nested provision; any at all in R5)."""
    if consent.decision is not None:
        return consent.decision, bool(consent.provision)
    provision: Any = consent.provision
    if not isinstance(provision, dict):
        return None, False
    decision = provision.get("type")
    return (decision if isinstance(decision, str) else None), bool(provision.get("provision"))


def read_coverage(context: Context, resource: Resource) -> Iterator[Fact]:
    """That somebody pays; `answer` is the payer's name, where the payer is an organisation."""
    coverage = context.decode(resource, _COVERAGE)
    if coverage is None or not context.is_about_patient(resource, coverage.beneficiary):
        return
    active = _standing(context, resource, coverage.status, coverage.period)
    if active is None:
        return
    payers = (*coverage.payor, *((coverage.insurer,) if coverage.insurer is not None else ()))
    names = [payer.display for payer in payers if payer.display and _is_organization(payer)]
    yield from _of_type(
        context, resource, coverage.period, active=active, answer=Coding(display=names[0]) if names else None
    )


def _is_organization(payer: Payer) -> bool:
    return payer.type == "Organization" or "Organization/" in (payer.reference or "")


def read_care_team(context: Context, resource: Resource) -> Iterator[Fact]:
    """That a care team exists. Who is in it is not read."""
    team = context.decode(resource, _CARE_TEAM)
    if team is None or not context.is_about_patient(resource, team.subject):
        return
    # CareTeam.status is optional: a team that says nothing stands.
    active = _standing(context, resource, team.status or "active", team.period)
    if active is not None:
        yield from _of_type(context, resource, team.period, active=active)


def _standing(context: Context, resource: Resource, status: str | None, period: Period | None) -> bool | None:
    """Whether it stands today; None, with an issue, where it does not count at all."""
    if status == "entered-in-error":
        note_entered_in_error(context, resource)
        return None
    if status not in ("active", "inactive", "suspended"):
        note_not_used(context, resource, status, {"proposed", "draft", "cancelled"})
        return None
    return status == "active" and not is_over(context, period)


def is_over(context: Context, period: Period | None) -> bool:
    """Whether a period ended before today; not where its end is no date."""
    span = span_of(period.end[:10]) if period is not None and period.end is not None else None
    return span is not None and span[1] < context.today


def _of_type(
    context: Context, resource: Resource, period: Period | None, *, active: bool, answer: Coding | None = None
) -> Iterator[Fact]:
    """A fact of the concept that stands for the resource type, dated by its start where that is told."""
    on, future = context.dated(resource, "period", period.start if period is not None else None)
    if future:
        return
    for concept in of_code(context, "circumstance", RESOURCE_TYPES, resource.type):
        yield context.fact(resource, context.concepts[concept], None, on, active=active, answer=answer)


def interpreter(context: Context, resource: Resource, patient: Patient) -> Iterator[Fact]:
    """Whether an interpreter is needed, by US Core's extension on the Patient, which means LOINC 54588-9. As of
    today: the extension has no date."""
    question = context.mappings.questions.get(_INTERPRETER_QUESTION)
    for extension in patient.extension:
        if extension.url != INTERPRETER or question is None:
            continue
        coding = extension.value_coding or Coding()
        answer = question.codes.get(context.key(coding)) or question.texts.get(plain(coding.display or ""))
        if answer is None:
            _note(
                context,
                resource,
                "answer.unknown",
                f"No mapping knows the answer to '{question.concept}'.",
                "extension",
                mend="Add it to mappings/answers, or correct it in the record.",
            )
            continue
        yield context.fact(
            resource,
            context.concepts[question.concept],
            coding,
            context.today.isoformat(),
            state=answer.means,
            origin="patient",
        )


def _note(
    context: Context, resource: Resource, key: str, detail: str, element: str, *, mend: str | None = None
) -> None:
    context.note(
        resource,
        key,
        detail,
        severity="information" if mend is None else "warning",
        code="informational" if mend is None else "code-invalid",
        expression=f"{resource.type}.{element}",
        mend=mend,
    )
