"""The red team: constructed patients who must not be harmed, and proof that each rule is what protects them.

A case puts proposals before the gate (`proposes`) or applies the protocols (`protocols: all`), and says what must
not be proposed, must be withheld, asked and flagged. Then each rule is taken away, and turned round, in turn: at
least one case must notice.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.safety import Gate, guarded
from careplan_exchange.planner.safety.loading import condition_of
from careplan_exchange.planner.safety.patient import subject_of
from careplan_exchange.planner.safety.rules import Flag, Rule, assembled
from tests.cases.snapshots import ALL, policies, snapshot, vocabulary
from tests.cases.test_clinical_cases import protocols, read_fact
from tests.support.gates import activity, proposal

FOLDER = Path(__file__).parent / "redteam"
_EXPECTED = (
    "must_not_propose",
    "must_withhold",
    "must_ask",
    "must_flag",
    "must_not_flag",
    "must_propose",
    "must_fall_on",
)
_KNOWN = {"case", "why", "hazard", "patient", "facts", "proposes", "protocols", "categories", *_EXPECTED}


def _cases() -> list[dict[str, Any]]:
    files = [knowledge.parse(path.name, path.read_bytes()).content for path in sorted(FOLDER.glob("*.yaml"))]
    return [{"hazard": file.get("hazard")} | case for file in files for case in file["cases"]]


CASES = _cases()
IDS = [case["case"] for case in CASES]


@cache
def whole_gate() -> Gate:
    gate = policies().safety
    assert gate is not None
    return gate


def found_of(case: dict[str, Any]) -> Snapshot:
    facts = [read_fact(one) for one in case.get("facts", []) if not _unrecognised(one)]
    found = snapshot(*facts, **case["patient"], categories=frozenset(case.get("categories", ALL)))
    issues = tuple(_not_understood(one["unrecognised"]) for one in case.get("facts", []) if _unrecognised(one))
    return msgspec.structs.replace(found, issues=issues)


def _unrecognised(written: Any) -> bool:
    return isinstance(written, dict) and "unrecognised" in written


def _not_understood(reference: str) -> Issue:
    """As mapping notes an entry whose code it does not know."""
    allergy = reference.startswith("AllergyIntolerance/")
    return Issue(
        severity="information" if allergy else "warning",
        code="code-invalid",
        key="mapping.code.no-concept" if allergy else "mapping.medication.unmapped",
        detail="Not known.",
        source=f"{reference}/_history/1",
    )


def before_the_gate(case: dict[str, Any]) -> tuple[Proposal, Bindings]:
    found = found_of(case)
    if case.get("protocols") == "all":
        everything_else = msgspec.structs.replace(policies(), safety=None)
        made = planner.plan(found, protocols(), vocabulary(), everything_else)
    else:
        made = proposal(found, *(_activity(number, one) for number, one in enumerate(case["proposes"])))
    return made, Bindings(found, vocabulary())


def _activity(number: int, written: dict[str, Any]):
    medicines, involves = tuple(written.get("medicines", ())), tuple(written.get("involves", ()))
    name = _name(number, written)
    more: dict[str, Any] = {"medicines": medicines, "benefit": written.get("benefit")}
    if involves:
        more["involves"] = involves
    if medicines or not involves:
        more |= {"resource_kind": "MedicationRequest", "kind": "medication"}
    if "kind" in written:
        more["resource_kind"] = written["kind"]
    return activity(name, rxnorm=written.get("rxnorm"), **more)


def _name(number: int, written: dict[str, Any]) -> str:
    parts = (*written.get("medicines", ()), *written.get("involves", ()))
    return written.get("key") or "-".join(parts) or f"proposal-{number}"


def failures(case: dict[str, Any], plan: Proposal, gate: Gate) -> list[str]:
    """Everything that the case demands and the plan does not give; empty means safe."""
    wrong: list[str] = []
    for name in case.get("must_not_propose", ()):
        for left in plan.activities:
            subject = subject_of(left, gate.classes)
            if name in subject.is_ | subject.involves:
                wrong.append(f"{left.key} proposes {name}")
    held = {found.rule: found.certain for found in plan.detected if found.action == "withheld"}
    for rule, how in case.get("must_withhold", {}).items():
        if held.get(rule) is not (how == "certain"):
            wrong.append(f"{rule} does not withhold ({how})")
    asked = {found.rule for found in plan.detected if found.action == "asked"}
    asked |= {need.removeprefix("safety/") for gap in plan.gaps for need in gap.needed_by}
    if any("not recognised" in q for one in plan.activities for q in one.questions):
        asked.add("unrecognised")
    wrong += [f"{rule} does not ask" for rule in case.get("must_ask", ()) if rule not in asked]
    flagged = {found.rule for found in plan.detected if found.action in {"warned", "reported"}}
    flagged |= {flag.key.removeprefix("safety/") for flag in plan.red_flags}
    wrong += [f"{rule} does not flag" for rule in case.get("must_flag", ()) if rule not in flagged]
    spoken = flagged | asked | held.keys()
    wrong += [f"{rule} speaks" for rule in case.get("must_not_flag", ()) if rule in spoken]
    left = [subject_of(one, gate.classes) for one in plan.activities]
    for name in case.get("must_propose", ()):
        if not any(name in subject.is_ | subject.involves for subject in left):
            wrong.append(f"{name} is no longer proposed")
    fallen = {(found.rule, key) for found in plan.detected for key in found.activities}
    for rule, names in case.get("must_fall_on", {}).items():
        wrong += [
            f"{rule} does not fall on {name}" for name in names if (rule, f"test/action/{name}") not in fallen
        ]
    return wrong


def through(case: dict[str, Any], gate: Gate) -> Proposal:
    made, bindings = before_the_gate(case)
    return guarded(made, bindings, vocabulary(), gate)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_nobody_of_the_red_team_is_harmed(case):
    assert failures(case, through(case, whole_gate()), whole_gate()) == []


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_whatever_is_withheld_has_a_detected_issue_a_reason_and_a_source(case):
    plan = through(case, whole_gate())
    named = {key for found in plan.detected if found.action == "withheld" for key in found.activities}
    assert {line.key for line in plan.withheld} <= named
    for line in (*plan.withheld, *plan.detected, *plan.red_flags):
        assert line.reasons, line.key
        assert all(reason.text and reason.rule for reason in line.reasons), line.key
        assert line.citations, line.key
        assert all(citation.url for citation in line.citations), line.key
    assert len({found.key for found in plan.detected}) == len(plan.detected)
    assert not [issue for issue in plan.issues if issue.severity == "error"]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_order_of_record_and_plan_changes_nothing(case):
    backwards = {name: case[name][::-1] for name in ("facts", "proposes") if name in case}
    # The name of a proposal without one of its own may be its place.
    for number, one in enumerate(case.get("proposes", ())):
        backwards["proposes"][-1 - number] = {"key": _name(number, one), **one}
    one, two = through(case, whole_gate()), through(case | backwards, whole_gate())
    assert {(line.key, line.certain) for line in one.withheld} == {
        (line.key, line.certain) for line in two.withheld
    }
    assert {found.key for found in one.detected} == {found.key for found in two.detected}
    assert one.red_flags == two.red_flags


@pytest.mark.parametrize("case", [case for case in CASES if "proposes" in case])
def test_what_is_withheld_from_who_is_known_does_not_stand_unasked_for_who_is_not(case):
    """The same proposals for somebody of whom nothing was read: never bolder, unless the rule says so."""
    nobody = case | {"facts": [], "categories": [], "patient": {"birth": None, "gender": None}}
    told = {rule.id for rule in whole_gate().rules if rule.unknown != "nothing"}
    held = {
        key
        for found in through(case, whole_gate()).detected
        if found.action == "withheld" and found.rule in told
        for key in found.activities
    }
    bold = {line.key for line in through(nobody, whole_gate()).activities if not line.questions}
    assert not held & bold


def test_the_red_team_is_large_enough_and_each_case_says_what_must_not_happen():
    assert len(CASES) >= 120
    assert [name for name, count in Counter(IDS).items() if count > 1] == []
    assert not {key for case in CASES for key in case} - _KNOWN
    for case in CASES:
        assert case["why"], case["case"]
        assert case["hazard"], case["case"]
        assert any(case.get(name) for name in _EXPECTED), case["case"]


class Mutants:
    """The cases that each rule and flag touches, worked out once, so that a mutant runs those alone."""

    def __init__(self) -> None:
        self.gate = whole_gate()
        self.made = [before_the_gate(case) for case in CASES]
        self.touching: dict[str, list[int]] = {}
        for number, (case, (made, bindings)) in enumerate(zip(CASES, self.made, strict=True)):
            plan = guarded(made, bindings, vocabulary(), self.gate)
            named = {name for key in _EXPECTED[1:] for name in case.get(key, ())}
            named |= {found.rule for found in plan.detected}
            named |= {flag.key.removeprefix("safety/") for flag in plan.red_flags}
            for name in named:
                self.touching.setdefault(name, []).append(number)

    def is_noticed(self, name: str, gate: Gate) -> bool:
        """Whether some case fails with this gate. The cases that the whole gate's rule has nothing to say to are
        tried last."""
        first = self.touching.get(name, [])
        return any(self._fails(number, gate) for number in first)

    def _fails(self, number: int, gate: Gate) -> bool:
        made, bindings = self.made[number]
        plan = guarded(made, bindings, vocabulary(), gate)
        return bool(failures(CASES[number], plan, gate))


@cache
def mutants() -> Mutants:
    return Mutants()


def without(name: str) -> Gate:
    gate = whole_gate()
    return assembled(
        [rule for rule in gate.rules if rule.id != name],
        [flag for flag in gate.flags if flag.id != name],
        gate.classes,
    )


def turned_round(name: str) -> Gate:
    """With its condition negated; a pair or duplicates without one look for it among nothing."""
    gate = whole_gate()
    return assembled(
        [_negated(rule) if rule.id == name else rule for rule in gate.rules],
        [_negated(flag) if flag.id == name else flag for flag in gate.flags],
        gate.classes,
    )


def _negated(one: Rule | Flag):
    source = f"({one.condition.source}).not()" if one.condition is not None else "false"
    return msgspec.structs.replace(one, condition=condition_of(source))


NAMES = [one.id for one in (*whole_gate().rules, *whole_gate().flags)]


@pytest.mark.parametrize("name", NAMES)
def test_without_this_rule_somebody_is_harmed(name):
    assert mutants().is_noticed(name, without(name))


@pytest.mark.parametrize("name", NAMES)
def test_with_this_rule_turned_round_somebody_is_harmed(name):
    assert mutants().is_noticed(name, turned_round(name))


def broken(name: str) -> Gate:
    gate = whole_gate()
    condition = condition_of("%broken <")
    rules = [msgspec.structs.replace(one, condition=condition) if one.id == name else one for one in gate.rules]
    return assembled(rules, gate.flags, gate.classes)


@pytest.mark.parametrize("name", [rule.id for rule in whole_gate().rules if rule.effect == "withhold"])
def test_a_rule_that_breaks_withholds_all_the_same(name):
    found = mutants()
    for number in found.touching.get(name, ()):
        made, bindings = found.made[number]
        whole = guarded(made, bindings, vocabulary(), found.gate)
        mine = [one for one in whole.detected if one.rule == name and one.action == "withheld"]
        held = {key for one in mine for key in one.activities}
        after = guarded(made, bindings, vocabulary(), broken(name))
        assert held <= {line.key for line in after.withheld}
        assert not held or [issue.key for issue in after.issues if issue.severity == "error"]
