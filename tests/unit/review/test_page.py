"""The page of one plan: every line with its reason and source, everything escaped, nothing from the network."""

from datetime import date
from decimal import Decimal
from html.parser import HTMLParser

import msgspec
import pytest

from careplan_exchange.model.detected import DetectedIssue, RedFlag
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import DISCLAIMER, Target
from careplan_exchange.model.receipt import Receipt, ReceiptResource
from careplan_exchange.model.snapshot import Coding
from careplan_exchange.review.page import plan_page
from tests.support.plans import a_proposal

HOSTILE = '<script>alert("x")</script>'


class Page(HTMLParser):
    """Tags with their attributes, and the text, as a browser would take them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.headings: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "h2":
            self.headings.append("")

    def handle_data(self, data):
        if self._inside != "style":
            self.text += data
        if self._inside == "h2" and data.strip():
            self.headings[-1] += data

    def handle_endtag(self, tag):
        self._inside = ""


def page(**fields) -> Page:
    return Page(plan_page(a_proposal(), **fields))


def with_target(**fields) -> str:
    proposal = a_proposal()
    target = Target(measure=Coding(system="http://loinc.org", code="4548-4"), unit="%", **fields)
    goal = msgspec.structs.replace(proposal.goals[0], targets=(target,))
    return Page(plan_page(msgspec.structs.replace(proposal, goals=(goal,)))).text


def test_every_part_of_a_plan_has_its_place():
    assert page().headings == [
        "Goals",
        "Avoid",
        "Activities",
        "Withheld for safety",
        "What the record does not say",
        "Sources",
    ]


def test_each_line_has_its_reason_its_evidence_with_version_and_its_source():
    shown = page()
    assert "HbA1c 8.1 % (2026-01-02) is above 7 %." in shown.text
    assert "Observation/o1/_history/3" in shown.text
    assert "Guideline 2025 <3>" in shown.text
    assert "(grade A)" in shown.text
    assert ("a", {"href": "https://doi.org/10.1000/example?a=1&b=2", "rel": "noreferrer"}) in shown.tags


def test_what_must_be_asked_before_accepting_stands_with_the_activity():
    assert "Before accepting: Does the patient accept tablets?" in page().text


def test_what_is_withheld_says_why_and_that_a_fact_is_missing():
    shown = page().text
    assert "Held back while pregnancy is not known." in shown
    assert "a deciding fact is not known" in shown
    assert "Is the patient pregnant? <ask>" in shown


def test_an_empty_plan_says_that_no_protocol_applies_and_shows_no_empty_part():
    empty = msgspec.structs.replace(
        a_proposal(), protocols=(), goals=(), activities=(), restrictions=(), withheld=(), gaps=()
    )
    shown = Page(plan_page(empty))
    assert "No protocol applies to this patient." in shown.text
    assert shown.headings == []


def test_issues_and_receipt_are_listed_where_there_are_any():
    issue = Issue(
        severity="warning",
        code="value",
        key="mapping.unit",
        detail="A unit is not known.",
        source="Observation/9",
    )
    proposal = msgspec.structs.replace(a_proposal(), issues=(issue,))
    receipt = Receipt(
        outcome="written",
        exchange="e-1",
        resources=(ReceiptResource(reference="CarePlan/3", version_id="2", action="update"),),
        issues=(),
    )
    shown = Page(plan_page(proposal, receipt=receipt, server="https://ehr.example.org/fhir"))
    assert shown.headings[-3:] == ["What could not be used", "Sources", "What was written"]
    for words in (
        "A unit is not known.",
        "Observation/9",
        "CarePlan/3",
        "e-1",
        "on https://ehr.example.org/fhir",
    ):
        assert words in shown.text


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"high": Decimal("7.0")}, "at most 7.0 %"),
        ({"low": Decimal(30)}, "at least 30 %"),
        ({"low": Decimal(110), "high": Decimal(130)}, "110 to 130 %"),
        ({}, "to be agreed"),
        ({"high": Decimal(7), "due": date(2026, 6, 4)}, "at most 7 %, by 2026-06-04"),
    ],
)
def test_a_target_is_put_into_words(limits, said):
    assert f"4548-4: {said}" in with_target(**limits)


def test_whatever_stands_in_record_or_protocol_stays_text():
    text = msgspec.json.encode(a_proposal()).decode()
    for words in (
        "Does the patient accept tablets?",
        "Walk",
        "Metformin",
        "Alcohol",
        "HbA1c below 7 %",
        "Statin",
    ):
        text = text.replace(words, HOSTILE.replace('"', '\\"'))
    hostile = msgspec.json.decode(text, type=type(a_proposal()))
    shown = Page(plan_page(hostile, server=HOSTILE))
    assert "script" not in {tag for tag, _ in shown.tags}
    assert shown.text.count(HOSTILE) > 5


def test_the_page_stands_alone():
    shown = page()
    tags = {tag for tag, _ in shown.tags}
    assert not tags & {"script", "link", "img", "iframe", "form", "input"}
    policy = next(attrs["content"] for tag, attrs in shown.tags if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert not [attrs for tag, attrs in shown.tags if any(name.startswith("on") for name in attrs)]


def flagged():
    proposal = a_proposal()
    reasons, citations = proposal.goals[0].reasons, proposal.goals[0].citations
    flag = RedFlag(
        key="safety/potassium",
        within="now",
        banner="Potassium is <very> high.",
        action="ECG at once.",
        holds_routine=True,
        patient_text="Go now.",
        reasons=reasons,
        citations=citations,
    )
    taken = DetectedIssue(
        key="safety/rule/taken",
        rule="rule",
        hazard="drug-laboratory",
        severity="high",
        action="reported",
        certain=True,
        title="Spironolactone",
        detail="Raises potassium.",
        mitigation="Stop after talking.",
        alternative="Another diuretic.",
        reasons=reasons,
        citations=citations,
    )
    urgent = msgspec.structs.replace(proposal.activities[0], priority="stat", title="See somebody")
    activities = (urgent, *proposal.activities[1:])
    return msgspec.structs.replace(
        proposal, red_flags=(flag,), detected=(*proposal.detected, taken), activities=activities
    )


def test_a_red_flag_stands_before_everything_and_the_routine_part_behind_it():
    page = Page(plan_page(flagged()))
    order = ["NOW: Potassium is <very> high.", "ECG at once.", "HbA1c below 7 %", "See somebody", "HbA1c test"]
    places = [page.text.index(words) for words in order]
    assert places == sorted(places)
    assert "Activities, after the red flags have been looked at" in page.headings
    assert ("section", {"class": "card flag", "role": "alert"}) in page.tags


def test_what_the_patient_takes_and_should_not_is_listed_with_what_to_do():
    text = " ".join(Page(plan_page(flagged())).text.split())
    assert (
        "Spironolactone taken now, high Raises potassium. Stop after talking. Instead: Another diuretic." in text
    )
    assert "Spironolactone" not in Page(plan_page(a_proposal())).text


def test_the_disclaimer_is_on_every_page():
    assert DISCLAIMER in Page(plan_page(a_proposal())).text
