"""Scores of PHQ-9, GAD-7 and AUDIT-C: given, summed, or neither."""

from decimal import Decimal

import pytest

from tests.unit.mapping.builders import LOINC, concept, keys, observation, only, quantity, states
from tests.unit.mapping.care_builders import answered

PHQ9 = [
    "_44250_9",
    "_44255_8",
    "_44259_0",
    "_44254_1",
    "_44251_7",
    "_44258_2",
    "_44252_5",
    "_44253_3",
    "_44260_8",
]
GAD7 = ["_69725_0", "_68509_9", "_69733_4", "_69734_2", "_69735_9", "_69689_8", "_69736_7"]


def all_of(items, answer):
    return dict.fromkeys(items, answer)


def test_a_total_that_is_given_counts_whoever_sent_how_many_items(mapped):
    for total in (12, {"valueDecimal": 12.0}, {"valueQuantity": {"value": 12}}):
        fact = only(mapped(answered(_44261_6=total)), "phq9")
        assert (fact.kind, fact.value, fact.unit, fact.effective, fact.origin) == (
            "measurement",
            12,
            "{score}",
            "2026-11-01",
            "patient",
        )
    assert only(mapped(answered(_70274_6=5)), "gad7").value == 5
    assert only(mapped(answered(_75626_2=3)), "audit_c").value == 3


def test_items_are_summed_only_if_every_one_is_answered(mapped):
    snapshot = mapped(answered(**all_of(PHQ9, "LA6570-1")))
    assert only(snapshot, "phq9").value == 18
    assert only(snapshot, "phq9_item9").value == 2
    assert snapshot.issues == ()
    partial = mapped(answered(**all_of(PHQ9[1:], "LA6570-1")))
    assert (states(partial), keys(partial)) == ({"phq9_item9": "present"}, ["questionnaire.incomplete"])
    assert only(mapped(answered(**all_of(GAD7, "LA6571-9"))), "gad7").value == 21


def test_each_item_of_audit_c_has_answers_of_its_own(mapped):
    snapshot = mapped(answered(_68518_0="LA18929-2", _68519_8="LA18931-8", _68520_6="LA18933-4"))
    assert only(snapshot, "audit_c").value == 4 + 3 + 1


def test_a_total_that_is_not_the_sum_counts_as_the_range_of_both(mapped):
    snapshot = mapped(answered(**all_of(PHQ9, "LA6569-3"), _44261_6=12))
    fact = only(snapshot, "phq9")
    assert (fact.value, fact.low, fact.high, keys(snapshot)) == (None, 9, 12, ["questionnaire.conflict"])


@pytest.mark.parametrize("total", [28, -1, {"valueDecimal": 99}])
def test_a_score_that_cannot_be_is_not_used(mapped, total):
    snapshot = mapped(answered(_44261_6=total))
    assert (snapshot.facts, keys(snapshot)) == ((), ["value.implausible"])


@pytest.mark.parametrize(
    "answer", ["LA9999-9", {"valueString": "Not at all"}, {"valueInteger": 2}, {"valueCoding": {"display": "x"}}]
)
def test_an_answer_that_no_mapping_knows_leaves_the_score_open(mapped, answer):
    snapshot = mapped(answered(**(all_of(PHQ9, "LA6569-3") | {"_44250_9": answer})))
    assert states(snapshot) == {"phq9_item9": "present"}
    assert keys(snapshot) == ["answer.unknown", "questionnaire.incomplete"]


def test_questions_are_found_in_groups_by_definition_and_below_answers(mapped):
    total = {"linkId": "t", "definition": "http://loinc.org/q#44261-6", "answer": [{"valueInteger": 7}]}
    group = [{"linkId": "g", "item": [{"linkId": "h", "answer": [{"valueBoolean": True, "item": [total]}]}]}]
    snapshot = mapped(answered(item=group))
    assert only(snapshot, "phq9").value == 7
    assert keys(snapshot) == ["questionnaire.not-read"]


def test_a_need_that_is_told_beside_an_answer_nobody_knows_counts(mapped):
    coded = [{"valueCoding": {"system": LOINC, "code": code}} for code in ("LA31993-1", "LA9999-9")]
    item = [{"linkId": "71802-3", "answer": coded}]
    assert states(mapped(answered(item=item))) == {"housing_insecurity": "unknown"}
    item[0]["answer"].append({"valueCoding": {"system": LOINC, "code": "LA31995-6"}})
    assert states(mapped(answered(item=item))) == {"housing_insecurity": "present"}


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"status": "in-progress"}, "status.not-used"),
        ({"status": "stopped"}, "status.not-used"),
        ({"status": "entered-in-error"}, "status.entered-in-error"),
        ({"authored": "2027-01-01"}, "date.future"),
        ({"item": []}, "questionnaire.not-read"),
        ({"item": [{"linkId": "/44261-6"}, {"linkId": "x", "item": [{}]}]}, "questionnaire.not-read"),
    ],
)
def test_a_response_that_does_not_count_says_why(mapped, more, key):
    snapshot = mapped(answered(_44261_6=12, **more))
    assert (snapshot.facts, keys(snapshot)) == ((), [key])


def test_the_same_score_as_an_observation_is_read_too(mapped):
    snapshot = mapped(observation("44261-6", valueQuantity=quantity(Decimal(12), "{score}")))
    assert only(snapshot, "phq9").value == 12


def item(code, answer="LA6570-1", **more):
    return observation(code, valueCodeableConcept=concept((LOINC, answer)), **more)


def test_one_answer_that_came_as_an_observation_is_no_score_but_the_ninth_counts(mapped):
    snapshot = mapped(item("44260-8"), item("44250-9"))
    assert (states(snapshot), keys(snapshot)) == ({"phq9_item9": "present"}, ["questionnaire.item"])
    fact = only(snapshot, "phq9_item9")
    assert (fact.value, fact.effective, fact.origin) == (2, "2026-10-01T08:00:00Z", "patient")


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (item("44260-8", "LA9999-9"), "answer.unknown"),
        (item("44260-8", status="preliminary"), "status.not-final"),
        (item("44260-8", effectiveDateTime="2027-01-01"), "date.future"),
        (item("44260-8", subject={"reference": "Group/1"}), "subject.unclear"),
        (observation("44260-8"), "value.missing"),
        (observation("44260-8", valueCodeableConcept=7), "resource.unreadable"),
    ],
)
def test_an_answer_that_does_not_count_says_why(mapped, body, key):
    snapshot = mapped(body)
    assert (snapshot.facts, keys(snapshot)) == ((), [key])
