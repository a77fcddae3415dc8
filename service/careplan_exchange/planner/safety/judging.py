"""Rules against one patient and what is proposed: one Verdict for each hazard that was met, or may be there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal

import msgspec

from careplan_exchange.model.grounds import Gap, Reason, Truth
from careplan_exchange.model.issue import Issue
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.expressions import EvaluationError
from careplan_exchange.planner.reasons import gaps, reason

from .patient import Subject, Substance, Taken, used_of
from .rules import ANY, Gate, Rule

Outcome = Literal["withhold", "warn", "ask", "report"]
_STRICTNESS: tuple[Outcome, ...] = ("withhold", "warn", "ask", "report")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule comes to. `subjects` are the keys of the activities that it falls on: none where it is of
    what is taken alone. `choice` are the classes to keep clear of, where the activity proposes a wider class."""

    rule: Rule
    outcome: Outcome
    certain: bool
    reasons: tuple[Reason, ...]
    subjects: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    choice: frozenset[str] = frozenset()


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    verdicts: tuple[Verdict, ...]
    issues: tuple[Issue, ...]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    truth: Truth
    reasons: tuple[Reason, ...] = ()
    gaps: tuple[Gap, ...] = ()
    issue: Issue | None = None


def judge(subjects: Sequence[Subject], takes: Taken, bindings: Bindings, gate: Gate) -> Judged:
    """Every rule that speaks of something proposed or taken, in the order of the rules."""
    return _Judging(subjects, takes, bindings, gate).run()


_FALSE = _Answer(truth="false")


class _Judging:
    def __init__(self, subjects: Sequence[Subject], takes: Taken, bindings: Bindings, gate: Gate) -> None:
        self._subjects = {subject.key: subject for subject in subjects}
        self._takes = takes
        self._bindings = bindings
        self._gate = gate
        self._issues: list[Issue] = []
        self._by_word: dict[str, list[Subject]] = {}
        for subject in subjects:
            for word in _words(subject):
                self._by_word.setdefault(word, []).append(subject)

    def run(self) -> Judged:
        rules = [self._gate.rules[place] for place in sorted(self._touched())]
        verdicts = [verdict for rule in rules for verdict in self._of(rule)]
        held = {key for verdict in verdicts if verdict.outcome == "withhold" for key in verdict.subjects}
        # Two proposals can only clash where neither is withheld already.
        left = [subject for subject in self._subjects.values() if subject.key not in held]
        left.sort(key=lambda subject: subject.rank)
        for rule in rules:
            for verdict in self._clashes(rule, left):
                verdicts.append(verdict)
                if verdict.outcome == "withhold":
                    left = [subject for subject in left if subject.key not in verdict.subjects]
        return Judged(verdicts=_each_once(verdicts), issues=tuple(dict.fromkeys(self._issues)))

    def _touched(self) -> set[int]:
        gate = self._gate
        places: set[int] = set()
        for word in self._by_word:
            places.update(gate.by_medicine.get(word, ()), gate.by_involves.get(word, ()))
        for concept in self._takes.classes:
            places.update(gate.by_medicine.get(concept, ()))
        return places

    def _of(self, rule: Rule) -> Iterator[Verdict]:
        if rule.pair is not None:
            yield from self._pair(rule, rule.pair)
        elif rule.duplicates:
            yield from self._duplicates(rule)
        else:
            yield from self._single(rule)

    def _single(self, rule: Rule) -> Iterator[Verdict]:
        met = self._met(rule.medicines, rule.involves)
        met = [(subject, sure) for subject, sure in met if not subject.is_ & rule.unless]
        if met:
            answer = self._answer(rule)
            for subject, sure in met:
                yield from self._fall(rule, answer, subject, () if answer.reasons else (_about(rule),), sure=sure)
        substances = self._takes.of(rule.medicines)
        if substances:
            yield from self._report(rule, substances)

    def _pair(self, rule: Rule, pair: tuple[frozenset[str], frozenset[str]]) -> Iterator[Verdict]:
        for mine, other in (pair, pair[::-1]):
            substances = self._takes.of(other)
            unsure = sorted(other & self._takes.unsure)
            for subject, sure in self._met(mine):
                if substances:
                    why = self._together(rule, substances, other)
                    yield from self._fall(rule, self._answer(rule), subject, (why,), sure=sure)
                elif unsure and self._answer(rule).truth != "false":
                    yield self._unsure(rule, subject, unsure)
        firsts, seconds = (self._takes.of(side) for side in pair)
        both = [one for first in firsts for second in seconds if first is not second for one in (first, second)]
        if both:
            yield from self._report(rule, tuple({id(one): one for one in both}.values()))

    def _duplicates(self, rule: Rule) -> Iterator[Verdict]:
        substances = self._takes.of(rule.duplicates)
        for subject, sure in self._met(rule.duplicates):
            if len(substances) + 1 >= rule.at_least:
                why = self._together(rule, substances, rule.duplicates)
                yield from self._fall(rule, self._answer(rule), subject, (why,), sure=sure)
                continue
            unsure = sorted(rule.duplicates & self._takes.unsure)
            if unsure and self._answer(rule).truth != "false":
                yield self._unsure(rule, subject, unsure)
        if len(substances) >= rule.at_least:
            yield from self._report(rule, substances)

    def _met(
        self, medicines: frozenset[str], involves: frozenset[str] = frozenset()
    ) -> list[tuple[Subject, bool]]:
        """The activities that these are about, in their order, and whether each is for certain."""
        near = {one.key for word in medicines | involves for one in self._by_word.get(word, ())}
        if not near:
            return []
        asked = ((one, _meets(one, medicines, involves)) for key, one in self._subjects.items() if key in near)
        return [(subject, sure) for subject, sure in asked if sure is not None]

    def _clashes(self, rule: Rule, left: Sequence[Subject]) -> Iterator[Verdict]:
        """Proposals of one plan against each other, in their rank: of those that clash the last goes, which is
        that of the lower benefit, then of the later key."""
        if rule.pair is None and not rule.duplicates:
            return
        gone: set[str] = set()
        for together in self._clashing(rule, left):
            if gone & {subject.key for subject in together}:
                continue
            sure = all(_meets(subject, rule.concepts, frozenset()) for subject in together)
            names = ", ".join(subject.title for subject in together)
            why = Reason(text=f"This plan would hold them together: {names}.", rule=rule.about, result="true")
            for verdict in self._fall(rule, self._answer(rule), together[-1], (why,), sure=sure):
                if verdict.outcome == "withhold":
                    gone.add(together[-1].key)
                    yield verdict
                else:  # both stand, and each must be looked at beside the other
                    keys = tuple(subject.key for subject in together)
                    yield msgspec.structs.replace(verdict, subjects=keys)

    def _clashing(self, rule: Rule, left: Sequence[Subject]) -> Iterator[tuple[Subject, ...]]:
        there = {subject.key: subject for subject in left}
        if rule.pair is not None:
            first, second = ({one.key for one, _ in self._met(side)} & there.keys() for side in rule.pair)
            if not first or not second:
                return
            for one, two in combinations(there, 2):
                if (one in first and two in second) or (two in first and one in second):
                    yield there[one], there[two]
        else:
            near = {one.key for one, _ in self._met(rule.duplicates)}
            found = [one for key, one in there.items() if key in near]
            most = rule.at_least - 1 - len(self._takes.of(rule.duplicates))
            if most > 0:
                yield from ((*found[:most], one) for one in found[most:])

    def _fall(
        self, rule: Rule, answer: _Answer, subject: Subject, why: tuple[Reason, ...], *, sure: bool
    ) -> Iterator[Verdict]:
        """The rule's answer as it falls on one activity."""
        outcome = _outcome(rule, answer, sure=sure)
        if outcome is None:
            return
        yield Verdict(
            rule=rule,
            outcome=outcome,
            certain=answer.truth == "true",
            reasons=(*why, *answer.reasons),
            subjects=(subject.key,),
            gaps=tuple(msgspec.structs.replace(gap, needed_by=(subject.key,)) for gap in answer.gaps),
            choice=frozenset() if sure else subject.may_be & rule.concepts,
        )

    def _report(self, rule: Rule, substances: Iterable[Substance]) -> Iterator[Verdict]:
        """Of what is taken: told where the hazard is there, asked for where it must not be missed."""
        answer = self._answer(rule)
        if not rule.taken or answer.issue is not None or answer.truth == "false":
            return
        if answer.truth == "unknown" and rule.unknown != "withhold":
            return
        yield Verdict(
            rule=rule,
            outcome="report" if answer.truth == "true" else "ask",
            certain=answer.truth == "true",
            reasons=(self._together(rule, substances, rule.concepts), *answer.reasons),
            gaps=answer.gaps,
        )

    def _unsure(self, rule: Rule, subject: Subject, concepts: Sequence[str]) -> Verdict:
        """It is not known whether the other medicine is taken: a person must say."""
        bound = [self._bindings.binding(concept) for concept in concepts]
        asked = tuple(Gap(concept=one.concept, ask=one.gap, needed_by=(subject.key,)) for one in bound)
        names = self._gate.classes.named(concepts)
        why = Reason(text=f"Whether this is taken is not known: {names}.", rule=rule.about, result="unknown")
        return Verdict(
            rule=rule, outcome="ask", certain=False, reasons=(why,), subjects=(subject.key,), gaps=asked
        )

    def _together(self, rule: Rule, substances: Iterable[Substance], concepts: frozenset[str]) -> Reason:
        used = used_of(substances, concepts, self._bindings)
        names = self._gate.classes.named(one.variable for one in used)
        return Reason(text=f"The patient takes: {names}.", rule=rule.about, result="true", used=used)

    def _answer(self, rule: Rule) -> _Answer:
        """Whether the hazard is there. What cannot be evaluated is unknown, with an Issue."""
        condition = rule.condition
        if condition is None:
            return _Answer(truth="true")
        problem = condition.problem
        if condition.expression is not None:
            try:
                truth = self._bindings.truth(condition.expression)
            except EvaluationError as error:
                problem = str(error)
            else:
                if truth == "false":
                    return _FALSE
                why = reason(condition, condition.expression, truth, self._bindings)
                # A rule about what is missing is true where it is.
                open_ = truth == "unknown" or rule.hazard == "missing"
                key = f"safety/{rule.id}"
                missing = gaps(condition, condition.expression, self._bindings, key) if open_ else ()
                return _Answer(truth=truth, reasons=(why,), gaps=missing)
        issue = _failed(rule, problem or "it cannot be read")
        self._issues.append(issue)
        text = f"The safety rule '{rule.id}' could not be evaluated, so it holds."
        why = Reason(text=text, rule=condition.source, result="unknown")
        return _Answer(truth="unknown", reasons=(why,), issue=issue)


def _each_once(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """One verdict for what one rule says of the same activities: the strictest, with the reasons of all."""
    found: dict[tuple[str, tuple[str, ...]], Verdict] = {}
    for verdict in verdicts:
        key = (verdict.rule.id, verdict.subjects)
        first = found.get(key)
        if first is None:
            found[key] = verdict
            continue
        strict, other = sorted(
            (first, verdict), key=lambda one: (_STRICTNESS.index(one.outcome), not one.certain)
        )
        found[key] = msgspec.structs.replace(
            strict,
            reasons=tuple(dict.fromkeys((*strict.reasons, *other.reasons))),
            gaps=tuple(dict.fromkeys((*strict.gaps, *other.gaps))),
            choice=strict.choice | other.choice,
        )
    return tuple(found.values())


def _words(subject: Subject) -> frozenset[str]:
    """Everything by which a rule may name it."""
    return subject.is_ | subject.may_be | subject.involves | ({ANY} if subject.medication else frozenset())


def _meets(subject: Subject, medicines: frozenset[str], involves: frozenset[str]) -> bool | None:
    """True where the rule is about this activity for certain, False where it is about a part of what it leaves
    open, None where it is not about it."""
    if subject.is_ & medicines or subject.involves & involves or (subject.medication and ANY in medicines):
        return True
    return False if subject.may_be & medicines else None


def _outcome(rule: Rule, answer: _Answer, *, sure: bool) -> Outcome | None:
    if answer.issue is not None:
        return "withhold"
    if answer.truth == "false":
        return None
    if answer.truth == "true":
        return rule.effect if sure else "warn"
    if rule.unknown == "nothing":
        return None
    return "withhold" if rule.unknown == "withhold" and rule.effect == "withhold" and sure else "ask"


def _about(rule: Rule) -> Reason:
    return Reason(text=rule.says, rule=rule.about, result="true")


def _failed(rule: Rule, problem: str) -> Issue:
    return Issue(
        severity="error",
        code="processing",
        key="planner.safety.rule",
        detail=f"Safety rule '{rule.id}' cannot be evaluated ({problem}): all that it is about is withheld.",
        expression=rule.condition.source if rule.condition is not None else None,
        mend="Mend the rule in protocols/safety.",
    )


def by_subject(verdicts: Iterable[Verdict], outcome: Outcome) -> Mapping[str, tuple[Verdict, ...]]:
    """The verdicts of one outcome by the activity that they fall on."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.outcome == outcome:
            for key in verdict.subjects:
                found.setdefault(key, []).append(verdict)
    return {key: tuple(several) for key, several in found.items()}
