"""The dose that a protocol names stands in what is written: in its own words, and in R5 as a Dosage too."""

import msgspec
import pytest

from careplan_exchange import planner
from careplan_exchange.knowledge import documents
from careplan_exchange.mapping import load_vocabulary
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from careplan_exchange.writer.lint import lint
from tests.support.plans import a_context, a_proposal

R4, R5 = TargetForm(release="R4"), TargetForm(release="R5")
FORMS = [R4, TargetForm(release="R4", rung="detail"), R5]
DAILY = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
RANGE = {
    "low": {"value": 500, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"},
    "high": {"value": 1000, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"},
}
DOSE = {"text": "500 to 1000 mg by mouth a day (label)", "timing": DAILY, "doseAndRate": [{"doseRange": RANGE}]}


def rendered(form, *dosage, **elements):
    proposal = a_proposal()
    medicine, *others = proposal.activities
    assert medicine.resource_kind == "MedicationRequest"
    medicine = msgspec.structs.replace(medicine, dosage=dosage, **elements)
    proposal = msgspec.structs.replace(proposal, activities=(medicine, *others))
    return render(proposal, a_context(), form)


def the(kind, found):
    (one,) = [each.body for each in found if each.type == kind]
    return one


def asked_in_r5(*dosage, **elements):
    return the("MedicationRequest", rendered(R5, *dosage, **elements))


@pytest.mark.parametrize("form", FORMS)
def test_the_dose_stands_in_the_text_of_the_plan_and_the_whole_is_valid(form):
    found = rendered(form, DOSE)
    text = the("CarePlan", found)["text"]["div"]
    assert "Dose:" in text
    assert text.count("500 to 1000 mg by mouth a day (label)") == 1
    links = {each.full_url: each.type for each in found}
    assert [issue for each in found for issue in lint(each.body, form.release, links)] == []


@pytest.mark.parametrize("form", FORMS[:2])
def test_in_r4_the_line_of_a_medicine_says_it_before_what_is_to_be_asked(form):
    plan = the("CarePlan", rendered(form, DOSE, questions=("Can the patient swallow?",)))
    (line,) = [
        each["detail"] for each in plan["activity"] if each.get("detail", {}).get("productCodeableConcept")
    ]
    assert line["description"].endswith(
        " Dose: 500 to 1000 mg by mouth a day (label). Ask first: Can the patient swallow?"
    )


def test_in_r5_it_is_a_dosage_and_stands_in_the_instruction():
    medicine = asked_in_r5(DOSE)
    assert medicine["dosageInstruction"] == [DOSE]
    assert "Dose: 500 to 1000 mg by mouth a day (label)." in medicine["note"][0]["text"]


def test_in_r5_a_dose_without_a_time_of_its_own_has_that_of_the_activity():
    without = {name: value for name, value in DOSE.items() if name != "timing"}
    monthly = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "mo"}}
    assert asked_in_r5(without, timing=monthly)["dosageInstruction"] == [{**without, "timing": monthly}]
    assert asked_in_r5(DOSE, timing=monthly)["dosageInstruction"] == [DOSE]


def doses_of(actions):
    for action in actions:
        if action.definition and action.definition.dosage:
            yield action.definition.dosage
        yield from doses_of(action.children)


def test_every_dose_of_our_own_protocols_is_a_dosage_of_r5():
    protocols = planner.load_protocols(documents("protocols"), load_vocabulary(documents("profiles")))
    named = list(doses_of(action for protocol in protocols for action in protocol.actions))
    assert any("maxDosePerPeriod" in dose for each in named for dose in each)
    for each in named:
        found = rendered(R5, *each)
        assert the("MedicationRequest", found)["dosageInstruction"] == [dict(dose) for dose in each]
        links = {one.full_url: one.type for one in found}
        assert [issue for one in found for issue in lint(one.body, "R5", links)] == []


def test_without_a_dose_nothing_is_said_of_one():
    assert "dosageInstruction" not in asked_in_r5()
    assert "Dose" not in asked_in_r5()["note"][0]["text"]
    assert "Dose:" not in the("CarePlan", rendered(R4))["text"]["div"]
