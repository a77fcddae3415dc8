"""What a variable holds of vaccines, visits, orders, devices, circumstances, gene findings and phenotypes."""

from datetime import date

import msgspec
import pytest

from careplan_exchange.model.snapshot import Coding, FactKind
from careplan_exchange.planner import phrases
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.expressions import EvaluationError, compiled
from careplan_exchange.planner.lint_conditions import _type, can_be_unknown
from careplan_exchange.planner.variables import CATEGORIES, VALUED
from tests.cases.snapshots import TODAY, fact, snapshot, vocabulary
from tests.unit.planner.bound import bind


def truth(text, *facts):
    return Bindings(snapshot(*facts), vocabulary()).truth(compiled(text))


@pytest.mark.parametrize(
    "concept",
    ["influenza_vaccine", "pacemaker", "dietitian_order", "last_visit", "food_insecurity", "brca1_pathogenic"],
)
def test_each_new_kind_is_present_absent_or_unknown(concept):
    assert bind(concept, fact(concept)).value is True
    assert bind(concept).value is None
    assert bind(concept, fact(concept, state="unknown")).value is None
    assert bind(concept, fact(concept, state="absent")).value is False
    assert bind(concept + "_days", fact(concept, date="2026-11-14")).value == 10
    past = fact(concept, active=False, date="2020-01-01")
    assert bind(concept, past).value is None
    assert bind(concept + "_ever", past).value is True


def test_a_vaccine_is_current_for_as_long_as_it_protects():
    assert bind("influenza_vaccine", fact("influenza_vaccine", date="2025-10-01")).value is None
    assert bind("influenza_vaccine_ever", fact("influenza_vaccine", date="2025-10-01")).value is True
    assert bind("tetanus_vaccine", fact("tetanus_vaccine", date="2018-10-01")).value is True


def test_of_a_circumstance_the_latest_statement_holds():
    old, new = (
        fact("food_insecurity", date="2026-01-01"),
        fact("food_insecurity", state="absent", date="2026-10-01"),
    )
    assert bind("food_insecurity", old, new).value is False
    assert bind("food_insecurity", new, fact("food_insecurity", date="2026-11-01", id="again")).value is True
    assert bind("food_insecurity", new, fact("food_insecurity", date="2026-10-01", id="same-day")).value is None


def test_a_gene_finding_outweighs_an_absence_whichever_is_newer():
    found, negative = fact("brca1_pathogenic", date="2020-01-01"), fact("brca1_pathogenic", state="absent")
    assert bind("brca1_pathogenic", found, negative).value is True


def phenotype(code, display=None, **more):
    answer = Coding(system="http://loinc.org", code=code, display=display)
    return msgspec.structs.replace(fact("cyp2c19_phenotype", **more), answer=answer)


def test_a_phenotype_holds_the_code_of_its_answer():
    found = bind("cyp2c19_phenotype", phenotype("LA9657-3", "Poor metabolizer"))
    assert (found.value, found.shown) == ("LA9657-3", "Poor metabolizer (2026-10-02)")
    newer = bind("cyp2c19_phenotype", phenotype("LA9657-3", date="2020-01-01"), phenotype("LA25391-6"))
    assert (newer.value, newer.shown) == ("LA25391-6", "LA25391-6 (2026-10-02)")
    assert bind("cyp2c19_phenotype_days", phenotype("LA9657-3", date="2026-11-14")).value == 10


def test_a_phenotype_that_is_open_is_unknown_and_asked_for():
    for facts in (
        (),
        (phenotype("LA9657-3", date=None),),
        (phenotype("LA9657-3", state="unknown"),),
        (phenotype("LA9657-3"), phenotype("LA25391-6", id="other")),
        (fact("cyp2c19_phenotype"),),
    ):
        found = bind("cyp2c19_phenotype", *facts)
        assert found.value is None
        assert found.gap
    assert bind("cyp2c19_phenotype").gap == "CYP2C19 phenotype: which is it? The record does not say."
    with pytest.raises(EvaluationError):
        bind("cyp2c19_phenotype_ever", phenotype("LA9657-3"))


def test_a_condition_compares_a_phenotype_with_a_code():
    poor = phenotype("LA9657-3")
    assert truth("%cyp2c19_phenotype = 'LA9657-3'", poor) == "true"
    assert truth("%cyp2c19_phenotype = 'LA10317-8'", poor) == "false"
    assert truth("%cyp2c19_phenotype = 'LA9657-3'") == "unknown"


def test_the_next_visit_lies_ahead_and_is_no_future_mistake():
    found = Bindings(snapshot(fact("next_visit", date="2026-12-04T09:00:00Z")), vocabulary())
    assert found.binding("next_visit").value is True
    days = found.binding("next_visit_days")
    assert (days.value, days.shown, days.title) == (10, "on 2026-12-04", "Time until next visit")
    assert found.issues == []


def test_the_soonest_of_several_visits_counts_and_one_of_the_past_does_not():
    soon, late = (
        fact("next_visit", date="2026-12-04", id="soon"),
        fact("next_visit", date="2027-01-04", id="late"),
    )
    past = fact("next_visit", date="2026-11-01", id="past")
    found = bind("next_visit_days", late, past, soon)
    assert (found.value, [one.reference for one in found.evidence]) == (10, ["Encounter/soon"])
    assert bind("next_visit", past).value is None
    assert bind("next_visit_days", past).value is None
    assert bind("next_visit_days", fact("next_visit", date=TODAY.isoformat())).value == 0


def test_a_visit_of_the_past_that_is_dated_ahead_is_not_used():
    found = Bindings(snapshot(fact("last_visit", date="2027-01-01")), vocabulary())
    assert found.binding("last_visit").value is None
    assert [issue.key for issue in found.issues] == ["planner.fact.future"]


def test_a_plan_of_a_day_after_the_visit_knows_of_none():
    assert bind("next_visit", fact("next_visit", date="2026-12-04"), today=date(2026, 12, 5)).value is None


def test_a_protocol_must_say_what_unknown_means_wherever_a_record_may_not_decide():
    for name in ("cyp2c19_phenotype", "next_visit", "food_insecurity", "influenza_vaccine", "brca1_pathogenic"):
        assert can_be_unknown(name, vocabulary())
    assert _type("cyp2c19_phenotype", vocabulary()) == "text"
    assert _type("next_visit", vocabulary()) == "boolean"
    assert _type("next_visit_days", vocabulary()) == "number"


def test_every_kind_has_words_and_a_place_where_it_would_stand():
    kinds = set(FactKind.__args__)
    assert set(phrases._ASK) == kinds
    assert set(CATEGORIES) == kinds - VALUED
    for concept in vocabulary().concepts.values():
        assert phrases.missing(concept)
