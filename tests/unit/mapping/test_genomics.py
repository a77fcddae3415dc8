"""Gene findings: acted on only if pathogenic or likely pathogenic, germline, final and undisputed."""

from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.mapping import map_record
from careplan_exchange.model.codec import decode
from careplan_exchange.planner.bindings import Bindings
from tests.support.shared import SHARED, require_shared
from tests.unit.mapping.builders import (
    ICD,
    LOINC,
    TODAY,
    concept,
    condition,
    keys,
    observation,
    only,
    record,
    states,
)
from tests.unit.mapping.care_builders import HGNC, REPORTING, implication, part, variant


def brca1(state):
    """A finding of BRCA1, with the groups of genes that it belongs to."""
    return dict.fromkeys(("brca1_pathogenic", "brca_variant", "hereditary_breast_variant"), state)


@pytest.mark.parametrize("significance", ["LA6668-3", "LA26332-9"])
def test_a_pathogenic_germline_variant_is_a_finding(mapped, significance):
    for bodies in ((variant(), implication(significance)), (implication(significance), variant())):
        snapshot = mapped(*bodies)
        fact = only(snapshot, "brca1_pathogenic")
        assert (fact.kind, fact.state, fact.answer.code) == ("gene-finding", "present", significance)
        assert fact.evidence.reference == "Observation/i"
        assert [one.reference for one in fact.inputs] == ["Observation/v"]
        assert snapshot.issues == ()


def test_the_older_shapes_are_read(mapped):
    on_variant = variant(parts=[part("53037-8", (LOINC, "LA6668-3"))])
    alone = variant(code=concept((LOINC, "53037-8")), valueCodeableConcept=concept((LOINC, "LA6668-3")))
    bare = variant("1100", "BRCA1", parts=[part("53037-8", (LOINC, "LA6668-3"))])
    symbol = variant("BRCA1", None, parts=[part("53037-8", (LOINC, "LA6668-3"))])
    for body in (on_variant, alone, bare, symbol):
        assert states(mapped(body)) == brca1("present")


@pytest.mark.parametrize("significance", ["LA26333-7", "LA6682-4", "LA26334-5", "LA6675-8"])
def test_an_uncertain_or_benign_variant_is_never_acted_on(mapped, significance):
    snapshot = mapped(variant(), implication(significance))
    assert snapshot.facts == ()
    assert keys(snapshot)[0] in ("gene.uncertain", "gene.benign")


def test_a_somatic_variant_is_no_germline_finding(mapped):
    snapshot = mapped(variant("HGNC:7127", "MLH1", source="LA6684-0"), implication())
    assert (snapshot.facts, keys(snapshot)) == ((), ["gene.somatic"])
    tumour = mapped(variant(source="LA6684-0"), implication())
    assert states(tumour) == {"brca_tumor_variant": "present"}


def test_a_germline_variant_is_no_marker_of_a_tumour(mapped):
    assert "brca_tumor_variant" not in states(mapped(variant(), implication()))
    snapshot = mapped(variant("HGNC:3236", "EGFR"), implication())
    assert (snapshot.facts, keys(snapshot)) == ((), ["gene.unknown"])


SOMATIC = part("48002-0", (LOINC, "LA6684-0"))


@pytest.mark.parametrize(
    ("gene", "symbol", "change", "found"),
    [
        ("HGNC:3236", "EGFR", "NP_005219.2:p.Leu858Arg", "egfr_tumor_variant"),
        ("HGNC:427", "ALK", None, "alk_tumor_variant"),
        ("HGNC:10261", "ROS1", None, "ros1_tumor_variant"),
        ("HGNC:6407", "KRAS", "NP_004976.2:p.Gly12Cys", "kras_g12c"),
        ("HGNC:6407", "KRAS", "p.(Gly12Cys)", "kras_g12c"),
        ("HGNC:6407", "KRAS", "NP_004976.2:p.Gly12Asp", None),
        ("HGNC:6407", "KRAS", None, None),
        ("HGNC:1097", "BRAF", "NP_004324.2:p.Val600Glu", "braf_v600e"),
        ("HGNC:1097", "BRAF", "NP_004324.2:p.Val600Lys", None),
    ],
)
def test_a_somatic_variant_is_the_marker_that_its_gene_and_change_name(mapped, gene, symbol, change, found):
    named = [part("48005-3", ("http://varnomen.hgvs.org", change))] if change else []
    snapshot = mapped(variant(gene, symbol, source="LA6684-0", parts=named), implication())
    assert states(snapshot) == ({found: "present"} if found else {})
    assert keys(snapshot) == ([] if found else ["gene.somatic"])


def test_the_change_of_the_coding_dna_names_a_marker_too(mapped):
    named = [part("48004-6", ("http://varnomen.hgvs.org", "NM_004333.4:c.1799T>A"))]
    assert states(mapped(variant("HGNC:1097", "BRAF", source="LA6684-0", parts=named), implication())) == {
        "braf_v600e": "present"
    }


@pytest.mark.parametrize(
    "bodies",
    [
        (variant("HGNC:427", "ALK", source="LA6684-0"), implication("LA26333-7")),
        (variant("HGNC:427", "ALK", source="LA6684-0"), implication(), implication("LA26333-7", id="j")),
        (
            variant("HGNC:427", "ALK", source="LA6684-0", valueCodeableConcept=concept((LOINC, "LA9634-2"))),
            implication(),
        ),
        (variant("HGNC:427", "ALK", source="LA6684-0", valueCodeableConcept=None), implication()),
        (variant("HGNC:427", "ALK", source="LA6683-2", parts=[SOMATIC]), implication()),
        (variant("HGNC:427", "ALK", source=None), implication()),
    ],
    ids=["uncertain", "disputed", "absent", "not told", "germline and somatic", "source not told"],
)
def test_a_variant_that_is_not_surely_pathogenic_present_and_somatic_is_no_marker(mapped, bodies):
    snapshot = mapped(*bodies)
    assert snapshot.facts == ()
    assert keys(snapshot)


@pytest.mark.parametrize(
    ("code", "answer", "found"),
    [
        ("18474-7", "LA6576-8", {"her2_positive": "present"}),
        ("48676-1", "LA6577-6", {"her2_positive": "absent"}),
        ("85337-4", "LA6576-8", {"er_positive": "present"}),
        ("16112-5", "LA6577-6", {"er_positive": "absent"}),
        ("40557-1", "LA6576-8", {"pr_positive": "present"}),
        ("85147-7", "LA6576-8", {"pdl1_positive": "present"}),
        ("81695-9", "LA26203-2", {"msi_high": "present"}),
        ("81695-9", "LA26202-4", {"msi_high": "absent"}),
        ("81695-9", "LA11884-6", {"msi_high": "unknown"}),
    ],
)
def test_a_test_of_a_tumour_is_its_answer(mapped, code, answer, found):
    snapshot = mapped(observation(code, valueCodeableConcept=concept((LOINC, answer)), valueQuantity=None))
    assert states(snapshot) == found


def test_her2_by_its_grade_is_positive_equivocal_or_negative(mapped):
    for grade, state in (("3+", "present"), ("2+", "unknown"), ("1+", "absent")):
        body = observation("18474-7", valueCodeableConcept={"text": grade}, valueQuantity=None)
        assert states(mapped(body)) == {"her2_positive": state}


def test_mutational_burden_is_a_number_in_mutations_a_megabase(mapped):
    for unit in ("1/1000000{Base}", "mut/Mb"):
        body = observation("94076-7", valueQuantity={"value": 12, "code": unit, "unit": unit})
        assert only(mapped(body), "tumor_mutational_burden").value == 12


@pytest.mark.parametrize(
    "body",
    [
        variant(source=None),
        variant(valueCodeableConcept=None),
        variant(parts=[part("48002-0", (LOINC, "LA18194-3"))]),
    ],
)
def test_a_variant_that_is_not_said_to_be_present_and_germline_is_unknown(mapped, body):
    snapshot = mapped(body, implication())
    assert (states(snapshot), keys(snapshot)) == (brca1("unknown"), ["gene.source-missing"])


def test_a_variant_that_was_not_found_is_no_finding_and_no_absence(mapped):
    snapshot = mapped(variant(valueCodeableConcept=concept((LOINC, "LA9634-2"))), implication())
    assert (snapshot.facts, keys(snapshot)) == ((), ["gene.not-found"])


@pytest.mark.parametrize(
    ("gene", "symbol"), [("HGNC:7235", "MSH2"), ("HGNC:1100", "BRCA2"), ("HGNC:1100", "XYZ1"), ("1101", "BRCA1")]
)
def test_an_id_that_is_not_the_symbols_stops_every_action(mapped, gene, symbol):
    snapshot = mapped(variant(gene, symbol), implication())
    assert (snapshot.facts, keys(snapshot)) == ((), ["gene.mismatch"])
    assert snapshot.issues[0].severity == "error"


@pytest.mark.parametrize(
    ("bodies", "key"),
    [
        ((variant("HGNC:882", "ATR"), implication()), "gene.unknown"),
        ((variant(component=[]), implication()), "gene.missing"),
        ((implication(),), "gene.variant-missing"),
        ((variant(),), "gene.unclassified"),
        ((variant(), implication("LA9999-9")), "gene.significance"),
        ((variant(status="preliminary"),), "status.not-used"),
        ((variant(status="entered-in-error"),), "status.entered-in-error"),
        ((variant(effectiveDateTime="2027-01-01"),), "date.future"),
        ((variant(focus=[{"reference": "Patient/child"}]),), "subject.focus"),
        ((variant(code=concept((LOINC, "84413-4"))),), "gene.not-used"),
    ],
)
def test_what_is_not_acted_on_says_why(mapped, bodies, key):
    snapshot = mapped(*bodies)
    assert (snapshot.facts, keys(snapshot)) == ((), [key])


def test_a_preliminary_variant_leaves_its_significance_without_one(mapped):
    snapshot = mapped(variant(status="preliminary"), implication())
    assert (snapshot.facts, keys(snapshot)) == ((), ["gene.variant-missing", "status.not-used"])


def test_observations_that_disagree_on_one_variant_are_told_and_not_acted_on(mapped):
    named = [part("48004-6", ("http://varnomen.hgvs.org", "NM_007294.4:c.68_69del"))]
    other = variant(id="w", parts=named)
    for second in (implication("LA26333-7", id="j"), implication("LA6675-8", id="j", of_="Observation/w")):
        snapshot = mapped(variant(parts=named), implication(), other, second)
        assert states(snapshot) == brca1("unknown")
        assert "gene.conflict" in keys(snapshot)


def test_another_variant_of_the_gene_does_not_dispute_it(mapped):
    snapshot = mapped(
        variant(), implication(), variant(id="w"), implication("LA26333-7", id="j", of_="Observation/w")
    )
    assert (states(snapshot), keys(snapshot)) == (brca1("present"), ["gene.uncertain"])


def overall(value, *genes):
    parts = [part("48018-6", (HGNC, gene)) for gene in genes]
    return observation("51968-6", valueCodeableConcept=concept((LOINC, value)), component=parts)


def test_a_negative_panel_is_an_absence_for_the_genes_it_names(mapped):
    assert states(mapped(overall("LA6577-6", "HGNC:1100", "HGNC:1101"))) == {
        "brca1_pathogenic": "absent",
        "brca2_pathogenic": "absent",
    }
    for body in (overall("LA6577-6"), overall("LA6576-8", "HGNC:1100")):
        snapshot = mapped(body)
        assert (snapshot.facts, keys(snapshot)) == ((), ["gene.overall"])


def test_a_negative_panel_beside_a_finding_is_told_and_the_finding_stands(mapped, vocabulary):
    snapshot = mapped(variant(), implication(), overall("LA6577-6", "HGNC:1100"))
    assert {fact.state for fact in snapshot.of("brca1_pathogenic")} == {"present", "absent"}
    assert keys(snapshot) == ["gene.conflict"]
    assert Bindings(snapshot, vocabulary).binding("brca1_pathogenic").value is True


def test_a_negative_result_of_one_gene_says_nothing_of_a_group(mapped):
    snapshot = mapped(variant(), implication(), overall("LA6577-6", "HGNC:1101"))
    assert states(snapshot) == brca1("present") | {"brca2_pathogenic": "absent"}
    assert keys(snapshot) == []


def test_an_implication_that_names_another_gene_than_its_variant_stops_every_action(mapped):
    parts = [part("53037-8", (LOINC, "LA6668-3")), part("48018-6", (HGNC, "HGNC:1101"), display="BRCA2")]
    snapshot = mapped(variant(), implication(component=parts))
    assert (snapshot.facts, keys(snapshot)) == ((), ["gene.mismatch"])


def therapeutic(value="LA9657-3", **more):
    parts = [part("therapeutic-implication", (LOINC, value), system=REPORTING)]
    body = {"code": concept((REPORTING, "therapeutic-implication")), "component": parts}
    return implication(**(body | {"of_": "Observation/v"} | more))


def genotype(gene="HGNC:2621", symbol="CYP2C19"):
    return variant(gene, symbol, source=None, code=concept((LOINC, "84413-4")))


def test_a_phenotype_is_the_answer_of_its_gene(mapped):
    snapshot = mapped(therapeutic(), genotype())
    fact = only(snapshot, "cyp2c19_phenotype")
    assert (fact.kind, fact.state, fact.answer.code) == ("stage", "present", "LA9657-3")
    told = mapped(observation("79714-2", valueCodeableConcept=concept((LOINC, "LA10315-2"))))
    assert (only(told, "cyp2c19_phenotype").answer.code, told.issues) == ("LA10315-2", ())
    transporter = mapped(observation("79722-5", valueCodeableConcept=concept((LOINC, "LA25395-7"))))
    assert only(transporter, "slco1b1_phenotype").answer.code == "LA25395-7"


@pytest.mark.parametrize(
    ("bodies", "key"),
    [
        ((observation("79714-2", valueCodeableConcept=concept((LOINC, "LA11137-5"))),), "gene.phenotype"),
        ((observation("79714-2"),), "gene.phenotype"),
        ((therapeutic(),), "gene.missing"),
        ((therapeutic("LA6677-4"), genotype()), "gene.implication"),
        ((therapeutic(), genotype("HGNC:2623")), "gene.mismatch"),
    ],
)
def test_an_indeterminate_phenotype_is_unknown_and_not_normal(mapped, bodies, key):
    snapshot = mapped(*bodies)
    assert snapshot.facts == ()
    assert key in keys(snapshot)


def test_two_phenotypes_of_one_gene_that_disagree_are_unknown_whichever_is_newer(mapped):
    bodies = [
        observation("79714-2", valueCodeableConcept=concept((LOINC, code)), effectiveDateTime=on)
        for code, on in (("LA9657-3", "2020-01-01"), ("LA25391-6", "2026-01-01"))
    ]
    snapshot = mapped(*bodies)
    assert {(fact.state, fact.answer) for fact in snapshot.facts} == {("unknown", None)}
    assert keys(snapshot) == ["gene.phenotype-conflict"]


def test_a_susceptibility_without_a_gene_is_a_condition_of_its_own(mapped):
    for code in ("Z15.01", "Z15.02"):
        assert states(mapped(condition((ICD, code)))) == {"genetic_susceptibility": "present"}


BODIES = (
    variant(),
    implication(),
    implication("LA26333-7", id="j"),
    variant("HGNC:1101", "BRCA2", id="w"),
    implication("LA26332-9", id="k", of_="Observation/w"),
    genotype() | {"id": "g"},
    therapeutic(id="t", of_="Observation/g"),
    observation("79714-2", id="p", valueCodeableConcept=concept((LOINC, "LA25391-6"))),
)


@given(st.lists(st.sampled_from(range(len(BODIES))), min_size=2, max_size=4, unique=True))
def test_findings_do_not_depend_on_the_order_of_the_record(mappings, vocabulary, chosen):
    found = set()
    for ordered in permutations(chosen):
        snapshot = map_record(record(*(BODIES[number] for number in ordered)), mappings, vocabulary, today=TODAY)
        found.add((snapshot.facts, snapshot.issues))
    assert len(found) == 1


def fixtures():
    return sorted((SHARED / "fixtures/fmh-genetics").glob("*.json"))


def resources():
    """Every resource of the genomic fixtures, as one record of one patient."""
    found = {}
    for path in fixtures():
        whole = decode(path.read_bytes())
        bodies = [entry["resource"] for entry in whole["entry"]] if whole["resourceType"] == "Bundle" else [whole]
        for body in bodies:
            if body["resourceType"] in ("Observation", "DiagnosticReport", "FamilyMemberHistory"):
                for name in ("subject", "patient"):
                    if name in body:
                        body[name] = {"reference": "Patient/me"}
                found[f"{body['resourceType']}/{body.get('id')}"] = body
    return found


def test_the_published_examples_are_read_and_nothing_somatic_or_mistyped_is_acted_on(mapped):
    require_shared("fixtures/fmh-genetics")
    snapshot = mapped(*resources().values())
    found = {(fact.concept, fact.state) for fact in snapshot.facts if fact.kind in ("gene-finding", "stage")}
    assert ("cyp2c19_phenotype", "present") in found
    assert not [one for one in found if one[0].endswith("_pathogenic")]
    sources = {issue.key: issue.sources or (issue.source,) for issue in snapshot.issues}
    assert any("MSH2-del-var" in one for one in sources["mapping.gene.mismatch"])
    assert any("NOTCH1-significance" in one for one in sources["mapping.gene.uncertain"])


def test_the_published_markers_of_tumours_are_read_and_none_is_a_germline_finding(mapped):
    require_shared("fixtures/fmh-genetics")
    snapshot = mapped(*resources().values())
    found = {(fact.concept, fact.state) for fact in snapshot.facts if fact.kind == "circumstance"}
    for marker in ("egfr_tumor_variant", "ros1_tumor_variant", "her2_positive", "pdl1_positive", "msi_high"):
        assert (marker, "present") in found
    assert {fact.value for fact in snapshot.of("tumor_mutational_burden")} == {Decimal("29.8"), Decimal(250)}
    assert not [fact for fact in snapshot.facts if fact.kind == "gene-finding"]


def test_the_published_relatives_are_read(mapped):
    require_shared("fixtures/fmh-genetics")
    jenny = [body for key, body in resources().items() if "jenny" in key]
    snapshot = mapped(*jenny)
    assert sorted((fact.concept, fact.state, fact.answer.code) for fact in snapshot.facts) == [
        ("family_breast_cancer", "present", "NSIS"),
        ("family_breast_ovarian_first_degree", "present", "NSIS"),
        ("family_ovarian_cancer", "present", "MAUNT"),
    ]
    assert only(snapshot, "family_breast_cancer").value == 64
    assert {"family.late", "code.no-concept", "text.used"} <= set(keys(snapshot))
