"""The part that mapping reads of the resources around the clinical findings: medicines beside the order,
vaccines, visits, orders, devices, questionnaires, consent. R4 and R5 alike; where one name has two shapes, `Any`
holds both and `concepts_in` tells them apart.
"""

from decimal import Decimal
from typing import Any

import msgspec

from careplan_exchange.model.snapshot import Coding

from .wire import CodeableConcept, DomainResource, Element, Medicated, Period, Quantity, Reference


class Adherence(Element, frozen=True):
    code: CodeableConcept | None = None


class MedicationStatement(Medicated, frozen=True):
    """In R5 `status` says only whether it is a statement, and `adherence` what it says."""

    effective_date_time: str | None = None
    effective_period: Period | None = None
    date_asserted: str | None = None
    adherence: Adherence | None = None


class MedicationDispense(Medicated, frozen=True):
    when_handed_over: str | None = None
    when_prepared: str | None = None
    days_supply: Quantity | None = None


class MedicationAdministration(Medicated, frozen=True):
    """`effective[x]` is R4, `occurence[x]` (spelt so) R5."""

    effective_date_time: str | None = None
    effective_period: Period | None = None
    occurence_date_time: str | None = None
    occurence_period: Period | None = None


class Immunization(DomainResource, frozen=True):
    status: str | None = None
    status_reason: CodeableConcept | None = None
    vaccine_code: CodeableConcept | None = None
    patient: Reference | None = None
    occurrence_date_time: str | None = None
    occurrence_string: str | None = None


class Stay(Element, frozen=True):
    diet_preference: tuple[CodeableConcept, ...] = ()


class Encounter(DomainResource, frozen=True, rename={"class_": "class", "actual_period": "actualPeriod"}):
    """`class` is a Coding in R4 and a list of CodeableConcepts in R5; `hospitalization.dietPreference` is R4."""

    status: str | None = None
    class_: Any = None
    subject: Reference | None = None
    period: Period | None = None
    actual_period: Period | None = None
    planned_start_date: str | None = msgspec.field(default=None, name="plannedStartDate")
    hospitalization: Stay | None = None
    diet_preference: tuple[CodeableConcept, ...] = msgspec.field(default=(), name="dietPreference")


class Participant(Element, frozen=True):
    actor: Reference | None = None


class Appointment(DomainResource, frozen=True):
    """The patient is a participant; R5 names the subject too."""

    status: str | None = None
    start: str | None = None
    subject: Reference | None = None
    participant: tuple[Participant, ...] = ()


class ServiceRequest(DomainResource, frozen=True):
    """`code` is a CodeableConcept in R4 and a CodeableReference in R5."""

    status: str | None = None
    intent: str | None = None
    do_not_perform: bool = False
    code: Any = None
    subject: Reference | None = None
    authored_on: str | None = None


class OralDiet(Element, frozen=True):
    type: tuple[CodeableConcept, ...] = ()


class NutritionOrder(DomainResource, frozen=True):
    """`patient` is R4, `subject` R5."""

    status: str | None = None
    intent: str | None = None
    patient: Reference | None = None
    subject: Reference | None = None
    date_time: str | None = None
    oral_diet: OralDiet | None = None


class DiagnosticReport(DomainResource, frozen=True):
    status: str | None = None
    category: tuple[CodeableConcept, ...] = ()
    code: CodeableConcept | None = None
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    result: tuple[Reference, ...] = ()
    conclusion: str | None = None
    conclusion_code: tuple[CodeableConcept, ...] = ()
    presented_form: tuple[Any, ...] = ()


class DeviceName(Element, frozen=True):
    """`name` is R4, `value` R5."""

    name: str | None = None
    value: str | None = None


class Device(DomainResource, frozen=True):
    """`type` is one concept in R4 and a list in R5; `deviceName` is R4, `name` R5."""

    status: str | None = None
    type: Any = None
    patient: Reference | None = None
    device_name: tuple[DeviceName, ...] = ()
    name: tuple[DeviceName, ...] = ()


class DeviceUse(DomainResource, frozen=True):
    """DeviceUseStatement (R4: `subject`, a Reference) and DeviceUsage (R5: `patient`, a CodeableReference)."""

    status: str | None = None
    subject: Reference | None = None
    patient: Reference | None = None
    device: Any = None
    timing_period: Period | None = None
    timing_date_time: str | None = None
    recorded_on: str | None = None
    date_asserted: str | None = None


class CareTeam(DomainResource, frozen=True):
    status: str | None = None
    subject: Reference | None = None
    period: Period | None = None


class Consent(DomainResource, frozen=True):
    """`scope`, `patient`, `dateTime` and one `provision` are R4; `subject`, `date` and `decision` R5."""

    status: str | None = None
    scope: CodeableConcept | None = None
    category: tuple[CodeableConcept, ...] = ()
    patient: Reference | None = None
    subject: Reference | None = None
    date_time: str | None = None
    date: str | None = None
    decision: str | None = None
    provision: Any = None


class Payer(Element, frozen=True):
    reference: str | None = None
    type: str | None = None
    display: str | None = None


class Coverage(DomainResource, frozen=True):
    """`payor` is R4, `insurer` R5. Nothing else of it is read: no number of a member or a policy."""

    status: str | None = None
    beneficiary: Reference | None = None
    period: Period | None = None
    payor: tuple[Payer, ...] = ()
    insurer: Payer | None = None


class ItemAnswer(Element, frozen=True):
    value_coding: Coding | None = None
    value_integer: int | None = None
    value_decimal: Decimal | None = None
    value_quantity: Quantity | None = None
    value_boolean: bool | None = None
    value_string: str | None = None
    item: tuple["Item", ...] = ()


class Item(Element, frozen=True):
    link_id: str | None = None
    definition: str | None = None
    answer: tuple[ItemAnswer, ...] = ()
    item: tuple["Item", ...] = ()


class QuestionnaireResponse(DomainResource, frozen=True):
    status: str | None = None
    subject: Reference | None = None
    authored: str | None = None
    item: tuple[Item, ...] = ()


class GenomicPart(Element, frozen=True):
    code: CodeableConcept | None = None
    value_codeable_concept: CodeableConcept | None = None


class GenomicObservation(DomainResource, frozen=True):
    """A variant, a genotype or what they imply (Genomics Reporting STU3)."""

    status: str | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    focus: tuple[Any, ...] = ()
    effective_date_time: str | None = None
    effective_period: Period | None = None
    value_codeable_concept: CodeableConcept | None = None
    component: tuple[GenomicPart, ...] = ()
    derived_from: tuple[Reference, ...] = ()


class ToldObservation(DomainResource, frozen=True):
    """An Observation whose being made is what counts: a preference, one answer of a questionnaire."""

    status: str | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_string: str | None = None


def concepts_in(value: Any) -> tuple[CodeableConcept, ...]:
    """The concepts in an element that is a Coding, a CodeableConcept, a CodeableReference, or a list of those.
    What has none of these shapes holds none."""
    if isinstance(value, list):
        return tuple(concept for one in value if isinstance(one, dict) for concept in _of_one(one))
    return _of_one(value) if isinstance(value, dict) else ()


def _of_one(value: dict[str, Any]) -> tuple[CodeableConcept, ...]:
    inner = value.get("concept")
    if isinstance(inner, dict):  # a CodeableReference
        value = inner
    try:
        if "coding" in value or "text" in value:
            return (msgspec.convert(value, CodeableConcept),)
        return (_of_coding(value),) if "code" in value else ()
    except msgspec.ValidationError:
        return ()


def _of_coding(value: dict[str, Any]) -> CodeableConcept:
    """The class of an Encounter in R4 and the like: told by system and code alone it needs no conversion."""
    system, code = value.get("system"), value["code"]
    if isinstance(code, str) and isinstance(system, str):
        return CodeableConcept(coding=(Coding(system=system, code=code),))
    return CodeableConcept(coding=(msgspec.convert(value, Coding),))


def reference_in(value: Any) -> str | None:
    """The reference in an element that is a Reference or a CodeableReference."""
    while isinstance(value, dict):
        value = value.get("reference")
    return value if isinstance(value, str) else None
