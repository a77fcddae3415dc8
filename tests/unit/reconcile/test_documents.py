"""A plan that stands as a document: what a revision replaces, and when a person is asked first."""

from typing import Any

import msgspec
import pytest

from careplan_exchange.model.changes import Base, ChangeSet, ElementChange, Held, ResourceChange
from careplan_exchange.reconcile import accept
from careplan_exchange.reconcile.documents import as_revision, stands_as_final

from .world import PATIENT


def document(
    identity: str, action: Any, *, theirs: Any = None, ours: str = "current", **more: Any
) -> ResourceChange:
    body = {"resourceType": "DocumentReference", "status": ours}
    return ResourceChange(
        identity=identity,
        type="DocumentReference",
        action=action,
        full_url=f"urn:uuid:{identity}",
        body=body,
        ours=body,
        theirs=theirs,
        id=None if action == "create" else f"{identity}-id",
        **more,
    )


CURRENT = {"resourceType": "DocumentReference", "status": "current"}
NEW = document("new", "create")
OLD = document("old", "update", theirs=CURRENT, ours="superseded")


def base(identity: str, status: str = "current", kind: str = "DocumentReference") -> Base:
    body = {"resourceType": kind, "status": status}
    return Base(identity=identity, type=kind, id=f"{identity}-id", version_id="1", ours=body, stored=body)


def revised(*changes: ResourceChange, bases: tuple[Base, ...] = (), release: Any = "R4") -> ChangeSet:
    known = {each.identity: each for each in bases}
    return as_revision(ChangeSet(patient=PATIENT, changes=changes), known, release)


@pytest.mark.parametrize(
    ("release", "code"),
    [
        ("R4", "replaces"),
        ("R5", {"coding": [{"system": "http://hl7.org/fhir/document-relationship-type", "code": "replaces"}]}),
    ],
)
def test_a_new_document_says_which_it_replaces_and_the_old_one_is_superseded(release, code):
    found = revised(OLD, NEW, bases=(base("old"),), release=release)
    old, new = found.changes
    assert old is OLD
    assert new.body == {
        **NEW.body,
        "relatesTo": [{"code": code, "target": {"reference": "DocumentReference/old-id"}}],
    }
    assert (new.ours, new.action, found.issues) == (new.body, "create", ())


def test_a_first_document_and_one_beside_what_is_left_alone_replace_nothing():
    assert revised(NEW).changes == (NEW,)
    over = document("old", "unchanged", theirs={**CURRENT, "status": "superseded"}, ours="superseded")
    assert revised(over, NEW).changes == (over, NEW)


def test_a_document_that_stands_as_it_is_proposed_is_nothing_that_a_person_has_ended():
    standing = document("old", "unchanged", theirs=CURRENT)
    assert revised(standing, NEW).changes == (standing, NEW)


def test_where_no_document_is_made_nothing_is_revised():
    only = ChangeSet(patient=PATIENT, changes=(OLD,))
    assert as_revision(only, {"gone": base("gone")}, "R4") is only


def test_other_resources_are_no_documents():
    goal = msgspec.structs.replace(OLD, type="Goal", identity="goal-1", id="7")
    made = msgspec.structs.replace(NEW, type="Goal")
    assert revised(goal, NEW).changes == (goal, NEW)
    assert revised(made, OLD).changes == (made, OLD)
    assert revised(NEW, bases=(base("goal-1", kind="Goal"),)).changes == (NEW,)


CONFLICT = (ElementChange(path="DocumentReference.status", kind="conflict"),)


@pytest.mark.parametrize(
    ("changes", "bases", "touched"),
    [
        ((msgspec.structs.replace(OLD, elements=CONFLICT),), ("old",), "DocumentReference/old-id"),
        ((document("old", "unchanged", theirs={**CURRENT, "status": "superseded"}),), (), "DocumentReference/old-id"),
        ((document("old", "unchanged", theirs={**CURRENT, "status": "superseded"}, ours="superseded", base=base("old")),), (), "DocumentReference/old-id"),
        ((), ("old",), "DocumentReference/old-id"),
    ],
    ids=["changed", "ended by a person", "ended by a person over our own", "deleted"],
)  # fmt: skip
def test_where_a_person_has_touched_the_old_one_whether_a_new_one_is_written_is_theirs_to_decide(
    changes, bases, touched
):
    found = revised(*changes, NEW, bases=tuple(map(base, bases)))
    assert found.changes[:-1] == changes
    asked = found.changes[-1]
    assert (asked.action, asked.body) == ("unchanged", {})
    assert asked.elements == (ElementChange(path="DocumentReference", kind="conflict", ours=NEW.body),)
    ((issue),) = found.issues
    assert (issue.severity, issue.code, issue.source) == ("warning", "conflict", touched)


def test_a_document_that_we_had_superseded_may_be_deleted_and_one_of_theirs_edited_is_none_of_a_conflict():
    assert revised(NEW, bases=(base("old", "superseded"),)).changes == (NEW,)
    theirs = (ElementChange(path="DocumentReference.description", kind="theirs"),)
    edited = msgspec.structs.replace(OLD, elements=theirs)
    assert "relatesTo" in revised(edited, NEW).changes[1].body


def test_an_issue_that_was_there_stays():
    issue = revised(NEW, bases=(base("old"),)).issues[0]
    found = as_revision(ChangeSet(patient=PATIENT, changes=(NEW,), issues=(issue,)), {"gone": base("gone")}, "R4")
    assert [each.source for each in found.issues] == ["DocumentReference/old-id", "DocumentReference/gone-id"]
    kept = as_revision(ChangeSet(patient=PATIENT, changes=(OLD, NEW), issues=(issue,)), {}, "R4")
    assert kept.issues == (issue,)


@pytest.mark.parametrize(
    ("kind", "doc_status", "status", "final"),
    [
        ("DocumentReference", "final", "current", True),
        ("DocumentReference", "preliminary", "current", False),
        ("DocumentReference", "final", "superseded", False),
        ("CarePlan", "final", "current", False),
    ],
)
def test_only_an_approved_document_that_is_current_stands_as_final(kind, doc_status, status, final):
    one = Held(identity="i", type=kind, id="1", version_id="1", body={"docStatus": doc_status, "status": status})
    assert stands_as_final([one]) is final
    assert stands_as_final([]) is False


def test_agreeing_makes_the_new_document_and_settles_the_notice():
    found = accept(revised(NEW, bases=(base("old"),)))
    (change,) = found.changes

    assert (change.action, change.body) == ("create", NEW.body)
    assert found.issues == ()
