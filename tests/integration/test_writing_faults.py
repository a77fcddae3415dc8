"""The twelve ways in which a write-back loses, doubles or overwrites data, each provoked over real sockets.

docs/failure-modes.md names these tests, mode by mode. The data path is whole: only the patient's record comes from
memory. The target is our sandbox behind a layer that makes it weak, and for some modes HAPI or Medplum.
"""

from collections.abc import Iterator

import httpx
import msgspec
import pytest

from careplan_exchange.errors import (
    CareplanError,
    DuplicateError,
    EndpointUnreachableError,
    IncompleteRecordError,
    LossyTargetError,
    PatientAmbiguousError,
    RefusedError,
    UnavailableError,
    UnsettledWriteError,
    WrongPatientError,
)
from careplan_exchange.sandbox.faults import Fault
from tests.support.weakened import Weakened
from tests.support.wire import World, weak_world
from tests.support.writing import an_intent


@pytest.fixture
def weak() -> Iterator[tuple[World, Weakened]]:
    with weak_world() as both:
        yield both


def writes_in(layer: Weakened) -> list[tuple[str, str, dict[str, str]]]:
    return [one for one in layer.log if one[0] in {"PUT", "DELETE"} or (one[0] == "POST" and one[1])]


async def planned(world: World):
    """The changes of a first plan, as they would be written."""
    seen = []
    async with world.writer() as writer:
        kind = type(writer)

        async def keep(self, intent, companions):
            seen.extend(intent.changes)
            raise RefusedError("not now", mend="")

        before, kind.write = kind.write, keep
        try:
            with pytest.raises(RefusedError, match="not now"):
                await world.sync()
        finally:
            kind.write = before
    return tuple(seen)


# --- 1 timeout after commit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reset_after_commit", "reset_in_answer", "cut_body"])
@pytest.mark.parametrize("transactions", [True, False], ids=["transaction", "one by one"])
async def test_mode_1_an_answer_that_is_lost_after_the_commit_is_looked_up_and_nothing_is_sent_twice(
    weak, kind, transactions
):
    world, layer = weak
    layer.transactions = transactions
    layer.faults.arm(Fault(kind=kind, method="POST", path="^$" if transactions else "^Goal$"))
    if transactions:
        layer.faults.clear()
        layer.faults.arm(Fault(kind=kind, method="POST", path="^$", skip=1))  # the first is a batch of searches
    assert (await world.sync()).outcome == "written"
    assert layer.faults.armed() == ()
    assert len(world.everything()) == len(world.receipt.resources)
    assert {each["meta"]["versionId"] for each in world.everything().values()} == {"1"}
    assert (await world.sync()).outcome == "unchanged"


# --- 2 a cached "absent" ------------------------------------------------------------------------------------------


async def test_mode_2_every_read_before_a_write_goes_past_all_caches(weak):
    world, layer = weak
    await world.sync()
    await world.sync(approve=True)
    reads = [one for one in layer.log if one[0] == "GET" or (one[0] == "POST" and "prefer" not in one[2])]
    assert len(reads) >= 4
    assert {headers.get("cache-control") for _, _, headers in reads} == {"no-cache"}


@pytest.mark.hapi
async def test_mode_2_the_search_cache_of_hapi_does_not_hide_what_was_just_written(hapi_r4):
    world = World(hapi_r4.url)
    for kind in ("CarePlan", "Goal"):
        assert world.of(kind) == []  # HAPI keeps this answer for a minute
    assert (await world.sync()).outcome == "written"
    assert (await world.sync()).outcome == "unchanged"
    assert len(world.everything()) == len(world.receipt.resources)


# --- 3 concurrent conditional creates -----------------------------------------------------------------------------


async def test_mode_3_two_installations_at_once_on_a_server_that_ignores_conditions_leave_one_plan(weak):
    world, layer = weak
    layer.conditions = False
    first = await planned(world)
    world.wire.before_write = lambda: [world.server.post(each.type, stand_alone(each.body)) for each in first[:1]]
    assert (await world.sync()).outcome in {"written", "review"}
    assert len(world.everything()) == len(first)
    world.require_whole()


def stand_alone(body):
    return {name: value for name, value in body.items() if name not in {"goal", "supportingInfo", "activity"}}


# --- 4 the guard keyed on the literal text of the condition -------------------------------------------------------


async def test_mode_4_the_condition_of_a_create_is_the_same_text_every_time(weak):
    world, layer = weak
    layer.transactions = False
    layer.refuses = {"CarePlan": 422}
    with pytest.raises(RefusedError):
        await world.sync()
    first = conditions(layer)
    layer.log.clear()
    layer.refuses = {}
    await world.sync()
    assert len(set(first)) == len(first)
    assert set(first) <= set(conditions(layer))
    assert all(one.startswith("identifier=urn:careplan-exchange:identity|") for one in first)


def conditions(layer):
    return [headers["if-none-exist"] for _, _, headers in writes_in(layer) if "if-none-exist" in headers]


# --- 5 one identity twice in a Bundle -----------------------------------------------------------------------------


async def test_mode_5_one_identity_twice_is_sent_once_and_with_two_bodies_not_at_all(weak):
    world, layer = weak
    changes = await planned(world)
    layer.log.clear()
    other = msgspec.structs.replace(changes[0], body={**changes[0].body, "description": {"text": "other"}})
    async with world.writer() as writer:
        with pytest.raises(DuplicateError):
            await writer.write(an_intent((*changes, other), world.url), ())
        assert [one for one in layer.log if one[0] == "POST"] == []
        assert len(await writer.write(an_intent((*changes, changes[0]), world.url), ())) == len(changes)
    assert len(world.everything()) == len(changes)


# --- 6 PUT without If-Match ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("transactions", [True, False], ids=["transaction", "one by one"])
async def test_mode_6_a_clinician_who_edits_between_our_read_and_our_update_is_not_overwritten(
    weak, transactions
):
    world, layer = weak
    layer.transactions = transactions
    await world.sync()
    goal = world.of("Goal")[0]
    world.wire.before_write = lambda: world.edit(f"Goal/{goal['id']}", note=[{"text": "a clinician's"}])
    assert (await world.sync(approve=True)).outcome == "written"
    after = world.server.get(f"Goal/{goal['id']}")
    assert (after["note"], after["lifecycleStatus"]) == ([{"text": "a clinician's"}], "active")
    ours = [headers for method, _, headers in layer.log if method == "PUT" and "prefer" in headers]
    assert bool(ours) is not transactions
    assert all("if-match" in headers for headers in ours)
    assert (await world.sync(approve=True)).outcome == "unchanged"


# --- 7 ifMatch ignored by the server ------------------------------------------------------------------------------


@pytest.mark.parametrize("transactions", [True, False], ids=["transaction", "one by one"])
async def test_mode_7_what_a_server_without_if_match_let_us_overwrite_is_put_back_and_merged(weak, transactions):
    world, layer = weak
    layer.transactions = transactions
    layer.if_match = False
    await world.sync()
    goal = world.of("Goal")[0]
    world.wire.before_write = lambda: world.edit(f"Goal/{goal['id']}", note=[{"text": "a clinician's"}])
    receipt = await world.sync(approve=True)
    after = world.server.get(f"Goal/{goal['id']}")
    assert (after["note"], after["lifecycleStatus"]) == ([{"text": "a clinician's"}], "active")
    assert "write.if-match-ignored" in {issue.key for issue in receipt.issues}
    world.require_whole()
    assert (await world.sync(approve=True)).outcome == "unchanged"


# --- 8 a server-side retry of a stale body ------------------------------------------------------------------------


@pytest.mark.parametrize("transactions", [True, False], ids=["transaction", "one by one"])
async def test_mode_8_no_server_is_asked_to_apply_a_stale_body_again(weak, transactions):
    world, layer = weak
    layer.transactions = transactions
    await world.sync()
    await world.sync(approve=True)
    assert len(layer.log) >= 4
    assert not [one for one in layer.log if "x-retry-on-version-conflict" in one[2]]


# --- 9 loss on round trip -----------------------------------------------------------------------------------------


async def test_mode_9_what_the_server_does_not_keep_is_told_with_its_path_and_without_its_value(weak):
    world, layer = weak
    layer.stores = lambda body: {name: value for name, value in body.items() if name not in {"note", "priority"}}
    receipt = await world.sync()
    assert receipt.outcome == "written"
    lost = [issue for issue in receipt.issues if issue.key == "write.lost"]
    assert {(issue.severity, issue.expression) for issue in lost} >= {
        ("warning", "Goal.note"),
        ("warning", "Goal.priority"),
    }
    assert all(
        issue.source.startswith(("Goal/", "CarePlan/", "DetectedIssue/", "ServiceRequest/")) for issue in lost
    )
    assert (await world.sync()).outcome == "unchanged"


@pytest.mark.parametrize("transactions", [True, False], ids=["transaction", "one by one"])
async def test_mode_9_a_loss_that_could_hurt_takes_the_whole_write_back(weak, transactions):
    world, layer = weak
    layer.transactions = transactions
    layer.stores = lambda body: (
        {**body, "target": [changed(one) for one in body["target"]]} if "target" in body else body
    )
    with pytest.raises(LossyTargetError, match=r"Goal\.target\[0\].*taken back") as caught:
        await world.sync()
    assert caught.value.exit_code == 4
    assert "7" not in "".join(issue.detail for issue in caught.value.issues)
    assert world.everything() == {}
    layer.stores = dict
    assert (await world.sync()).outcome == "written"
    world.require_whole()


@pytest.mark.hapi
async def test_mode_9_hapi_which_does_not_delete_what_is_referred_to_is_left_without_our_identities(hapi_r4):
    world = World(hapi_r4.url)
    world.wire.rewrite = lambda body: body.replace(b'"lifecycleStatus":"proposed"', b'"lifecycleStatus":"active"')
    with pytest.raises(LossyTargetError, match=r"Goal\.lifecycleStatus.*taken back"):
        await world.sync()
    assert world.everything() == {}
    marked = world.server.search(f"Goal?patient={world.patient}")
    assert {goal["lifecycleStatus"] for goal in marked} <= {"entered-in-error"}
    world.wire.rewrite = None
    assert (await world.sync()).outcome == "written"
    world.require_whole()


def changed(target):
    if "detailRange" not in target:
        return target
    ends = {name: {**end, "value": end["value"] - 1} for name, end in target["detailRange"].items()}
    return {**target, "detailRange": ends}


# --- 10 a batch that failed in part, booked as success ------------------------------------------------------------


async def test_mode_10_a_write_that_is_refused_half_way_is_taken_back_and_never_a_success(weak):
    world, layer = weak
    layer.transactions = False
    layer.refuses = {"CarePlan": 422}
    with pytest.raises(RefusedError, match=r"\(422.*taken back"):
        await world.sync()
    assert world.everything() == {}
    assert await world.plans.commits() == ()


async def test_mode_10_what_was_written_before_somebody_was_quicker_is_booked_and_only_the_rest_is_sent(weak):
    world, layer = weak
    layer.transactions = False
    await world.sync()

    def edit_those_that_wait() -> None:
        for goal in world.of("Goal"):
            if goal["lifecycleStatus"] == "proposed":
                world.edit(f"Goal/{goal['id']}", note=[{"text": "a clinician's"}])

    world.wire.after_write = edit_those_that_wait
    assert (await world.sync(approve=True)).outcome == "written"
    _, first, rest = [{(one.type, one.id) for one in commit.written} for commit in await world.plans.commits()]
    assert len(first) == 1
    assert first.isdisjoint(rest)
    assert {goal["lifecycleStatus"] for goal in world.of("Goal")} == {"active"}
    assert (await world.sync(approve=True)).outcome == "unchanged"


async def test_mode_10_a_transaction_that_was_carried_out_in_part_is_for_a_person_and_its_intent_stays_open(weak):
    world, layer = weak
    layer.atomic = False
    for _ in range(2):
        with pytest.raises(UnsettledWriteError) as caught:
            await world.sync()
        assert caught.value.exit_code == 6
        assert {issue.key for issue in caught.value.issues} == {"write.settle.partial"}
        assert all("_history/1" in issue.source for issue in caught.value.issues)
    assert await world.plans.commits() == ()
    assert len([one for one in layer.log if "prefer" in one[2]]) == 1


# --- 11 a plan from a truncated read ------------------------------------------------------------------------------


async def test_mode_11_nothing_is_written_where_what_stands_on_the_target_was_not_read_whole(weak):
    world, layer = weak
    await world.sync()
    layer.log.clear()
    layer.faults.arm(Fault(kind="partial_warning", times=5, path="^Goal"))
    with pytest.raises(IncompleteRecordError):
        await world.sync(approve=True)
    assert [one for one in layer.log if "prefer" in one[2]] == []


# --- 12 the wrong patient or tenant, or a token sent to a foreign `next` ------------------------------------------


async def test_mode_12_two_patients_with_one_identifier_are_nobody(weak):
    world, layer = weak
    world.server.post("Patient", {"resourceType": "Patient", "identifier": [world.identifier]})
    with pytest.raises(PatientAmbiguousError):
        await world.sync()
    assert [one for one in layer.log if "prefer" in one[2]] == []


async def test_mode_12_a_plan_under_our_identity_about_another_patient_is_not_touched(weak):
    world, _ = weak
    await world.sync()
    other = world.server.post("Patient", {"resourceType": "Patient"})["id"]
    for goal in world.of("Goal"):
        world.edit(f"Goal/{goal['id']}", subject={"reference": f"Patient/{other}"})
    before = [goal["meta"]["versionId"] for goal in world.server.search(f"Goal?patient=Patient/{other}")]
    with pytest.raises(WrongPatientError):
        await world.sync(approve=True)
    after = [goal["meta"]["versionId"] for goal in world.server.search(f"Goal?patient=Patient/{other}")]
    assert before == after != []


async def test_mode_12_a_next_link_to_another_server_is_not_followed(weak):
    world, layer = weak
    layer.transactions = False
    await world.sync()
    layer.faults.arm(Fault(kind="small_pages", size=1, times=9))
    layer.faults.arm(Fault(kind="foreign_next", times=9))
    with pytest.raises(CareplanError) as caught:
        await world.sync(approve=True)
    assert isinstance(caught.value, IncompleteRecordError | RefusedError)


# --- and all at once ----------------------------------------------------------------------------------------------


async def test_a_server_that_is_gone_is_said_so_and_the_next_run_goes_on(weak):
    world, _ = weak

    def gone(*_: object) -> None:
        raise httpx.ConnectError("refused")

    world.wire.before_write = gone
    with pytest.raises((EndpointUnreachableError, UnavailableError)):
        await world.sync()
    assert world.everything() == {}
    assert (await world.sync()).outcome == "written"
