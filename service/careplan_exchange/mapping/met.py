"""Which codes and units a resource holds, and whether the mappings know them: for counting, not for facts.

It asks the same tables as the readers do, and looks at every code, also of resources that the readers pass over.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from careplan_exchange.model.coverage import CodeState, UnitState
from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, FactKind

from . import wire
from .coding import meanings, texts_of
from .context import Context
from .notes import safe_unit
from .quantities import choose
from .tables import Question, plain, undotted

_OBSERVATION = msgspec.json.Decoder(wire.Observation)
_CONDITION = msgspec.json.Decoder(wire.Condition)
_PROCEDURE = msgspec.json.Decoder(wire.Procedure)
_ALLERGY = msgspec.json.Decoder(wire.AllergyIntolerance)
_FAMILY = msgspec.json.Decoder(wire.FamilyMemberHistory)
_REQUEST = msgspec.json.Decoder(wire.MedicationRequest)
_MEDICATION = msgspec.json.Decoder(wire.Medication)

Judge = Callable[[Coding], CodeState]


class Met(NamedTuple):
    """One CodeableConcept at a FHIR path, and how its codings and texts are judged."""

    path: str
    concept: wire.CodeableConcept
    judge: Judge
    knows_text: Callable[[str], bool]
    quantities: tuple[wire.Quantity, ...] = ()

    def states(self) -> list[tuple[Coding, CodeState]]:
        """Each coding with its state; one that is unknown beside something known is `beside`."""
        told = [(coding, self.judge(coding)) for coding in self.concept.coding]
        if self.by_text or any(state != "unmapped" for _, state in told):
            return [(coding, "beside" if state == "unmapped" else state) for coding, state in told]
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


def _of_kinds(context: Context, kinds: Iterable[FactKind]) -> Judge:
    def judge(coding: Coding) -> CodeState:
        if any(meanings(context, kind, coding) for kind in kinds):
            return "mapped"
        return _judged(context, coding)

    return judge


def _judged(context: Context, coding: Coding) -> CodeState:
    return "judged" if context.key(coding) in context.mappings.judged else "unmapped"


def _product(context: Context, kind: FactKind) -> Judge:
    def judge(coding: Coding) -> CodeState:
        key = context.key(coding)
        ingredients = context.mappings.products.get(key)
        all_of = (coding, *(Coding(system=system, code=code) for system, code in ingredients or ()))
        if any(meanings(context, kind, one) for one in all_of):
            return "mapped"
        if kind == "allergy" and key in context.mappings.denials:
            return "mapped"
        return "judged" if ingredients is not None else _judged(context, coding)

    return judge


def _texts(context: Context, *resource_types: str) -> Callable[[str], bool]:
    return lambda text: any(text in context.mappings.texts.get(one, ()) for one in resource_types)


def _no_text(_: str) -> bool:
    return False


def _observation(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _OBSERVATION)
    if read is None or read.code is None:
        return
    measured = _of_kinds(context, ("measurement",))
    mappings = context.mappings

    def judge(coding: Coding) -> CodeState:
        key = context.key(coding)
        return "mapped" if key in mappings.panels or key in mappings.questions else measured(coding)

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
        judge = _of_kinds(context, ("condition", "status", "family-history"))
        yield Met("Condition.code", read.code, judge, _texts(context, "Condition"))


def _procedure(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _PROCEDURE)
    if read is not None and read.code is not None:
        yield Met("Procedure.code", read.code, _of_kinds(context, ("procedure",)), _texts(context, "Procedure"))


def _allergy(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _ALLERGY)
    if read is not None and read.code is not None:
        known = _texts(context, "AllergyIntolerance")
        denials = context.mappings.denial_texts
        yield Met(
            "AllergyIntolerance.code",
            read.code,
            _product(context, "allergy"),
            lambda text: known(text) or text in denials,
        )


def _family(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _FAMILY)
    diseases = context.mappings.family_codes.values()

    def judge(coding: Coding) -> CodeState:
        key = context.key(coding)
        for disease in diseases:
            if key in disease.codes or any(
                key[0] == system and undotted(key[1]).startswith(prefix) for system, prefix in disease.prefixes
            ):
                return "mapped"
        return _judged(context, coding)

    for condition in read.condition if read is not None else ():
        if condition.code is not None:
            yield Met(
                "FamilyMemberHistory.condition.code",
                condition.code,
                judge,
                lambda text: any(text in disease.texts for disease in diseases),
            )


def _request(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _REQUEST)
    if read is None:
        return
    concepts = [read.medication_codeable_concept, read.medication.concept if read.medication else None]
    for concept in concepts:
        if concept is not None:
            yield _medicine(context, "MedicationRequest.medication", concept)
    for raw in read.contained:
        try:
            inner = _MEDICATION.decode(raw)
        except msgspec.MsgspecError:
            continue
        if inner.resource_type == "Medication" and inner.code is not None:
            yield _medicine(context, "Medication.code", inner.code)


def _medication(context: Context, resource: Resource) -> Iterator[Met]:
    read = context.decode(resource, _MEDICATION)
    if read is not None and read.code is not None:
        yield _medicine(context, "Medication.code", read.code)


def _medicine(context: Context, path: str, concept: wire.CodeableConcept) -> Met:
    return Met(path, concept, _product(context, "medication"), _texts(context, "MedicationRequest"))


_READERS: dict[str, Callable[[Context, Resource], Iterator[Met]]] = {
    "Observation": _observation,
    "Condition": _condition,
    "Procedure": _procedure,
    "AllergyIntolerance": _allergy,
    "FamilyMemberHistory": _family,
    "MedicationRequest": _request,
    "Medication": _medication,
}
