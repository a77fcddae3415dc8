"""AllergyIntolerance to allergies by class of medicine, and "no known allergies" to their absence."""

from collections.abc import Iterable, Iterator

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Fact

from .coding import meanings, note_conflict, note_no_concept, note_text_used, read_concept, texts_of
from .conditions import note_entered_in_error, status_code
from .context import Context
from .medications import read_product
from .tables import Denial, plain
from .wire import AllergyIntolerance, CodeableConcept

_DECODER = msgspec.json.Decoder(AllergyIntolerance)

_ENDED = {"inactive", "resolved"}
_ANY = frozenset({"food", "medication", "environment", "biologic"})


class Allergies:
    """The allergy list of one record. `read` is called for each entry, `absent` once after the last."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._denials: list[tuple[Resource, Denial, Coding | None, str | None]] = []
        self._recorded: set[str] = set()

    def read(self, resource: Resource) -> Iterator[Fact]:
        """The facts of one entry. An unconfirmed allergy counts: most are told by the patient, and to act as if
        it were none is the greater harm."""
        context = self._context
        allergy = context.decode(resource, _DECODER)
        if allergy is None:
            self._recorded |= _ANY
            return
        if not context.is_about_patient(resource, allergy.patient):
            return
        verification = status_code(allergy.verification_status)
        if verification == "entered-in-error":
            note_entered_in_error(context, resource)
            return
        if verification == "refuted":
            context.note(
                resource,
                "status.refuted",
                "A refuted allergy to one substance does not rule out its class, so it says nothing.",
                severity="information",
                code="informational",
                expression="AllergyIntolerance.verificationStatus",
            )
            return
        active = status_code(allergy.clinical_status) not in _ENDED
        since, _ = context.dated(resource, "onset", allergy.onset_date_time, allergy.recorded_date)
        if allergy.code is not None:
            denial = self._denial(resource, allergy.code)
            if denial is not None and self._names_allergen(allergy.code):
                note_conflict(
                    context,
                    resource,
                    allergy.code,
                    "AllergyIntolerance.code",
                    until_then="the allergy that it names counts, and that none is known does not",
                )
            elif denial is not None:
                if active:
                    self._denials.append((resource, *denial, since))
                else:
                    note_no_concept(context, resource, allergy.code)
                return
        if active:
            self._recorded |= set(allergy.category) & _ANY or _ANY
        yield from self._present(resource, allergy, since, active=active)

    def absent(self, facts: Iterable[Fact]) -> Iterator[Fact]:
        """Absences, from the statements that no entry of the list contradicts."""
        present = {fact.concept for fact in facts if fact.kind == "allergy"}
        for resource, denial, coding, since in self._denials:
            if denial.denies & self._recorded:
                self._context.note(
                    resource,
                    "allergy.conflict",
                    "The allergy list says that none are known, and holds some: it was not read as none.",
                    code="conflict",
                    expression="AllergyIntolerance.code",
                    mend="Correct the allergy list in the record.",
                )
                continue
            for concept in denial.concepts:
                if concept not in present:
                    yield self._context.fact(
                        resource, self._context.concepts[concept], coding, since, state="absent"
                    )

    def _denial(self, resource: Resource, code: CodeableConcept) -> tuple[Denial, Coding | None] | None:
        mappings = self._context.mappings
        for coding in code.coding:
            denial = mappings.denials.get(self._context.key(coding))
            if denial is not None:
                return denial, coding
        for text, by_display in texts_of(code):
            denial = mappings.denial_texts.get(plain(text))
            if denial is not None:
                note_text_used(self._context, resource, plain(text), by_display)
                return denial, by_display
        return None

    def _names_allergen(self, code: CodeableConcept) -> bool:
        context = self._context
        return any(
            context.key(coding) in context.mappings.products or meanings(context, "allergy", coding)
            for coding in code.coding
        )

    def _present(
        self, resource: Resource, allergy: AllergyIntolerance, since: str | None, *, active: bool
    ) -> Iterator[Fact]:
        context = self._context
        readings = read_product(context, resource, allergy.code, "allergy") if allergy.code is not None else None
        if readings is None:
            readings, _ = read_concept(context, resource, allergy.code, ("allergy",))
        elif not readings and allergy.code is not None:
            note_no_concept(context, resource, allergy.code)
        for reading in readings:
            yield context.fact(resource, context.concepts[reading.concept], reading.coding, since, active=active)
