"""Snapshot to variables: what `%hba1c`, `%pregnancy`, `%age` hold for one patient today, and why.

What a variable holds is decided here and nowhere else; docs/apply.md lists the rules for people.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Truth, Used
from careplan_exchange.model.snapshot import Coding, Evidence, Fact, Snapshot
from careplan_exchange.model.vocabulary import Concept, Vocabulary

from . import phrases
from .dates import ages, days_of, instant_of
from .expressions import RECORD, EvaluationError, Expression, truth
from .fhirpath import Budget
from .raw import RawRecord
from .risk.assessing import assessed
from .risk.computing import Worked, work_out
from .risk.models import Compiled
from .spans import as_recorded, exact_or_range, hull, span
from .syntax import Atom
from .variables import CATEGORIES, DAYS, EVER, PATIENT_VARIABLES, VALUED, Binding, concept_of

_LATEST_HOLDS = frozenset({"status", "circumstance"})
"""Kinds of which the latest statement holds: they begin and end, and say so by being told again."""


class Bindings:
    """The variables of one patient, worked out when they are first asked for. `issues` grow with them. With a
    `raw` record paths walk over the resources as the server sent them. `addressed` keeps which of the patient's
    conditions some codes stand for, `telling` the comparisons that an expression's answer rests on.
    `conditions` are the concepts of the conditions that the record speaks of.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        vocabulary: Vocabulary,
        risks: Sequence[Compiled] = (),
        raw: RawRecord | None = None,
    ) -> None:
        self.snapshot = snapshot
        self._risks = {one.model.yields: one for one in risks}
        self.budget = Budget()
        self.day = snapshot.as_of
        self.release: str = "R4" if raw is None else raw.release
        self.addressed: dict[tuple[Coding, ...], tuple[Evidence, ...]] = {}
        self.telling: dict[str, tuple[Atom, ...]] = {}
        self._raw = raw
        self.issues: list[Issue] = []
        self._vocabulary = vocabulary
        self._facts: dict[str, list[Fact]] = {}
        for fact in snapshot.facts:
            self._facts.setdefault(fact.concept, []).append(fact)
        self.conditions = frozenset(fact.concept for fact in snapshot.facts if fact.kind == "condition")
        self._usable: dict[str, tuple[Fact, ...]] = {}
        self._known: dict[str, Binding] = {}
        self._truths: dict[str, Truth] = {}
        patient = snapshot.patient
        values = {"gender": patient.gender, "birthDate": patient.birth_date}
        self._resource: dict[str, Any] = {"resourceType": "Patient", **{k: v for k, v in values.items() if v}}

    @property
    def resource(self) -> Mapping[str, Any]:
        """The root of paths without a variable, and `%subject`: the Patient, as far as planning knows it."""
        return self._resource if self._raw is None else self._raw.patient

    def value(self, variable: str) -> Any:
        """See expressions.Values. Raises EvaluationError for a name that no concept has."""
        if variable in {"subject", "patient", "context", "resource"}:
            return self.resource
        if variable == RECORD:
            if self._raw is None:
                raise EvaluationError("the resources of the record are not at hand here")
            return self._raw.bundle
        return self.binding(variable).value

    def truth(self, expression: Expression) -> Truth:
        """The expression's answer for this patient, worked out once. Raises EvaluationError."""
        if (known := self._truths.get(expression.source)) is None:
            with self._raw.watching(expression.source) if self._raw is not None else nullcontext():
                known = self._truths[expression.source] = truth(expression, self)
        return known

    def walked_over(self, expression: Expression) -> tuple[Used, ...]:
        """What of the raw record the expression read when it was asked."""
        return () if self._raw is None else self._raw.walked_over(expression.source)

    def binding(self, variable: str) -> Binding:
        """Raises EvaluationError for a name that no concept has."""
        if (known := self._known.get(variable)) is None:
            known = self._known[variable] = self._bind(variable)
        return known

    def unit(self, variable: str) -> str:
        """The unit in which a number of this variable is compared."""
        if variable == "age":
            return "years"
        concept = concept_of(variable, self._vocabulary)
        return "days" if variable.endswith(DAYS) else (concept.unit if concept else None) or ""

    def is_concept(self, variable: str) -> bool:
        return variable in PATIENT_VARIABLES or concept_of(variable, self._vocabulary) is not None

    def facts(self, concept: str) -> tuple[Fact, ...]:
        """The facts of this concept that speak of a time up to today, as recorded."""
        if concept not in self._usable:
            limit = self.snapshot.as_of + timedelta(days=1)  # a local date may be a day ahead of UTC
            found = self._facts.get(concept, [])
            ahead = self._vocabulary.concepts[concept].ahead
            kept = [fact for fact in found if ahead or not _starts_after(fact, limit)]
            if len(kept) < len(found):
                self.issues.append(
                    Issue(
                        severity="warning",
                        code="business-rule",
                        key="planner.fact.future",
                        detail=f"{len(found) - len(kept)} fact(s) of '{concept}' are in the future and not used.",
                        mend="Correct the date in the record, or plan for a later day.",
                    )
                )
            self._usable[concept] = tuple(kept)
        return self._usable[concept]

    def _bind(self, variable: str) -> Binding:
        if variable == "age":
            return self._age()
        if variable == "sex":
            return self._sex()
        concept = concept_of(variable, self._vocabulary)
        if concept is None:
            raise EvaluationError(f"there is no variable '%{variable}'")
        if variable == concept.id + DAYS:
            return self._days_ahead(concept) if concept.ahead else self._days(concept)
        if concept.id in self._risks:
            return self._risk(concept)
        if concept.kind in VALUED:
            return self._measurement(concept) if concept.kind == "measurement" else self._stage(concept)
        return self._state(concept, variable, ever=variable == concept.id + EVER)

    def _age(self) -> Binding:
        patient = self.snapshot.patient
        span = ages(patient.birth_date, self.snapshot.as_of) if patient.birth_date else None
        value = None if span is None else exact_or_range(Decimal(span[0]), Decimal(span[1]))
        return Binding(
            variable="age",
            concept="age",
            value=value,
            title="Age",
            shown=phrases.UNKNOWN if value is None else phrases.quantity(value, "years"),
            gap="What is the patient's full date of birth?",
            evidence=(patient.evidence,),
        )

    def _sex(self) -> Binding:
        patient = self.snapshot.patient
        value = None if patient.gender == "unknown" else patient.gender
        return Binding(
            variable="sex",
            concept="sex",
            value=value,
            title="Recorded sex",
            shown=value or phrases.UNKNOWN,
            gap="What is the patient's sex?",
            evidence=(patient.evidence,),
        )

    def _measurement(self, concept: Concept) -> Binding:
        """The latest dated value. Several of the same instant count as the range that they span, so that a
        rule holds only if it holds for each of them."""
        numbers = [fact for fact in self.facts(concept.id) if fact.state == "present" and span(fact, concept)]
        latest = _latest(numbers)
        if not latest:
            gap = phrases.undated(concept) if numbers else phrases.missing(concept)
            return self._unknown(concept, concept.id, gap, _evidence(numbers))
        evidence = _evidence(latest)
        on = latest[0].effective or ""
        if self._too_old(latest[0], concept):
            return self._unknown(concept, concept.id, phrases.outdated(concept, on), evidence)
        spans = [found for fact in latest if (found := span(fact, concept))]
        value = hull(spans)
        return Binding(
            variable=concept.id,
            concept=concept.id,
            value=value,
            title=concept.title,
            shown=phrases.dated(
                as_recorded(latest, value, concept), on, calculated=any(fact.rule for fact in latest)
            ),
            gap=phrases.imprecise(concept, on),
            evidence=evidence,
        )

    def worked_out(self, of: Compiled) -> Worked:
        """What an equation comes to for this patient. Raises EvaluationError."""
        return work_out(of.model, self)

    def _risk(self, concept: Concept) -> Binding:
        """A published equation's result: a value like any other, unknown outside the equation's validity."""
        of = self._risks[concept.id]
        worked = self.worked_out(of)
        line = assessed(of, worked, self)
        shown = phrases.UNKNOWN
        if worked.value is not None and line.value is not None:
            least = "at least " if worked.state == "at-least" else ""
            shown = phrases.dated(f"{least}{phrases.quantity(line.value, of.model.unit)}", "", calculated=True)
        return Binding(
            variable=concept.id,
            concept=concept.id,
            value=worked.value,
            title=concept.title,
            shown=shown,
            gap=line.detail,
            evidence=line.evidence,
        )

    def _stage(self, concept: Concept) -> Binding:
        """The code of the latest dated answer. Two of the same instant that differ, and one that is unknown,
        leave it open."""
        told = [fact for fact in self.facts(concept.id) if fact.state in ("present", "unknown") and fact.active]
        latest = _latest(told)
        if not latest:
            gap = phrases.undated(concept) if told else phrases.missing(concept)
            return self._unknown(concept, concept.id, gap, _evidence(told))
        on = latest[0].effective or ""
        if self._too_old(latest[0], concept):
            return self._unknown(concept, concept.id, phrases.outdated(concept, on), _evidence(latest))
        answers = {fact.answer.code if fact.answer is not None else None for fact in latest}
        value = answers.pop() if len(answers) == 1 else None
        if value is None or any(fact.state == "unknown" for fact in latest):
            return self._unknown(concept, concept.id, phrases.unsure(concept), _evidence(latest))
        display = latest[0].answer.display if latest[0].answer is not None else None
        return Binding(
            variable=concept.id,
            concept=concept.id,
            value=value,
            title=concept.title,
            shown=phrases.dated(display or value, on),
            gap=phrases.missing(concept),
            evidence=_evidence(latest),
        )

    def _state(self, concept: Concept, variable: str, *, ever: bool) -> Binding:
        """Present, absent or unknown. `ever` lets a past presence count (a resolved condition).

        A fact may itself say "unknown" (a provisional diagnosis, an order that cannot be read): then only a
        certain presence decides. Of a status the latest statement holds (with `ever` any presence,
        and "not now" is not "never").
        """
        facts = self.facts(concept.id)
        if concept.ahead:
            facts = tuple(fact for fact in facts if not self._is_past(fact))
        recorded = [f for f in facts if f.state == "present" and (f.active or ever)]
        old = [] if ever else [fact for fact in recorded if self._too_old(fact, concept)]
        present = [fact for fact in recorded if fact not in old]
        absent = [f for f in facts if f.state == "absent" and not self._too_old(f, concept)]
        unsure = [
            f for f in facts if f.state == "unknown" and (f.active or ever) and not self._too_old(f, concept)
        ]
        if concept.kind in _LATEST_HOLDS and not ever and bool(present) + bool(absent) + bool(unsure) > 1:
            stated = present + absent + unsure
            winners = _latest(stated)
            undated = any(not fact.effective for fact in stated)
            if len({fact.state for fact in winners}) != 1 or undated:
                return self._unknown(concept, variable, phrases.contradiction(concept), _evidence(stated))
            present, absent, unsure = (
                [f for f in winners if f.state == state] for state in ("present", "absent", "unknown")
            )
        if present:
            return self._flag(concept, variable, value=True, facts=present)
        if unsure:
            return self._unknown(concept, variable, phrases.unsure(concept), _evidence(unsure))
        if absent and not (ever and concept.kind in _LATEST_HOLDS):
            return self._flag(concept, variable, value=False, facts=absent)
        return self._unstated(concept, variable, old)

    def _unstated(self, concept: Concept, variable: str, old: list[Fact]) -> Binding:
        """Nothing that still counts says anything: only a list that was read whole can mean "absent"."""
        if old:
            newest = max(fact.effective or "" for fact in old)
            return self._unknown(concept, variable, phrases.outdated(concept, newest), _evidence(old))
        if concept.when_absent == "absent" and CATEGORIES[concept.kind] <= self.snapshot.categories:
            return self._flag(concept, variable, value=False, facts=[])
        return self._unknown(concept, variable, phrases.missing(concept), ())

    def _days(self, concept: Concept) -> Binding:
        latest = _latest([fact for fact in self.facts(concept.id) if fact.state == "present"])
        days = days_of(latest[0].effective or "") if latest else None
        if days is None:
            return self._unknown(concept, concept.id + DAYS, phrases.when(concept), ())
        fewest = max(Decimal((self.snapshot.as_of - days[1]).days), Decimal(0))
        value = exact_or_range(fewest, max(Decimal((self.snapshot.as_of - days[0]).days), fewest))
        return Binding(
            variable=concept.id + DAYS,
            concept=concept.id,
            value=value,
            title=f"Time since {phrases.inline(concept.title)}",
            # The date alone: a count of days would be another one tomorrow, and rewrite the plan every night.
            shown=phrases.since(latest[0].effective or ""),
            gap=phrases.when(concept),
            evidence=_evidence(latest),
        )

    def _days_ahead(self, concept: Concept) -> Binding:
        """Whole days until the next one; 0 where it is today."""
        coming = [
            (days, fact)
            for fact in self.facts(concept.id)
            if fact.state == "present" and fact.active and not self._is_past(fact)
            if (days := days_of(fact.effective or "")) is not None
        ]
        if not coming:
            return self._unknown(concept, concept.id + DAYS, phrases.missing(concept), ())
        days, fact = min(coming, key=lambda one: (one[0], one[1].evidence.reference))
        soonest = max(Decimal((days[0] - self.snapshot.as_of).days), Decimal(0))
        value = exact_or_range(soonest, max(Decimal((days[1] - self.snapshot.as_of).days), soonest))
        return Binding(
            variable=concept.id + DAYS,
            concept=concept.id,
            value=value,
            title=f"Time until {phrases.inline(concept.title)}",
            # The date alone, as for what is past: a count of days would rewrite the plan every night.
            shown=phrases.until(fact.effective or ""),
            gap=phrases.missing(concept),
            evidence=(fact.evidence,),
        )

    def _is_past(self, fact: Fact) -> bool:
        days = days_of(fact.effective or "")
        return days is None or days[1] < self.snapshot.as_of

    def _flag(self, concept: Concept, variable: str, *, value: bool, facts: Iterable[Fact]) -> Binding:
        found = sorted(facts, key=lambda fact: (fact.effective or "", fact.evidence.reference))
        # What the Patient's sex or age says is of today, every day: its date would change the plan overnight.
        dates = [fact.effective for fact in found if not fact.evidence.reference.startswith("Patient/")]
        return Binding(
            variable=variable,
            concept=concept.id,
            value=value,
            title=concept.title,
            shown=phrases.state(value=value, dates=dates, recorded=bool(found)),
            gap=phrases.missing(concept),
            evidence=_evidence(found),
        )

    def _unknown(self, concept: Concept, variable: str, gap: str, evidence: tuple[Evidence, ...]) -> Binding:
        return Binding(
            variable=variable,
            concept=concept.id,
            value=None,
            title=concept.title,
            shown=phrases.UNKNOWN,
            gap=gap,
            evidence=evidence,
        )

    def _too_old(self, fact: Fact, concept: Concept) -> bool:
        """Whether it may be older than a current value may be. Without a date it is never current for a concept
        with a limit, except a condition: that one stands until somebody ends it."""
        if concept.max_age_days is None:
            return False
        days = days_of(fact.effective or "")
        if days is None:
            return concept.kind != "condition"
        return (self.snapshot.as_of - days[0]).days > concept.max_age_days


def _evidence(facts: Iterable[Fact]) -> tuple[Evidence, ...]:
    """What the facts were read from; of a derived one also everything that it was worked out from. Each once."""
    return tuple(dict.fromkeys(one for fact in facts for one in (fact.evidence, *fact.inputs)))


def _starts_after(fact: Fact, limit: date) -> bool:
    days = days_of(fact.effective or "")
    return days is not None and days[0] > limit


def _latest(facts: Iterable[Fact]) -> list[Fact]:
    """The newest by instant, all where several share it, in a stable order. Undated ones have no place in it."""
    dated = [(moment, fact) for fact in facts if (moment := instant_of(fact.effective or ""))]
    newest = max((moment for moment, _ in dated), default=None)
    return sorted(
        (fact for moment, fact in dated if moment == newest),
        key=lambda fact: (fact.evidence.reference, str(fact.value)),
    )
