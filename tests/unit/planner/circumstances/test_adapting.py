"""What a circumstance does to a plan, and what it never does."""

import msgspec
import pytest

from careplan_exchange.planner.circumstances import Circumstances, adapt
from careplan_exchange.planner.circumstances.rules import About, Change, Circumstance, Language, Template
from careplan_exchange.planner.matching import Match, Source
from tests.cases.snapshots import fact
from tests.unit.planner.lines import activity, avoid, bindings, goal, whole

SOURCE = Source(label="S", url="https://example.org/s")
SEATED = Template(
    id="seated",
    title="Seated",
    kind="lifestyle",
    description="While seated.",
    patient_text="Sit.",
    patient_text_es="Siéntese.",
    source=Source(label="T", url="https://example.org/t"),
)
WALKS = Match(involves=("walking",))


def rule(outcome, match=WALKS, by="seated", name="cannot-walk", when="%mobility_difficulty", **more):
    ask = more.pop("ask", None)
    change = Change(outcome=outcome, text="It cannot be done", source=SOURCE, match=match, by=by, ask=ask)
    return Circumstance(id=name, title="Cannot walk", when=when, changes=(change,), **more)


def adapted(*lines, rules, facts=("mobility_difficulty",), language=None, speaking=()):
    found = whole(*lines)
    policy = Circumstances(
        about=(About(url="urn:plan:c", version="1", title="C"),),
        activities=(SEATED,),
        circumstances=tuple(rules),
        language=tuple(speaking),
    )
    known = bindings(*(fact(one) if isinstance(one, str) else one for one in facts))
    profile = msgspec.structs.replace(known.snapshot.patient, language=language)
    known.snapshot = msgspec.structs.replace(known.snapshot, patient=profile)
    adapt(found, policy, known)
    return found


def walk(key="a/walk", **more):
    return activity(key, **{"involves": ("walking",), **more})


def by_key(found):
    return {line.key: line for line in found.activities}


def test_what_replaces_takes_over_reasons_goals_urgency_worth_and_questions():
    found = adapted(
        goal("a/fit"),
        goal("b/fit"),
        walk(goals=("a/goal/fit",), benefit=2, questions=("Q?",)),
        walk("b/walk", goals=("b/goal/fit",), benefit=4, priority="urgent"),
        rules=[rule("replaced")],
    )
    (line,) = found.activities
    assert line.key == "circumstances/action/seated"
    assert (line.goals, line.benefit, line.priority) == (("a/goal/fit", "b/goal/fit"), 4, "urgent")
    assert line.questions == ("Q?",)
    assert line.patient_texts == {"es": "Siéntese."}
    assert line.protocol.canonical == "urn:plan:c|1"
    texts = [reason.text for reason in line.reasons]
    assert texts[0].startswith("It cannot be done. Cannot walk: serious difficulty walking is present")
    assert texts[1:] == ["walk of a.", "walk of b."]
    assert [citation.label for citation in line.citations] == ["T", "S", "Source of a", "Source of b"]
    assert [line.key for line in found.not_applied] == ["a/action/walk", "b/action/walk"]
    (barrier,) = found.barriers
    assert (barrier.outcome, barrier.by) == ("replaced", line.key)
    assert barrier.lines == ("a/action/walk", "b/action/walk")
    assert barrier.reasons[0].used[0].evidence


def test_what_helps_leaves_the_line_and_takes_nothing_over():
    found = adapted(walk(benefit=4, questions=("Q?",)), rules=[rule("referral", ask="Can it be done?")])
    line, help_ = found.activities
    assert line.questions == ("Q?", "Can it be done?")
    assert len(line.reasons) == 2
    assert (help_.benefit, help_.questions) == (None, ())
    assert [reason.text for reason in help_.reasons] == [line.reasons[1].text]


def test_declined_and_noted():
    found = adapted(walk(), rules=[rule("declined")])
    assert list(by_key(found)) == ["circumstances/action/seated"]
    assert found.not_applied[0].key == "a/action/walk"
    found = adapted(walk(), rules=[rule("noted", by=None, ask="Which?")])
    assert by_key(found)["a/action/walk"].questions == ("Which?",)
    assert found.barriers[0].by is None


def test_a_restriction_goes_with_the_activity_that_it_hangs_on():
    found = adapted(
        goal("a/walk"), walk(goals=("a/goal/walk",)), avoid("a/walk", "Stairs", "walk"), rules=[rule("replaced")]
    )
    assert found.restrictions == []


@pytest.mark.parametrize("outcome", ["replaced", "declined"])
def test_a_red_flag_is_never_replaced_and_never_declined(outcome):
    found = adapted(walk(red_flag="See somebody today."), rules=[rule(outcome)])
    assert list(by_key(found)) == ["a/action/walk"]
    assert found.barriers == []


@pytest.mark.parametrize("facts", [(), (fact("mobility_difficulty", state="absent"),)])
def test_what_is_not_so_or_not_known_changes_nothing(facts):
    line = walk()
    found = adapted(line, rules=[rule("replaced")], facts=facts)
    assert found.activities == [line]
    assert (found.barriers, found.gaps) == ([], [])


def test_a_rule_may_ask_what_is_not_known():
    found = adapted(walk(), rules=[rule("replaced", unknown="ask", question="Can you walk?")], facts=())
    (line,) = found.activities
    assert line.questions == ("Can you walk?",)
    assert [gap.concept for gap in line.missing] == ["mobility_difficulty"]
    assert [gap.needed_by for gap in found.gaps] == [("a/action/walk",)]


def test_a_later_rule_sees_what_an_earlier_one_put_in_place():
    later = rule("noted", match=Match(kinds=("lifestyle",)), by=None, name="later", ask="Why?")
    found = adapted(walk(), rules=[rule("replaced"), later])
    assert by_key(found)["circumstances/action/seated"].questions == ("Why?",)


def test_one_help_stands_once_for_two_circumstances():
    found = adapted(walk(), rules=[rule("referral"), rule("referral", match=None, name="whole")])
    assert list(by_key(found)) == ["a/action/walk", "circumstances/action/seated"]
    assert [barrier.lines for barrier in found.barriers] == [("a/action/walk",), ()]


def test_a_plan_without_activities_is_left_alone():
    found = adapted(rules=[rule("referral", match=None)], language="vi", speaking=SPEAKING)
    assert (found.activities, found.barriers, found.issues) == ([], [], [])


SPEAKING = (Language(by="seated", title="L", text="No text", source=SOURCE),)


@pytest.mark.parametrize(
    ("language", "texts", "lines"),
    [
        (None, {}, 0),
        ("en", {}, 0),
        ("call her daughter, 555-0101", {}, 0),
        ("en-US", {}, 0),
        ("es", {"es": "Ande."}, 0),
        ("es-MX", {"es": "Ande."}, 0),
        ("es", {}, 1),
        ("vi", {"es": "Ande."}, 1),
    ],
)
def test_an_interpreter_is_proposed_where_a_text_is_missing_in_the_patients_language(language, texts, lines):
    found = adapted(walk(patient_texts=texts), rules=[], language=language, speaking=SPEAKING)
    assert len(found.barriers) == lines
    assert len(found.activities) == 1 + lines
    assert [issue.key for issue in found.issues] == ["planner.language"] * lines
    if lines:
        assert found.issues[0].detail.startswith("1 of 1 lines")
