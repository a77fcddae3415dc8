"""Coronary disease after an allergy to aspirin: what the CYP2C19 phenotype does to clopidogrel."""

import msgspec
import pytest

from careplan_exchange import planner
from careplan_exchange.model.snapshot import Coding
from tests.cases.snapshots import fact, protocol_documents, snapshot, vocabulary


def proposed(answer):
    phenotype = msgspec.structs.replace(
        fact("cyp2c19_phenotype"), answer=Coding(system="http://loinc.org", code=answer)
    )
    facts = [fact("coronary_disease"), fact("aspirin_allergy"), phenotype]
    protocols = [
        protocol
        for protocol in planner.load_protocols(protocol_documents(), vocabulary())
        if protocol.id == "coronary-disease"
    ]
    return planner.plan(snapshot(*facts), protocols, vocabulary(), planner.Policies())


@pytest.mark.parametrize("answer", ["LA9657-3", "LA10317-8"])
def test_who_does_not_activate_clopidogrel_is_not_given_it(answer):
    held = {line.key: (line.severity, line.certain) for line in proposed(answer).withheld}
    assert held["coronary-disease/action/clopidogrel-start"] == ("high", True)


def test_a_normal_metaboliser_is_not_asked_again():
    proposal = proposed("LA25391-6")
    (found,) = [line for line in proposal.activities if line.medicines == ("p2y12_inhibitor",)]
    assert "Is the CYP2C19 phenotype known?" not in found.questions
    assert "cyp2c19_phenotype" not in {gap.concept for gap in proposal.gaps}
