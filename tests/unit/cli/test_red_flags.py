"""What a terminal shows of red flags, hazards and the limits of a plan."""

import io

import msgspec
import pytest

from careplan_exchange.cli import proposals, show
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.proposal import DISCLAIMER
from tests.cases.snapshots import fact, snapshot
from tests.support.gates import activity, through
from tests.support.plans import a_proposal

RULES = """
rules:
  - {id: r, hazard: drug-laboratory, severity: high, effect: withhold, medicines: [metformin], when: "%egfr < 30",
     unknown: withhold, says: "Lactic acidosis.", mitigation: "Talk first.", alternative: "Insulin.", source: s}
flags:
  - {id: f, when: "%potassium >= 6.0", unknown: nothing, within: now, banner: "Potassium is very high.",
     action: "ECG at once.", holdsRoutine: true, patientText: "Go.", patientTextEs: "Vaya.", source: s}
"""


@pytest.fixture
def shown(monkeypatch):
    def of(proposal):
        written = io.StringIO()
        monkeypatch.setattr(show, "out", show._Console(file=written, width=160, highlight=False))
        proposals.print_proposal(proposal)
        return " ".join(written.getvalue().replace("│", " ").split())

    return of


def test_a_red_flag_comes_before_everything_and_the_routine_part_after_it(shown):
    found = snapshot(fact("potassium", "6.5"), fact("egfr", "80"))
    text = shown(through(RULES, found, activity("walk", involves=("walking",))))
    order = [
        "NOW",
        "Potassium is very high.",
        "ECG at once.",
        "Proposal for Patient/p",
        proposals.AFTERWARDS,
        "Walk",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_what_is_taken_is_told_as_a_hazard_and_what_is_withheld_with_what_stands_instead(shown):
    found = snapshot(fact("metformin"), fact("egfr", "20"))
    text = shown(through(RULES, found, activity("new", medicines=("metformin",))))
    assert "Hazards found" in text
    assert "Metformin (taken now): Lactic acidosis." in text
    assert "Instead: Insulin." in text


def test_the_limits_of_a_plan_stand_on_the_terminal_and_in_the_json(shown):
    proposal = a_proposal()
    assert DISCLAIMER in shown(proposal)
    assert decode(encode(proposal))["disclaimer"] == DISCLAIMER
    assert decode(encode(msgspec.structs.replace(proposal, protocols=())))["disclaimer"] == DISCLAIMER
