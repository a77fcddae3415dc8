"""The part of each FHIR resource that mapping reads, of R4 and R5 alike. Everything else in it is skipped.

Codes are plain strings here, not enumerations: a value that the standard does not know is judged by the reader,
with an issue, and not by the parser. Numbers are Decimal with the digits they were sent with.
"""

from decimal import Decimal
from typing import Any

import msgspec

from careplan_exchange.model.snapshot import Coding


class Element(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    pass


class CodeableConcept(Element, frozen=True):
    coding: tuple[Coding, ...] = ()
    text: str | None = None


class Reference(Element, frozen=True):
    reference: str | None = None


class CodeableReference(Element, frozen=True):
    """R5's choice of a concept or a reference (http://hl7.org/fhir/R5/references.html#CodeableReference)."""

    concept: CodeableConcept | None = None
    reference: Reference | None = None


class Identifier(Element, frozen=True):
    system: str | None = None


class Period(Element, frozen=True):
    start: str | None = None
    end: str | None = None


class Repeat(Element, frozen=True):
    bounds_period: Period | None = None


class Timing(Element, frozen=True):
    event: tuple[str, ...] = ()
    repeat: Repeat | None = None


class Quantity(Element, frozen=True):
    value: Decimal | None = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Range(Element, frozen=True):
    low: Quantity | None = None
    high: Quantity | None = None


class Ratio(Element, frozen=True):
    numerator: Quantity | None = None
    denominator: Quantity | None = None


class ReferenceRange(Element, frozen=True):
    low: Quantity | None = None
    high: Quantity | None = None


class Extension(Element, frozen=True):
    url: str | None = None
    value_codeable_concept: CodeableConcept | None = None


class DomainResource(Element, frozen=True):
    """`implicitRules` and `modifierExtension` can change what the rest means: a resource with one of them is not
    read (http://hl7.org/fhir/R4/extensibility.html#modifierExtension)."""

    implicit_rules: str | None = None
    modifier_extension: tuple[Any, ...] = ()


class Authored(Element, frozen=True):
    """What tells a resource of ours: its identifier."""

    identifier: tuple[Identifier, ...] = ()


class About(Element, frozen=True):
    """Whom a resource is about, where nothing else of it is read."""

    subject: Reference | None = None
    patient: Reference | None = None


class Valued(DomainResource, frozen=True):
    """value[x] of an Observation or of a component. The last fields are kinds that nothing here reads."""

    value_quantity: Quantity | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_range: Range | None = None
    value_string: str | None = None
    value_integer: int | None = None
    value_ratio: Ratio | None = None
    data_absent_reason: CodeableConcept | None = None
    interpretation: tuple[CodeableConcept, ...] = ()
    reference_range: tuple[ReferenceRange, ...] = ()
    value_boolean: Any = None
    value_sampled_data: Any = None
    value_time: Any = None
    value_date_time: Any = None
    value_period: Any = None
    value_attachment: Any = None
    value_reference: Any = None


class Component(Valued, frozen=True):
    code: CodeableConcept | None = None


ABSENT = msgspec.Raw(b"")
"""An element that is not there, of those that are kept as sent."""


class Observation(Valued, frozen=True):
    status: str | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    focus: tuple[Any, ...] = ()
    effective_date_time: str | None = None
    effective_period: Period | None = None
    effective_instant: str | None = None
    effective_timing: Timing | None = None
    component: tuple[Component, ...] = ()
    has_member: tuple[Any, ...] = ()
    extension: tuple[Extension, ...] = ()
    # By these origins.py tells where a value is from. They stay as sent: no shape of theirs costs the value.
    meta: msgspec.Raw = ABSENT
    category: msgspec.Raw = ABSENT
    method: msgspec.Raw = ABSENT
    performer: msgspec.Raw = ABSENT
    device: msgspec.Raw = ABSENT


class Condition(DomainResource, frozen=True):
    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    recorded_date: str | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    abatement_age: Any = None
    abatement_range: Any = None
    abatement_string: str | None = None


class Ingredient(Element, frozen=True):
    item_codeable_concept: CodeableConcept | None = None
    item: CodeableReference | None = None


class Medication(DomainResource, frozen=True):
    resource_type: str | None = None
    id: str | None = None
    code: CodeableConcept | None = None
    ingredient: tuple[Ingredient, ...] = ()


class Kind(Element, frozen=True):
    """The type and id of a contained resource, before it is known what it is."""

    resource_type: str | None = None
    id: str | None = None


class Medicated(DomainResource, frozen=True):
    """`medication[x]`: a concept or a reference in R4, a CodeableReference in R5."""

    status: str | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    medication: CodeableReference | None = None
    subject: Reference | None = None
    contained: tuple[msgspec.Raw, ...] = ()


class MedicationRequest(Medicated, frozen=True):
    intent: str | None = None
    do_not_perform: bool = False
    authored_on: str | None = None


class AllergyIntolerance(DomainResource, frozen=True):
    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    category: tuple[str, ...] = ()
    code: CodeableConcept | None = None
    patient: Reference | None = None
    onset_date_time: str | None = None
    recorded_date: str | None = None


class Procedure(DomainResource, frozen=True):
    """`performed[x]` is R4, `occurrence[x]` R5."""

    status: str | None = None
    code: CodeableConcept | None = None
    subject: Reference | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None


class FamilyCondition(Element, frozen=True):
    code: CodeableConcept | None = None
    onset_age: Quantity | None = None
    onset_range: Range | None = None


class FamilyMemberHistory(DomainResource, frozen=True):
    status: str | None = None
    deceased_age: Quantity | None = None
    patient: Reference | None = None
    relationship: CodeableConcept | None = None
    sex: CodeableConcept | None = None
    date: str | None = None
    condition: tuple[FamilyCondition, ...] = ()


class PatientLink(Element, frozen=True):
    other: Reference | None = None
    type: str | None = None


class Communication(Element, frozen=True):
    language: CodeableConcept | None = None
    preferred: bool = False


class CodedExtension(Element, frozen=True):
    """An extension whose value is one coding; of any other only the url is read."""

    url: str | None = None
    value_coding: Coding | None = None


class Patient(DomainResource, frozen=True):
    extension: tuple[CodedExtension, ...] = ()
    active: bool | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None
    gender: str | None = None
    birth_date: str | None = None
    link: tuple[PatientLink, ...] = ()
    communication: tuple[Communication, ...] = ()
