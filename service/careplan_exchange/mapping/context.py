"""What every reader is given: the tables, today, and the place where issues are noted."""

from datetime import date
from typing import Any, TypeVar

import msgspec

from careplan_exchange.errors import WrongPatientError
from careplan_exchange.model.codec import is_unicode
from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.model.snapshot import Coding, Evidence, Fact, FactState, Origin
from careplan_exchange.model.vocabulary import Concept, Vocabulary

from .dates import fault
from .notes import Notes, a
from .tables import Key, Mappings
from .wire import DomainResource, Reference

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not of the shape, or are nested deeper than anything is."""

_REMEMBERED = 100_000
"""More codes and units than a hospital has: whoever sends as many makes them up."""

Read = TypeVar("Read", bound=DomainResource)


class Context:
    """One run over one record. Nothing in it changes but `notes`, what has been looked up before, and `born`,
    which is known once the Patient was read."""

    def __init__(self, record: PatientRecord, mappings: Mappings, vocabulary: Vocabulary, today: date) -> None:
        self.mappings = mappings
        self.concepts = vocabulary.concepts
        self.today = today
        self.born: str | None = None
        self.notes = Notes()
        self.note = self.notes.note
        self._patient = record.patient
        self._subjects: dict[str | None, bool] = {None: False}
        self.looked_up: dict[Any, Any] = {}
        self.known = mappings.memo
        if len(self.known) > _REMEMBERED:
            self.known.clear()

    def key(self, coding: Coding) -> Key:
        """The coding with its code system under the canonical name."""
        system = coding.system or ""
        return self.mappings.systems.get(system, system), coding.code or ""

    def decode(self, resource: Resource, decoder: "msgspec.json.Decoder[Read]") -> Read | None:
        """The part of the resource that is read, or None with an issue where it must not or cannot be read."""
        try:
            read = decoder.decode(resource.content)
        except UNREADABLE as error:
            _, named, where = str(error).rpartition(" - at `$")
            self._note_unreadable(resource, where.rstrip("`") if named else "")
            return None
        if not is_unicode(resource.content):
            self._note_unreadable(resource, "")
            return None
        if read.modifier_extension or read.implicit_rules is not None:
            self.note(
                resource,
                "resource.modified",
                f"{a(resource.type)} carries a modifier that may change its meaning, so nothing of it was used.",
                code="extension",
                expression=f"{resource.type}.modifierExtension",
                mend="Look at the resource; what it says has to be taken into account by hand.",
            )
            return None
        return read

    def _note_unreadable(self, resource: Resource, where: str) -> None:
        self.note(
            resource,
            "resource.unreadable",
            f"{a(resource.type)} does not have the shape that FHIR gives it, so nothing of it was used.",
            severity="error",
            code="structure",
            expression=resource.type + where,
            mend="Correct the resource on the server, or report the server.",
        )

    def is_about_patient(self, resource: Resource, subject: Reference | None) -> bool:
        """Whether the resource is about the record's patient. Raises WrongPatientError where it is about another;
        notes an issue where it does not say."""
        reference = subject.reference if subject is not None else None
        known = self._subjects.get(reference)
        if known is None:
            known = self._subjects[reference] = self._names_patient(resource, reference or "")
        if not known:
            self.note(
                resource,
                "subject.unclear",
                f"{a(resource.type)} does not say that it is about this patient, so nothing of it was used.",
                severity="error",
                code="required",
                expression=f"{resource.type}.subject",
                mend="Correct its subject on the server.",
            )
        return known

    def _names_patient(self, resource: Resource, reference: str) -> bool:
        head, _, _ = reference.partition("/_history/")
        if head == f"urn:uuid:{self._patient.id}":
            return True
        *_, kind, id_ = ("", "", *head.split("/"))
        if kind == "Patient" and id_ == self._patient.id:
            return True
        if kind == "Patient" or head.startswith("urn:"):
            raise WrongPatientError(
                f"{resource.reference} belongs to another patient than the one that was asked for.",
                mend="Nothing was planned. Report it to whoever runs the server: its search mixes patients.",
            )
        return False

    def fact(
        self,
        resource: Resource,
        concept: Concept,
        coding: Coding | None,
        effective: str | None,
        *,
        state: FactState = "present",
        active: bool = True,
        answer: Coding | None = None,
        origin: Origin | None = None,
    ) -> Fact:
        return Fact(
            concept=concept.id,
            kind=concept.kind,
            evidence=Evidence(reference=resource.reference, version_id=resource.version_id, date=effective),
            state=state,
            coding=coding,
            effective=effective,
            active=active,
            answer=answer,
            origin=origin,
        )

    def dated(self, resource: Resource, expression: str, *candidates: str | None) -> tuple[str | None, bool]:
        """The first candidate that is a date of today or before, and whether one lay in the future. Notes an
        issue for each that cannot be used."""
        future = False
        for candidate in candidates:
            if candidate is None:
                continue
            wrong = fault(candidate, self.today)
            if wrong is None:
                return candidate, False
            future = future or wrong == "future"
            self.note(
                resource,
                f"date.{wrong}",
                f"A date of one {resource.type} lies in the future."
                if wrong == "future"
                else f"A date of one {resource.type} is no date.",
                code="value",
                expression=f"{resource.type}.{expression}",
                mend="Correct the date in the record.",
            )
        return None, future
