"""What became of every resource of a record, and which codes and units it held: counts that can be added up.

`survey` looks at one record, `Survey.plus` adds two, `report` puts them in order. `model/coverage.py` defines the
words. Nothing of a patient is kept but codes, units, and the displays of codings.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple, TypeVar

from careplan_exchange.model.coverage import (
    Cause,
    CodeMet,
    CodeState,
    Coverage,
    TextOnly,
    TypeCount,
    UnitMet,
    UnitState,
    Unreadable,
    Use,
)
from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.model.vocabulary import Vocabulary

from .context import Context
from .met import codes_met, unit_of, units_met
from .notes import safe_code
from .record import is_ours, map_record
from .tables import Mappings

# The facts of these say "unknown", because nobody knows what the resource says.
_UNREAD = {"mapping.resource.unreadable", "mapping.medication.unmapped"}

# What was understood, and does not count by the record's own word or by a rule.
_NOT_NEEDED = {
    "mapping.code.not-used",
    "mapping.status.entered-in-error",
    "mapping.status.cancelled",
    "mapping.status.not-final",
    "mapping.status.not-done",
    "mapping.status.refuted",
    "mapping.subject.focus",
    "mapping.value.absent",
    "mapping.answer.outdated",
    "mapping.medication.not-taken",
    "mapping.allergy.conflict",
    "mapping.family.nothing",
    "mapping.family.relative",
    "mapping.family.late",
    "mapping.status.idea",
    "mapping.status.not-used",
    "mapping.order.no-diet",
    "mapping.device.unassigned",
    "mapping.consent.scope",
    "mapping.report.results",
    "mapping.report.text-only",
    "mapping.report.empty",
    "mapping.questionnaire.item",
    "mapping.questionnaire.not-read",
    "mapping.gene.uncertain",
    "mapping.gene.benign",
    "mapping.gene.somatic",
    "mapping.gene.not-found",
    "mapping.gene.unclassified",
    "mapping.gene.unknown",
    "mapping.gene.implication",
    "mapping.gene.not-used",
    "mapping.gene.overall",
    "mapping.situation.family",
}

# Remarks on a resource that say nothing on whether it was understood.
_REMARKS = {
    "mapping.component.not-read",
    "mapping.date.missing",
    "mapping.date.unreadable",
    "mapping.medication.conflict",
    "mapping.medication.uncertain",
    "mapping.order.uncertain",
    "mapping.preference.text",
    "mapping.report.conclusion",
    "mapping.status.conflict",
    "mapping.status.missing",
    "mapping.text.used",
}

K = TypeVar("K")

Code = tuple[str, str | None, str | None]
"""Path, code system, code."""


class Survey(NamedTuple):
    """What was counted. `displays` and `sent_in` count the displays and units of each code."""

    uses: Counter[tuple[str, Use]]
    causes: Counter[tuple[str, str]]
    codes: Counter[tuple[Code, CodeState]]
    displays: Counter[tuple[Code, str]]
    sent_in: Counter[tuple[Code, str]]
    units: Counter[tuple[str, str | None, UnitState]]
    texts: Counter[tuple[str, bool]]

    def plus(self, other: "Survey") -> "Survey":
        """Adds `other` to this one, and returns it."""
        mine: tuple[Counter[Any], ...] = self
        more: tuple[Counter[Any], ...] = other
        for index, counted in enumerate(mine):
            counted.update(more[index])
        return self


def nothing() -> Survey:
    return Survey(Counter(), Counter(), Counter(), Counter(), Counter(), Counter(), Counter())


def survey(
    record: PatientRecord,
    mappings: Mappings,
    vocabulary: Vocabulary,
    *,
    today: date,
    beside: Mapping[str, int] | None = None,
) -> Survey:
    """The counts of one record, also of a deceased or inactive patient's. `beside` counts, by type, resources
    that came with the record and are not in it because nothing reads their type.

    Raises PatientMergedError, WrongPatientError, NotFhirError.
    """
    snapshot = map_record(record, mappings, vocabulary, today=today, anyone=True)
    context = Context(record, mappings, vocabulary, today)
    found = nothing()
    keys = _keys(snapshot)
    facts = {fact.evidence.reference for fact in snapshot.facts}
    for resource in (record.patient, *record.resources):
        known = _count_codes(found, context, resource)
        use, causes = _use(
            resource, keys.pop(resource.versioned_reference, set()), mappings, known=known, facts=facts
        )
        found.uses[resource.type, use] += 1
        found.causes.update((resource.type, key) for key in causes)
    for reference, why in keys.items():  # what the source left out
        type_ = reference.partition("/")[0]
        found.uses[type_, "not-understood"] += 1
        found.causes.update((type_, key) for key in why)
    for type_, count in (beside or {}).items():
        judged = type_ in mappings.not_read
        found.uses[type_, "not-needed" if judged else "not-understood"] += count
        if not judged:
            found.causes[type_, "mapping.type.not-read"] += count
    return found


def report(found: Survey, *, patients: int, as_of: date, unreadable: Iterable[Unreadable] = ()) -> Coverage:
    """What was counted, most frequent first."""
    displays: dict[Code, str] = {}
    for (code, display), _ in sorted(found.displays.items(), key=lambda one: (-one[1], one[0][1])):
        displays.setdefault(code, display)
    units: dict[Code, list[str]] = {}
    for (code, unit), _ in sorted(found.sent_in.items(), key=lambda one: (-one[1], one[0][1])):
        units.setdefault(code, []).append(unit)
    types = [
        TypeCount(
            type=type_,
            used=found.uses[type_, "used"],
            not_needed=found.uses[type_, "not-needed"],
            not_understood=found.uses[type_, "not-understood"],
        )
        for type_ in sorted({type_ for type_, _ in found.uses})
    ]
    return Coverage(
        patients=patients,
        as_of=as_of.isoformat(),
        unreadable=tuple(unreadable),
        total=TypeCount(
            type="all",
            used=sum(one.used for one in types),
            not_needed=sum(one.not_needed for one in types),
            not_understood=sum(one.not_understood for one in types),
        ),
        resources=tuple(sorted(types, key=lambda one: -(one.used + one.not_needed + one.not_understood))),
        causes=tuple(Cause(type=type_, key=key, count=n) for (type_, key), n in _often(found.causes)),
        codes=tuple(
            CodeMet(
                path=code[0],
                system=code[1],
                code=code[2],
                display=displays.get(code),
                state=state,
                count=n,
                units=tuple(units.get(code, ())),
            )
            for (code, state), n in _often(found.codes)
        ),
        units=tuple(UnitMet(concept=c, unit=u, state=state, count=n) for (c, u, state), n in _often(found.units)),
        texts=tuple(
            TextOnly(path=path, known=found.texts[path, True], unknown=found.texts[path, False])
            for path in sorted({path for path, _ in found.texts})
        ),
    )


def _often(counted: Mapping[K, int]) -> list[tuple[K, int]]:
    return sorted(counted.items(), key=lambda one: (-one[1], str(one[0])))


def _keys(snapshot: Snapshot) -> dict[str, set[str]]:
    """The keys of the issues by the resource they are about."""
    keys: dict[str, set[str]] = {}
    for issue in snapshot.issues:
        for source in issue.sources or ((issue.source,) if issue.source else ()):
            keys.setdefault(source, set()).add(issue.key)
    return keys


def _use(
    resource: Resource, keys: set[str], mappings: Mappings, *, known: bool, facts: set[str]
) -> tuple[Use, set[str]]:
    """What became of the resource, and why where it was not understood. `known`: no code of it is unmapped."""
    if keys & _UNREAD:
        return "not-understood", keys & _UNREAD
    if resource.reference in facts or resource.type == "Patient":
        return "used", set()
    if not keys:
        return ("not-needed" if is_ours(resource) else "used"), set()
    causes = keys - _NOT_NEEDED - _REMARKS
    if known:
        causes.discard("mapping.code.no-concept")
    if resource.type in mappings.not_read:
        causes.discard("mapping.type.not-read")
    return ("not-understood" if causes else "not-needed"), causes


def _count_codes(found: Survey, context: Context, resource: Resource) -> bool:
    """Count the codes and units of one resource. Whether every element with a code has one that is known."""
    known = True
    for met in codes_met(context, resource):
        if not met.concept.coding and met.concept.text:
            found.texts[met.path, met.by_text or met.judged_by_text] += 1
        for coding, state in met.states():
            system, value = context.key(coding)
            shown = safe_code(value)
            code: Code = (met.path, safe_code(system), shown)
            known = known and state != "unmapped"
            found.codes[code, state] += 1
            if coding.display and shown is not None:
                found.displays[code, coding.display] += 1
            for quantity in met.quantities:
                unit = unit_of(quantity)
                if unit is not None:
                    found.sent_in[code, unit] += 1
        found.units.update(units_met(context, met))
    return known
