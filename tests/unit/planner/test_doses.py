"""A dose in words."""

import pytest

from careplan_exchange.planner.doses import doses

RANGE = {
    "low": {"value": 500, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"},
    "high": {"value": 1000, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"},
}
MOST = {"numerator": {"value": 2550, "unit": "mg"}, "denominator": {"value": 1, "code": "d"}}
A_WEEK = {"numerator": {"value": 5000, "code": "mg"}, "denominator": {"value": 1, "unit": "wk"}}


@pytest.mark.parametrize(
    ("dosage", "said"),
    [
        ({"text": "Two tablets."}, "Two tablets"),
        ({"patientInstruction": "With food"}, "With food"),
        ({"doseAndRate": [{"doseRange": RANGE}]}, "500 mg to 1000 mg"),
        ({"doseAndRate": [{"doseRange": {"low": RANGE["low"], "high": RANGE["low"]}}]}, "500 mg"),
        ({"doseAndRate": [{"doseRange": {"low": RANGE["low"]}}]}, "at least 500 mg"),
        ({"doseAndRate": [{"doseRange": {"high": RANGE["high"]}}]}, "up to 1000 mg"),
        ({"doseAndRate": [{"doseRange": {}}]}, ""),
        ({"doseAndRate": [{"doseQuantity": {"value": 2, "code": "{tbl}"}}]}, "2 {tbl}"),
        ({"doseAndRate": [{"rateQuantity": {"value": 2}}]}, ""),
        ({"asNeeded": True, "doseAndRate": [{"doseRange": RANGE}]}, "500 mg to 1000 mg, as needed"),
        ({"asNeededFor": [{"text": "pain"}, {"coding": [{"display": "fever"}]}]}, "as needed for pain or fever"),
        ({"asNeededFor": [{"coding": [{"code": "1"}]}]}, "as needed"),
        ({"asNeeded": False, "doseAndRate": [{"doseRange": RANGE}]}, "500 mg to 1000 mg"),
        ({"maxDosePerPeriod": [MOST, A_WEEK]}, "at most 2550 mg in 1 d, at most 5000 mg in 1 wk"),
        ({"text": "500 mg, at most 2550 mg a day", "maxDosePerPeriod": [MOST]}, "500 mg, at most 2550 mg a day"),
        ({"maxDosePerPeriod": [{"numerator": MOST["numerator"]}]}, "at most 2550 mg"),
        ({"maxDosePerPeriod": [{"numerator": {"comparator": "<", "value": 4, "unit": "g"}}]}, "at most <4 g"),
        ({"maxDosePerPeriod": [{"denominator": MOST["denominator"]}], "asNeeded": True}, "as needed"),
        ({"doseAndRate": [{"doseRange": None, "doseQuantity": {"unit": "mg"}}], "maxDosePerPeriod": None}, ""),
        ({}, ""),
    ],
)
def test_a_dose_is_told_in_its_own_words_or_by_its_amounts(dosage, said):
    assert doses([dosage]) == said


def test_several_doses_are_told_one_after_the_other():
    assert doses([{"text": "10 mg a day"}, {}, {"text": "then 20 mg"}]) == "10 mg a day; then 20 mg"
