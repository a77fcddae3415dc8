from decimal import Decimal
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from tests.support.measured import a_measured_proposal
from tests.support.plans import a_context, a_proposal

XHTML = "{http://www.w3.org/1999/xhtml}"


def div(proposal=None, **context):
    return render(proposal or a_proposal(), a_context(**context), TargetForm(release="R4"))[-1].body["text"][
        "div"
    ]


def parsed(text):
    return ET.fromstring(text)  # noqa: S314 - it is our own text that is looked at


def sections(proposal=None):
    tree = parsed(div(proposal))
    found = {}
    for element in tree:
        if element.tag == f"{XHTML}h3":
            heading = element.text
        elif element.tag == f"{XHTML}ul":
            found[heading] = ["".join(item.itertext()) for item in element]
    return found


def test_the_text_has_a_section_for_everything_a_reader_must_know():
    assert list(sections()) == ["Goals", "Activities", "Avoid", "Withheld", "What is not known", "Sources"]


def test_an_empty_section_is_left_out():
    assert "Avoid" not in sections(msgspec.structs.replace(a_proposal(), restrictions=()))


def test_a_goal_shows_its_reason_its_evidence_and_its_citation():
    assert sections()["Goals"][0] == (
        "HbA1c below 7 %Target: 4548-4 at most 7.0 %For the patient: Your sugar over three months"
        "Why: HbA1c 8.1 % (2026-01-02) is above 7 %.Read from: Observation/o1Source: Guideline 2025 <3> (A)"
    )


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (None, None, "Target: 4548-4For"),
        ("6.5", None, "Target: 4548-4 at least 6.5 %For"),
        ("6.50", "7", "Target: 4548-4 6.50 to 7 %For"),
        ("7", "7", "Target: 4548-4 7 %For"),
    ],
)
def test_a_target_is_shown_with_its_bounds_and_their_digits(low, high, shown):
    proposal = a_proposal()
    bounds = {"low": low and Decimal(low), "high": high and Decimal(high)}
    aim = msgspec.structs.replace(proposal.goals[0].targets[0], **bounds)
    goal = msgspec.structs.replace(proposal.goals[0], targets=(aim,))
    assert shown in sections(msgspec.structs.replace(proposal, goals=(goal,)))["Goals"][0]


def test_what_is_withheld_says_what_and_why():
    assert sections()["Withheld"][0].startswith(
        "Held back until a fact is known: StatinWhat: Held back while pregnancy is not known.Severity: high"
        "Why: Pregnancy is not known."
    )


def test_a_question_names_the_lines_that_wait_for_its_answer():
    assert sections()["What is not known"] == ["Is the patient pregnant? <ask>Needed for: Statin"]


def test_every_source_is_listed_once_and_only_web_addresses_become_links():
    tree = parsed(div())
    assert [a.get("href") for a in tree.iter(f"{XHTML}a")] == ["https://doi.org/10.1000/example?a=1&b=2"]
    assert sections()["Sources"][1:] == ["Guideline 2025 <3> (A)", "Label urn:isbn:0000"]


def test_how_far_a_goal_has_come_is_told_with_values_dates_and_the_next_measurement():
    (goal,) = sections(a_measured_proposal())["How far the goals have come"]
    assert goal == (
        "HbA1c below 7 %Values: HbA1c <NGSP> 8.8 % (2025-07-01), 8.1 % (2026-01-02), improving; next by 2026-04-02"
        "Together: not achieved"
    )


def test_equations_that_came_out_are_told_with_band_inputs_limits_and_source():
    computed, at_least = sections(a_measured_proposal())["Risk, by published equations"]
    assert computed == (
        "FIB-4 index: 4.66.What it estimates: advanced fibrosis of the liverBand: advanced fibrosis likely"
        "From: ast 81 U/L (2026-01-02)Limits: A screening index, not a diagnosis.Source: Equation <of> 2024"
    )
    assert at_least == (
        "CHA2DS2-VASc score: at least 2 score; stroke is not known.What it estimates: stroke in a year"
        "Limits: Not with a mechanical valve.Source: Equation <of> 2024"
    )
    assert sections(a_measured_proposal())["Sources"].count("Equation <of> 2024") == 1


def test_a_target_is_told_in_a_readable_unit():
    proposal = a_proposal()
    aim = msgspec.structs.replace(proposal.goals[0].targets[0], unit="mm[Hg]", high=Decimal(130))
    goal = msgspec.structs.replace(proposal.goals[0], targets=(aim,))
    assert "at most 130 mmHgFor" in sections(msgspec.structs.replace(proposal, goals=(goal,)))["Goals"][0]


def test_a_citation_cannot_bring_a_script_into_the_text():
    proposal = a_proposal()
    evil = msgspec.structs.replace(proposal.goals[0].citations[0], url="javascript:alert(1)")
    goal = msgspec.structs.replace(proposal.goals[0], citations=(evil,))
    shown = div(
        msgspec.structs.replace(proposal, goals=(goal,), activities=(), withheld=(), detected=(), restrictions=())
    )
    assert "<a" not in shown


def test_the_text_says_that_it_is_a_draft_for_a_clinician_and_not_an_order():
    assert "Draft for review by a clinician." in div()
    assert div(status="active") == div(), "the text must not flip with the status"


def test_neither_the_day_of_the_run_nor_the_due_date_is_in_the_text():
    assert "2026-03-04" not in div()
    assert "2026-06-04" not in div()


@given(st.text(max_size=80))
def test_any_text_of_a_protocol_is_shown_as_it_is_and_the_result_is_well_formed(text):
    proposal = a_proposal()
    goal = msgspec.structs.replace(proposal.goals[0], description=text, targets=())
    tree = parsed(div(msgspec.structs.replace(proposal, goals=(goal,))))
    shown = tree.find(f"{XHTML}ul/{XHTML}li/{XHTML}b").text or ""
    allowed = "".join(c for c in text if c in "\t\n\r" or (ord(c) >= 32 and c not in "\ufffe\uffff"))
    assert shown == allowed.replace("\r\n", "\n").replace("\r", "\n")
