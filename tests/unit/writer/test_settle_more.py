"""What is judged of a write from what is seen, case by case: no server answers here."""

from collections.abc import Sequence
from typing import Any

import httpx
import msgspec
import pytest

from careplan_exchange.model.changes import Base, Json, ResourceChange, Settlement
from careplan_exchange.writer.settle import Sighting, Target, Version, judge, links_of, needs_history
from tests.support.writing import an_intent, an_update, as_written, creates

BASE = "https://ehr.example.org/fhir"
ATOMIC = Target(base_url=BASE, atomic=True)
ONE_BY_ONE = Target(base_url=BASE, atomic=False)
GOAL, OTHER = creates()[:2]


def an_update_of(change: ResourceChange, resource_id: str = "7", **elements: Any) -> ResourceChange:
    written = as_written(change)
    written = msgspec.structs.replace(written, id=resource_id, stored={**written.stored, "id": resource_id})
    return an_update(written, **elements)


def seen(change: ResourceChange, *versions: tuple[str, Json], whole: bool, resource_id: str = "7") -> Sighting:
    """Versions newest first."""
    return Sighting(
        type=change.type,
        id=resource_id,
        versions=tuple(Version(version_id=number, body=body) for number, body in versions),
        whole=whole,
    )


def settled(
    *pairs: tuple[ResourceChange, Sighting | None], target: Target = ATOMIC, booked: Sequence[Base] = ()
) -> Settlement:
    sightings = {change.identity: sighting for change, sighting in pairs if sighting is not None}
    known = {base.identity: base for base in booked}
    return judge([change for change, _ in pairs], sightings, target, known)


UPDATE = an_update_of(GOAL, description={"text": "ours"})
SOMEBODYS: Json = {**UPDATE.body, "description": {"text": "a clinician's"}}


@pytest.mark.parametrize(
    ("change", "version", "body", "whole", "needed"),
    [
        (UPDATE, "1", GOAL.body, False, False),
        (UPDATE, "2", UPDATE.body, False, False),
        (UPDATE, "2", SOMEBODYS, False, True),
        (UPDATE, "3", UPDATE.body, False, True),
        (UPDATE, "3", UPDATE.body, True, False),
        (UPDATE, "v2", UPDATE.body, False, True),
        (GOAL, "1", GOAL.body, False, False),
        (GOAL, "2", GOAL.body, False, True),
        (GOAL, "1", SOMEBODYS, False, True),
    ],
)
def test_versions_are_asked_for_only_where_the_current_one_does_not_say_it_all(
    change, version, body, whole, needed
):
    assert needs_history(change, seen(change, (version, body), whole=whole), {}, ATOMIC) is needed


def test_a_create_without_a_version_of_its_own_has_its_versions_asked_for():
    """Its number may be that of the version that it claims to have been made over: that says nothing of a create."""
    create = msgspec.structs.replace(GOAL, version_id="3")
    assert needs_history(create, seen(create, ("3", GOAL.body), whole=False), {}, ATOMIC)


def test_an_update_over_a_version_that_is_no_number_has_its_versions_asked_for():
    lettered = msgspec.structs.replace(UPDATE, version_id="a")
    assert needs_history(lettered, seen(lettered, ("1", UPDATE.body), whole=False), {}, ATOMIC)
    unnumbered = msgspec.structs.replace(UPDATE, version_id=None)
    assert needs_history(unnumbered, seen(unnumbered, ("1", UPDATE.body), whole=False), {}, ATOMIC)


def test_what_was_written_over_on_a_server_without_history_was_carried_out_with_the_rest_of_its_transaction():
    """The goal that was made proves the transaction; the update's own version is nobody's to see any more."""
    update = an_update_of(OTHER, "8", description={"text": "ours"}, addresses=[{"reference": GOAL.full_url}])
    created = seen(GOAL, ("1", GOAL.body), whole=False)
    hidden = seen(update, ("3", SOMEBODYS), whole=False, resource_id="8")
    settlement = settled((GOAL, created), (update, hidden))
    assert settlement.outcome == "committed"
    first, second = settlement.written
    assert (first.identity, first.version_id, first.stored) == (GOAL.identity, "1", GOAL.body)
    assert (second.identity, second.type, second.id) == (update.identity, "Goal", "8")
    assert (second.version_id, second.action) == ("", "update")
    assert second.stored == {**update.body, "addresses": [{"reference": "Goal/7"}]}


def test_what_is_seen_as_ours_keeps_its_version_where_another_of_the_transaction_was_written_over():
    update = an_update_of(OTHER, "8", description={"text": "ours"})
    ours = seen(UPDATE, ("2", UPDATE.body), whole=False)
    hidden = seen(update, ("3", SOMEBODYS), whole=False, resource_id="8")
    settlement = settled((UPDATE, ours), (update, hidden))
    assert [each.version_id for each in settlement.written] == ["2", ""]


@pytest.mark.parametrize(
    ("version", "whole", "resource_id"),
    [("3", True, "8"), ("1", False, "8"), ("3", False, "9")],
    ids=["its versions were seen", "it stands as it was read", "it is another resource"],
)
def test_a_part_of_a_transaction_that_is_not_there_is_unclear(version, whole, resource_id):
    update = an_update_of(OTHER, "8", description={"text": "ours"})
    created = seen(GOAL, ("1", GOAL.body), whole=False)
    missing = seen(update, (version, SOMEBODYS), whole=whole, resource_id=resource_id)
    settlement = settled((GOAL, created), (update, missing))
    assert settlement.outcome == "unclear"
    assert [(issue.key, issue.source) for issue in settlement.issues] == [
        ("write.settle.partial", "Goal/7/_history/1")
    ]


def test_an_update_that_is_gone_altogether_is_not_taken_for_one_that_moved_on():
    update = an_update_of(OTHER, "8", description={"text": "ours"})
    created = seen(GOAL, ("1", GOAL.body), whole=False)
    assert settled((GOAL, created), (update, None)).outcome == "unclear"


def test_what_was_written_over_alone_proves_nothing_and_is_absent():
    assert settled((UPDATE, seen(UPDATE, ("3", SOMEBODYS), whole=False))).outcome == "absent"


def test_without_transactions_what_was_written_over_is_not_booked_with_the_rest():
    update = an_update_of(OTHER, "8", description={"text": "ours"})
    created = seen(GOAL, ("1", GOAL.body), whole=False)
    hidden = seen(update, ("3", SOMEBODYS), whole=False, resource_id="8")
    settlement = settled((GOAL, created), (update, hidden), target=ONE_BY_ONE)
    assert settlement.outcome == "partial"
    assert [each.identity for each in settlement.written] == [GOAL.identity]


def test_a_resource_under_another_id_is_never_our_update_even_where_it_says_the_same():
    moved = seen(UPDATE, ("2", UPDATE.body), ("1", GOAL.body), whole=True, resource_id="9")
    assert settled((UPDATE, moved)).outcome == "absent"
    standing = seen(UPDATE, ("1", UPDATE.body), whole=True, resource_id="9")
    assert settled((UPDATE, standing)).outcome == "absent"


def test_of_two_versions_that_say_what_was_sent_the_older_is_ours():
    twice = seen(UPDATE, ("4", UPDATE.body), ("3", SOMEBODYS), ("2", UPDATE.body), ("1", GOAL.body), whole=True)
    assert settled((UPDATE, twice)).written[0].version_id == "2"
    made = seen(GOAL, ("3", GOAL.body), ("2", SOMEBODYS), ("1", GOAL.body), whole=True)
    assert settled((GOAL, made)).written[0].version_id == "1"


def test_a_version_from_before_the_update_is_not_ours_even_where_it_says_the_same():
    before = seen(UPDATE, ("5", SOMEBODYS), ("1", GOAL.body), ("0", UPDATE.body), whole=True)
    assert settled((UPDATE, before)).outcome == "absent"


def test_a_first_version_that_lacks_what_the_server_drops_is_our_create_only_where_it_is_the_first():
    kept = {name: value for name, value in GOAL.body.items() if name != "note"}
    edited = {**kept, "description": {"text": "a clinician's"}}
    whole = settled((GOAL, seen(GOAL, ("2", edited), ("1", kept), whole=True)))
    assert (whole.outcome, whole.written[0].version_id) == ("committed", "1")
    assert settled((GOAL, seen(GOAL, ("2", kept), whole=False))).outcome == "unclear"
    foreign = settled((GOAL, seen(GOAL, ("1", edited), whole=True)))
    assert [(issue.key, issue.source) for issue in foreign.issues] == [("write.settle.foreign", "Goal/7")]


def test_every_link_that_is_seen_is_known_and_no_other():
    assert links_of([GOAL, OTHER], {OTHER.identity: seen(OTHER, ("1", OTHER.body), whole=False)}) == {
        OTHER.full_url: "Goal/7"
    }


def rewriting(update: ResourceChange, **kept: Json | None) -> ResourceChange:
    """The update as of a server that did not keep these elements of ours the last time."""
    assert update.base is not None
    stored = {**update.base.stored, **{name: value for name, value in kept.items() if value is not None}}
    for name, value in kept.items():
        if value is None:
            stored.pop(name, None)
    return msgspec.structs.replace(
        update, base=msgspec.structs.replace(update.base, stored=stored), theirs=stored
    )


def without(body: Json, *names: str) -> Json:
    return {name: value for name, value in body.items() if name not in names}


def test_an_update_is_known_by_what_it_brings_where_the_server_drops_the_rest():
    update = rewriting(UPDATE, note=None)
    stored = without(UPDATE.body, "note")
    assert settled((update, seen(update, ("2", stored), ("1", GOAL.body), whole=True))).outcome == "committed"
    assert settled((update, seen(update, ("2", stored), whole=False))).outcome == "absent"


def test_an_update_that_brings_only_what_the_server_drops_is_not_known_by_the_rest():
    update = rewriting(an_update_of(GOAL), note=None)
    stored = without(GOAL.body, "note")
    assert settled((update, seen(update, ("2", stored), ("1", stored), whole=True))).outcome == "absent"


def test_a_server_that_has_dropped_nothing_before_is_not_believed_to_drop_now():
    stored = without(UPDATE.body, "note")
    assert settled((UPDATE, seen(UPDATE, ("2", stored), ("1", GOAL.body), whole=True))).outcome == "absent"


def test_the_version_right_after_is_the_one_that_may_be_ours_with_something_dropped():
    update = rewriting(UPDATE, note=None)
    stored = without(UPDATE.body, "note")
    history = (("3", {**stored, "description": {"text": "a clinician's"}}), ("2", stored), ("1", GOAL.body))
    assert settled((update, seen(update, *history, whole=True))).written[0].version_id == "2"
    other_way = (("3", stored), ("2", {**stored, "description": {"text": "a clinician's"}}), ("1", GOAL.body))
    assert settled((update, seen(update, *other_way, whole=True))).outcome == "absent"


def test_what_stands_at_the_version_that_the_update_was_made_over_is_ours_only_where_it_says_the_same():
    standing = seen(UPDATE, ("1", UPDATE.body), whole=False)
    assert settled((UPDATE, standing)).written[0].version_id == "1"
    assert settled((UPDATE, seen(UPDATE, ("1", GOAL.body), whole=False))).outcome == "absent"


def test_nothing_seen_of_nothing_sent_is_committed_and_nothing_seen_of_something_is_absent():
    assert settled((GOAL, None), (UPDATE, None)) == Settlement(outcome="absent")


def test_what_was_written_is_told_with_its_own_id_version_action_and_body():
    body = {**GOAL.body, "id": "7"}
    (one,) = settled((GOAL, seen(GOAL, ("1", body), whole=False))).written
    assert (one.identity, one.type, one.id, one.version_id, one.action, one.stored, one.issues) == (
        GOAL.identity,
        "Goal",
        "7",
        "1",
        "create",
        body,
        (),
    )


async def test_a_server_whose_history_is_empty_is_judged_by_what_stands(server, writer, monkeypatch):
    intent = an_intent(creates()[:1])
    await writer.write(intent, ())
    server.edit("Goal/1", note=[{"text": "a clinician's"}])
    answer = server._get
    empty = httpx.Response(200, json={"resourceType": "Bundle", "type": "history"})
    monkeypatch.setattr(
        server, "_get", lambda path, request: empty if path.endswith("/_history") else answer(path, request)
    )
    assert (await writer.settle(intent, {})).outcome == "unclear"


def booked(change: ResourceChange, version: str, resource_id: str = "7") -> Base:
    """What another write of ours is remembered to have left."""
    return Base(
        identity=change.identity,
        type=change.type,
        id=resource_id,
        version_id=version,
        ours=change.body,
        stored=change.body,
    )


@pytest.mark.parametrize(
    ("change", "versions", "version"),
    [
        (GOAL, ("1",), "1"),
        (GOAL, ("2", "1"), "1"),
        (GOAL, ("2", "1"), "2"),
        (GOAL, ("2",), "1"),  # no history, and somebody has edited it since
        (UPDATE, ("2", "1"), "2"),
        (UPDATE, ("3", "2", "1"), "2"),
        (UPDATE, ("2",), "2"),  # no history: what stands is what is booked
    ],
)
@pytest.mark.parametrize("theirs", [True, False])
def test_what_another_write_of_ours_has_made_or_changed_since_is_neither_this_ones_nor_foreign(
    change, versions, version, theirs
):
    body = SOMEBODYS if theirs else change.body
    sight = seen(change, *((number, body) for number in versions), whole=len(versions) > 1)
    assert settled((change, sight), booked=[booked(change, version)]).outcome == "superseded"


@pytest.mark.parametrize(
    ("change", "versions", "base"),
    [
        (UPDATE, ("2", "1"), booked(UPDATE, "1")),  # what it was made over
        (UPDATE, ("2", "1"), booked(UPDATE, "2", "9")),  # of another resource
        (UPDATE, ("2", "1"), booked(UPDATE, "5")),  # of a version that is not there
        (UPDATE, ("3", "2"), booked(UPDATE, "2")),  # what it was made over is not shown any more
        (GOAL, ("1",), booked(GOAL, "1", "9")),  # of one that was deleted, before it was offered again
    ],
)
def test_what_is_remembered_of_before_says_nothing(change, versions, base):
    sight = seen(change, *((number, change.body) for number in versions), whole=True)
    one = settled((change, sight), booked=[base])
    assert (one.outcome, len(one.written)) == ("committed", 1)


def test_what_was_remembered_before_somebody_edited_says_nothing_of_an_update_over_the_edit():
    over_an_edit = msgspec.structs.replace(UPDATE, version_id="2")
    versions = (("3", UPDATE.body), ("2", SOMEBODYS), ("1", GOAL.body))
    one = settled((over_an_edit, seen(UPDATE, *versions, whole=True)), booked=[booked(UPDATE, "1")])
    assert [each.version_id for each in one.written] == ["3"]


def test_of_a_write_of_which_a_part_is_booked_the_rest_is_a_part():
    known = (GOAL, seen(GOAL, ("1", SOMEBODYS), whole=True))
    rest = (OTHER, seen(OTHER, ("1", OTHER.body), whole=True, resource_id="8"))
    one = settled(known, rest, booked=[booked(GOAL, "1")])
    assert (one.outcome, [each.id for each in one.written]) == ("partial", ["8"])
    absent = settled(known, (OTHER, None), booked=[booked(GOAL, "1")])
    assert (absent.outcome, absent.written) == ("absent", ())


def test_what_is_booked_and_gone_is_absent():
    assert settled((GOAL, None), (UPDATE, None), booked=[booked(GOAL, "1")]).outcome == "absent"


def test_an_update_of_which_nothing_came_is_absent_where_what_it_was_made_over_is_what_is_booked():
    stands = seen(UPDATE, ("1", GOAL.body), whole=False)
    assert settled((UPDATE, stands), booked=[booked(UPDATE, "1")]).outcome == "absent"
    already = seen(UPDATE, ("1", UPDATE.body), whole=False)
    assert settled((UPDATE, already), booked=[booked(UPDATE, "1")]).outcome == "committed"


def test_an_update_of_which_nothing_is_known_from_before_is_known_by_all_that_it_brings():
    update = msgspec.structs.replace(rewriting(UPDATE, note=None), theirs=None)
    stored = without(UPDATE.body, "note")
    assert settled((update, seen(update, ("2", stored), ("1", GOAL.body), whole=True))).outcome == "committed"


async def test_a_server_that_shows_no_history_is_judged_by_what_stands(server, writer, monkeypatch):
    intent = an_intent(creates()[:1])
    await writer.write(intent, ())
    server.edit("Goal/1", description={"text": "a clinician's"})
    answer = server._get
    refusal = httpx.Response(405, json={})
    monkeypatch.setattr(
        server, "_get", lambda path, request: refusal if path.endswith("/_history") else answer(path, request)
    )
    one = await writer.settle(intent, {})
    assert (one.outcome, [issue.source for issue in one.issues]) == ("unclear", ["Goal/1"])
