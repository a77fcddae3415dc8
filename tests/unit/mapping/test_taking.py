"""Medicines beside the order: statements, dispenses, administrations, and what they say against each other."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.mapping import map_record
from careplan_exchange.planner.bindings import Bindings
from tests.unit.mapping.builders import RXNORM, TODAY, concept, keys, order, record, states
from tests.unit.mapping.care_builders import dispense, of, statement

METFORMIN, PRODUCT, LISINOPRIL = (RXNORM, "6809"), (RXNORM, "860975"), (RXNORM, "29046")
UNHEARD_OF = (RXNORM, "99999999")


def adherence(code):
    return {"status": "recorded", "adherence": {"code": concept(("http://hl7.org/fhir/x", code))}}


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "present"),
        ({"status": "recorded"}, "present"),
        (adherence("taking-as-directed"), "present"),
        ({"status": "completed"}, "ended"),
        ({"effectivePeriod": {"start": "2026-01-01", "end": "2026-03-01"}}, "ended"),
        ({"effectivePeriod": {"start": "2026-01-01", "end": "2027-03-01"}}, "present"),
        ({"status": "on-hold"}, "unknown"),
        ({"status": "unknown"}, "unknown"),
        ({"status": "banana"}, "unknown"),
        (adherence("on-hold-as-directed"), "unknown"),
        (adherence("banana"), "unknown"),
    ],
)
def test_a_statement_tells_what_is_taken(mapped, more, state):
    snapshot = mapped(statement(METFORMIN, **more))
    assert states(snapshot) == {"metformin": state}
    assert keys(snapshot) == (["medication.uncertain"] if state == "unknown" else [])


@pytest.mark.parametrize(
    "more",
    [
        {"status": "intended"},
        {"status": "draft"},
        {"status": "not-taken"},
        {"status": "stopped"},
        adherence("not-taking"),
        adherence("stopped-as-directed"),
    ],
)
def test_an_intention_and_a_denial_are_no_taking(mapped, more):
    snapshot = mapped(statement(METFORMIN, **more))
    assert (snapshot.facts, keys(snapshot)) == ((), ["medication.not-taken"])


def test_an_order_that_stands_and_a_later_denial_leave_it_unknown_and_say_so(mapped):
    for denial in (
        statement(METFORMIN, status="not-taken", effectivePeriod=None, dateAsserted="2026-03-01"),
        statement(PRODUCT, status="not-taken", effectivePeriod=None, effectiveDateTime="2026-03-01"),
        statement(METFORMIN, status="stopped", effectivePeriod=None),
    ):
        snapshot = mapped(order(METFORMIN), denial)
        assert states(snapshot) == {"metformin": "unknown"}
        assert "medication.conflict" in keys(snapshot)
        sources = {s for i in snapshot.issues if i.key.endswith("conflict") for s in (i.sources or (i.source,))}
        assert len(sources) == 2


def test_a_denial_from_before_the_order_or_of_another_medicine_changes_nothing(mapped):
    before = statement(METFORMIN, status="not-taken", effectivePeriod=None, dateAsserted="2025-03-01")
    other = statement(LISINOPRIL, status="not-taken")
    for denial in (before, other):
        snapshot = mapped(order(METFORMIN), denial)
        assert states(snapshot) == {"metformin": "present"}
        assert keys(snapshot) == ["medication.not-taken"]


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "present"),
        ({"daysSupply": {"value": 23}}, "present"),
        ({"daysSupply": {"value": 22}}, "ended"),
        ({"daysSupply": None}, "ended"),
        ({"whenHandedOver": None}, "ended"),
        ({"whenHandedOver": None, "whenPrepared": "2026-11-01"}, "present"),
    ],
)
def test_a_dispense_counts_as_long_as_its_supply_lasts(mapped, more, state):
    assert states(mapped(dispense(METFORMIN, **more))) == {"metformin": state}


@pytest.mark.parametrize("status", ["declined", "cancelled", "stopped", "preparation", "banana"])
def test_what_was_not_dispensed_is_not_taken(mapped, status):
    snapshot = mapped(dispense(METFORMIN, status=status))
    assert (snapshot.facts, keys(snapshot)) == ((), ["medication.not-taken"])


def test_a_supply_of_a_stopped_order_leaves_it_unknown_unless_another_order_stands(mapped):
    stopped = order(METFORMIN, status="stopped")
    snapshot = mapped(stopped, dispense(METFORMIN))
    assert {fact.state for fact in snapshot.facts if fact.active} == {"unknown"}
    assert keys(snapshot) == ["medication.conflict", "medication.conflict"]
    both = mapped(stopped, dispense(METFORMIN), order(METFORMIN))
    assert {fact.state for fact in both.facts if fact.active} == {"present"}
    assert keys(both) == []


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"status": "completed", "effectiveDateTime": "2026-10-01"}, "ended"),
        ({"status": "in-progress", "effectivePeriod": {"start": "2026-11-24"}}, "present"),
        ({"status": "completed", "occurenceDateTime": "2026-10-01"}, "ended"),
    ],
)
def test_a_dose_that_was_given_is_past(mapped, more, state):
    body = of("MedicationAdministration", medicationCodeableConcept=concept(METFORMIN), **more)
    snapshot = mapped(body)
    assert states(snapshot) == {"metformin": state}
    assert snapshot.facts[0].effective == next(
        value if isinstance(value, str) else value["start"] for key, value in more.items() if key != "status"
    )


def test_a_dose_that_was_not_given_is_told(mapped):
    body = of("MedicationAdministration", status="not-done", medicationCodeableConcept=concept(METFORMIN))
    assert keys(mapped(body)) == ["medication.not-taken"]


def test_a_statement_of_something_unknown_rules_no_class_out_and_an_old_one_does(mapped):
    assert set(states(mapped(statement(UNHEARD_OF))).values()) == {"unknown"}
    assert mapped(statement(UNHEARD_OF, status="completed")).facts == ()
    assert mapped(statement(UNHEARD_OF, status="not-taken")).facts == ()


def test_a_statement_may_refer_to_a_medication_or_name_it_in_words(mapped):
    body = {"resourceType": "Medication", "id": "m", "code": concept(PRODUCT)}
    bare = {"medicationCodeableConcept": None}
    for snapshot in (
        mapped(statement(**bare, medicationReference={"reference": "Medication/m"}), body),
        mapped(statement(**bare, medicationReference={"reference": "#m"}, contained=[body])),
        mapped(statement(**bare, medication={"reference": {"reference": "Medication/m"}}), body),
        mapped(statement(**bare, medication={"concept": {"text": "Metformin"}})),
    ):
        assert states(snapshot) == {"metformin": "present"}
        assert "medication.unmapped" not in keys(snapshot)
    missing = mapped(statement(**bare, medicationReference={"reference": "Medication/gone"}))
    assert keys(missing) == ["medication.unmapped"]


def test_entered_in_error_and_the_future_are_no_evidence(mapped):
    assert keys(mapped(statement(METFORMIN, status="entered-in-error"))) == ["status.entered-in-error"]
    future = statement(METFORMIN, effectivePeriod={"start": "2027-01-01"})
    assert (mapped(future).facts, keys(mapped(future))) == ((), ["date.future"])


def test_orders_alone_still_show_an_absence(mapped, vocabulary):
    def metformin(*categories):
        snapshot = mapped(categories=frozenset(categories))
        return Bindings(snapshot, vocabulary).binding("metformin").value

    assert metformin("MedicationRequest") is False
    assert metformin("MedicationStatement") is None


BODIES = (
    order(METFORMIN),
    order(METFORMIN, status="stopped"),
    order(LISINOPRIL),
    statement(METFORMIN),
    statement(METFORMIN, status="not-taken", effectivePeriod=None, dateAsserted="2026-02-01"),
    statement(PRODUCT, status="stopped", effectivePeriod=None),
    statement(LISINOPRIL, status="not-taken", effectivePeriod=None, dateAsserted="2025-12-31"),
    dispense(METFORMIN),
    dispense(LISINOPRIL),
)


@given(st.lists(st.sampled_from(range(len(BODIES))), min_size=2, max_size=4, unique=True))
def test_what_disagrees_is_weighed_in_no_order(mappings, vocabulary, chosen):
    found = set()
    for ordered in permutations(chosen):
        bodies = [BODIES[number] | {"id": f"r{number}"} for number in ordered]
        snapshot = map_record(record(*bodies), mappings, vocabulary, today=TODAY)
        found.add((snapshot.facts, snapshot.issues))
    assert len(found) == 1
