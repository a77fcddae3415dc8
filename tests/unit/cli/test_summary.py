"""The plan in short, as a terminal shows it."""

import msgspec
import pytest

from careplan_exchange.cli.summary import print_summary
from careplan_exchange.model.detected import DetectedIssue
from careplan_exchange.model.proposal import DISCLAIMER
from tests.support.measured import a_measured_proposal
from tests.support.plans import a_proposal
from tests.support.together import a_whole_proposal


@pytest.fixture
def said(capsys):
    def summary(proposal) -> str:
        print_summary(proposal)
        return " ".join(capsys.readouterr().out.split())

    return summary


def issue(number, action, **more):
    plain = a_proposal()
    values = {
        "key": f"safety/{number}",
        "rule": "rule",
        "hazard": "liver",
        "severity": "high",
        "action": action,
        "certain": True,
        "title": "Painkiller",
        "detail": f"Hazard {number}.",
        "mitigation": "Another one.",
        "reasons": plain.goals[0].reasons,
        "citations": plain.goals[0].citations,
    }
    return DetectedIssue(**(values | more))


def test_what_the_patient_wants_and_the_first_steps_come_before_the_kinds(said):
    words = said(a_whole_proposal())
    order = [
        "In the patient's own words",
        "<b>walk & talk</b>",
        "Start with these",
        "Goals",
        "Medication",
        "Avoid",
    ]
    places = [words.index(part) for part in order]
    assert places == sorted(places)


def test_a_line_names_its_reason(said):
    assert "• Metformin. HbA1c 8.1 % (2026-01-02) is above 7 %." in said(a_proposal())


def test_a_dose_stands_with_its_medicine_in_words_or_by_its_amounts(said):
    proposal = a_proposal()
    medicine, *others = proposal.activities
    dosage = ({"text": "With food."}, {"doseAndRate": [{"doseQuantity": {"value": 500, "unit": "mg"}}]})
    medicine = msgspec.structs.replace(medicine, dosage=dosage)
    words = said(msgspec.structs.replace(proposal, activities=(medicine, *others)))
    assert "• Metformin. With food; 500 mg. HbA1c 8.1 %" in words


def test_goals_that_are_measured_show_values_and_trend_and_equations_their_band(said):
    words = said(a_measured_proposal())
    assert "HbA1c below 7 %. 8.8 % (2025-07-01), 8.1 % (2026-01-02): improving" in words
    assert "FIB-4 index: 4.66. Advanced fibrosis likely" in words
    assert "not worked out" not in words


def test_what_is_withheld_twice_for_one_reason_is_told_once(said):
    plain = a_proposal()
    again = msgspec.structs.replace(plain.withheld[0], key="other/action/statin", alternative="Ask a friend.")
    assert said(msgspec.structs.replace(plain, withheld=plain.withheld * 2)).count("Held back while") == 1
    assert "Instead: Ask a friend." in said(msgspec.structs.replace(plain, withheld=(again,)))


def test_a_medicine_that_is_taken_stands_once_with_all_its_hazards(said):
    words = said(msgspec.structs.replace(a_proposal(), detected=(issue(1, "reported"), issue(2, "reported"))))
    assert "Taken now, and a hazard • Painkiller. Hazard 1. Hazard 2." in words


def test_a_warning_stands_with_the_activity_that_it_is_about(said):
    plain = a_proposal()
    warned = issue(1, "warned", activities=(plain.activities[0].key,))
    assert "above 7 %. Caution: Hazard 1." in said(msgspec.structs.replace(plain, detected=(warned,)))


def test_what_does_not_fit_is_counted(said):
    plain = a_proposal()
    many = tuple(
        msgspec.structs.replace(plain.activities[0], key=f"x/{n}", title=f"Tablet {n}") for n in range(10)
    )
    words = said(msgspec.structs.replace(plain, activities=many))
    assert "Tablet 6" in words
    assert "Tablet 7" not in words
    assert "and 3 more on the page" in words


def test_the_disclaimer_stands_under_every_summary(said):
    assert said(a_proposal()).endswith(DISCLAIMER)
