"""From a laboratory's result to a plan: what a germline variant, a variant of the tumour and an uncertain one come to."""

from functools import cache
from typing import Any

import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.mapping import load_mappings, map_record
from careplan_exchange.model.proposal import Proposal
from tests.cases.snapshots import ALL, TODAY, policies, protocol_documents, vocabulary
from tests.unit.mapping.builders import ICD, LOINC, concept, condition, observation, patient, record
from tests.unit.mapping.care_builders import implication, part, variant

CARRIER = "breast-cancer-and-brca/action/cascade"
PARP = "targeted-therapy/action/parp-germline"
GERMLINE_TEST = "targeted-therapy/action/germline-testing"
UNCERTAIN, BENIGN, SOMATIC = "LA26333-7", "LA6675-8", "LA6684-0"
OVARY = condition((ICD, "C56.1"), id="ovary")
CANCERS = [(ICD, code) for code in ("C50.911", "C56.1", "C61", "C25.9")]


@cache
def mappings():
    return load_mappings(knowledge.documents("mappings"), vocabulary())


@cache
def protocols():
    chosen = {"breast-cancer-and-brca", "targeted-therapy"}
    found = planner.load_protocols(protocol_documents(), vocabulary())
    return tuple(protocol for protocol in found if protocol.id in chosen)


def proposed(*bodies: dict[str, Any]) -> Proposal:
    whole = record(*bodies, of=patient(gender="female", birthDate="1981-01-01"), categories=ALL)
    snapshot = map_record(whole, mappings(), vocabulary(), today=TODAY)
    return planner.plan(snapshot, protocols(), vocabulary(), policies())


def lines(*bodies: dict[str, Any]) -> set[str]:
    return {line.key for line in proposed(*bodies).activities}


@pytest.mark.parametrize(
    ("gene", "symbol"), [("HGNC:1100", "BRCA1"), ("HGNC:1101", "BRCA2"), ("HGNC:26144", "PALB2")]
)
def test_a_pathogenic_germline_variant_makes_a_carrier(gene, symbol):
    assert CARRIER in lines(variant(gene, symbol), implication())


@pytest.mark.parametrize("significance", [UNCERTAIN, BENIGN, "LA26334-5", "LA6682-4"])
@pytest.mark.parametrize("source", ["LA6683-2", SOMATIC])
def test_an_uncertain_or_benign_variant_changes_no_line_and_asks_nothing_new(significance, source):
    for others in ((), (OVARY,)):
        without = proposed(*others)
        found = proposed(*others, variant(source=source), implication(significance))
        assert [line.key for line in found.activities] == [line.key for line in without.activities]
        assert found.goals == without.goals
        assert [gap.concept for gap in found.gaps] == [gap.concept for gap in without.gaps]


def test_a_variant_of_the_tumour_makes_no_carrier_and_leads_to_a_germline_test():
    found = lines(OVARY, variant(source=SOMATIC), implication())
    assert "targeted-therapy/action/parp-tumour" in found
    assert GERMLINE_TEST in found
    assert not {key for key in found if key.startswith("breast-cancer-and-brca/")}


def test_a_variant_of_a_tumour_without_a_cancer_on_record_proposes_nothing():
    assert not lines(variant(source=SOMATIC), implication())


@pytest.mark.parametrize("cancer", CANCERS, ids=[code for _, code in CANCERS])
def test_a_germline_variant_with_its_cancer_is_discussed_with_oncology(cancer):
    found = lines(condition(cancer, id="cancer"), variant(), implication())
    assert {PARP, CARRIER} <= found
    assert GERMLINE_TEST not in found


def test_a_variant_whose_source_is_not_told_starts_nothing_and_is_asked_for():
    plan = proposed(variant(source=None), implication())
    assert not plan.activities
    assert "hereditary_breast_variant" in {gap.concept for gap in plan.gaps}


def test_a_test_of_a_tumour_leads_to_oncology_only_with_its_cancer():
    her2 = observation("48676-1", valueCodeableConcept=concept((LOINC, "LA6576-8")), id="her2")
    breast = condition((ICD, "C50.911"), id="breast", onsetDateTime="2026-03-01")
    assert "targeted-therapy/action/her2" in lines(breast, her2)
    assert not lines(her2)
    negative = observation("48676-1", valueCodeableConcept=concept((LOINC, "LA6577-6")), id="her2")
    assert "targeted-therapy/action/her2" not in lines(breast, negative)


def test_the_change_decides_where_a_medicine_binds_one_change_alone():
    lung = condition((ICD, "C34.11"), id="lung")
    for change, expected in (("p.Gly12Cys", True), ("p.Gly12Asp", False)):
        named = [part("48005-3", ("http://varnomen.hgvs.org", f"NP_004976.2:{change}"))]
        kras = variant("HGNC:6407", "KRAS", source=SOMATIC, parts=named)
        assert ("targeted-therapy/action/kras-g12c" in lines(lung, kras, implication())) is expected
