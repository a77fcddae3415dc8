import pytest

from tests.cases.snapshots import vocabulary
from tests.unit.mapping.builders import RXNORM, SNOMED, allergy, concept, keys, only, order, states, status

METFORMIN, PRODUCT = (RXNORM, "6809"), (RXNORM, "860975")
LISINOPRIL = (RXNORM, "29046")
UNHEARD_OF = (RXNORM, "99999999")
IPS = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"


def medication(id_="m", **more):
    return {"resourceType": "Medication", "id": id_, **more}


def test_an_active_order_of_an_ingredient_or_its_product_is_taken(mapped):
    for coding in (METFORMIN, PRODUCT):
        fact = only(mapped(order(coding)), "metformin")
        assert (fact.kind, fact.state, fact.active, fact.effective) == (
            "medication",
            "present",
            True,
            "2026-01-01",
        )
        assert fact.coding.code == coding[1]


@pytest.mark.parametrize("code", ["stopped", "completed", "cancelled", "ended"])
def test_an_order_that_has_ended_is_taken_no_more(mapped, code):
    assert states(mapped(order(METFORMIN, status=code))) == {"metformin": "ended"}


@pytest.mark.parametrize(
    "more",
    [{"status": "on-hold"}, {"status": "unknown"}, {"status": None}, {"intent": None}, {"intent": "banana"}],
)
def test_an_order_that_leaves_it_open_makes_the_medicine_unknown(mapped, more):
    snapshot = mapped(order(METFORMIN, **more))
    assert (states(snapshot), keys(snapshot)) == ({"metformin": "unknown"}, ["medication.uncertain"])


@pytest.mark.parametrize(
    "more",
    [
        {"intent": "proposal"},
        {"intent": "plan"},
        {"intent": "option"},
        {"status": "draft"},
        {"doNotPerform": True},
    ],
)
def test_an_idea_or_a_prohibition_is_not_taking(mapped, more):
    snapshot = mapped(order(METFORMIN, **more))
    assert (snapshot.facts, keys(snapshot)) == ((), ["medication.not-taken"])


def test_an_order_entered_in_error_is_no_order(mapped):
    snapshot = mapped(order(METFORMIN, status="entered-in-error"))
    assert (snapshot.facts, keys(snapshot)) == ((), ["status.entered-in-error"])


def test_an_unmapped_medicine_rules_no_class_out(mapped, vocabulary):
    snapshot = mapped(order(UNHEARD_OF), order(METFORMIN))
    classes = {id_ for id_, concept_ in vocabulary.concepts.items() if concept_.kind == "medication"}
    assert states(snapshot) == dict.fromkeys(classes, "unknown") | {"metformin": "present"}
    assert only(snapshot, "arb").evidence.reference == "MedicationRequest/1"
    assert [(issue.key, issue.severity) for issue in snapshot.issues] == [
        ("mapping.medication.unmapped", "warning")
    ]
    assert "99999999" in snapshot.issues[0].detail


def test_an_unmapped_medicine_of_the_past_rules_out_what_any_record_rules_out(mapped):
    snapshot = mapped(order(UNHEARD_OF, status="stopped"))
    assert snapshot.facts == ()
    assert [(issue.key, issue.severity) for issue in snapshot.issues] == [
        ("mapping.medication.unmapped", "information")
    ]


def test_a_product_without_an_ingredient_of_ours_is_known_to_hold_none(mapped):
    snapshot = mapped(order((RXNORM, "308182")))
    assert (snapshot.facts, keys(snapshot)) == ((), ["code.no-concept"])


def test_penicillin_v_potassium_is_no_potassium(mapped):
    assert mapped(order((RXNORM, "834102"))).facts == ()


@pytest.mark.parametrize(
    ("text", "found"), [("Lisinopril", True), ("stop lisinopril", False), ("lisinopril 10 mg", False)]
)
def test_a_medicine_told_as_text_counts_only_as_a_whole(mapped, text, found):
    snapshot = mapped(order(medicationCodeableConcept={"text": text}))
    assert (states(snapshot).get("ace_inhibitor") == "present") is found
    assert keys(snapshot) == (["text.used"] if found else ["medication.unmapped"])
    assert found or text not in snapshot.issues[0].detail


def test_a_medicine_whose_codes_disagree_may_be_either_and_is_told(mapped):
    snapshot = mapped(order(METFORMIN, LISINOPRIL))
    assert states(snapshot) == {"metformin": "unknown", "ace_inhibitor": "unknown"}
    assert keys(snapshot) == ["code.conflict"]


def test_a_contained_medication_is_read(mapped):
    body = order(
        medicationReference={"reference": "#m"},
        contained=[{"resourceType": "Practitioner", "id": "m"}, medication(code=concept(PRODUCT))],
    )
    assert states(mapped(body)) == {"metformin": "present"}


@pytest.mark.parametrize(
    "reference",
    ["Medication/m", "https://ehr.example/fhir/Medication/m", "Medication/m/_history/2", "urn:uuid:m"],
)
def test_a_medication_that_came_with_the_record_is_read(mapped, reference):
    snapshot = mapped(order(medicationReference={"reference": reference}), medication(code=concept(PRODUCT)))
    assert (states(snapshot), snapshot.issues) == ({"metformin": "present"}, ())


def test_each_order_reads_its_own_medication(mapped):
    snapshot = mapped(
        medication("a", code=concept(LISINOPRIL)),
        medication("b", code=concept(PRODUCT)),
        order(medicationReference={"reference": "Medication/b"}),
        order(medicationReference={"reference": "Medication/a"}),
    )
    assert only(snapshot, "metformin").evidence.reference == "MedicationRequest/3"
    assert only(snapshot, "ace_inhibitor").evidence.reference == "MedicationRequest/4"


@pytest.mark.parametrize(
    "contained",
    [[], [{"resourceType": "Medication", "id": "m", "code": "metformin"}], ["nonsense"], [medication("other")]],
)
def test_a_reference_that_leads_nowhere_rules_no_class_out(mapped, contained):
    snapshot = mapped(order(medicationReference={"reference": "#m"}, contained=contained))
    assert set(states(snapshot).values()) == {"unknown"}
    assert keys(snapshot) == ["medication.unmapped"]


@pytest.mark.parametrize(
    "body", [order(), order(medicationReference={}), order(medicationReference={"reference": "Medication/gone"})]
)
def test_an_order_without_a_medicine_rules_no_class_out(mapped, body):
    snapshot = mapped(body)
    assert set(states(snapshot).values()) == {"unknown"}
    assert keys(snapshot) == ["medication.unmapped"]


def test_a_medication_that_cannot_be_read_rules_no_class_out(mapped):
    snapshot = mapped(order(medicationReference={"reference": "Medication/m"}), medication(code="metformin"))
    assert set(states(snapshot).values()) == {"unknown"}
    assert keys(snapshot) == ["medication.unmapped", "resource.unreadable"]


def test_ingredients_stand_for_a_product_that_is_not_known(mapped):
    for items in (
        [{"itemCodeableConcept": concept(METFORMIN)}, {"itemCodeableConcept": concept((RXNORM, "308182"))}],
        [{"item": {"concept": concept(METFORMIN)}}],
    ):
        for code in ({"code": concept(UNHEARD_OF)}, {}):
            body = order(
                medicationReference={"reference": "#m"}, contained=[medication(ingredient=items, **code)]
            )
            assert states(mapped(body)) == {"metformin": "present"}


@pytest.mark.parametrize(
    "other", [{"itemCodeableConcept": concept(UNHEARD_OF)}, {"itemReference": {"reference": "Substance/1"}}]
)
@pytest.mark.parametrize("code", [{"code": concept(UNHEARD_OF)}, {}])
def test_one_ingredient_that_is_not_known_leaves_the_product_not_known(mapped, other, code):
    items = [{"itemCodeableConcept": concept(METFORMIN)}, other]
    body = order(medicationReference={"reference": "#m"}, contained=[medication(ingredient=items, **code)])
    assert keys(mapped(body)) == ["medication.unmapped"]


def test_the_shapes_of_r5_are_read(mapped):
    assert states(mapped(order(medication={"concept": concept(METFORMIN)}))) == {"metformin": "present"}
    body = order(medication={"reference": {"reference": "#m"}}, contained=[medication(code=concept(METFORMIN))])
    assert states(mapped(body)) == {"metformin": "present"}


def test_an_order_that_cannot_be_read_rules_no_class_out(mapped):
    snapshot = mapped(order(METFORMIN, authoredOn=7))
    assert set(states(snapshot).values()) == {"unknown"}
    assert keys(snapshot) == ["resource.unreadable"]
    assert snapshot.issues[0].expression == "MedicationRequest.authoredOn"


def test_a_medication_that_no_order_refers_to_is_listed(mapped):
    assert keys(mapped(medication(code=concept(PRODUCT)))) == ["type.not-read"]


def test_our_own_proposal_never_counts(mapped):
    ours = {"system": "urn:careplan-exchange:identity", "value": "abc"}
    snapshot = mapped(order(METFORMIN, identifier=[ours]))
    assert (snapshot.facts, snapshot.issues) == ((), ())


def test_an_allergy_to_an_ingredient_is_an_allergy_to_its_class(mapped):
    fact = only(mapped(allergy(LISINOPRIL)), "ace_inhibitor_allergy")
    assert (fact.kind, fact.state, fact.effective) == ("allergy", "present", "2019-01-01")
    assert states(mapped(allergy((RXNORM, "833036")))) == {"ace_inhibitor_allergy": "present"}
    assert states(mapped(allergy(code={"text": "ACE inhibitors"}))) == {"ace_inhibitor_allergy": "present"}


@pytest.mark.parametrize("verification", [None, "confirmed", "unconfirmed", "presumed"])
def test_an_unconfirmed_allergy_counts(mapped, verification):
    body = allergy(LISINOPRIL, verificationStatus=status(verification) if verification else None)
    assert states(mapped(body)) == {"ace_inhibitor_allergy": "present"}


def test_an_allergy_that_is_past_refuted_or_an_error_does_not_count(mapped):
    assert states(mapped(allergy(LISINOPRIL, clinicalStatus=status("resolved")))) == {
        "ace_inhibitor_allergy": "ended"
    }
    refuted = mapped(allergy(LISINOPRIL, verificationStatus=status("refuted")))
    assert (refuted.facts, keys(refuted)) == ((), ["status.refuted"])
    error = mapped(allergy(LISINOPRIL, verificationStatus=status("entered-in-error")))
    assert (error.facts, keys(error)) == ((), ["status.entered-in-error"])


FOODS = ("nut_allergy", "seafood_allergy", "milk_allergy", "egg_allergy", "other_food_allergy")
# Every other allergy that a rule may ask for: a new one that the statements forget fails here.
NO_MEDICINE = {
    one.id: "absent" for one in vocabulary().concepts.values() if one.kind == "allergy" and one.id not in FOODS
}
ALL_ABSENT = NO_MEDICINE | dict.fromkeys(FOODS, "absent")


@pytest.mark.parametrize(
    ("body", "absent", "told"),
    [
        (allergy((IPS, "no-known-allergies")), ALL_ABSENT, []),
        (allergy((IPS, "no-known-medication-allergies")), NO_MEDICINE, []),
        (allergy((IPS, "no-known-food-allergies")), dict.fromkeys(FOODS, "absent"), []),
        (allergy(code={"text": "NKDA"}), NO_MEDICINE, ["text.used"]),
        (
            allergy(code=concept((SNOMED, "716186003"), display="No known allergy (situation)")),
            ALL_ABSENT,
            ["text.used"],
        ),
    ],
)
def test_no_known_allergies_is_an_absence(mapped, body, absent, told):
    snapshot = mapped(body)
    assert (states(snapshot), keys(snapshot)) == (absent, told)


def test_an_allergy_whose_codes_disagree_is_an_allergy_to_each_and_is_told(mapped):
    snapshot = mapped(allergy(METFORMIN, LISINOPRIL))
    assert states(snapshot) == {"metformin_allergy": "present", "ace_inhibitor_allergy": "present"}
    assert keys(snapshot) == ["code.conflict"]


def test_an_allergy_that_is_also_told_as_none_counts_and_is_told(mapped):
    snapshot = mapped(allergy((IPS, "no-known-allergies"), LISINOPRIL))
    assert (states(snapshot), keys(snapshot)) == ({"ace_inhibitor_allergy": "present"}, ["code.conflict"])


def test_an_empty_allergy_list_is_not_an_absence(mapped):
    assert mapped().facts == ()


def test_no_known_allergies_beside_an_allergy_is_a_conflict(mapped):
    snapshot = mapped(allergy((IPS, "no-known-allergies")), allergy(LISINOPRIL))
    assert (states(snapshot), keys(snapshot)) == ({"ace_inhibitor_allergy": "present"}, ["allergy.conflict"])


def test_no_known_allergies_beside_an_unreadable_one_is_a_conflict(mapped):
    snapshot = mapped(allergy((IPS, "no-known-allergies")), allergy(LISINOPRIL, category="food"))
    assert (snapshot.facts, keys(snapshot)) == ((), ["allergy.conflict", "resource.unreadable"])


def test_a_pollen_allergy_does_not_contradict_no_known_medication_allergies(mapped):
    pollen = allergy((SNOMED, "418689008"), category=["environment"])
    snapshot = mapped(allergy((IPS, "no-known-medication-allergies")), pollen)
    assert (states(snapshot), keys(snapshot)) == (NO_MEDICINE, ["code.no-concept"])
    uncategorised = allergy((SNOMED, "418689008"))
    assert "allergy.conflict" in keys(mapped(allergy((IPS, "no-known-medication-allergies")), uncategorised))


def test_a_past_allergy_keeps_its_class_from_being_absent(mapped):
    past = allergy(LISINOPRIL, clinicalStatus=status("inactive"))
    assert states(mapped(allergy((IPS, "no-known-allergies")), past)) == ALL_ABSENT | {
        "ace_inhibitor_allergy": "ended"
    }


def test_a_statement_of_absence_that_is_no_longer_active_says_nothing(mapped):
    snapshot = mapped(allergy((IPS, "no-known-allergies"), clinicalStatus=status("inactive")))
    assert (snapshot.facts, keys(snapshot)) == ((), ["code.no-concept"])


def test_an_allergy_of_no_class_and_one_without_a_code_are_issues(mapped):
    assert keys(mapped(allergy((RXNORM, "308182")))) == ["code.no-concept"]
    assert keys(mapped(allergy(code=None))) == ["code.missing"]
    assert keys(mapped(allergy(code={"text": "something"}))) == ["code.text-only"]
