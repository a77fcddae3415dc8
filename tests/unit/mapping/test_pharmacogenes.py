"""From the record to what the pharmacogenomics protocol asks for: genes, HLA alleles, single medicines, one line."""

from datetime import date

import pytest

from careplan_exchange import planner
from careplan_exchange.knowledge import documents
from tests.unit.mapping.builders import ICD, LOINC, RXNORM, concept, condition, observation, only, order, states
from tests.unit.mapping.care_builders import HGNC, REPORTING, implication, part

RESULT_DAY, PLAN_DAY = "2026-01-01", date(2026, 2, 1)


def told_of(gene, symbol, answer):
    parts = [
        part("therapeutic-implication", (LOINC, answer), system=REPORTING),
        part("48018-6", (HGNC, gene), display=symbol),
    ]
    code = concept((REPORTING, "therapeutic-implication"))
    return implication(code=code, component=parts, derivedFrom=[], effectiveDateTime=RESULT_DAY)


@pytest.mark.parametrize(
    ("gene", "symbol", "answer"),
    [
        ("HGNC:12014", "TPMT", "LA9657-3"),
        ("HGNC:23063", "NUDT15", "LA10317-8"),
        ("HGNC:12530", "UGT1A1", "LA9657-3"),
        ("HGNC:2638", "CYP3A5", "LA25391-6"),
        ("HGNC:74", "ABCG2", "LA25394-0"),
    ],
)
def test_a_phenotype_is_read_from_an_implication_that_names_its_gene(mapped, gene, symbol, answer):
    fact = only(mapped(told_of(gene, symbol, answer)), f"{symbol.lower()}_phenotype")
    assert (fact.state, fact.answer.code) == ("present", answer)


def test_an_id_under_another_symbol_is_no_phenotype(mapped):
    assert mapped(told_of("HGNC:12014", "NUDT15", "LA9657-3")).facts == ()


@pytest.mark.parametrize(("code", "concept_id"), [("50956-2", "hla_b_5701"), ("57979-7", "hla_b_1502")])
@pytest.mark.parametrize(("answer", "state"), [("LA9633-4", "present"), ("LA9634-2", "absent")])
def test_an_hla_allele_is_carried_or_not_as_the_laboratory_says(mapped, code, concept_id, answer, state):
    seen = mapped(observation(code, valueCodeableConcept=concept((LOINC, answer))))
    assert states(seen)[concept_id] == state


@pytest.mark.parametrize(
    ("code", "concepts"),
    [
        ("11289", {"warfarin", "vitamin_k_antagonist"}),
        ("32968", {"clopidogrel", "p2y12_inhibitor"}),
        ("190521", {"abacavir", "nrti"}),
        ("140587", {"nsaid_cyp2c9_short", "nsaid"}),
        ("41493", {"nsaid_cyp2c9_long", "nsaid"}),
    ],
)
def test_an_order_counts_for_its_single_medicine_and_for_its_class(mapped, code, concepts):
    assert concepts <= {fact.concept for fact in mapped(order((RXNORM, code))).facts}


def test_a_statin_is_simvastatin_or_another_and_never_both(mapped):
    others = "statin_other_than_simvastatin"
    simvastatin, rosuvastatin = (
        {fact.concept for fact in mapped(order((RXNORM, code))).facts} for code in ("36567", "301542")
    )
    assert "simvastatin" in simvastatin
    assert others not in simvastatin
    assert {others, "rosuvastatin"} <= rosuvastatin


def test_g6pd_deficiency_is_a_diagnosis_with_or_without_anaemia(mapped):
    for code in ("D55.0", "D75.A"):
        assert states(mapped(condition((ICD, code))))["g6pd_deficiency"] == "present"


def test_a_poor_metaboliser_on_azathioprine_is_a_red_flag_from_the_wire_to_the_plan(mapped, vocabulary):
    snapshot = mapped(order((RXNORM, "1256")), told_of("HGNC:12014", "TPMT", "LA9657-3"), today=PLAN_DAY)
    (protocol,) = (
        found
        for found in planner.load_protocols(documents("protocols"), vocabulary)
        if found.id == "pharmacogenomics"
    )
    plan = planner.plan(snapshot, (protocol,), vocabulary, planner.Policies())
    flagged = {activity.key: activity.priority for activity in plan.activities if activity.red_flag}
    assert flagged == {"pharmacogenomics/action/thiopurine-poor": "asap"}
