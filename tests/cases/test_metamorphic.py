"""What must not change a plan, and what must not make it laxer or bolder: over every golden patient, all protocols.

A change of the record has a known effect here without anybody saying what the plan is: that is what these test.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from careplan_exchange import planner
from careplan_exchange.planner.bindings import CATEGORIES
from careplan_exchange.sources import BundleSource
from tests.cases.golden import PATIENTS, bolder, laxer, plan_of, shape, whole, with_facts, without
from tests.cases.raw import bodies_of, codes_of, in_r5, mapped, recoded, renamed, with_unit, written
from tests.cases.snapshots import fact, policies, vocabulary
from tests.cases.test_clinical_cases import protocols
from tests.cases.test_safety_in_order import SCALES
from tests.support.r5 import CHANGED
from tests.support.shared import require_shared

NAMES = st.sampled_from(sorted(PATIENTS))
RECORDS = (5, 20, 30, 40, 50)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

# --- What is the same patient gets the same plan.


@FEW
@given(NAMES, st.randoms(use_true_random=False))
def test_the_order_of_facts_does_not_matter(name, chance):
    facts = list(PATIENTS[name].facts)
    chance.shuffle(facts)
    assert whole(with_facts(PATIENTS[name], facts)) == plan_of(name)


@FEW
@given(NAMES, st.permutations(range(len(protocols()))))
def test_the_order_of_protocols_does_not_matter(name, order):
    shuffled = [protocols()[place] for place in order]
    assert planner.plan(PATIENTS[name], shuffled, vocabulary(), policies()) == plan_of(name)


@cache
def irrelevant() -> tuple[str, ...]:
    """Concepts that no condition, equation, threshold or rule for the same measure of ours names."""
    rules = policies()
    conditions = str(msgspec.to_builtins([protocols(), rules], enc_hook=str))
    named = set(re.findall(r"%(\w+)", conditions))
    named |= set(re.findall(r"\w+", str([rules.risks, rules.thresholds, rules.combining])))
    named |= {name.removesuffix(end) for name in named for end in ("_days", "_ever")}
    concepts = vocabulary().concepts.values()
    kinds = {"measurement", "condition", "procedure"}
    return tuple(sorted(one.id for one in concepts if one.kind in kinds and one.id not in named))


@FEW
@given(NAMES, st.sampled_from(irrelevant()))
def test_a_fact_that_nothing_reads_does_not_matter(name, concept):
    kind = vocabulary().concepts[concept].kind
    more = fact(concept, "50" if kind == "measurement" else None, id="not-read", date="2026-11-01")
    assert whole(with_facts(PATIENTS[name], (more, *PATIENTS[name].facts))) == plan_of(name)


STRANGERS = [
    {"resourceType": "Observation", "id": "x1", "status": "final", "subject": {"reference": "Patient/p"},
     "code": {"coding": [{"system": "urn:nobody", "code": "1"}]}, "valueString": "blue"},
    {"resourceType": "Observation", "id": "x2", "status": "entered-in-error", "subject": {"reference": "Patient/p"},
     "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]}, "effectiveDateTime": "2026-11-20",
     "valueQuantity": {"value": Decimal("7.5"), "unit": "mmol/L"}},
    {"resourceType": "Basic", "id": "x4", "subject": {"reference": "Patient/p"}, "code": {"text": "note"}},
]  # fmt: skip
"""Of nothing that is read, or withdrawn."""


@FEW
@given(NAMES, st.sampled_from(STRANGERS))
def test_a_resource_that_says_nothing_of_the_patient_does_not_matter(name, stranger):
    assert lines([*written(name), stranger]) == lines(written(name))


def lines(bodies, release="R4"):
    """The plan of raw resources, without its issues: those of mapping may speak of what changed nothing."""
    return msgspec.structs.replace(whole(mapped(bodies, release)), issues=())


FACTORS: dict[str, tuple[str, Callable[[Decimal], Decimal]]] = {
    "hba1c": ("mmol/mol", lambda value: round((value - Decimal("2.152")) / Decimal("0.09148"), 2)),
    "glucose": ("mmol/L", lambda value: value / Decimal("18.0156")),
    "fasting_glucose": ("mmol/L", lambda value: value / Decimal("18.0156")),
    "ldl_cholesterol": ("mmol/L", lambda value: value / Decimal("38.67")),
    "total_cholesterol": ("mmol/L", lambda value: value / Decimal("38.67")),
    "hdl_cholesterol": ("mmol/L", lambda value: value / Decimal("38.67")),
    "triglycerides": ("mmol/L", lambda value: value / Decimal("88.57")),
    "creatinine": ("umol/L", lambda value: value * Decimal("88.4")),
    "uacr": ("mg/mmol", lambda value: value / Decimal("8.84")),
    "systolic_bp": ("kPa", lambda value: value * Decimal("0.133322387415")),
    "diastolic_bp": ("kPa", lambda value: value * Decimal("0.133322387415")),
    "potassium": ("meq/L", lambda value: value),
    "sodium": ("mEq/L", lambda value: value),
    "alt": ("ukat/L", lambda value: value / Decimal(60)),
    "body_weight": ("[lb_av]", lambda value: value / Decimal("0.45359237")),
}
"""For each concept another unit that laboratories send, and the value in it."""
MEASURED = {codes_of(concept)[0][1]: concept for concept in FACTORS}


def in_other_units(body):
    concept = MEASURED.get(body.get("code", {}).get("coding", [{}])[0].get("code"))
    return with_unit(body, *FACTORS[concept]) if concept and "valueQuantity" in body else body


@FEW
@given(NAMES)
def test_values_in_other_units_give_the_same_plan(name):
    """All but the digits: `8.1 %` is `8.1 %` again, 140 mg/dL may be 139.9999999."""
    bodies = written(name)
    changed = [in_other_units(body) for body in bodies]
    assume(changed != bodies)
    assert shape(whole(mapped(changed))) == shape(whole(mapped(bodies)))


@FEW
@given(NAMES, st.randoms(use_true_random=False))
def test_codes_of_another_system_that_mean_the_same_give_the_same_plan(name, chance):
    bodies = written(name)
    changed = [recoded(body, chance.choice) for body in bodies]
    assume(changed != bodies)
    assert shape(whole(mapped(changed))) == shape(whole(mapped(bodies)))


LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
ICD10, ICD9 = "http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-9-cm"
EQUIVALENT = {
    "type 2 diabetes": [(SNOMED, "44054006"), (ICD10, "E11.9")],
    "hypertension": [(SNOMED, "59621000"), (ICD10, "I10"), (ICD9, "401.9")],
    "heart failure": [(SNOMED, "84114007"), (ICD10, "I50.9"), (ICD9, "428.0")],
    "chronic kidney disease": [(SNOMED, "709044004"), (ICD10, "N18.9"), (ICD9, "585.9")],
    "HbA1c": [(LOINC, "4548-4"), (LOINC, "17856-6")],
    "creatinine": [(LOINC, "2160-0"), (LOINC, "38483-4")],
    "potassium": [(LOINC, "2823-3"), (LOINC, "6298-4")],
    "LDL cholesterol": [(LOINC, "13457-7"), (LOINC, "18262-6"), (LOINC, "2089-1")],
    "eGFR": [(LOINC, "62238-1"), (LOINC, "98979-8"), (LOINC, "33914-3")],
}
AMOUNTS = {"HbA1c": (Decimal("8.4"), "%"), "creatinine": (Decimal("1.9"), "mg/dL"),
           "potassium": (Decimal("6.2"), "mmol/L"), "LDL cholesterol": (Decimal(171), "mg/dL"),
           "eGFR": (Decimal(27), "mL/min/{1.73_m2}")}  # fmt: skip


@pytest.mark.parametrize("what", EQUIVALENT)
def test_each_code_for_one_thing_gives_the_same_plan(what):
    """Written down here by hand: what ICD-10-CM, ICD-9-CM, SNOMED CT and several LOINC codes have in common."""
    person = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1961-05-01"}
    shapes = [shape(whole(mapped([person, *others(what), told(what, code)]))) for code in EQUIVALENT[what]]
    assert all(found == shapes[0] for found in shapes)
    assert shapes[0] != shape(whole(mapped([person, *others(what)])))


def told(what, code):
    body: dict[str, Any] = {"id": what.replace(" ", "-"), "subject": {"reference": "Patient/p"}}
    body["code"] = {"coding": [{"system": code[0], "code": code[1]}]}
    if what not in AMOUNTS:
        active = {"coding": [{"code": "active"}]}
        return body | {"resourceType": "Condition", "clinicalStatus": active, "recordedDate": "2024-02-02"}
    value, unit = AMOUNTS[what]
    amount = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    more = {"status": "final", "effectiveDateTime": "2026-10-02", "valueQuantity": amount}
    return body | {"resourceType": "Observation"} | more


def others(what):
    """Diabetes, pressure and a statin question for the laboratory to matter to."""
    return [told(name, EQUIVALENT[name][0]) for name in ("type 2 diabetes", "hypertension") if name != what]


@FEW
@given(NAMES)
def test_ids_renamed_give_the_same_plan(name):
    bodies = written(name)
    changed, old = renamed(bodies)
    assert named_alike(whole(mapped(changed)), old) == named_alike(whole(mapped(bodies)), {})


def named_alike(plan, old):
    """The plan with references under their old names; evidence, which goes by reference, in their order."""
    return _alike(msgspec.to_builtins(plan), old)


def _alike(value, old):
    if isinstance(value, dict):
        return {key: _alike(inner, old) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        found = [_alike(inner, old) for inner in value]
        named = all(isinstance(one, dict) and "reference" in one for one in found)
        return sorted(found, key=str) if named else found
    return old.get(value, value) if isinstance(value, str) else value


@FEW
@given(NAMES)
def test_a_record_in_r5_gives_the_same_plan_as_in_r4(name):
    bodies = written(name)
    assert lines(in_r5(bodies), "R5") == lines(bodies)


# --- Records as systems wrote them.


ON = date(2021, 4, 1)


@cache
def pulled(place):
    """One of the shared patients, by its place among them: from the smallest to the largest."""
    path = sorted(require_shared("fixtures/patients").glob("*.json"), key=lambda one: one.stat().st_size)[place]
    source = BundleSource(path.read_bytes(), identity="e", name=path.name)
    return list(bodies_of(asyncio.run(source.pull(source.patient_id()))))


def planned(bodies, release="R4"):
    return msgspec.structs.replace(whole(mapped(bodies, release, today=ON)), issues=())


@pytest.mark.parametrize("place", RECORDS)
def test_a_real_record_gives_the_same_plan_in_another_order_and_with_strangers_in_it(place):
    person, *bodies = pulled(place)
    strangers = [_told_of(stranger, person) for stranger in STRANGERS]
    assert planned([*strangers, *bodies[::-1], person]) == planned([person, *bodies])


def _told_of(stranger, person):
    return stranger | {"subject": {"reference": f"Patient/{person['id']}"}}


@pytest.mark.parametrize("place", RECORDS)
def test_a_real_record_gives_the_same_plan_under_other_ids(place):
    changed, old = renamed(pulled(place))
    assert named_alike(planned(changed), old) == named_alike(planned(pulled(place)), {})


@pytest.mark.parametrize("place", RECORDS)
def test_a_real_record_gives_the_same_plan_in_r5(place):
    bodies = [body for body in pulled(place) if body["resourceType"] in CHANGED]
    assert planned(in_r5(bodies), "R5") == planned(bodies)


# --- A worse laboratory never gives a laxer plan.

WORSE = SCALES | {
    "diastolic_bp": ["80", "95", "112", "125"],
    "uacr": ["10", "60", "400"],
    "glucose": ["100", "210", "310", "450"],
    "phq9": ["2", "12", "22"],
    "bmi": ["24", "31", "41"],
    "hba1c": ["5.5", "7.5", "10", "13"],
    "ldl_cholesterol": ["60", "120", "200"],
}
TREATS = {
    "bmi": {"glp1_ra", "naltrexone", "topiramate"},
    "diastolic_bp": {"ace_inhibitor", "arb", "dihydropyridine_ccb", "thiazide"},
    "egfr": {"sglt2_inhibitor", "glp1_ra"},  # the second where the first is too late
    "hba1c": {"metformin", "glp1_ra", "sglt2_inhibitor", "insulin"},
    "ldl_cholesterol": {"statin", "ezetimibe", "pcsk9_inhibitor"},
    "lvef": {"beta_blocker_selective", "ace_inhibitor", "arni", "mra", "sglt2_inhibitor"},
    "phq9": {"ssri"},
    "systolic_bp": {"ace_inhibitor", "arb", "dihydropyridine_ccb", "thiazide"},
    "triglycerides": {"fibrate"},
    "uacr": {"ace_inhibitor", "arb", "mra", "sglt2_inhibitor"},
}
"""The medicines that a protocol may start because the value is worse: they treat it, or what it is a sign of."""


@settings(FEW, max_examples=150)
@given(NAMES, st.sampled_from(sorted(WORSE)), st.data())
def test_a_worse_laboratory_never_gives_a_laxer_plan(name, concept, data):
    place = data.draw(st.integers(0, len(WORSE[concept]) - 2))
    better, worse = (measured(name, concept, value) for value in WORSE[concept][place : place + 2])
    assert laxer(better, worse, concept, frozenset(TREATS.get(concept, ()))) == []


@pytest.mark.parametrize(
    ("concept", "better", "worse", "seen"),
    [
        ("potassium", "4.5", "6.5", {"held back before", "said less of", "flag gone"}),
        ("egfr", "90", "14", {"held back before", "said less of"}),
    ],
)
def test_a_better_laboratory_is_seen_as_laxer(concept, better, worse, seen):
    """The comparison itself: turned round it finds what the worse value held back, warned of or flagged."""
    plans = ((measured(name, concept, worse), measured(name, concept, better)) for name in sorted(PATIENTS)[::8])
    found = [said for strict, lax in plans for said in laxer(strict, lax, concept, frozenset())]
    assert {said.partition(":")[0] for said in found} >= seen


@cache
def measured(name, concept, value):
    left = [one for one in PATIENTS[name].facts if one.concept != concept]
    return whole(with_facts(PATIENTS[name], [*left, fact(concept, value, date="2026-11-20")]))


# --- A fact removed never gives a bolder plan.


@settings(FEW, max_examples=200)
@given(NAMES, st.data())
def test_a_fact_removed_never_gives_a_bolder_plan(name, data):
    snapshot = PATIENTS[name]
    assume(snapshot.facts)
    concept = data.draw(st.sampled_from(sorted({one.concept for one in snapshot.facts})))
    kind = vocabulary().concepts[concept].kind
    after = whole(without(snapshot, concept, CATEGORIES.get(kind, frozenset())))
    assert bolder(plan_of(name), after, concept) == []


UNGUARDED = msgspec.structs.replace(policies(), safety=None)


def test_a_plan_without_the_gate_is_seen_as_bolder():
    """The comparison itself: what the gate held back, warned of or flagged is missed."""
    found = {
        said.partition(":")[0]
        for name in sorted(PATIENTS)[::8]
        for said in bolder(
            plan_of(name), planner.plan(PATIENTS[name], protocols(), vocabulary(), UNGUARDED), "none"
        )
    }
    assert found >= {"unwarned", "flag gone"}
