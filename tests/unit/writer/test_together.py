"""What is true of the plan as a whole: in the narrative, and the patient's own goals among the plan's."""

from xml.etree import ElementTree as ET

import msgspec
import pytest

from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from careplan_exchange.writer.lint import lint
from tests.support.plans import a_context
from tests.support.together import HOSTILE, a_whole_proposal

XHTML = "{http://www.w3.org/1999/xhtml}"


def plan(proposal, release="R4", **context):
    return render(proposal, a_context(**context), TargetForm(release=release))[-1].body


def sections(proposal):
    tree = ET.fromstring(plan(proposal)["text"]["div"])  # noqa: S314 - it is our own text that is looked at
    found = {}
    heading = ""
    for element in tree:
        if element.tag == f"{XHTML}h3":
            heading = element.text
        elif element.tag == f"{XHTML}ul":
            found[heading] = ["".join(item.itertext()) for item in element]
    return found


def test_the_patients_words_come_first_then_where_to_begin():
    found = sections(a_whole_proposal())
    assert list(found) == [
        "In the patient's own words",
        "Start with these",
        "Goals",
        "Activities",
        "Avoid",
        "Withheld",
        "What does not go together",
        "Preferences and circumstances",
        "What it takes",
        "What is not known",
        "Sources",
    ]
    assert found["In the patient's own words"] == [
        f"{HOSTILE}Said by: The patient",
        "Stay at homeSaid by: Somebody near the patient",
    ]
    assert found["Start with these"] == [a_whole_proposal().activities[0].title]


def test_each_conflict_says_who_decided_and_each_barrier_what_was_done():
    found = sections(a_whole_proposal())
    first, second, third = found["What does not go together"]
    assert first.startswith(
        "More fluids, or lessWhat: The limit stands.Decided: The second stands, by rule.Why: "
    )
    assert "Read from: Observation/o1" in first
    assert "Decided: The site has chosen." in second
    assert "Decided: A person decides." in third
    replaced, noted = found["Preferences and circumstances"]
    title = a_whole_proposal().activities[0].title
    assert replaced.startswith(f"WheelchairWhat: The patient cannot walkReplaced by: {title}Why: ")
    assert noted.startswith(f"Declined onceWhat: Which is not saidConcerns: {title}Why: ")
    (takes,) = found["What it takes"]
    assert takes == (
        "This plan takes at least 4 visits a year, 1 dose a day of new medicines, 7 tasks a week. "
        "On top of that the patient takes 2 medicines already."
    )


def test_the_patient_reads_the_language_that_the_plan_has_a_text_in():
    found = sections(a_whole_proposal())
    assert "For the patient: Su azúcar." in found["Goals"][0]
    english = sections(a_whole_proposal(language="vi"))
    assert "For the patient: Your sugar over three months" in english["Goals"][0]


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_the_patients_own_goals_are_referred_to_and_never_written(release):
    proposal = a_whole_proposal()
    rendered = render(proposal, a_context(), TargetForm(release=release))
    goals = [each for each in rendered if each.type == "Goal"]
    assert len(goals) == len(proposal.goals)
    assert rendered[-1].body["goal"][:2] == [{"reference": "Goal/own"}, {"reference": "Goal/near"}]
    assert len(rendered[-1].body["goal"]) == 2 + len(proposal.goals)
    links = {each.full_url: each.type for each in rendered}
    assert [lint(each.body, release, links) for each in rendered] == [()] * len(rendered)


def test_on_another_server_they_are_named_and_not_pointed_at():
    found = plan(a_whole_proposal(), same_server=False)["goal"]
    assert found[0]["identifier"]["value"] == "Goal/own"
    assert "reference" not in found[0]


def test_a_plan_without_any_of_it_is_as_it_was():
    bare = a_whole_proposal(wishes=(), conflicts=(), barriers=(), burden=None, start_with=(), language=None)
    assert "What it takes" not in sections(bare)
    assert len(plan(bare)["goal"]) == len(bare.goals)
    assert msgspec.structs.replace(bare) == bare
