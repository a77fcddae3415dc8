"""The whole mapping step: every resource of a record is read, skipped for a stated reason, or is an issue."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import cached_property, partial

import msgspec

from careplan_exchange.errors import WrongPatientError
from careplan_exchange.model.assumption import Assumed
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.model.snapshot import Coding, Fact, Snapshot
from careplan_exchange.model.vocabulary import Vocabulary

from .allergies import Allergies
from .assuming import supposed_facts, supposed_patient, without
from .circumstances import read_care_team, read_consent, read_coverage
from .conditions import read_condition
from .context import UNREADABLE, Context
from .derived.deriving import derive
from .devices import Devices
from .family import read_family_history
from .genomics import Genomics, is_genomic
from .immunizations import read_immunization
from .medications import Medications
from .observations import OBSERVATION, read_observation
from .orders import read_nutrition_order, read_service_request
from .patient import excluded_by_demographics, read_needs, read_patient
from .preferences import read_told
from .procedures import read_procedure
from .questionnaires import read_questionnaire
from .reports import read_report
from .scores import read_item
from .tables import Mappings
from .taking import MEDICATION_TYPES
from .visits import read_appointment, read_encounter
from .wire import About, Authored, Observation
from .wishes import read_wishes

_AUTHORED = msgspec.json.Decoder(Authored)
_ABOUT = msgspec.json.Decoder(About)
_OURS = IDENTITY_SYSTEM.encode()

_NOTHING = Assumed()

# Types that no concept is read from, and that later steps read: they must be about the patient too.
_READ_LATER = {"CarePlan", "Goal", "DetectedIssue"}


def map_record(
    record: PatientRecord,
    mappings: Mappings,
    vocabulary: Vocabulary,
    *,
    today: date,
    anyone: bool = False,
    given: Assumed = _NOTHING,
) -> Snapshot:
    """The normalised snapshot of a record. The order of facts and issues does not depend on that of the record.

    What is `given` stands in place of what the record says, also for what is derived from it.
    What this product wrote itself is no evidence and yields neither fact nor issue. Raises PatientMergedError,
    WrongPatientError, NotFhirError (the Patient is none), and unless `anyone` may be mapped
    PatientNotEligibleError (deceased, inactive).
    """
    context = Context(record, mappings, vocabulary, today)
    profile = supposed_patient(read_patient(context, record.patient, anyone=anyone), given)
    context.born = profile.birth_date
    ours = frozenset(resource.reference for resource in record.of("Goal") if is_ours(resource))
    wishes = tuple(read_wishes(context, record, ours=ours))
    told = frozenset(wish.evidence.reference for wish in wishes)
    facts = [*read_needs(context, record.patient), *_facts(context, record, told)]
    facts += excluded_by_demographics(context, record.patient, profile, facts)
    resources = {resource.reference: resource for resource in (record.patient, *record.resources)}
    facts = supposed_facts(facts, given)
    facts += without(derive(context, facts, profile, resources), given)
    facts.sort(key=_order)
    return Snapshot(
        patient=profile,
        facts=tuple(facts),
        as_of=today,
        categories=record.categories,
        issues=(*record.issues, *context.notes.issues()),
        wishes=wishes,
    )


def _facts(context: Context, record: PatientRecord, told: frozenset[str]) -> Iterator[Fact]:
    """`told` are references that were read already, and are no facts."""
    readers = Readers(context, record)
    facts: list[Fact] = []
    others: list[Resource] = []
    for resource in record.resources:
        read = readers.of_type.get(resource.type)
        if read is None:
            others.append(resource)
        elif is_ours(resource):
            _is_about_nobody_else(context, resource)
        else:
            facts += read(resource)
    yield from facts
    yield from readers.settle(facts)
    for resource in others:
        if resource.reference not in readers.medications.referred and resource.reference not in told:
            _skip(context, record, resource)


class Readers:
    """The reader of each resource type that facts are read from. Some wait until all of the record was read."""

    def __init__(self, context: Context, record: PatientRecord) -> None:
        self._context = context
        self.medications = Medications(context, _of_type(record, "Medication"))
        self._allergies = Allergies(context)
        self._devices = Devices(context, _of_type(record, "Device"))
        self._genomics = Genomics(context)
        self._record = record
        simple: dict[str, Callable[[Context, Resource], Iterator[Fact]]] = {
            "Appointment": read_appointment,
            "CareTeam": read_care_team,
            "Condition": read_condition,
            "Consent": read_consent,
            "Coverage": read_coverage,
            "Encounter": read_encounter,
            "FamilyMemberHistory": read_family_history,
            "Immunization": read_immunization,
            "NutritionOrder": read_nutrition_order,
            "Procedure": read_procedure,
            "QuestionnaireResponse": read_questionnaire,
            "ServiceRequest": read_service_request,
        }
        self.of_type: dict[str, Callable[[Resource], Iterable[Fact]]] = {
            **{type_: partial(read, context) for type_, read in simple.items()},
            **dict.fromkeys(MEDICATION_TYPES, self.medications.read),
            **dict.fromkeys(("Device", "DeviceUseStatement", "DeviceUsage"), self._devices.read),
            "AllergyIntolerance": self._allergies.read,
            "DiagnosticReport": lambda resource: read_report(context, resource, self._held),
            "Observation": self._observation,
        }

    @cached_property
    def _held(self) -> frozenset[str]:
        return frozenset(resource.reference for resource in self._record.resources)

    def settle(self, facts: list[Fact]) -> Iterator[Fact]:
        """What can be told only of the record as a whole. `facts` are those of its resources, one by one."""
        yield from self.medications.settle()
        yield from self._allergies.absent(facts)
        yield from self._devices.settle()
        yield from self._genomics.settle()

    def _observation(self, resource: Resource) -> Iterable[Fact]:
        """By its code: a genomic result and a preference are not what `observations` reads."""
        observation = self._context.decode(resource, OBSERVATION)
        if observation is None:
            return ()
        for coding in observation.code.coding if observation.code is not None else ():
            memo = ("reader", coding.system, coding.code)
            looked_up = self._context.looked_up
            if memo not in looked_up:
                looked_up[memo] = self._by_code(coding)
            if (read := looked_up[memo]) is not None:
                special: Iterable[Fact] = read(resource, observation)
                return special
        return read_observation(self._context, resource, observation)

    def _by_code(self, coding: Coding) -> Callable[[Resource, Observation], Iterable[Fact]] | None:
        """The reader of this code alone, None where it is what `observations` reads."""
        context = self._context
        key = context.key(coding)
        if is_genomic(context, coding):
            return lambda resource, _: self._genomics.read(resource)
        if key in context.mappings.care.items:
            return lambda resource, observation: read_item(context, resource, observation, key)
        concept = context.mappings.care.told.get(key)
        return None if concept is None else lambda resource, _: read_told(context, resource, concept)


def _is_about_nobody_else(context: Context, resource: Resource) -> None:
    """What we wrote is no evidence, but it must be about this patient. Raises WrongPatientError."""
    try:
        about = _ABOUT.decode(resource.content)
    except UNREADABLE:
        return
    subject = about.subject or about.patient
    if subject is not None:
        context.is_about_patient(resource, subject)


def _of_type(record: PatientRecord, type_: str) -> Mapping[str, Resource]:
    return {resource.reference: resource for resource in record.of(type_)}


def _skip(context: Context, record: PatientRecord, resource: Resource) -> None:
    """Say of a resource that nothing reads it. Raises WrongPatientError where it shows another patient."""
    if resource.type == "Patient":
        if resource.id != record.patient.id:
            raise WrongPatientError(
                "The record holds more than one Patient.",
                mend="Nothing was planned. Ask for one patient at a time, or report the server.",
            )
        return
    if resource.type in _READ_LATER:
        _is_about_nobody_else(context, resource)
    if is_ours(resource):
        return
    known = context.mappings.not_read.get(resource.type)
    severity, reason = known if known is not None else ("warning", "No mapping has judged this type yet.")
    context.note(
        resource,
        "type.not-read",
        f"{resource.type} is not read. {reason}",
        severity=severity,
        code="not-supported",
    )


def is_ours(resource: Resource) -> bool:
    """Whether this product wrote it. A look at the bytes spares reading the identifiers of all others."""
    if _OURS not in resource.content:
        return False
    try:
        identifiers = _AUTHORED.decode(resource.content).identifier
    except UNREADABLE:
        return False
    return any(identifier.system == IDENTITY_SYSTEM for identifier in identifiers)


def _order(fact: Fact) -> tuple[str, str, str, str]:
    return fact.concept, fact.effective or "", fact.evidence.reference, str(fact.value)
