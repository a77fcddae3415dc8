"""The files of protocols/combine and protocols/circumstances: each mistake is told at its line, with a mend."""

import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.errors import KnowledgeError
from careplan_exchange.planner.circumstances import lint_circumstances
from careplan_exchange.planner.combine import lint_combining
from careplan_exchange.planner.policy_files import names_known
from careplan_exchange.planner.rows import Known
from tests.cases.snapshots import policies, vocabulary

KNOWN = Known(
    vocabulary=vocabulary(),
    definitions=frozenset({"urn:def:walk"}),
    involves=frozenset({"walking", "fluids-more"}),
    keys={"ckd": frozenset({"ckd/action/protein", "ckd/goal/bp"})},
)
SOURCE = "source: {label: S, url: 'https://example.org'}"
CONFLICT = "conflicts: [{id: a, title: T, text: T, policy: second, " + SOURCE + ", "
TEMPLATE = (
    "activities: [{id: seated, title: T, kind: lifestyle, description: D, patientText: P, patientTextEs: E, "
    + SOURCE
)
ABOUT = "about: [{url: u, version: '1', title: T}]\n"
CHANGE = "circumstances: [{id: a, title: T, when: '%frailty', changes: [{text: T, " + SOURCE + ", "


def combining(text):
    return lint_combining([knowledge.parse("c.yaml", text.encode())], KNOWN)


def circumstances(text):
    return lint_circumstances([knowledge.parse("c.yaml", text.encode())], KNOWN)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "This file is no mapping."),
        ("conflict: []", "Nothing reads 'conflict'."),
        ("same: {}", "'same' is no list."),
        ("same: [{id: a}]", "Object missing required field"),
        ("same: [{id: ' ', title: T, keep: listed, members: [], reason: R}]", "Expected `str`"),
        ("same: [{id: a, title: T, keep: often, members: [], reason: R}]", "Invalid enum value 'often'"),
        ("same: [{id: a, title: T, keep: listed, members: [{}], reason: R}]", "This takes every activity."),
        ("same: [{id: a, title: T, keep: listed, members: [{code: [x]}], reason: R}]", "unknown field `code`"),
        ("same: [{id: a, title: T, keep: listed, members: [{definitions: [urn:def:wlk]}], reason: R}]", "There is no 'urn:def:wlk'."),
        ("same: [{id: a, title: T, keep: listed, members: [{involves: [walkin]}], reason: R}]", "There is no 'walkin'."),
        ("same: [{id: a, title: T, keep: listed, members: [{kinds: [diet], without: [walkin]}], reason: R}]", "There is no 'walkin'."),
        ("same: [{id: a, title: T, keep: listed, members: [{keys: [ckd/action/protien]}], reason: R}]", "There is no 'ckd/action/protien'."),
        (CONFLICT + "first: {medicines: [aspirine]}, when: '%frailty'}]", "There is no 'aspirine'."),
        (CONFLICT + "first: {requests: [Medication]}, when: '%frailty'}]", "There is no 'Medication'."),
        (CONFLICT + "first: {involves: [walking]}, when: '%frailtie'}]", "There is no variable '%frailtie'."),
        (CONFLICT + "first: {involves: [walking]}, when: '%frailty and'}]", "It is not FHIRPath"),
        (CONFLICT + "first: {involves: [walking]}}]", "It clashes with nothing."),
        (CONFLICT.replace("second", "first") + "first: {involves: [walking]}, when: '%frailty'}]", "Nothing falls by it."),
        (CONFLICT.replace("second", "ask") + "first: {involves: [walking]}, when: '%frailty'}]", "It asks no question."),
        (CONFLICT + "first: {involves: [walking]}, second: {}}]", "This takes every activity."),
        (CONFLICT + "first: {involves: [walking]}, when: '%frailty', goals: [weigth]}]", "There is no 'weigth'."),
        (CONFLICT + "first: {involves: [walking]}, when: '%frailty'}, {id: a, title: T, text: T, policy: second, " + SOURCE + ", first: {involves: [walking]}, when: '%frailty'}]", "The id 'a' stands twice."),
        ("goals: [{id: a, keys: [ckd/goal/pb], reason: R}]", "There is no 'ckd/goal/pb'."),
        ("opposites: [{first: walking, second: runing}]", "There is no 'runing'."),
        ("stops: [{match: {definitions: [urn:x]}, medicines: [metformin]}]", "There is no 'urn:x'."),
        ("stops: [{match: {definitions: [urn:def:walk]}, medicines: [metformine]}]", "There is no 'metformine'."),
        ("medicines: [{id: a, title: T, medicines: [hba1c], " + SOURCE + "}]", "There is no 'hba1c'."),
        ("burden: [{id: a, match: {}, counts: visits, withoutTiming: 1, reason: R}]", "This takes every activity."),
        ("choices: [{id: a, title: T, measure: metformin, options: [{id: x, title: T, cites: u, high: 1}], chosen: x, why: W}]", "There is no 'metformin'."),
        ("choices: [{id: a, title: T, measure: hba1c, options: [{id: x, title: T, cites: u, high: 1}], chosen: y, why: W}]", "'y' is no option."),
        ("choices: [{id: a, title: T, measure: hba1c, when: '%x', options: [{id: x, title: T, cites: u, high: 1}], chosen: x, why: W}]", "There is no variable '%x'."),
    ],
)  # fmt: skip
def test_a_mistake_in_the_rules_of_combining_is_told(text, message):
    found = combining(text)
    assert [finding for finding in found if message in finding.message], found
    assert all(finding.file == "c.yaml" and finding.line >= 1 and finding.mend for finding in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("circumstance: []", "Nothing reads 'circumstance'."),
        (CHANGE + "outcome: replaced, match: {involves: [walking]}, by: seatd}]}]", "There is no activity 'seatd'."),
        (CHANGE + "outcome: replaced, match: {involves: [walking]}}]}]", "Of 'replaced' nothing is left to do."),
        (CHANGE + "outcome: declined, by: seated}]}]\n" + ABOUT + TEMPLATE + "}]", "This would empty the plan."),
        (CHANGE + "outcome: noted, match: {involves: [walkin]}}]}]", "There is no 'walkin'."),
        (CHANGE.replace("%frailty", "%fraility") + "outcome: noted}]}]", "There is no variable '%fraility'."),
        (CHANGE.replace("when:", "unknown: ask, when:") + "outcome: noted}]}]", "It asks no question."),
        (ABOUT + TEMPLATE + "}]", "No rule uses this activity."),
        (ABOUT + TEMPLATE + ", involves: [walkin]}]", "There is no 'walkin'."),
        (TEMPLATE + "}]", "Nobody proposes it."),
        (ABOUT.replace("]", ", {url: u, version: '2', title: T}]"), "'about' stands twice."),
        ("language: [{by: x, title: T, text: T, " + SOURCE + "}]", "There is no activity 'x'."),
    ],
)  # fmt: skip
def test_a_mistake_in_the_rules_of_circumstances_is_told(text, message):
    found = circumstances(text)
    assert [finding for finding in found if message in finding.message], found
    assert all(finding.line >= 1 and finding.mend for finding in found)


def test_a_rule_of_a_protocol_that_a_site_does_not_have_is_no_mistake():
    text = "same: [{id: a, title: T, keep: listed, members: [{keys: [gout/action/x, ckd/action/protein]}], reason: R}]"
    assert combining(text) == ()


def test_without_the_list_of_what_activities_involve_its_codes_are_not_checked():
    known = Known(vocabulary=vocabulary(), definitions=frozenset(), involves=frozenset(), keys={})
    text = "opposites: [{first: a, second: b}]\nsame: [{id: a, title: T, keep: listed, members: [{involves: [c]}], reason: R}]"
    assert lint_combining([knowledge.parse("c.yaml", text.encode())], known) == ()


def test_what_rules_may_name_is_read_from_the_protocols():
    plan = b"resourceType: PlanDefinition\nid: p\ngoal: [{id: x.one}, {id: x.two}]\naction: [{id: a, action: [{id: b}]}, {id: c}]"
    definition = b"resourceType: ActivityDefinition\nurl: urn:x"
    involves = b"involves: [{code: walking}, {code: meat}]"
    files = [knowledge.parse("p.yaml", plan), knowledge.parse("d.yaml", definition)]
    known = names_known(vocabulary(), files, [knowledge.parse("i.yaml", involves)])
    assert known.definitions == {"urn:x"}
    assert known.involves == {"walking", "meat"}
    assert known.keys == {"p": {"p/action/a", "p/action/b", "p/action/c", "p/goal/x"}}


def test_rules_with_a_mistake_are_not_loaded():
    folders = dict.fromkeys(knowledge.FOLDERS, ())
    for name in ("protocols/combine", "protocols/circumstances"):
        broken = {**folders, name: (knowledge.parse("c.yaml", b"conflict: []"),)}
        with pytest.raises(KnowledgeError, match="Nothing reads 'conflict'"):
            planner.load_policies(broken, vocabulary())


def test_ours_are_cited_and_speak_two_languages():
    ours = policies()
    urls = [one.source.url for one in (*ours.combining.conflicts, *ours.combining.medicines)]
    urls += [change.source.url for row in ours.circumstances.circumstances for change in row.changes]
    urls += [each.source.url for each in (*ours.circumstances.activities, *ours.circumstances.language)]
    assert all(url.startswith("https://") for url in urls)
    for each in ours.circumstances.activities:
        assert each.patient_text != each.patient_text_es


def _syllables(word):
    word = word.lower().strip(".,;:!?'\"()")
    count, before = 0, False
    for letter in word:
        vowel = letter in "aeiouyáéíóúü"
        count += vowel and not before
        before = vowel
    return max(1, count - (word.endswith("e") and not word.endswith("le") and count > 1))


@pytest.mark.parametrize("template", policies().circumstances.activities, ids=lambda each: each.id)
def test_a_patient_text_is_easy_to_read(template):
    """Flesch-Kincaid grade (Kincaid 1975) of the English, Fernández-Huerta ease (1959) of the Spanish text."""
    for text, spanish in ((template.patient_text, False), (template.patient_text_es, True)):
        words = text.split()
        sentences = sum(text.count(mark) for mark in ".?!")
        syllables = sum(_syllables(word) for word in words)
        if spanish:
            ease = 206.84 - 60 * syllables / len(words) - 1.02 * len(words) / sentences
            assert ease >= 70, (ease, text)
        else:
            grade = 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59
            assert grade <= 8, (grade, text)
