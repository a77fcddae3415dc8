"""MedicationRequest to the classes of medicine that a person takes, by the ingredients of the product."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Evidence, Fact, FactKind, FactState

from .coding import Reading, by_text, meanings, note_no_concept
from .conditions import note_entered_in_error
from .context import Context
from .notes import shown_code
from .wire import CodeableConcept, Kind, Medication, MedicationRequest, Reference

_REQUEST = msgspec.json.Decoder(MedicationRequest)
_MEDICATION = msgspec.json.Decoder(Medication)
_KIND = msgspec.json.Decoder(Kind)

_ORDERS = {"order", "original-order", "reflex-order", "filler-order", "instance-order"}
_IDEAS = {"proposal", "plan", "option"}
_ENDED = {"completed", "stopped", "cancelled", "ended"}


class Medications:
    """The MedicationRequests of one record. `read` is called for each, `unread` once after the last."""

    def __init__(self, context: Context, medications: Mapping[str, Resource]) -> None:
        """`medications` are the Medication resources that came with the record, by `Medication/<id>`."""
        self._context = context
        self._medications = medications
        self._unknown: list[Evidence] = []
        self.referred: set[str] = set()

    def read(self, resource: Resource) -> Iterator[Fact]:
        """The facts of one order. A proposal, a plan and a draft are ideas: nobody takes anything by them."""
        context = self._context
        request = context.decode(resource, _REQUEST)
        if request is None:
            self._unknown.append(Evidence(reference=resource.reference, version_id=resource.version_id))
            return
        if not context.is_about_patient(resource, request.subject) or not self._is_order(resource, request):
            return
        state, active = self._state(resource, request)
        authored, _ = context.dated(resource, "authoredOn", request.authored_on)
        readings = self._readings(resource, request, may_be_taken=active)
        if readings is None:
            if active:
                self._unknown.append(
                    Evidence(reference=resource.reference, version_id=resource.version_id, date=authored)
                )
            return
        for reading in readings:
            yield context.fact(
                resource,
                context.concepts[reading.concept],
                reading.coding,
                authored,
                state=state,
                active=active,
            )

    def unread(self, facts: Iterable[Fact]) -> Iterator[Fact]:
        """The state "unknown" for every class that no order of `facts` shows, if there was an order of which
        nobody knows what is in it: it may be any of them."""
        if not self._unknown:
            return
        shown = {fact.concept for fact in facts if fact.kind == "medication" and fact.active}
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

    def _is_order(self, resource: Resource, request: MedicationRequest) -> bool:
        note = self._context.note
        if request.status == "entered-in-error":
            note_entered_in_error(self._context, resource)
            return False
        if request.do_not_perform or request.intent in _IDEAS or request.status == "draft":
            what = (
                "an order not to give something"
                if request.do_not_perform
                else f"a {request.intent if request.intent in _IDEAS else 'draft'}"
            )
            note(
                resource,
                "medication.not-taken",
                f"A MedicationRequest is {what}: it does not say that the patient takes it.",
                severity="information",
                code="informational",
                expression="MedicationRequest.intent",
            )
            return False
        return True

    def _state(self, resource: Resource, request: MedicationRequest) -> tuple[FactState, bool]:
        """Whether it is taken, and whether the order stands. Unknown where the record leaves it open."""
        if request.status in _ENDED:
            return "present", False
        if request.status == "active" and request.intent in _ORDERS:
            return "present", True
        open_ = "on-hold" if request.status == "on-hold" else "of no status and intent that FHIR knows"
        self._context.note(
            resource,
            "medication.uncertain",
            f"A MedicationRequest is {open_}: whether the patient takes it is unknown.",
            code="incomplete",
            expression="MedicationRequest.status",
            mend="Ask the patient, and correct the order in the record.",
        )
        return "unknown", True

    def _readings(
        self, resource: Resource, request: MedicationRequest, *, may_be_taken: bool
    ) -> tuple[Reading, ...] | None:
        """The classes of the product; none where it is known to hold none; None where it is not known."""
        context = self._context
        concept, reference = request.medication_codeable_concept, request.medication_reference
        if request.medication is not None:
            concept = concept or request.medication.concept
            reference = reference or request.medication.reference
        concepts = [concept] if concept is not None else []
        if reference is not None:
            concepts += self._of_medication(resource, request, reference)
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
            + (", so no class of medicine can be ruled out." if may_be_taken else "; the order has ended."),
            severity="warning" if may_be_taken else "information",
            code="code-invalid",
            expression="MedicationRequest.medication",
            mend="Add the product with its ingredients to mappings/medications.",
        )
        return None

    def _of_medication(
        self, resource: Resource, request: MedicationRequest, reference: Reference
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

    def _resolve(self, request: MedicationRequest, reference: str) -> Medication | None:
        if reference.startswith("#"):
            return _contained(request, reference[1:])
        head = reference.partition("/_history/")[0]
        for known, medication in self._medications.items():
            if head == known or head.endswith(f"/{known}") or head == f"urn:uuid:{medication.id}":
                self.referred.add(known)
                return self._context.decode(medication, _MEDICATION)
        return None


def _contained(request: MedicationRequest, id_: str) -> Medication | None:
    for raw in request.contained:
        try:
            kind = _KIND.decode(raw)
            if kind.resource_type == "Medication" and kind.id == id_:
                return _MEDICATION.decode(raw)
        except msgspec.MsgspecError:
            continue
    return None


def read_product(
    context: Context, resource: Resource, concept: CodeableConcept, kind: FactKind, *, quietly: bool = False
) -> tuple[Reading, ...] | None:
    """The classes of a product by its ingredients; empty where they are known and in no class; None where the
    product is not known. `quietly` leaves out the issue that a text was used."""
    found: dict[str, Reading] = {}
    known = False
    for coding in concept.coding:
        key = context.key(coding)
        ingredients = context.mappings.products.get(key)
        said = meanings(context, kind, coding)
        known = known or ingredients is not None or bool(said)
        for system, code in ingredients or ():
            said += meanings(context, kind, Coding(system=system, code=code))
        for meaning in said:
            found.setdefault(meaning.concept, Reading(concept=meaning.concept, coding=coding))
    if known:
        return tuple(found[id_] for id_ in sorted(found))
    if quietly:
        return None
    return by_text(context, resource, concept) or None
