"""What the linter of the safety rules refuses: each fault once, at its line, with a mend."""

import pytest

from careplan_exchange import knowledge
from careplan_exchange.planner.safety import compile_gate, lint, lint_activities
from careplan_exchange.planner.safety.holding import holds
from careplan_exchange.planner.syntax import parse
from tests.cases.snapshots import protocol_documents, vocabulary
from tests.support.gates import document

SOUND = """sources:
  - {id: s, citation: Source, url: "https://example.org/source"}
rules:
  - id: metformin-egfr
    hazard: drug-laboratory
    severity: high
    effect: withhold
    medicines: [metformin]
    when: "%egfr < 30"
    unknown: withhold
    says: "Lactic acidosis."
    mitigation: "Choose another."
    source: s
  - id: pair
    hazard: drug-drug
    severity: high
    effect: withhold
    pair: {first: [nitrate], second: [pde5_inhibitor]}
    says: "Fall of blood pressure."
    mitigation: "Do not combine."
    source: [s]
  - id: twice
    hazard: duplicate
    severity: moderate
    effect: warn
    duplicates: [statin]
    atLeast: 2
    says: "Two of one class."
    mitigation: "Keep one."
    source: s
  - id: walk
    hazard: activity
    severity: low
    effect: warn
    involves: [walking]
    when: "%pregnancy"
    unknown: nothing
    says: "Walk."
    mitigation: "Sit."
    source: s
flags:
  - id: potassium
    when: "%potassium >= 6.0"
    unknown: nothing
    within: now
    banner: "Potassium is very high."
    action: "ECG at once."
    holdsRoutine: true
    patientText: "Go now."
    patientTextEs: "Vaya ahora."
    source: s
involves:
  - {code: walking, title: Walking}
"""

FAULTS = [
    ("[metformin]", "[metforminn]", "There is no medication concept 'metforminn'", "metformin"),
    ("[walking]", "[wlking]", "There is no involves code 'wlking'", "walking"),
    ("second: [pde5_inhibitor]", "second: [pde5]", "There is no medication concept 'pde5'", "Mend it"),
    ('"%egfr < 30"', '"%egfrr < 30"', "There is no variable '%egfrr'", "egfr"),
    ('"%egfr < 30"', '"%egfr <"', "not FHIRPath", "Mend it"),
    ('"%egfr < 30"', '"%egfr.exists()"', "turns 'unknown' into an answer", "say what unknown means"),
    ('"%egfr < 30"', '"iif(%egfr < 30, true, false)"', "may not stand in a condition", "Compare"),
    ('"%egfr < 30"', '"%egfr < 30 and %egfr > 60"', "can never hold", "Mend"),
    ('"%egfr < 30"', '"%egfr < 30 or %egfr >= 30"', "always holds", "Mend"),
    ('"%egfr < 30"', '"false"', "can never hold", "Mend"),
    ("    unknown: withhold\n", "", "nothing says what then", "Add unknown"),
    ("unknown: withhold", "unknown: perhaps", "'perhaps' is no unknown", "withhold"),
    ("hazard: drug-laboratory", "hazard: drugs", "'drugs' is no hazard", "drug-disease"),
    ("severity: high", "severity: grave", "'grave' is no severity", "moderate"),
    ("effect: withhold", "effect: hold", "'hold' is no effect", "withhold"),
    ("source: [s]", "source: [t]", "There is no source 't'", "Add it"),
    ("    source: [s]\n", "", "It has no source", "Add source"),
    ('    says: "Walk."\n', "", "It has no says", "Add says"),
    ('    says: "Walk."\n', '    say: "Walk."\n', "There is no key 'say'", "says"),
    ("id: twice", "id: pair", "'pair' stands twice", "own name"),
    ("first: [nitrate]", "first: [pde5_inhibitor]", "both sides", "duplicates"),
    ("pair: {first: [nitrate], second: [pde5_inhibitor]}", "pair: {first: [nitrate]}", "A pair has", "Mend"),
    ("    duplicates: [statin]\n", "    medicines: []\n", "not said what the rule is about", "duplicates"),
    ("    duplicates: [statin]\n", "    duplicates: [statin]\n    medicines: [arb]\n", "or twice", "Say"),
    ("atLeast: 2", "atLeast: 1", "atLeast", "leave it out"),
    ("atLeast: 2", "unless: [statin]", "`unless` is for", "Leave it out"),
    ("    involves: [walking]\n", "    involves: [walking]\n    unless: [satin]\n", "no medication concept 'satin'", "Mend"),
    ('    when: "%pregnancy"\n    unknown: nothing\n', "", "hold for every patient", "Add `when`"),
    ("    involves: [walking]\n", "    involves: [walking]\n    taken: report\n", "Nobody takes", "Leave"),
    ("within: now", "within: soon", "'soon' is no within", "today"),
    ("holdsRoutine: true", 'holdsRoutine: "no"', "is no holdsRoutine", "true, false"),
    ("    unknown: nothing\n    within", "    unknown: withhold\n    within", "withholds nothing", "ask"),
    ("rules:", "rulez:", "There is no section 'rulez'", "rules"),
    ('{id: s, citation: Source, url: "https://example.org/source"}', "{id: s, citation: Source}", "It has no url", "Add"),
    ("  - id: twice", "  - twice\n  - id: twice", "no entry with keys", "key: value"),
]  # fmt: skip


def findings(text):
    return lint([document(text)], vocabulary())


def test_sound_rules_have_no_finding_and_load():
    assert findings(SOUND) == ()
    gate = compile_gate([document(SOUND)], vocabulary())
    assert [rule.id for rule in gate.rules] == ["metformin-egfr", "pair", "twice", "walk"]
    assert [flag.id for flag in gate.flags] == ["potassium"]


@pytest.mark.parametrize(("old", "new", "message", "mend"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_found_with_its_line_and_a_mend(old, new, message, mend):
    assert old in SOUND
    faulty = SOUND.replace(old, new, 1)
    found = findings(faulty)
    assert any(message in one.message and mend in one.mend for one in found), found
    assert all(1 <= one.line <= faulty.count("\n") for one in found)


def test_a_source_that_nothing_cites_is_found():
    extra = SOUND.replace("rules:", "  - {id: t, citation: T, url: 'https://example.org/t'}\nrules:")
    assert [one.message for one in findings(extra)] == ["'t': No rule cites it."]


def test_a_rule_may_cite_a_source_of_another_file():
    head, _, tail = SOUND.partition("rules:")
    assert lint([document(head), document("rules:" + tail, "protocols/safety/b.yaml")], vocabulary()) == ()


def test_a_file_that_is_no_mapping_is_refused():
    assert "no file of safety rules" in findings("- a\n")[0].message


@pytest.mark.parametrize(
    ("condition", "answers"),
    [
        ("%a > 3", {True, False}),
        ("%a > 3 and %a < 3", {False}),
        ("%a > 3 and %a < 4", {True, False}),
        ("%a or %a.not()", {True}),
        ("%a implies %b", {True, False}),
        ("%a xor %a", {False}),
        ("%sex = 'female' and %sex = 'male'", {False}),
        ("%sex != 'female' or %sex = 'female'", {True}),
        ("true", {True}),
    ],
)
def test_whether_a_condition_can_hold_and_fail_is_tried_out(condition, answers):
    assert holds(parse(condition)[1]) == answers


ACTIVITY = """resourceType: ActivityDefinition
kind: MedicationRequest
extension:
  - {url: "urn:careplan-exchange:medicine", valueCode: statin}
  - {url: "urn:careplan-exchange:involves", valueCode: walking}
productCodeableConcept: {text: Statin}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("valueCode: statin", "valueCode: statine", "There is no medication concept 'statine'."),
        ("valueCode: walking", "valueCode: walk", "There is no involves code 'walk'."),
        (
            '  - {url: "urn:careplan-exchange:medicine", valueCode: statin}\n',
            "",
            "The safety rules cannot tell what medicine this is.",
        ),
    ],
)
def test_an_activity_that_the_rules_cannot_place_is_found(old, new, message):
    safety = [document(SOUND)]
    assert lint_activities([knowledge.parse("a.yaml", ACTIVITY.encode())], safety, vocabulary()) == ()
    faulty = knowledge.parse("a.yaml", ACTIVITY.replace(old, new).encode())
    assert [one.message for one in lint_activities([faulty], safety, vocabulary())] == [message]


def test_our_own_rules_and_activities_have_no_finding():
    safety = knowledge.documents("protocols/safety")
    assert lint(safety, vocabulary()) == ()
    assert lint_activities(protocol_documents(), safety, vocabulary()) == ()
