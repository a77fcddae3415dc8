"""Which codes and units a resource holds, and whether the mappings know them: for counting, not for facts.

It asks the same tables as the readers do, and looks at every code, also of resources that the readers pass over.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from careplan_exchange.model.coverage import CodeState, UnitState
from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, FactKind

from . import wire, wire_care
from .coding import judged_text, judgement, meanings, texts_of
from .context import Context
from .family import names
from .genomics import is_genomic
from .notes import safe_unit
from .quantities import choose
from .readings import knows_text
from .tables import Key, Mappings, Question, plain
from .taking import MEDICATION_TYPES

_OBSERVATION = msgspec.json.Decoder(wire.Observation)
_CONDITION = msgspec.json.Decoder(wire.Condition)
_PROCEDURE = msgspec.json.Decoder(wire.Procedure)
_ALLERGY = msgspec.json.Decoder(wire.AllergyIntolerance)
_FAMILY = msgspec.json.Decoder(wire.FamilyMemberHistory)
_MEDICATED = msgspec.json.Decoder(wire.Medicated)
_VACCINE = msgspec.json.Decoder(wire_care.Immunization)
_SERVICE = msgspec.json.Decoder(wire_care.ServiceRequest)
_ENCOUNTER = msgspec.json.Decoder(wire_care.Encounter)
_MEDICATION = msgspec.json.Decoder(wire.Medication)

Judge = Callable[[Coding], CodeState]


class Met(NamedTuple):
    """One CodeableConcept at a FHIR path, and how its codings and texts are judged."""

    path: str
    concept: wire.CodeableConcept
    judge: Judge
    knows_text: Callable[[str], bool]
    quantities: tuple[wire.Quantity, ...] = ()
    judged_by_text: bool = False

    def states(self) -> list[tuple[Coding, CodeState]]:
        """Each coding with its state; one that is unknown beside something known is `beside`."""
        told = [(coding, self.judge(coding)) for coding in self.concept.coding]
        if self.by_text or any(state != "unmapped" for _, state in told):
            return [(coding, "beside" if state == "unmapped" else state) for coding, state in told]
        if self.judged_by_text:
            return [(coding, "judged-by-text") for coding, _ in told]
        return told

    @property
    def by_text(self) -> bool:
        return any(self.knows_text(plain(text)) for text, _ in texts_of(self.concept))


def codes_met(context: Context, resource: Resource) -> Iterator[Met]:
    """Every code of a type that mapping reads; none of a resource that cannot be read."""
    read = _READERS.get(resource.type)
    if read is not None:
        yield from read(context, resource)


def units_met(context: Context, met: Met) -> Iterator[tuple[str, str | None, UnitState]]:
    """Concept, unit and whether it is known, for each quantity of a code that means one measurement."""
    concepts = {one.concept for coding in met.concept.coding for one in meanings(context, "measurement", coding)}
    if len(concepts) != 1:
        return
    concept = context.concepts[concepts.pop()]
    for quantity in met.quantities:
        _, key, _, _ = choose(context, concept, quantity)
        yield concept.id, unit_of(quantity), _UNIT_STATES[key]


_UNIT_STATES: dict[str | None, UnitState] = {
    None: "mapped",
    "unit.assumed": "assumed",
    "unit.unknown": "unknown",
    "unit.conflict": "conflict",
    "unit.missing": "missing",
}


def unit_of(quantity: wire.Quantity) -> str | None:
    """The unit as sent, the code before the display; None where there is none that may be shown."""
    return safe_unit((quantity.code or "").strip() or (quantity.unit or "").strip())


def _of_kinds(context: Context, resource_type: str, kinds: Iterable[FactKind]) -> Judge:
    def judge(coding: Coding) -> CodeState:
        if any(meanings(context, kind, coding) for kind in kinds):
            return "mapped"
        return _judged(context, resource_type, coding)

    return judge


def _judged(context: Context, resource_type: str, coding: Coding) -> CodeState:
    return "judged" if judgement(context, resource_type, coding) is not None else "unmapped"


def _product(context: Context, resource_type: str, kind: FactKind) -> Judge:
    def judge(coding: Coding) -> CodeState:
        key = context.key(coding)
        ingredients = context.mappings.products.get(key)
        all_of = (coding, *(Coding(system=system, code=code) for system, code in ingredients or ()))
        if any(meanings(context, kind, one) for one in all_of):
            return "mapped"
        if kind == "allergy" and key in context.mappings.denials:
            return "mapped"
        return "judged" if ingredients is not None else _judged(context, resource_type, coding)

    return judge


def _texts(context: Context, resource_type: str) -> Callable[[str], bool]:
    return lambda text: knows_text(context, resource_type, text)


def _no_text(_: str) -> bool:
    return False


def _observation(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _OBSERVATION)
    if read is None or read.code is None:
        return
    measured = _of_kinds(context, "Observation", ("measurement",))
    mappings = context.mappings

    def judge(coding: Coding) -> CodeState:
        key = context.key(coding)
        known = key in mappings.panels or key in mappings.questions or _is_told(mappings, key)
        return "mapped" if known or is_genomic(context, coding) else measured(coding)

    found = Met("Observation.code", read.code, judge, _no_text, _quantities(read))
    yield found
    if read.value_codeable_concept is not None:
        for coding in read.code.coding:
            question = mappings.questions.get(context.key(coding))
            if question is not None:
                yield _answer(context, question, read.value_codeable_concept)
    if any(state == "judged" for _, state in found.states()):
        return
    for component in read.component:
        if component.code is not None:
            yield Met("Observation.component.code", component.code, measured, _no_text, _quantities(component))


def _is_told(mappings: Mappings, key: Key) -> bool:
    return key in mappings.care.told or key in mappings.care.items


def _quantities(valued: wire.Valued) -> tuple[wire.Quantity, ...]:
    ends = (valued.value_range.low, valued.value_range.high) if valued.value_range is not None else ()
    return tuple(quantity for quantity in (valued.value_quantity, *ends) if quantity is not None)


def _answer(context: Context, question: Question, value: wire.CodeableConcept) -> Met:
    def judge(coding: Coding) -> CodeState:
        return "mapped" if context.key(coding) in question.codes else "unmapped"

    return Met("Observation.value", value, judge, question.texts.__contains__)


def _condition(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _CONDITION)
    if read is not None and read.code is not None:
        kinds: tuple[FactKind, ...] = ("condition", "status", "family-history", "circumstance", "device")
        yield _met(context, "Condition", read.code, kinds)


def _procedure(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _PROCEDURE)
    if read is not None and read.code is not None:
        yield _met(context, "Procedure", read.code, ("procedure",))


def _met(context: Context, resource_type: str, code: wire.CodeableConcept, kinds: Iterable[FactKind]) -> Met:
    return Met(
        f"{resource_type}.code",
        code,
        _of_kinds(context, resource_type, kinds),
        _texts(context, resource_type),
        judged_by_text=judged_text(context, resource_type, code) is not None,
    )


def _allergy(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _ALLERGY)
    if read is not None and read.code is not None:
        known = _texts(context, "AllergyIntolerance")
        denials = context.mappings.denial_texts
        yield Met(
            "AllergyIntolerance.code",
            read.code,
            _product(context, "AllergyIntolerance", "allergy"),
            lambda text: known(text) or text in denials,
            judged_by_text=judged_text(context, "AllergyIntolerance", read.code) is not None,
        )


def _family(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _FAMILY)
    diseases = context.mappings.family_codes.values()

    def judge(coding: Coding) -> CodeState:
        if any(names(disease, context.key(coding)) for disease in diseases):
            return "mapped"
        return _judged(context, "FamilyMemberHistory", coding)

    for condition in read.condition if read is not None else ():
        if condition.code is not None:
            yield Met(
                "FamilyMemberHistory.condition.code",
                condition.code,
                judge,
                lambda text: any(text in disease.texts for disease in diseases),
            )


def _request(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _MEDICATED)
    if read is None:
        return
    concepts = [read.medication_codeable_concept, read.medication.concept if read.medication else None]
    for concept in concepts:
        if concept is not None:
            yield _medicine(context, f"{resource.type}.medication", concept)
    for raw in read.contained:
        try:
            inner = _MEDICATION.decode(raw)
        except (msgspec.MsgspecError, RecursionError):
            continue
        if inner.resource_type == "Medication" and inner.code is not None:
            yield _medicine(context, "Medication.code", inner.code)


def _medication(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _MEDICATION)
    if read is not None and read.code is not None:
        yield _medicine(context, "Medication.code", read.code)


def _medicine(context: Context, path: str, concept: wire.CodeableConcept) -> Met:
    judge = _product(context, "MedicationRequest", "medication")
    return Met(path, concept, judge, _texts(context, "MedicationRequest"))


def _vaccine(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _VACCINE)
    if read is not None and read.vaccine_code is not None:
        judge = _of_kinds(context, "Immunization", ("immunization",))
        yield Met("Immunization.vaccineCode", read.vaccine_code, judge, _texts(context, "Immunization"))


def _service(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _SERVICE)
    for concept in wire_care.concepts_in(read.code if read is not None else None):
        yield Met("ServiceRequest.code", concept, _of_kinds(context, "ServiceRequest", ("order",)), _no_text)


def _encounter(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _ENCOUNTER)
    for concept in wire_care.concepts_in(read.class_ if read is not None else None):
        yield Met("Encounter.class", concept, _of_kinds(context, "Encounter", ("visit",)), _no_text)


_READERS: dict[str, Callable[[Context, Resource], Iterator[Met]]] = {
    "Observation": _observation,
    "Condition": _condition,
    "Procedure": _procedure,
    "AllergyIntolerance": _allergy,
    "FamilyMemberHistory": _family,
    **dict.fromkeys(MEDICATION_TYPES, _request),
    "Immunization": _vaccine,
    "ServiceRequest": _service,
    "Encounter": _encounter,
    "Medication": _medication,
}
