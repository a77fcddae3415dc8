"""Taking back what an exchange wrote, resource by resource: no server, no store."""

from typing import Any

import msgspec

from careplan_exchange.model.changes import (
    Action,
    Base,
    ChangeSet,
    Commit,
    Held,
    Intent,
    Json,
    ResourceChange,
    WrittenResource,
)
from careplan_exchange.reconcile import accept, undo
from careplan_exchange.reconcile.undo import WORKED_ON, base_after_undo

from .world import PATIENT, change_of, kinds


def goal(version: str = "1", identity: str = "goal-1", **elements: Any) -> Json:
    standard = {
        "lifecycleStatus": "active",
        "description": {"text": "HbA1c below 7"},
        "startDate": "2026-01-01",
    }
    return body("Goal", identity, version, **(standard | elements))


def plan(version: str = "1", **elements: Any) -> Json:
    return body(
        "CarePlan", "plan-1", version, **({"status": "active", "intent": "plan", "title": "Plan"} | elements)
    )


def body(kind: str, identity: str, version: str, **elements: Any) -> Json:
    meta = {"versionId": version, "lastUpdated": f"2026-01-{int(version):02}T00:00:00Z"}
    return {"resourceType": kind, "id": f"{identity}-id", "meta": meta, **elements}


def commit(*writes: tuple[Json | None, Json], action: Action | None = None) -> Commit:
    """What stood before each write (None: nothing), and what the server made of it."""
    intent = Intent(
        id="intent",
        exchange="exchange",
        target="https://fhir.example.org",
        patient=PATIENT,
        changes=tuple(
            ResourceChange(
                identity=identity_of(after),
                type=after["resourceType"],
                action="update" if before else "create",
                full_url=f"urn:uuid:{identity_of(after)}",
                body=after,
                ours=after,
                theirs=before,
            )
            for before, after in writes
        ),
        created_at="2026-01-01T00:00:00Z",
    )
    written = tuple(
        WrittenResource(
            identity=identity_of(after),
            type=after["resourceType"],
            id=after["id"],
            version_id=after["meta"]["versionId"],
            action=action or ("update" if before else "create"),
            stored=after,
        )
        for before, after in writes
    )
    return Commit(intent=intent, written=written, committed_at="2026-01-01T00:00:00Z")


def identity_of(resource: Json) -> str:
    return str(resource["id"]).removesuffix("-id")


def held(*bodies: Json) -> tuple[Held, ...]:
    return tuple(
        Held(
            identity=identity_of(one),
            type=one["resourceType"],
            id=one["id"],
            version_id=one["meta"]["versionId"],
            body=one,
        )
        for one in bodies
    )


def taken_back(*commits: Commit, now: tuple[Json, ...]) -> ChangeSet:
    return undo(commits, held(*now), patient=PATIENT)


def test_the_plan_goes_back_before_its_parts_so_that_no_reader_sees_a_plan_in_use_without_goals():
    made = commit((None, goal()), (None, goal(identity="goal-2")), (None, plan()))
    changes = taken_back(made, now=(goal(), goal(identity="goal-2"), plan()))
    assert [change.type for change in changes.changes] == ["CarePlan", "Goal", "Goal"]
    assert [change.identity for change in changes.changes] == ["plan-1", "goal-1", "goal-2"]


def test_what_was_made_and_never_worked_on_keeps_everything_but_its_status():
    made = commit((None, goal()))
    (change,) = taken_back(made, now=(goal(),)).changes
    assert change.action == "update"
    assert change.body == {**goal(), "lifecycleStatus": "entered-in-error"}
    assert kinds(taken_back(made, now=(goal(),)), "goal-1") == {"Goal.lifecycleStatus": "ours"}


def test_what_was_changed_goes_back_as_it_was_in_order_and_all_but_with_the_meta_that_stands():
    before = goal(addresses=[{"reference": "Condition/1"}, {"reference": "Condition/2"}])
    after = goal(
        "2", addresses=[{"reference": "Condition/2"}, {"reference": "Condition/1"}], startDate="2026-02-02"
    )
    (change,) = taken_back(commit((before, after)), now=(after,)).changes
    assert change.body == {**before, "meta": after["meta"]}
    assert list(change.body["addresses"]) == before["addresses"]
    assert (change.id, change.version_id, change.full_url) == ("goal-1-id", "2", "Goal/goal-1-id")


def test_a_resource_without_meta_goes_back_all_the_same():
    before, after = goal(), goal("2", startDate="2026-02-02")
    bare = held(after)[0]
    bare = msgspec.structs.replace(bare, body={name: value for name, value in after.items() if name != "meta"})
    (change,) = undo([commit((before, after))], [bare], patient=PATIENT).changes
    assert change.body["startDate"] == before["startDate"]


def test_of_two_writes_of_one_exchange_to_a_resource_what_stood_before_the_first_comes_back():
    first, second, third = goal(), goal("2", startDate="2026-02-02"), goal("3", startDate="2026-03-03")
    (change,) = taken_back(commit((first, second)), commit((second, third)), now=(third,)).changes
    assert change.body == {**first, "meta": third["meta"]}
    assert change.base == Base(
        identity="goal-1", type="Goal", id="goal-1-id", version_id="3", ours=third, stored=third
    )


def test_what_an_exchange_made_and_then_changed_is_taken_back_whole():
    made, changed = goal(), goal("2", startDate="2026-02-02")
    (change,) = taken_back(commit((None, made)), commit((made, changed)), now=(changed,)).changes
    assert change.body == {**changed, "lifecycleStatus": "entered-in-error"}


def test_what_an_exchange_read_and_left_alone_is_not_taken_back():
    before, after = goal(), goal("2", startDate="2026-02-02")
    left = commit((before, after), action="unchanged")
    assert taken_back(left, now=(after,)).changes == ()
    both = taken_back(left, commit((None, plan())), now=(after, plan()))
    assert [change.identity for change in both.changes] == ["plan-1"]


def test_what_was_left_alone_does_not_stop_what_was_written_beside_it():
    written = commit((None, goal(identity="goal-1")), (None, goal(identity="goal-2")))
    first, second = written.written
    mixed = msgspec.structs.replace(written, written=(msgspec.structs.replace(first, action="unchanged"), second))
    changes = taken_back(mixed, now=(goal(identity="goal-1"), goal(identity="goal-2")))
    assert [change.identity for change in changes.changes] == ["goal-2"]


def test_an_edit_of_an_element_that_we_did_not_touch_stays_and_asks_nobody():
    before, after = goal(), goal("2", startDate="2026-02-02")
    now = goal("3", startDate="2026-02-02", description={"text": "In her own words"})
    changes = taken_back(commit((before, after)), now=(now,))
    (change,) = changes.changes
    assert kinds(changes, "goal-1") == {"Goal.startDate": "ours", "Goal.description": "theirs"}
    assert change.action == "update"
    assert change.body == {**now, "startDate": before["startDate"]}
    assert changes.conflicts == ()


def test_an_edit_of_an_element_that_we_changed_puts_everything_that_we_changed_before_a_person():
    before = goal()
    after = goal("2", startDate="2026-02-02", description={"text": "HbA1c below 8"})
    now = goal("3", startDate="2026-02-02", description={"text": "In her own words"}, note=[{"text": "Hers"}])
    changes = taken_back(commit((before, after)), now=(now,))
    (change,) = changes.changes
    assert kinds(changes, "goal-1") == {"Goal.description": "conflict", "Goal.startDate": "conflict"}
    assert change.action == "unchanged"
    assert change.body == now
    why = {element.path: element.why for element in change.elements}
    assert why["Goal.startDate"] == WORKED_ON
    assert why["Goal.description"] not in {None, WORKED_ON}


def test_a_person_who_agrees_gets_all_of_it_back_and_keeps_what_was_never_in_question():
    before = goal()
    after = goal("2", startDate="2026-02-02", description={"text": "HbA1c below 8"})
    now = goal("3", startDate="2026-02-02", description={"text": "In her own words"}, note=[{"text": "Hers"}])
    (change,) = accept(taken_back(commit((before, after)), now=(now,))).changes
    assert change.action == "update"
    assert change.body == {**before, "meta": now["meta"], "note": now["note"]}


def test_what_the_exchange_made_and_somebody_worked_on_is_a_question_and_stands_as_it_is():
    now = goal("2", description={"text": "In her own words"})
    changes = taken_back(commit((None, goal())), now=(now,))
    (change,) = changes.changes
    assert kinds(changes, "goal-1") == {"Goal.lifecycleStatus": "conflict"}
    assert (change.action, change.body) == ("unchanged", now)
    assert [element.why for element in change.elements] == [WORKED_ON]
    agreed = change_of(accept(changes), "goal-1")
    assert agreed.body == {**now, "lifecycleStatus": "entered-in-error"}


def test_a_new_version_that_says_the_same_is_nobody_having_worked_on_it():
    (change,) = taken_back(commit((None, goal())), now=(goal("2"),)).changes
    assert change.action == "update"
    assert change.body["meta"]["versionId"] == "2"


def test_what_stands_as_it_was_before_already_is_not_written():
    before, after = goal(), goal("2", startDate="2026-02-02")
    (change,) = taken_back(commit((before, after)), now=(goal("3"),)).changes
    assert (change.action, change.elements) == ("unchanged", ())


def test_what_is_gone_is_named_by_the_version_that_was_written():
    changes = taken_back(commit((None, goal("4"))), now=())
    assert changes.changes == ()
    assert [(issue.key, issue.source) for issue in changes.issues] == [
        ("revert.gone", "Goal/goal-1-id/_history/4")
    ]


def test_what_is_remembered_afterwards_is_what_was_remembered_before_of_the_version_that_stands_now():
    base = Base(
        identity="goal-1",
        type="Goal",
        id="old",
        version_id="2",
        ours={"a": 1},
        stored={"a": 2},
        grounds={"k": "d"},
    )
    now = goal("5")
    (written,) = commit((goal(), now)).written
    assert base_after_undo(base, written) == msgspec.structs.replace(base, id="goal-1-id", version_id="5")


def test_an_element_that_the_exchange_took_out_comes_back_without_a_question():
    before, after = goal(priority={"text": "high"}), goal("2")
    changes = taken_back(commit((before, after)), now=(after,))
    (change,) = changes.changes
    assert kinds(changes, "goal-1") == {"Goal.priority": "ours"}
    assert change.body["priority"] == {"text": "high"}


def test_what_is_marked_as_an_error_already_is_nothing_to_ask_or_write():
    marked = goal("2", lifecycleStatus="entered-in-error")
    (change,) = taken_back(commit((None, goal())), now=(marked,)).changes
    assert (change.action, change.elements, change.body) == ("unchanged", (), marked)
