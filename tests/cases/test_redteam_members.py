"""Each medicine and activity that a rule names, and what it does where nothing is known, is held by some case too.

`test_redteam.py` takes whole rules away; here a rule loses one name, or its answer to an unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from careplan_exchange.planner.safety import Gate
from careplan_exchange.planner.safety.rules import Flag, Rule, assembled
from tests.cases.test_redteam import mutants, whole_gate


@dataclass(frozen=True)
class Mutant:
    name: str
    lost: str
    rule: Rule | Flag


def _shorter(rule: Rule) -> Iterator[Mutant]:
    """The rule without one of several names."""
    for field in ("medicines", "involves", "duplicates"):
        names: frozenset[str] = getattr(rule, field)
        for name in sorted(names) if len(rule.medicines | rule.involves | rule.duplicates) > 1 else ():
            yield Mutant(rule.id, name, msgspec.structs.replace(rule, **{field: names - {name}}))
    for place, side in enumerate(rule.pair or ()):
        for name in sorted(side) if len(side) > 1 else ():
            sides = tuple(one - {name} if at == place else one for at, one in enumerate(rule.pair or ()))
            yield Mutant(rule.id, name, msgspec.structs.replace(rule, pair=sides))


def _laxer(rule: Rule) -> Iterator[Mutant]:
    """The rule that lets an unknown pass, or only warns of what it would withhold."""
    if rule.condition is not None and rule.unknown != "nothing" and rule.hazard != "missing":
        yield Mutant(rule.id, "unknown", msgspec.structs.replace(rule, unknown="nothing"))
    if rule.unknown == "withhold" and rule.condition is not None and rule.hazard != "missing":
        yield Mutant(rule.id, "withhold", msgspec.structs.replace(rule, unknown="ask"))
    if rule.effect == "withhold":
        yield Mutant(rule.id, "effect", msgspec.structs.replace(rule, effect="warn"))


def _silent(flag: Flag) -> Iterator[Mutant]:
    if flag.ask:
        yield Mutant(flag.id, "ask", msgspec.structs.replace(flag, ask=False))


MUTANTS = [
    *(mutant for rule in whole_gate().rules for mutant in (*_shorter(rule), *_laxer(rule))),
    *(mutant for flag in whole_gate().flags for mutant in _silent(flag)),
]


def _with(mutant: Mutant) -> Gate:
    gate = whole_gate()
    return assembled(
        [mutant.rule if rule.id == mutant.name else rule for rule in gate.rules],
        [mutant.rule if flag.id == mutant.name else flag for flag in gate.flags],
        gate.classes,
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: f"{one.name}-{one.lost}")
def test_a_rule_that_is_a_little_weaker_harms_somebody(mutant):
    assert mutants().is_noticed(mutant.name, _with(mutant))


def test_there_are_such_mutants_of_each_kind():
    lost = {mutant.lost for mutant in MUTANTS}
    assert len(MUTANTS) > 900
    assert {"unknown", "withhold", "effect", "ask", "statin", "walking"} <= lost
