"""What every rule is given: the facts so far by concept, the patient, and a way to note what was missing."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from careplan_exchange.mapping.context import Context
from careplan_exchange.mapping.dates import ages, instant_of, span_of
from careplan_exchange.model.issue import Severity
from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Evidence, Fact, FactState, PatientProfile

from .bounds import Bounds, bounds_of
from .rules import Rule


class Point(NamedTuple):
    """A measured value whose day is known."""

    moment: datetime
    day: date
    fact: Fact
    bounds: Bounds


class Desk:
    """One run over one snapshot. Facts are added rule by rule, in the order of the rules."""

    def __init__(
        self, context: Context, facts: Iterable[Fact], patient: PatientProfile, resources: Mapping[str, Resource]
    ) -> None:
        self.context = context
        self.concepts = context.concepts
        self.today = context.today
        self.patient = patient
        self._resources = resources
        self.rules = {rule.yields: rule for rule in context.mappings.derived}
        self._facts: dict[str, list[Fact]] = {}
        self._points: dict[str, tuple[Point, ...]] = {}
        self.add(facts)

    def add(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            self._facts.setdefault(fact.concept, []).append(fact)
            self._points.pop(fact.concept, None)

    def facts(self, concept: str) -> list[Fact]:
        return self._facts.get(concept, [])

    def resource(self, evidence: Evidence) -> Resource:
        """The resource that a fact was read from; the Patient where the record does not hold it by itself."""
        return self._resources.get(evidence.reference) or self._resources[self.patient.evidence.reference]

    def holds(self, concept: str) -> list[Fact]:
        """The facts that say it is there now."""
        return [fact for fact in self.facts(concept) if fact.state == "present" and fact.active]

    def points(self, concept: str) -> tuple[Point, ...]:
        """The values of a measurement by time, each once: a value that was sent twice for one moment is one."""
        if concept not in self._points:
            found: dict[tuple[datetime, Bounds], Point] = {}
            for fact in self.facts(concept):
                point = _point(fact)
                if point is None:
                    self._note_vague_date(fact)
                    continue
                same = (point.moment, point.bounds)
                if same not in found or _rank(fact) < _rank(found[same].fact):
                    found[same] = point
            self._points[concept] = tuple(sorted(found.values(), key=_by_time))
        return self._points[concept]

    def _note_vague_date(self, fact: Fact) -> None:
        if fact.state == "present" and fact.effective is not None:
            self.context.note(
                self.resource(fact.evidence),
                "derived.date",
                f"A value of '{fact.concept}' has no full date, so no rule counts it.",
                severity="information",
                code="incomplete",
                mend="Complete the date in the record, if it is known.",
            )

    def age_on(self, day: date) -> tuple[int, int] | None:
        """The lowest and highest age in whole years on that day."""
        return ages(self.patient.birth_date, day) if self.patient.birth_date is not None else None

    def fact(
        self,
        rule: Rule,
        newest: Fact,
        inputs: Iterable[Fact],
        *,
        state: FactState = "present",
        answer: Coding | None = None,
        patient: bool = False,
        **fields: Any,
    ) -> Fact:
        """A fact of the rule's concept, dated as `newest`. `inputs` are the facts it rests on; of a derived one,
        what that rests on in its turn. `patient`: the Patient's sex or date of birth counted too."""
        concept = self.concepts[rule.yields]
        evidence = [one for fact in inputs for one in evidence_of(fact)]
        if patient:
            evidence.append(self.patient.evidence)
        return Fact(
            **{
                "concept": concept.id,
                "kind": concept.kind,
                "evidence": newest.evidence,
                "state": state,
                "unit": concept.unit,
                "effective": newest.effective,
                "answer": answer,
                "origin": newest.origin,
                "inputs": tuple(dict.fromkeys(evidence)),
                "rule": rule.id,
                **fields,
            }
        )

    def note(
        self,
        rule: Rule,
        about: Evidence,
        key: str,
        detail: str,
        *,
        severity: Severity = "information",
        mend: str | None = None,
    ) -> None:
        """An issue of the rule, at the resource it failed for."""
        self.context.note(
            self.resource(about),
            f"derived.{key}",
            f"'{rule.yields}' was not worked out by {rule.id}: {detail}",
            severity=severity,
            code="incomplete" if severity == "information" else "business-rule",
            mend=mend,
        )


def evidence_of(fact: Fact) -> tuple[Evidence, ...]:
    return fact.inputs or (fact.evidence,)


def _point(fact: Fact) -> Point | None:
    if fact.state != "present" or fact.effective is None or len(fact.effective) < len("2026-01-01"):
        return None
    moment, span, bounds = instant_of(fact.effective), span_of(fact.effective), bounds_of(fact)
    if moment is None or span is None or bounds is None:
        return None
    return Point(moment, span[0], fact, bounds)


def _rank(fact: Fact) -> tuple[str, str]:
    return fact.evidence.reference, fact.evidence.version_id or ""


def _by_time(point: Point) -> tuple[datetime, str, Bounds]:
    return point.moment, point.fact.evidence.reference, point.bounds
