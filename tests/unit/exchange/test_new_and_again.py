"""The whole path for one patient: a new plan, and the same again."""

from datetime import timedelta

import pytest

from careplan_exchange.store import MemoryPlanStore
from tests.support.hospital import TODAY, URL, Hospital
from tests.support.interfering import (
    AUTO_NEW,
    REVIEW_NEW,
    actions,
    assert_nothing_written,
    nothing_applies_to,
    the_pending,
)
from tests.support.patients import NAMES


async def test_a_new_plan_is_a_draft_and_its_goals_are_proposed() -> None:
    hospital = Hospital()
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert hospital.plan()["status"] == "draft"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"proposed"}
    assert len(hospital.goals()) > 3
    assert actions(receipt) == {"create": len(hospital.everything())}


async def test_an_approved_plan_is_active_and_so_are_its_goals() -> None:
    hospital = Hospital()
    await hospital.sync(approve=True)
    assert hospital.plan()["status"] == "active"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"active"}


async def test_a_draft_becomes_active_when_a_later_sync_is_approved() -> None:
    hospital = Hospital()
    await hospital.sync()
    receipt = await hospital.sync(approve=True)
    assert receipt.outcome == "written"
    assert hospital.plan()["status"] == "active"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"active"}
    assert (await hospital.sync()).outcome == "unchanged"


async def test_the_write_brings_provenance_and_audit_events() -> None:
    hospital = Hospital()
    await hospital.sync()
    (provenance,) = hospital.writer.resources("Provenance")
    assert {target["reference"] for target in provenance["target"]} == set(hospital.everything())
    assert len(hospital.writer.resources("AuditEvent")) == len(hospital.everything())


async def test_the_policy_active_writes_a_new_plan_as_active() -> None:
    hospital = Hospital(policy=AUTO_NEW)
    assert (await hospital.sync()).outcome == "written"
    assert hospital.plan()["status"] == "active"


async def test_the_policy_active_leaves_a_draft_that_stands_already_a_draft() -> None:
    hospital = Hospital()
    await hospital.sync()
    hospital.policy = AUTO_NEW
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.plan()["status"] == "draft"


async def test_the_policy_review_writes_nothing_until_a_person_approves() -> None:
    hospital = Hospital(policy=REVIEW_NEW)
    receipt = await hospital.sync()
    assert receipt.outcome == "review"
    assert_nothing_written(hospital)
    assert set(actions(receipt)) == {"pending"}
    pending = await the_pending(hospital)
    assert pending.id == receipt.exchange
    assert pending.why

    hospital.clock.pass_time(days=1)
    again = await hospital.sync(today=TODAY + timedelta(days=1))
    assert again.outcome == "review"
    assert await hospital.plans.pendings(None) == (pending,), "the same question is not asked twice"

    approved = await hospital.sync(accepting=pending)
    assert approved.outcome == "written"
    assert hospital.plan()["status"] == "active"
    assert (await hospital.sync()).outcome == "unchanged"


# --- again ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [0, 1])
@pytest.mark.parametrize("approve", [False, True])
@pytest.mark.parametrize("name", NAMES)
async def test_a_second_sync_changes_nothing_on_whichever_day(name: str, days: int, approve: bool) -> None:
    hospital = Hospital(name)
    await hospital.sync(approve=approve)
    before = hospital.everything()
    hospital.clock.pass_time(days=days)
    receipt = await hospital.sync(approve=approve, today=TODAY + timedelta(days=days))
    assert receipt.outcome == "unchanged"
    assert set(actions(receipt)) <= {"unchanged"}
    assert hospital.everything() == before


async def test_a_plan_that_a_lost_database_knew_is_taken_as_ours_without_a_write() -> None:
    hospital = Hospital()
    await hospital.sync()
    before = hospital.everything()
    hospital.plans = MemoryPlanStore()
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.everything() == before
    bases = await hospital.plans.bases(URL, f"Patient/{hospital.source.patient}")
    assert {f"{base.type}/{base.id}" for base in bases.values()} == set(before)


async def test_no_protocol_applies_and_nothing_is_written() -> None:
    hospital = Hospital("08-nothing-applies")
    nothing_applies_to(hospital.source)
    receipt = await hospital.sync()
    assert receipt.outcome == "unchanged"
    assert receipt.resources == ()
    assert_nothing_written(hospital)


async def test_what_no_longer_applies_is_retired_and_never_deleted() -> None:
    hospital = Hospital()
    await hospital.sync()
    stood = set(hospital.everything())
    nothing_applies_to(hospital.source)
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert actions(receipt) == {"update": len(stood)}
    assert set(hospital.everything()) == stood
    assert hospital.plan()["status"] == "revoked"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"cancelled"}
    assert (await hospital.sync()).outcome == "unchanged"
