"""Taking an exchange back, over adapters in memory."""

from functools import partial
from typing import Any

import msgspec
import pytest

from careplan_exchange import exchange, logs
from careplan_exchange.errors import OutcomeUnknownError
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending, ReviewStep
from tests.support import persons
from tests.support.hospital import Hospital

BY = "Dr Example"
take_back = partial(persons.take_back, by=BY)


def approved(pending: Pending) -> Pending:
    step = ReviewStep(kind="approve", by=BY, at="2026-11-26T11:00:00Z")
    return msgspec.structs.replace(pending, steps=(step,))


def without_meta(resources: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        reference: {name: value for name, value in body.items() if name != "meta"}
        for reference, body in resources.items()
    }


async def changed_by_us(hospital: Hospital) -> tuple[dict[str, dict[str, Any]], Receipt]:
    """A first plan, and then an exchange that changes it, because the record has changed."""
    await hospital.sync()
    before = without_meta(hospital.everything())
    hospital.source.remove("Condition")
    changed = await hospital.sync()
    assert changed.outcome == "written"
    assert without_meta(hospital.everything()) != before
    return before, changed


async def test_what_an_exchange_made_is_marked_entered_in_error_and_nothing_is_deleted():
    hospital = Hospital()
    made = await hospital.sync()
    reverted = await take_back(hospital, made.exchange)
    assert reverted.outcome == "written"
    assert hospital.plan()["status"] == "entered-in-error"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"entered-in-error"}
    assert len(hospital.everything()) == len(made.resources)


async def test_what_an_exchange_changed_is_what_it_was_before_in_a_new_version():
    hospital = Hospital()
    before, changed = await changed_by_us(hospital)
    version = int(hospital.plan()["meta"]["versionId"])
    reverted = await take_back(hospital, changed.exchange)
    assert reverted.outcome == "written"
    now = without_meta(hospital.everything())
    assert {reference: now[reference] for reference in before} == before
    assert int(hospital.plan()["meta"]["versionId"]) == version + 1


async def test_what_was_taken_back_is_not_written_again_by_the_next_sync():
    hospital = Hospital()
    _, changed = await changed_by_us(hospital)
    await take_back(hospital, changed.exchange)
    stands = hospital.everything()
    again = await hospital.sync()
    assert again.outcome in {"unchanged", "review"}
    assert hospital.everything() == stands


async def test_where_somebody_has_changed_one_element_since_nothing_is_written_and_a_review_waits():
    hospital = Hospital()
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    stands = hospital.everything()
    reverted = await take_back(hospital, made.exchange)
    assert reverted.outcome == "review"
    assert hospital.everything() == stands
    (pending,) = await hospital.plans.pendings()
    assert pending.id == reverted.exchange
    assert pending.request.reverts == made.exchange
    assert made.exchange in pending.why[0]


async def test_a_person_who_approves_has_it_taken_back_over_the_later_change():
    hospital = Hospital()
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    await take_back(hospital, made.exchange)
    (pending,) = await hospital.plans.pendings()
    accepted = await take_back(hospital, made.exchange, accepting=approved(pending))
    assert accepted.outcome == "written"
    assert hospital.plan()["status"] == "entered-in-error"
    assert hospital.goals()[0]["description"] == {"text": "In the patient's own words"}


async def test_a_review_that_shows_something_else_than_what_stands_lets_nothing_through():
    hospital = Hospital()
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    await take_back(hospital, made.exchange)
    (pending,) = await hospital.plans.pendings()
    hospital.edit(hospital.goals()[1], description={"text": "And another"})
    stands = hospital.everything()
    assert (await take_back(hospital, made.exchange, accepting=approved(pending))).outcome == "review"
    assert hospital.everything() == stands


async def test_a_later_exchange_of_ours_is_named_as_what_is_in_the_way():
    hospital = Hospital()
    made = await hospital.sync()
    hospital.source.remove("Condition")
    later = await hospital.sync()
    reverted = await take_back(hospital, made.exchange)
    assert reverted.outcome == "review"
    assert any(later.exchange in issue.detail for issue in reverted.issues)


async def test_taking_back_twice_changes_nothing_the_second_time():
    hospital = Hospital()
    made = await hospital.sync()
    await take_back(hospital, made.exchange)
    stands = hospital.everything()
    assert (await take_back(hospital, made.exchange)).outcome == "unchanged"
    assert hospital.everything() == stands


async def test_taking_back_what_was_taken_back_brings_it_again():
    hospital = Hospital()
    made = await hospital.sync()
    stood = without_meta(hospital.everything())
    reverted = await take_back(hospital, made.exchange)
    again = await take_back(hospital, reverted.exchange)
    assert again.outcome == "written"
    assert without_meta(hospital.everything()) == stood


async def test_what_somebody_has_deleted_since_is_left_deleted():
    hospital = Hospital()
    made = await hospital.sync()
    goal = hospital.goals()[0]
    hospital.writer.delete("Goal", goal["id"])
    reverted = await take_back(hospital, made.exchange)
    assert "revert.gone" in {issue.key for issue in reverted.issues}
    assert goal["id"] not in {other["id"] for other in hospital.goals()}


async def test_an_answer_that_was_lost_is_settled_and_the_base_stays_what_it_was():
    hospital = Hospital()
    made = await hospital.sync()
    bases = await hospital.plans.bases(hospital.writer.target, f"Patient/{hospital.source.patient}")
    hospital.writer.fault = "lose-answer"
    reverted = await take_back(hospital, made.exchange)
    assert reverted.outcome == "written"
    after = await hospital.plans.bases(hospital.writer.target, f"Patient/{hospital.source.patient}")
    assert {identity: base.ours for identity, base in after.items()} == {
        identity: base.ours for identity, base in bases.items()
    }
    assert await hospital.plans.open_intents(hospital.writer.target, f"Patient/{hospital.source.patient}") == ()


async def test_the_ledger_says_who_took_back_what():
    hospital = Hospital()
    made = await hospital.sync()
    reverted = await take_back(hospital, made.exchange)
    (entry,) = [e for e in await hospital.entries(reverted.exchange) if e.event == logs.EXCHANGE_REVERTING]
    assert entry.data["of"] == made.exchange
    assert entry.data["by"] == BY


async def test_a_write_that_did_not_arrive_is_an_error_and_nothing_is_changed():
    hospital = Hospital()
    made = await hospital.sync()
    stands = hospital.everything()
    hospital.writer.fault = "lose-request"
    with pytest.raises((OutcomeUnknownError, exchange.NotCarriedOutError)):
        await take_back(hospital, made.exchange)
    assert hospital.everything() == stands
    assert (await take_back(hospital, made.exchange)).outcome == "written"
