"""Published equations give what their papers, and separate implementations, give; and nothing outside their limits.

P1 to P4 are published; P5 and P6 are equal in two separate implementations.
"""

from decimal import Decimal

import pytest

from careplan_exchange import planner
from careplan_exchange.planner.bindings import Bindings
from tests.cases.snapshots import ALL, fact, policies, snapshot, vocabulary

OUTCOMES = ("cvd", "ascvd", "hf")
LOW_RISK = (
    "coronary_disease",
    "heart_failure",
    "stroke",
    "transient_ischemic_attack",
    "peripheral_artery_disease",
)


def bindings(*facts, birth="1976-05-01", gender="female"):
    return Bindings(snapshot(*facts, birth=birth, gender=gender, categories=ALL), vocabulary(), policies().risks)


def person(*, sex, born, tc, hdl, sbp, dm, smk, bmi, egfr, tx, st):
    flags = {
        "type_2_diabetes": dm,
        "type_1_diabetes": 0,
        "smoking": smk,
        "ace_inhibitor": tx,
        "statin": st,
        "myocardial_infarction": 0,
        "coronary_disease": 0,
    }
    facts = [fact(name, state="present" if there else "absent") for name, there in flags.items()]
    numbers = {"total_cholesterol": tc, "hdl_cholesterol": hdl, "systolic_bp": sbp, "bmi": bmi, "egfr": egfr}
    facts += [fact(name, value) for name, value in numbers.items() if value is not None]
    return bindings(*facts, birth=born, gender=sex)


NAMES = ("sex", "born", "tc", "hdl", "sbp", "dm", "smk", "bmi", "egfr", "tx", "st")
P1 = ("female", "1976-05-01", 200, 45, 160, 1, 0, 35, 90, 1, 0)
PEOPLE = {
    "P1": (P1, (14.6839, 9.1951, 8.0561), (52.9850, 35.4255, 38.9602)),
    "P2": (("male", *P1[1:]), (16.3171, 10.1944, 10.5911), (51.4398, 34.8594, 42.3597)),
    "P4": (("male", "1958-05-01", 300, 85, 150, 0, 1, 35, 65, 0, 1), (18.1744, 12.8762, 13.1358), None),
    "P5": (("female", "1961-05-01", 240, 40, 150, 1, 1, 33, 45, 1, 1), (41.6579, 27.4348, 28.7893), None),
    "P6": (
        ("male", "1986-05-01", 180, 60, 105, 0, 1, 22, 110, 0, 0),
        (1.5029, 0.9447, 0.6891),
        (9.3798, 5.5845, 4.8186),
    ),
}


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("years", [10, 30])
def test_prevent_gives_the_published_risk(name, years):
    given, ten, thirty = PEOPLE[name]
    found = [
        person(**dict(zip(NAMES, given, strict=True))).value(f"prevent_{outcome}_{years}y")
        for outcome in OUTCOMES
    ]
    expected = ten if years == 10 else thirty
    if expected is None:
        assert found == [None, None, None]
    else:
        assert [float(value) for value in found] == pytest.approx(expected, abs=0.0001)


def p1(**changes):
    return person(**(dict(zip(NAMES, P1, strict=True)) | changes))


def risk_of(found, model):
    (one,) = [of for of in policies().risks if of.model.id == model]
    return found.worked_out(one)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tc": 129}, "range:total_cholesterol"),
        ({"tc": 321}, "range:total_cholesterol"),
        ({"hdl": 101}, "range:hdl_cholesterol"),
        ({"sbp": 89}, "range:systolic_bp"),
        ({"sbp": 201}, "range:systolic_bp"),
        ({"egfr": 14}, "range:egfr"),
        ({"born": "1940-05-01"}, "range:age"),
        ({"tc": None}, "missing:total_cholesterol"),
        ({"tc": ">200"}, "missing:total_cholesterol"),
        ({"sex": "other"}, "missing:sex"),
    ],
)
def test_prevent_is_unknown_with_the_reason_outside_its_limits(changes, reason):
    found = p1(**changes)
    assert found.value("prevent_ascvd_10y") is None
    assert reason in risk_of(found, "prevent-ascvd-10y").reasons


def test_a_value_that_a_model_does_not_use_voids_only_the_others():
    found = p1(bmi=45, tc=None)
    assert found.value("prevent_hf_10y") is None
    assert p1(bmi=45).value("prevent_ascvd_10y") is not None
    assert p1(tc=None).value("prevent_hf_10y") is not None


def test_a_flag_that_is_not_known_is_not_taken_for_no():
    facts = [
        fact("total_cholesterol", 200),
        fact("hdl_cholesterol", 45),
        fact("systolic_bp", 160),
        fact("egfr", 90),
    ]
    found = bindings(*facts)
    assert found.value("prevent_ascvd_10y") is None
    assert "missing:smoking" in risk_of(found, "prevent-ascvd-10y").reasons


@pytest.mark.parametrize("concept", LOW_RISK)
def test_prevent_is_not_for_people_who_have_the_disease(concept):
    facts = [
        fact("total_cholesterol", 200),
        fact("hdl_cholesterol", 45),
        fact("systolic_bp", 160),
        fact("egfr", 90),
    ]
    flags = [fact(name, state="absent") for name in ("type_2_diabetes", "smoking", "statin", "ace_inhibitor")]
    worked = risk_of(bindings(*facts, *flags, fact(concept)), "prevent-ascvd-10y")
    assert (worked.state, worked.reasons) == ("excluded", (f"excluded:{concept}",))


@pytest.mark.parametrize(
    ("born", "ast", "alt", "platelets", "expected"),
    [
        ("1976-05-01", 40, 40, 200, 1.5811),
        ("1966-05-01", 80, 50, 120, 5.6569),
        ("1956-05-01", 35, 25, 180, 2.7222),
    ],
)
def test_fib4_gives_the_published_index(born, ast, alt, platelets, expected):
    found = bindings(fact("ast", ast), fact("alt", alt), fact("platelets", platelets), birth=born)
    assert float(found.value("fib4")) == pytest.approx(expected, abs=0.0001)


def test_fib4_of_a_value_of_zero_is_unknown():
    assert bindings(fact("ast", 40), fact("alt", 0), fact("platelets", 200)).value("fib4") is None


SCORED = (
    "heart_failure",
    "hypertension",
    "type_2_diabetes",
    "type_1_diabetes",
    "stroke",
    "transient_ischemic_attack",
)
SCORED += ("coronary_disease", "myocardial_infarction", "peripheral_artery_disease")


@pytest.mark.parametrize(
    ("gender", "born", "there", "vasc", "va"),
    [
        ("female", "1950-05-01", {"hypertension", "type_2_diabetes"}, 5, 4),
        ("male", "1956-05-01", set(), 1, 1),
        ("female", "1960-05-01", {"heart_failure", "stroke"}, 5, 4),
        ("female", "1976-05-01", set(), 1, 0),
        ("male", "1962-05-01", set(), 0, 0),
        ("male", "1951-05-01", set(), 2, 2),
    ],
)
def test_cha2ds2_gives_the_published_points(gender, born, there, vasc, va):
    facts = [fact(name, state="present" if name in there else "absent") for name in SCORED]
    found = bindings(*facts, fact("lvef", 60), birth=born, gender=gender)
    assert (found.value("cha2ds2_vasc"), found.value("cha2ds2_va")) == (Decimal(vasc), Decimal(va))


def test_points_that_may_be_missing_make_it_at_least():
    found = bindings(fact("atrial_fibrillation"), fact("hypertension"), fact("stroke"), birth="1950-05-01")
    worked = risk_of(found, "cha2ds2-va")
    assert worked.state == "at-least"
    assert worked.value.low == 5
    assert "missing:lvef" in worked.reasons
    (line,) = [one for one in planned(found).risks if one.id == "cha2ds2-va"]
    assert (line.value, line.band.code) == (Decimal(5), "recommended")
    assert "at least 5" in line.detail


def planned(found):
    return planner.plan(found.snapshot, (), vocabulary(), policies())


def test_a_line_shows_band_inputs_evidence_and_source():
    (line,) = [one for one in planned(p1()).risks if one.id == "prevent-ascvd-10y"]
    assert (line.state, line.value, line.band.code) == ("computed", Decimal("9.2"), "intermediate")
    assert "Observation/total-cholesterol" in {one.reference for one in line.evidence}
    assert {one.variable for one in line.used} >= {"age", "sex", "total_cholesterol", "systolic_bp", "smoking"}
    assert line.citation.url == "https://doi.org/10.1161/CIRCULATIONAHA.123.067626"
    assert "no confidence limit is published" in line.limits


def test_an_equation_that_is_not_about_the_patient_is_not_listed():
    assert {one.id for one in planned(p1(born="1940-05-01")).risks} == {"fib4"}
    assert "fib4" not in {one.id for one in planned(p1(dm=0, bmi=22)).risks}


def test_a_protocol_can_decide_by_a_result():
    from careplan_exchange.planner.expressions import compiled

    assert p1().truth(compiled("%prevent_ascvd_10y >= 7.5")) == "true"
    assert p1(tc=None).truth(compiled("%prevent_ascvd_10y >= 7.5")) == "unknown"
