"""What a variable holds of diagnoses, medicines, allergies and statuses: present, absent, past, or in doubt."""

import msgspec
import pytest

from tests.cases.snapshots import ALL, fact, snapshot
from tests.unit.planner.bound import bind, bind_where, references


def test_a_diagnosis_that_nobody_recorded_is_absent_where_the_list_was_read():
    found = bind("type_2_diabetes")
    assert (found.value, found.shown) == (False, "not recorded")
    assert bind("type_2_diabetes", categories=ALL - {"Condition"}).value is None
    assert bind("type_2_diabetes", categories=frozenset({"Condition"})).value is False


def test_a_recorded_diagnosis_is_present_with_its_date_and_evidence():
    found = bind("type_2_diabetes", fact("type_2_diabetes", date="2019-03-01"))
    assert (found.value, found.shown) == (True, "present (2019-03-01)")
    assert references(found) == ["Condition/type-2-diabetes"]


def test_what_is_seldom_recorded_is_unknown_when_absent():
    found = bind("frailty")
    assert found.value is None
    assert found.gap == "Does the patient have frailty? The record does not say."


def test_a_past_condition_is_not_there_now_and_was_there_once():
    past = fact("angioedema", active=False, date="2011-03-01")
    assert bind("angioedema", past).value is None
    assert bind("angioedema_ever", past).value is True
    assert bind("hyperkalemia", fact("hyperkalemia", active=False)).value is False


def test_a_recorded_absence_is_absent():
    found = bind("angioedema", fact("angioedema", state="absent", date="2026-01-05"))
    assert (found.value, found.shown) == (False, "absent (2026-01-05)")


def test_a_presence_outweighs_a_recorded_absence_for_allergies_and_diagnoses():
    both = [
        fact("metformin_allergy", date="2020-01-01"),
        fact("metformin_allergy", state="absent", date="2026-01-01", id="none"),
    ]
    assert bind("metformin_allergy", *both).value is True


def test_the_newest_status_counts():
    yes, no = fact("pregnancy", date="2026-08-01"), fact("pregnancy", state="absent", date="2026-10-01", id="no")
    assert bind("pregnancy", yes, no).value is False
    assert references(bind("pregnancy", yes, no)) == ["Condition/no"]
    again = fact("pregnancy", date="2026-11-01", id="again")
    assert bind("pregnancy", yes, no, again).value is True
    assert references(bind("pregnancy", yes, no, again)) == ["Condition/again"]


def test_a_status_that_is_recorded_both_ways_at_once_is_unknown():
    found = bind("pregnancy", fact("pregnancy"), fact("pregnancy", state="absent", id="no"))
    assert found.value is None
    assert found.gap == "Pregnancy: what holds now? The record says both."
    assert references(found) == ["Condition/pregnancy", "Condition/no"]


def test_a_past_status_counts_for_ever_whatever_holds_now():
    smoked = fact("smoking", date="2015-01-01")
    assert bind("smoking_ever", smoked).value is True
    assert bind("smoking_ever", smoked, fact("smoking", state="absent", id="no")).value is True
    assert bind("smoking", smoked, fact("smoking", state="absent", id="no")).value is False


def test_a_status_that_does_not_hold_now_may_have_held_once():
    does_not = fact("smoking", state="absent")
    assert bind("smoking", does_not).value is False
    assert bind("smoking_ever", does_not).value is None


def test_statements_of_a_status_that_agree_count_all():
    assert references(
        bind("pregnancy", fact("pregnancy", id="b"), fact("pregnancy", date="2026-10-03", id="a"))
    ) == [
        "Condition/b",
        "Condition/a",
    ]


def test_an_old_status_is_unknown_and_says_of_when_it_is():
    found = bind("pregnancy", fact("pregnancy", date="2025-01-01"))
    assert found.value is None
    assert found.gap == "Ask for pregnancy again: the latest is of 2025-01-01 and too old to rely on."
    assert bind("pregnancy", fact("pregnancy", state="absent", date="2025-01-01")).value is None


def test_an_undated_status_is_not_current_and_an_undated_diagnosis_is():
    undated = bind("pregnancy", fact("pregnancy", date=None))
    assert undated.value is None
    assert undated.gap == "Ask for pregnancy again: the latest is of an unknown date and too old to rely on."
    assert bind("hypertension", fact("hypertension", date=None)).value is True


def test_what_the_patients_sex_or_age_rules_out_is_shown_without_a_date():
    ruled_out = msgspec.structs.replace(fact("pregnancy", state="absent"), evidence=snapshot().patient.evidence)
    assert bind("pregnancy", ruled_out).shown == "absent"


@pytest.mark.parametrize(
    ("concept", "needed"),
    [
        ("hypertension", {"Condition"}),
        ("metformin", {"MedicationRequest"}),
        ("metformin_allergy", {"AllergyIntolerance"}),
        ("retinal_screening", {"Procedure"}),
        ("family_diabetes", {"FamilyMemberHistory"}),
        ("pregnancy", {"Condition", "Observation"}),
    ],
)
def test_what_nobody_recorded_is_absent_only_where_all_of_its_places_were_read_whole(concept, needed):
    rule = {"when_absent": "absent"}
    assert bind_where(concept, categories=frozenset(needed), **rule).value is False
    for part in needed:
        assert bind_where(concept, categories=ALL - {part}, **rule).value is None


def test_what_a_presence_was_read_from_stands_by_date_and_then_by_name():
    facts = [
        fact("metformin", date=date, id=name) for date, name in (("2026", "c"), ("2025", "b"), ("2025", "a"))
    ]
    assert references(bind("metformin", *facts)) == [f"MedicationRequest/{name}" for name in "abc"]


def test_a_doubt_that_is_too_old_is_no_statement_and_one_of_the_past_counts_for_ever():
    assert bind("pregnancy", fact("pregnancy", state="unknown", date="2020")).evidence == ()
    past = bind("angioedema_ever", fact("angioedema", state="unknown", active=False))
    assert past.gap == "Angioedema, ever: does it hold? What is recorded leaves it open."


def test_undated_only_a_condition_is_current_where_there_is_a_limit_of_age():
    limit = {"max_age_days": 365}
    assert bind_where("hypertension", fact("hypertension", date=None), **limit).value is True
    assert bind_where("metformin", fact("metformin", date=None), **limit).value is None


def test_a_status_without_a_limit_of_age_contradicts_itself_where_a_statement_has_no_date():
    no, undated = fact("pregnancy", state="absent", id="no"), fact("pregnancy", date=None)
    found = bind_where("pregnancy", no, undated, max_age_days=None)
    assert (found.value, found.gap) == (None, "Pregnancy: what holds now? The record says both.")


def test_an_order_that_cannot_be_read_makes_a_medicine_unknown_and_not_absent():
    found = bind("metformin", fact("metformin", state="unknown"))
    assert found.value is None
    assert found.gap == "Metformin: does it hold? What is recorded leaves it open."
    assert len(found.evidence) == 1


def test_a_certain_presence_outweighs_a_doubtful_one_and_a_doubt_outweighs_an_absence():
    doubtful = fact("type_2_diabetes", state="unknown")
    assert bind("type_2_diabetes", doubtful, fact("type_2_diabetes")).value is True
    assert bind("type_2_diabetes", doubtful, fact("type_2_diabetes", state="absent")).value is None
    assert bind("type_2_diabetes", fact("type_2_diabetes", state="unknown", active=False)).value is False


def test_the_latest_statement_of_a_status_holds_also_when_it_is_that_nobody_knows():
    earlier = fact("pregnancy", state="absent", date="2026-11-20")
    open_now = bind("pregnancy", earlier, fact("pregnancy", state="unknown", date="2026-11-22", id="open"))
    assert (open_now.value, references(open_now)) == (None, ["Condition/open"])
    assert open_now.gap == "Pregnancy: does it hold? What is recorded leaves it open."
    assert bind("pregnancy", fact("pregnancy", state="unknown", date="2026-11-18"), earlier).value is False
    later = fact("pregnancy", date="2026-11-22")
    assert bind("pregnancy", fact("pregnancy", state="unknown", date="2026-11-20"), later).value is True
