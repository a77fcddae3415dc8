"""From a report of a gene to a plan: a pathogenic LDLR, APOB or PCSK9 variant alone lets lipids-and-fh begin."""

from functools import cache

import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.mapping import load_mappings, map_record
from tests.cases.snapshots import ALL, TODAY, protocol_documents, vocabulary
from tests.unit.mapping.builders import patient, record
from tests.unit.mapping.care_builders import implication, variant

GENES = [("HGNC:6547", "LDLR"), ("HGNC:603", "APOB"), ("HGNC:20001", "PCSK9")]


@cache
def mappings():
    return load_mappings(knowledge.documents("mappings"), vocabulary())


def proposed(*bodies):
    whole = record(*bodies, of=patient(gender="female", birthDate="1986-01-01"), categories=ALL)
    protocols = [
        protocol
        for protocol in planner.load_protocols(protocol_documents(), vocabulary())
        if protocol.id == "lipids-and-fh"
    ]
    snapshot = map_record(whole, mappings(), vocabulary(), today=TODAY)
    return planner.plan(snapshot, protocols, vocabulary(), planner.Policies())


@pytest.mark.parametrize(("gene", "symbol"), GENES)
def test_a_pathogenic_variant_brings_the_goal_and_the_tests_of_relatives(gene, symbol):
    proposal = proposed(variant(gene, symbol), implication("LA6668-3"))
    (ldl,) = [goal for goal in proposal.goals if goal.key == "lipids-and-fh/goal/ldl"]
    assert str(ldl.targets[0].high) == "70"
    assert "lipids-and-fh/action/cascade-genetic" in {activity.key for activity in proposal.activities}


@pytest.mark.parametrize(("gene", "symbol"), GENES)
def test_an_uncertain_variant_brings_nothing(gene, symbol):
    proposal = proposed(variant(gene, symbol), implication("LA26333-7"))
    assert (proposal.goals, proposal.activities) == ((), ())
