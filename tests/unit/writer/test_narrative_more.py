"""The text of a plan: what is only there in some plans, and how each line of it reads."""

from datetime import date
from decimal import Decimal
from xml.etree import ElementTree as ET

import msgspec
import pytest

from careplan_exchange.model.detected import RedFlag
from careplan_exchange.model.progress import Progress
from careplan_exchange.model.proposal import Barrier, Citation, Conflict, Gap, NotApplied, Reason
from careplan_exchange.model.snapshot import Coding
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from tests.support.measured import a_measured_proposal, reading
from tests.support.plans import CITATION, a_context, a_proposal
from tests.support.together import a_whole_proposal

XHTML = "{http://www.w3.org/1999/xhtml}"
ELSEWHERE = Citation(label="Another guideline", url="http://guideline.example.org/2")
WHY = a_proposal().goals[0].reasons[0]


def tree(proposal):
    text = render(proposal, a_context(), TargetForm(release="R4"))[-1].body["text"]["div"]
    return ET.fromstring(text)  # noqa: S314 - it is our own text that is looked at


def sections(proposal):
    found = {}
    for element in tree(proposal):
        if element.tag == f"{XHTML}h3":
            heading = element.text
        elif element.tag == f"{XHTML}ul":
            found[heading] = [lines(item) for item in element]
    return found


def lines(item):
    """Each line of one entry, as a reader sees it."""
    text = ""
    for node in item.iter():
        text += ("\n" if node.tag == f"{XHTML}br" else "") + (node.text or "")
        text += (node.tail or "") if node is not item else ""
    return text.split("\n")


def changed(**elements):
    return msgspec.structs.replace(a_proposal(), **elements)


def with_goal(**elements):
    proposal = a_proposal()
    goal = msgspec.structs.replace(proposal.goals[0], **elements)
    return msgspec.structs.replace(proposal, goals=(goal, *proposal.goals[1:]))


def an_issue(**elements):
    return msgspec.structs.replace(a_proposal().detected[0], key="rule/x", title="Ibuprofen", **elements)


def a_flag(**elements):
    values = {
        "key": "flags/suicide",
        "within": "now",
        "banner": "Thoughts of suicide",
        "action": "See the patient.",
        "holds_routine": True,
        "patient_text": "Please tell us how you feel",
        "patient_texts": {"es": "Por favor, díganos cómo se siente."},
        "reasons": (WHY,),
        "citations": (ELSEWHERE,),
    }
    return RedFlag(**(values | elements))


def test_what_must_be_seen_first_stands_before_everything_else():
    found = sections(changed(red_flags=(a_flag(),)))
    assert next(iter(found)) == "First of all"
    assert found["First of all"] == [
        [
            "NOW: Thoughts of suicide",
            "What to do: See the patient.",
            "For the patient: Please tell us how you feel",
            "Why: HbA1c 8.1 % (2026-01-02) is above 7 %.",
            "Read from: Observation/o1",
            "Source: Another guideline",
        ]
    ]
    assert ["Another guideline"] in found["Sources"]


def test_what_can_wait_until_the_evening_says_so_and_speaks_the_language_of_the_patient():
    (flag,) = sections(changed(red_flags=(a_flag(within="today"),), language="es"))["First of all"]
    assert flag[0] == "TODAY: Thoughts of suicide"
    assert flag[2] == "For the patient: Por favor, díganos cómo se siente."


def test_what_is_routine_waits_under_a_heading_of_its_own_until_the_flag_was_looked_at():
    proposal = a_proposal()
    urgent = msgspec.structs.replace(proposal.activities[0], priority="urgent")
    activities = (urgent, *proposal.activities[1:])
    found = sections(msgspec.structs.replace(proposal, activities=activities, red_flags=(a_flag(),)))
    assert [item[0] for item in found["Activities"]] == ["Metformin"]
    assert [item[0] for item in found["After this has been looked at"]] == [
        "HbA1c test",
        "Counselling on alcohol",
    ]


@pytest.mark.parametrize(
    ("action", "certain", "title"),
    [
        ("warned", True, "Caution: Ibuprofen"),
        ("warned", False, "Caution: Ibuprofen"),
        ("reported", True, "Taken now: Ibuprofen"),
    ],
)
def test_a_hazard_beside_the_plan_says_what_to_do_about_it(action, certain, title):
    issue = an_issue(action=action, certain=certain, alternative="paracetamol")
    assert sections(changed(detected=(issue,)))["Hazards found"] == [
        [
            title,
            "What: Held back while pregnancy is not known.",
            "Severity: high",
            "What to do: Ask, then plan again. Instead: paracetamol",
            "Why: Pregnancy is not known.",
            "Read from: AllergyIntolerance/a1",
            "Not known: Is the patient pregnant? <ask>",
            "Source: Guideline 2025 <3> (A)",
        ]
    ]


@pytest.mark.parametrize("action", ["withheld", "asked"])
def test_what_was_withheld_or_is_a_question_is_not_told_again_as_a_hazard(action):
    assert "Hazards found" not in sections(changed(detected=(an_issue(action=action),)))


def test_the_source_of_a_question_alone_is_not_listed():
    asked = an_issue(action="asked", citations=(ELSEWHERE,))
    assert ["Another guideline"] not in sections(changed(detected=(asked,)))["Sources"]
    assert ["Another guideline"] in sections(
        changed(detected=(msgspec.structs.replace(asked, action="warned"),))
    )["Sources"]


def test_what_is_certainly_withheld_is_contraindicated_and_names_what_to_take_instead():
    item = msgspec.structs.replace(a_proposal().withheld[0], certain=True, alternative="Ezetimibe")
    (told,) = sections(changed(withheld=(item,)))["Withheld"]
    assert told[0] == "Contraindicated: Statin"
    assert told[2:4] == ["Severity: high", "Instead: Ezetimibe"]


def test_a_line_without_an_alternative_says_nothing_of_one():
    assert not [line for line in sections(a_proposal())["Withheld"][0] if line.startswith("Instead")]


def test_an_activity_reads_from_what_to_do_to_where_it_comes_from():
    metformin, test, _ = sections(a_proposal())["Activities"]
    assert metformin == [
        "Metformin",
        "What: Consider starting metformin.",
        "For the patient: A tablet that lowers sugar",
        "Ask first: Does the patient accept tablets?",
        "Why: HbA1c 8.1 % (2026-01-02) is above 7 %.",
        "Read from: Observation/o1",
        "Source: Guideline 2025 <3> (A)",
    ]
    assert "Not known: Is the patient pregnant? <ask>" in test


def test_what_to_avoid_reads_with_its_reason_and_in_the_language_of_the_patient():
    restriction = msgspec.structs.replace(a_proposal().restrictions[0], patient_texts={"es": "No beba."})
    assert sections(changed(restrictions=(restriction,), language="es"))["Avoid"] == [
        [
            "Alcohol",
            "For the patient: No beba.",
            "Why: HbA1c 8.1 % (2026-01-02) is above 7 %.",
            "Read from: Observation/o1",
            "Source: Label",
        ]
    ]


def test_the_same_reason_and_the_same_evidence_are_told_once_and_empty_reasons_not_at_all():
    empty = Reason(text="  ", rule="true", result="true", used=())
    padded = msgspec.structs.replace(WHY, text=f" {WHY.text}\n")
    other = msgspec.structs.replace(WHY, text="It is new.")
    told = sections(with_goal(reasons=(WHY, empty, padded, other)))["Goals"][0]
    assert "Why: HbA1c 8.1 % (2026-01-02) is above 7 %. It is new." in told
    assert "Read from: Observation/o1" in told


def test_a_question_asked_twice_of_one_line_is_told_once():
    gaps = tuple(Gap(concept=name, ask="Is it so?", needed_by=()) for name in "ab")
    assert "Not known: Is it so?" in sections(with_goal(missing=gaps))["Goals"][0]


@pytest.mark.parametrize(
    ("measure", "name"),
    [
        (Coding(system="http://loinc.org", code="4548-4", display="HbA1c"), "HbA1c"),
        (Coding(system="http://loinc.org", code="4548-4"), "4548-4"),
    ],
)
def test_a_target_goes_by_the_name_of_its_measure_and_without_one_by_the_code(measure, name):
    aim = msgspec.structs.replace(a_proposal().goals[0].targets[0], measure=measure)
    assert sections(with_goal(targets=(aim,)))["Goals"][0][1] == f"Target: {name} at most 7.0 %"


def test_a_target_whose_measure_has_no_name_at_all_still_tells_its_bounds():
    aim = msgspec.structs.replace(a_proposal().goals[0].targets[0], measure=Coding())
    assert sections(with_goal(targets=(aim,)))["Goals"][0][1].split() == ["Target:", "at", "most", "7.0", "%"]


def test_the_targets_of_a_goal_stand_in_one_line_and_a_plain_number_ends_without_a_unit():
    aim = a_proposal().goals[0].targets[0]
    score = msgspec.structs.replace(aim, unit="1", low=Decimal(3), high=None)
    assert sections(with_goal(targets=(aim, score)))["Goals"][0][1] == (
        "Target: 4548-4 at most 7.0 %; 4548-4 at least 3"
    )


def test_a_question_names_every_line_that_waits_goals_activities_withheld_and_not_applied():
    needed = ("t2dm/goal/hba1c", "t2dm/activity/metformin", "t2dm/activity/statin", "t2dm/out", "t2dm/gone")
    gaps = (
        Gap(concept="pregnancy", ask="Pregnant?", needed_by=needed[:2]),
        Gap(concept="pregnancy", ask="Pregnant?", needed_by=needed[1:]),
        Gap(concept="weight", ask="How heavy?", needed_by=("t2dm/gone",)),
    )
    out = NotApplied(key="t2dm/out", title="Not for now", reasons=())
    assert sections(changed(gaps=gaps, not_applied=(out,)))["What is not known"] == [
        ["Pregnant?", "Needed for: HbA1c below 7 %; Metformin; Statin; Not for now"],
        ["How heavy?"],
    ]


def test_the_protocols_come_first_among_the_sources_with_version_and_address():
    assert sections(a_proposal())["Sources"][0] == [
        "Protocol: Type 2 diabetes <in adults> & more, version 1.0.0, http://example.org/PlanDefinition/t2dm"
    ]


def test_the_sources_of_conflicts_and_barriers_are_listed_too():
    first, second = Citation(label="Of a conflict"), Citation(label="Of a barrier")
    conflict = Conflict(key="c", title="Two", text="Both", policy="ask", lines=(), citations=(first,))
    barrier = Barrier(key="b", title="One", text="It", outcome="noted", lines=(), reasons=(), citations=(second,))
    found = sections(changed(conflicts=(conflict,), barriers=(barrier,)))["Sources"]
    assert found[-2:] == [["Of a conflict"], ["Of a barrier"]]


@pytest.mark.parametrize("kind", ["goals", "activities", "restrictions", "withheld", "detected"])
def test_the_sources_of_a_line_of_any_kind_are_listed(kind):
    line, *rest = getattr(a_proposal(), kind)
    proposal = changed(**{kind: (msgspec.structs.replace(line, citations=(ELSEWHERE,)), *rest)})
    assert ["Another guideline"] in sections(proposal)["Sources"]


def test_a_conflict_names_the_source_that_it_rests_on():
    for told in sections(a_whole_proposal())["What does not go together"]:
        assert told[-1] == "Source: Guideline 2025 <3> (A)"


@pytest.mark.parametrize(
    ("url", "links", "said"),
    [
        ("http://guideline.example.org/2", ["http://guideline.example.org/2"], "Another guideline"),
        ("https://guideline.example.org/2", ["https://guideline.example.org/2"], "Another guideline"),
        ("ftp://guideline.example.org/2", [], "Another guideline ftp://guideline.example.org/2"),
        ("", [], "Another guideline"),
        (None, [], "Another guideline"),
    ],
)
def test_a_source_is_a_link_where_it_has_an_address_of_the_web(url, links, said):
    cited = msgspec.structs.replace(ELSEWHERE, url=url)
    proposal = with_goal(citations=(cited,))
    anchors = [a.get("href") for a in tree(proposal).iter(f"{XHTML}a")]
    assert [one for one in anchors if one != CITATION.url] == links
    assert [said] in sections(proposal)["Sources"]


def test_characters_that_no_document_may_hold_are_taken_out_of_an_address():
    cited = msgspec.structs.replace(ELSEWHERE, url='https://guideline.example.org/"2"\x0b&a=\x00<b>')
    anchors = [a.get("href") for a in tree(with_goal(citations=(cited,))).iter(f"{XHTML}a")]
    assert 'https://guideline.example.org/"2"&a=<b>' in anchors


def test_a_source_without_a_grade_is_told_by_its_name_alone():
    assert ["Label urn:isbn:0000"] in sections(a_proposal())["Sources"]
    assert sections(a_proposal())["Goals"][1][-1] == "Source: Label"


def measured(**elements):
    proposal = a_measured_proposal()
    trend = msgspec.structs.replace(proposal.goals[0].progress[0], **elements)
    goal = msgspec.structs.replace(proposal.goals[0], progress=(trend,))
    return msgspec.structs.replace(proposal, goals=(goal, *proposal.goals[1:]))


def test_of_many_values_the_three_latest_are_told():
    readings = tuple(reading(f"2025-0{month}-01", f"{month}.0 %", met=False) for month in range(1, 6))
    (told,) = sections(measured(readings=readings))["How far the goals have come"]
    assert told[1] == (
        "Values: HbA1c <NGSP> 3.0 % (2025-03-01), 4.0 % (2025-04-01), 5.0 % (2025-05-01), improving; "
        "next by 2026-04-02"
    )


def test_one_value_alone_shows_no_direction_and_nothing_is_due_where_nothing_is():
    one = (reading("2026-01-02", "8.1 %", met=False),)
    (told,) = sections(measured(readings=one, status=None, due=None))["How far the goals have come"]
    assert told == ["HbA1c below 7 %", "Values: HbA1c <NGSP> 8.1 % (2026-01-02)", "Together: not achieved"]


def test_what_the_targets_come_to_is_left_out_where_nobody_can_say():
    proposal = a_measured_proposal()
    goal = msgspec.structs.replace(proposal.goals[0], achievement=None)
    plan = msgspec.structs.replace(proposal, goals=(goal,))
    (told,) = sections(plan)["How far the goals have come"]
    assert [line for line in told if line.startswith("Together")] == []


def test_a_goal_without_a_value_is_not_among_those_that_have_come_some_way():
    unmeasured = Progress(measure="Weight", readings=(), status=None, due=date(2026, 5, 1))
    assert "How far the goals have come" not in sections(with_goal(progress=(unmeasured,)))


def test_where_to_begin_is_told_by_the_names_of_activities_that_stand():
    told = sections(a_whole_proposal(start_with=("gone/action/x", a_proposal().activities[1].key)))
    assert told["Start with these"] == [["HbA1c test"]]


def test_a_barrier_names_what_it_concerns_wherever_that_ended():
    out = NotApplied(key="t2dm/out", title="A walk", reasons=())
    lines = ("t2dm/out", "t2dm/activity/statin", "t2dm/gone", "t2dm/activity/hba1c")
    barrier = msgspec.structs.replace(a_whole_proposal().barriers[1], lines=lines)
    referral = msgspec.structs.replace(barrier, outcome="referral", by="t2dm/activity/counselling")
    lost = msgspec.structs.replace(barrier, outcome="declined", by="t2dm/gone")
    told = sections(a_whole_proposal(barriers=(barrier, referral, lost), not_applied=(out,)))
    noted, helped, declined = told["Preferences and circumstances"]
    assert noted[2] == "Concerns: A walk; Statin; HbA1c test"
    assert noted[3] == "Why: HbA1c 8.1 % (2026-01-02) is above 7 %."
    assert noted[4:] == ["Read from: Observation/o1", "Source: Guideline 2025 <3> (A)"]
    assert helped[3] == "Help: Counselling on alcohol"
    assert declined[3].startswith("Why: ")
