"""A worse value never makes the gate laxer: every medicine, alone, along a scale from healthy to dangerous."""

from itertools import pairwise

import pytest

from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.safety import check
from tests.cases.snapshots import fact, policies, snapshot, vocabulary
from tests.support.gates import activity

SCALES = {
    "egfr": ["90", "59", "49", "44", "34", "29", "19", "14", "8"],
    "potassium": ["4.5", "5.1", "5.6", "6.1", "7.0"],
    "alt": ["20", "130", "200", "500"],
    "hemoglobin": ["14", "9", "7.5", "6"],
    "platelets": ["250", "90", "45", "15"],
    "lvef": ["60", "45", "38", "25"],
    "systolic_bp": ["130", "150", "185", "220"],
    "inr": ["1", "2.5", "4", "6"],
    "audit": ["2", "10", "25"],
    "creatine_kinase": ["100", "900", "3000", "9000"],
    "sodium": ["140", "132", "125", "118"],
    "neutrophils": ["4", "1.2", "0.4"],
    "heart_rate": ["70", "55", "45", "35"],
    "triglycerides": ["120", "400", "900"],
}
STRICT = {"withheld": 2, "warned": 1, "asked": 1, "reported": 0}


def everything():
    medicines = [
        activity(name, medicines=(name,))
        for name, one in vocabulary().concepts.items()
        if one.kind == "medication"
    ]
    codes = (
        "strenuous-exercise",
        "weight-loss",
        "fasting",
        "fluids-more",
        "fluids-less",
        "potassium-rich-diet",
        "contrast",
    )
    return [*medicines, *(activity(code, involves=(code,)) for code in codes)]


def strictness(one, bindings, concept):
    """The strictest word of any rule that looked at this value."""
    said = check([one], bindings, policies().safety)
    mine = [line for line in said if any(used.variable == concept for why in line.reasons for used in why.used)]
    return max((STRICT[line.action] for line in mine), default=0)


@pytest.mark.parametrize(("concept", "scale"), SCALES.items(), ids=list(SCALES))
def test_a_worse_value_never_gives_a_laxer_answer(concept, scale):
    patients = [Bindings(snapshot(fact(concept, value), birth="1980-05-01"), vocabulary()) for value in scale]
    laxer = []
    told = 0
    for one in everything():
        words = [strictness(one, patient, concept) for patient in patients]
        told = max(told, *words)
        laxer += [
            (one.title, better, worse)
            for (better, before), (worse, after) in pairwise(zip(scale, words, strict=True))
            if after < before
        ]
    assert laxer == []
    assert told > 0
