"""What a person takes: by order, by statement, by what was dispensed or given; by ingredients of the product."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Evidence, Fact, FactKind

from .coding import by_text, meanings, note_conflict, note_no_concept, overlap
from .context import UNREADABLE, Context
from .dates import span_of
from .notes import a, shown_code
from .readings import Reading
from .references import held
from .tables import Key, plain
from .taking import Stand, read_stand
from .wire import CodeableConcept, Kind, Medicated, Medication, Reference

_MEDICATION = msgspec.json.Decoder(Medication)
_KIND = msgspec.json.Decoder(Kind)


class _Told(NamedTuple):
    """What one resource says of one product. `substances` are its ingredients, or what it is called."""

    resource: Resource
    stand: Stand
    readings: tuple[Reading, ...]
    substances: frozenset[Key]


class Medications:
    """The medicines of one record. `read` is called for each resource that tells of one, `settle` once after the
    last: what they say of the same substance is weighed there, in no order."""

    def __init__(self, context: Context, medications: Mapping[str, Resource]) -> None:
        """`medications` are the Medication resources that came with the record, by `Medication/<id>`."""
        self._context = context
        self._medications = medications
        self._told: list[_Told] = []
        self._unknown: list[Evidence] = []
        self.referred: set[str] = set()

    def read(self, resource: Resource) -> tuple[Fact, ...]:
        """Takes one MedicationRequest, -Statement, -Dispense or -Administration in. Facts come from `settle`."""
        self._take(resource)
        return ()

    def _take(self, resource: Resource) -> None:
        found = read_stand(self._context, resource)
        if found is None:
            return
        if found.medicated is None:  # it cannot be read: what it tells may be anything
            self._unknown.append(Evidence(reference=resource.reference, version_id=resource.version_id))
            return
        stand = found.stand
        concepts = self._concepts(resource, found.medicated)
        readings = self._readings(resource, concepts, may_be_taken=stand.active)
        if readings is None:
            if stand.active:
                self._unknown.append(
                    Evidence(reference=resource.reference, version_id=resource.version_id, date=stand.on)
                )
            return
        self._told.append(_Told(resource, stand, readings, self._substances(concepts)))

    def settle(self) -> Iterator[Fact]:
        """The facts of all that was read. Where there is something of which nobody knows what is in it, every
        class that nothing else shows is unknown: it may be any of them."""
        against = _Against(self._told)
        facts = [fact for told in self._told if not told.stand.denies for fact in self._facts(told, against)]
        yield from facts
        if not self._unknown:
            return
        shown = {fact.concept for fact in facts if fact.active}
        evidence = min(self._unknown, key=lambda one: one.reference)
        for concept in self._context.concepts.values():
            if concept.kind == "medication" and concept.id not in shown:
                yield Fact(
                    concept=concept.id,
                    kind="medication",
                    evidence=evidence,
                    state="unknown",
                    effective=evidence.date,
                )

    def _facts(self, told: _Told, against: "_Against") -> Iterator[Fact]:
        stand = told.stand
        state = stand.state
        if told.readings and state == "present" and stand.active and self._is_disputed(told, against):
            state = "unknown"
        for reading in told.readings:
            yield self._context.fact(
                told.resource,
                self._context.concepts[reading.concept],
                reading.coding,
                stand.on,
                state=state if reading.situation == "present" else "unknown",
                active=stand.active,
            )

    def _is_disputed(self, told: _Told, against: "_Against") -> bool:
        """Whether somebody says, not earlier, that the same substance is not taken. Notes an issue at both."""
        disputing = against.of(told)
        for other in disputing:
            for resource in (told.resource, other.resource):
                self._context.note(
                    resource,
                    "medication.conflict",
                    f"{a(told.resource.type)} says that a medicine is taken, a {other.resource.type} that it is "
                    "not: whether it is taken is unknown.",
                    code="conflict",
                    expression=f"{resource.type}.status",
                    mend="Ask the patient, and correct whichever is wrong in the record.",
                )
        return bool(disputing)

    def _substances(self, concepts: Iterable[CodeableConcept]) -> frozenset[Key]:
        """The ingredients of the product where they are known, else its codes, else its text."""
        found: set[Key] = set()
        for concept in concepts:
            for coding in concept.coding:
                key = self._context.key(coding)
                found.update(self._context.mappings.products.get(key) or (key,))
            if concept.text and not concept.coding:
                found.add(("", plain(concept.text)))
        return frozenset(found)

    def _concepts(self, resource: Resource, request: Medicated) -> list[CodeableConcept]:
        """What the medicine is called: in the resource, and in the Medication it refers to."""
        concept, reference = request.medication_codeable_concept, request.medication_reference
        if request.medication is not None:
            concept = concept or request.medication.concept
            reference = reference or request.medication.reference
        concepts = [concept] if concept is not None else []
        if reference is not None:
            concepts += self._of_medication(resource, request, reference)
        return concepts

    def _readings(
        self, resource: Resource, concepts: list[CodeableConcept], *, may_be_taken: bool
    ) -> tuple[Reading, ...] | None:
        """The classes of the product; none where it is known to hold none; None where it is not known."""
        context = self._context
        found: dict[str, Reading] = {}
        known = False
        for one in concepts:
            readings = read_product(context, resource, one, "medication")
            known = known or readings is not None
            for reading in readings or ():
                found.setdefault(reading.concept, reading)
        if known:
            if not found:
                note_no_concept(context, resource, concepts[0])
            return tuple(found[id_] for id_ in sorted(found))
        shown = ", ".join(sorted({shown_code(*context.key(c)) for one in concepts for c in one.coding}))
        context.note(
            resource,
            "medication.unmapped",
            f"The medicine {shown or '(told as text, or not at all)'} is not known to mappings/medications"
            + (", so no class of medicine can be ruled out." if may_be_taken else "; nobody takes it now."),
            severity="warning" if may_be_taken else "information",
            code="code-invalid",
            expression=f"{resource.type}.medication",
            mend="Add the product with its ingredients to mappings/medications.",
        )
        return None

    def _of_medication(
        self, resource: Resource, request: Medicated, reference: Reference
    ) -> list[CodeableConcept]:
        """The code of the Medication that is referred to, and its ingredients if the code is not known."""
        medication = self._resolve(request, reference.reference or "")
        if medication is None:
            return []
        if medication.code is not None:
            readings = read_product(self._context, resource, medication.code, "medication", quietly=True)
            if readings is not None or not medication.ingredient:
                return [medication.code]
        items = [
            item.item_codeable_concept or (item.item.concept if item.item else None)
            for item in medication.ingredient
        ]
        known = [item for item in items if item is not None]
        # An ingredient that is not known may be any: the product is then not known either.
        if len(known) == len(items) and all(
            read_product(self._context, resource, item, "medication", quietly=True) is not None for item in known
        ):
            return known
        return [medication.code] if medication.code is not None else []

    def _resolve(self, request: Medicated, reference: str) -> Medication | None:
        if reference.startswith("#"):
            return _contained(request, reference[1:])
        known = held(reference, "Medication", self._medications)
        if known is None:
            return None
        self.referred.add(known)
        return self._context.decode(self._medications[known], _MEDICATION)


class _Against:
    """What speaks against taking a substance: denials, and stopped orders where no order stands."""

    def __init__(self, all_told: Iterable[_Told]) -> None:
        self._denials: dict[Key, list[_Told]] = defaultdict(list)
        self._stopped: dict[Key, _Told] = {}
        self._ordered: set[Key] = set()
        for told in sorted(all_told, key=lambda one: one.resource.reference):
            for substance in told.substances:
                if told.stand.denies:
                    self._denials[substance].append(told)
                elif told.stand.stopped:
                    self._stopped.setdefault(substance, told)
                elif told.resource.type == "MedicationRequest" and told.stand.active:
                    self._ordered.add(substance)

    def of(self, told: _Told) -> list[_Told]:
        """What disputes this one. A supply that still lasts is disputed by the stop of its order, unless another
        order of the same stands."""
        found = [
            other
            for substance in sorted(told.substances)
            for other in self._denials.get(substance, ())
            if _is_not_older(other, told)
        ]
        if told.resource.type == "MedicationDispense" and self._ordered.isdisjoint(told.substances):
            found += [self._stopped[one] for one in sorted(told.substances) if one in self._stopped]
        return found


def _is_not_older(other: _Told, told: _Told) -> bool:
    """Whether `other` was not told for certain before `told`."""
    denied = span_of((other.stand.on or "")[:10])
    taken = span_of((told.stand.on or "")[:10])
    return denied is None or taken is None or denied[1] >= taken[0]


def _contained(request: Medicated, id_: str) -> Medication | None:
    for raw in request.contained:
        try:
            kind = _KIND.decode(raw)
            if kind.resource_type == "Medication" and kind.id == id_:
                return _MEDICATION.decode(raw)
        except UNREADABLE:
            continue
    return None


def read_product(
    context: Context, resource: Resource, concept: CodeableConcept, kind: FactKind, *, quietly: bool = False
) -> tuple[Reading, ...] | None:
    """The classes of a product by its ingredients; empty where they are known and in no class; None where the
    product is not known. `quietly` leaves out the issues that a text was used or that codings disagree.

    Codings that disagree are `disputed` for a medicine, which may then be any of them; an allergy to each of them
    counts, because to give what one of them names is the greater harm."""
    found: dict[str, Reading] = {}
    sets: list[set[str]] = []
    for coding in concept.coding:
        key = context.key(coding)
        ingredients = context.mappings.products.get(key)
        said = meanings(context, kind, coding)
        if ingredients is None and not said:
            continue
        for system, code in ingredients or ():
            said += meanings(context, kind, Coding(system=system, code=code))
        sets.append({meaning.concept for meaning in said})
        for meaning in said:
            found.setdefault(meaning.concept, Reading(concept=meaning.concept, coding=coding))
    if found and not overlap(sets):
        if not quietly:
            until_then = "each of them counts" if kind == "allergy" else "what they name counts as unknown"
            note_conflict(context, resource, concept, f"{resource.type}.code", until_then=until_then)
        if kind == "medication":
            found = {id_: msgspec.structs.replace(one, situation="disputed") for id_, one in found.items()}
    if sets:
        return tuple(found[id_] for id_ in sorted(found))
    if quietly:
        return None
    return by_text(context, resource, concept) or None
