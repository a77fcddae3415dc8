"""What the gate costs a patient to whom it has nothing to say, and how it grows with the rules."""

from time import perf_counter

from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.safety import guarded
from careplan_exchange.planner.safety.rules import assembled
from tests.cases.snapshots import fact, policies, snapshot, vocabulary
from tests.support.gates import activity, proposal


def milliseconds(gate):
    """At best of several runs, for 500 values that no flag reads and ten activities that no rule is about."""
    concepts = vocabulary().concepts.values()
    quiet = next(one.id for one in concepts if one.kind == "measurement" and one.id not in gate.by_fact)
    found = snapshot(*(fact(quiet, 1, id=f"o{number}") for number in range(500)))
    before = proposal(found, *(activity(f"listen{number}", involves=("hearing",)) for number in range(10)))
    times = []
    for _ in range(15):
        bindings = Bindings(found, vocabulary())
        start = perf_counter()
        guarded(before, bindings, vocabulary(), gate)
        times.append((perf_counter() - start) * 1000)
    return min(times)


def test_a_patient_to_whom_no_rule_speaks_costs_less_than_a_millisecond():
    assert milliseconds(policies().safety) < 1


def test_ten_thousand_rules_that_speak_of_something_else_cost_nothing():
    gate = policies().safety
    many = assembled([*gate.rules] * (1 + 10_000 // len(gate.rules)), gate.flags, gate.classes)
    assert milliseconds(many) < 1
