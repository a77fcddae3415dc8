"""A plan as a document: what its two attachments say, and by what it is found again."""

import base64
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree as ET

import msgspec
import pytest

from careplan_exchange.model.codec import decode
from careplan_exchange.model.identity import IDENTITY_SYSTEM, PLAN_KEY, full_url_of
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from tests.support.plans import a_context, a_proposal

XHTML = "{http://www.w3.org/1999/xhtml}"
FORM = TargetForm(release="R4", rung="document")
TITLE = "Plan of care: Type 2 diabetes <in adults> & more"


def document(proposal=None, form=FORM, **context):
    (one,) = render(proposal or a_proposal(), a_context(**context), form)
    return one


def attached(body, at):
    return base64.b64decode(body["content"][at]["attachment"]["data"])


def bundle(form=FORM, **context):
    return decode(attached(document(form=form, **context).body, 1))


def in_bundle(resource_type, form=FORM, **context):
    entries = [entry["resource"] for entry in bundle(form, **context)["entry"]]
    return [each for each in entries if each["resourceType"] == resource_type]


def test_the_document_is_found_by_its_own_identity_and_by_that_of_its_plan():
    one = document()
    assert (one.type, one.full_url) == ("DocumentReference", full_url_of(one.identity))
    assert one.body["identifier"] == [
        {"system": IDENTITY_SYSTEM, "value": one.identity},
        {"system": "urn:careplan-exchange:plan", "value": a_context().identity("CarePlan", PLAN_KEY)},
    ]
    assert bundle()["identifier"] == {"system": IDENTITY_SYSTEM, "value": one.identity}


def test_a_document_about_somebody_is_of_that_patient_and_says_which_kind_it_is():
    body = document().body
    assert (body["resourceType"], body["subject"]) == ("DocumentReference", {"reference": "Patient/p1"})
    note = {"system": "http://loinc.org", "code": "18776-5", "display": "Plan of care note"}
    assert body["type"] == {"coding": [note]}
    category = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
    clinical = {"system": category, "code": "clinical-note", "display": "Clinical Note"}
    assert body["category"] == [{"coding": [clinical]}]
    assert (body["status"], body["description"]) == ("current", TITLE)


def test_the_same_plan_on_another_day_is_the_same_document():
    proposal = a_proposal()
    day = timedelta(days=9)
    aim = proposal.goals[0].targets[0]
    targets = (msgspec.structs.replace(aim, due=aim.due + day),)
    goals = tuple(msgspec.structs.replace(goal, start=goal.start + day) for goal in proposal.goals)
    goals = (msgspec.structs.replace(goals[0], targets=targets), *goals[1:])
    later = document(msgspec.structs.replace(proposal, goals=goals), now=a_context().now + day)
    assert later.identity == document().identity
    assert later.body != document().body, "its days are told all the same"


def test_a_plan_that_says_something_else_is_another_document_of_the_same_plan():
    changed = msgspec.structs.replace(a_proposal(), restrictions=())
    assert document(changed).identity != document().identity
    assert document(changed).body["identifier"][1] == document().body["identifier"][1]


def test_the_compositions_of_two_documents_have_addresses_of_their_own():
    other = document(msgspec.structs.replace(a_proposal(), restrictions=())).body
    assert bundle()["entry"][0]["fullUrl"] != decode(attached(other, 1))["entry"][0]["fullUrl"]


def test_a_goal_that_says_something_else_makes_another_document_too():
    proposal = a_proposal()
    later = msgspec.structs.replace(proposal.goals[1], priority="low-priority")
    changed = msgspec.structs.replace(proposal, goals=(proposal.goals[0], later))
    plans = [render(each, a_context(), TargetForm(release="R4"))[-1] for each in (proposal, changed)]
    assert plans[0].body == plans[1].body, "of the plan itself nothing changed"
    assert document(changed).identity != document(proposal).identity


@pytest.mark.parametrize(("status", "standing"), [("draft", "preliminary"), ("active", "final")])
def test_a_document_is_preliminary_until_a_person_has_approved_the_plan(status, standing):
    assert document(status=status).body["docStatus"] == standing
    assert in_bundle("Composition", status=status)[0]["status"] == standing


def test_its_time_is_told_in_utc_to_the_second():
    there = datetime(2026, 3, 4, 1, 2, 3, 456789, tzinfo=timezone(timedelta(hours=-5)))
    assert document(now=there).body["date"] == "2026-03-04T06:02:03Z"
    assert bundle(now=there)["timestamp"] == "2026-03-04T06:02:03Z"
    assert in_bundle("Composition", now=there)[0]["date"] == "2026-03-04T06:02:03Z"


def test_its_author_is_this_software_by_name_and_version():
    author = {
        "type": "Device",
        "identifier": {"system": "urn:careplan-exchange:software", "value": "careplan-exchange/0.1.0"},
        "display": "careplan-exchange 0.1.0",
    }
    assert document().body["author"] == [author]
    assert in_bundle("Composition")[0]["author"] == [author]


def test_each_attachment_says_what_it_is_and_carries_the_title_of_the_plan():
    attachments = [each["attachment"] for each in document().body["content"]]
    assert [(each["contentType"], each["title"]) for each in attachments] == [
        ("application/xhtml+xml", TITLE),
        ("application/fhir+json", TITLE),
    ]


def test_the_page_stands_alone_and_holds_the_text_of_the_plan():
    page = attached(document().body, 0).decode()
    assert page.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n<html ')
    tree = ET.fromstring(page)  # noqa: S314 - it is our own text that is looked at
    assert tree.find(f"{XHTML}head/{XHTML}title").text == TITLE
    assert "font-family" in tree.find(f"{XHTML}head/{XHTML}style").text
    assert tree.find(f"{XHTML}body/{XHTML}div/{XHTML}h2").text == TITLE
    plan = render(a_proposal(), a_context(), TargetForm(release="R4"))[-1].body
    assert f"<body>{plan['text']['div']}</body>" in page
    assert not list(tree.iter(f"{XHTML}script"))


@pytest.mark.parametrize("release", ["R4", "R4B", "R5"])
def test_the_bundle_is_a_document_whose_composition_comes_first_and_then_the_plan(release):
    form = TargetForm(release=release, rung="document")
    found = bundle(form)
    native = render(a_proposal(), a_context(), TargetForm(release=release))
    assert (found["resourceType"], found["type"]) == ("Bundle", "document")
    assert [entry["resource"]["resourceType"] for entry in found["entry"]] == [
        "Composition",
        "CarePlan",
        *(each.type for each in native[:-1]),
    ]
    assert [entry["fullUrl"] for entry in found["entry"][1:]] == [
        native[-1].full_url,
        *(each.full_url for each in native[:-1]),
    ]
    addresses = [entry["fullUrl"] for entry in found["entry"]]
    assert len(set(addresses)) == len(addresses)


def test_the_composition_lists_everything_under_the_heading_of_its_kind():
    (composition,) = in_bundle("Composition")
    native = render(a_proposal(), a_context(), TargetForm(release="R4"))

    def of(resource_type):
        return [{"reference": each.full_url} for each in native if each.type == resource_type]

    assert [(section["title"], section["entry"]) for section in composition["section"]] == [
        ("Plan of care", of("CarePlan")),
        ("Goals", of("Goal")),
        ("Activities, each a proposal", of("ServiceRequest")),
        ("Hazards found", of("DetectedIssue")),
    ]
    assert composition["section"][0]["text"] == native[-1].body["text"]
    assert composition["title"] == TITLE
    assert composition["type"] == document().body["type"]


def test_a_heading_without_anything_under_it_is_left_out():
    bare = msgspec.structs.replace(a_proposal(), detected=())
    found = decode(attached(document(bare).body, 1))
    titles = [section["title"] for section in found["entry"][0]["resource"]["section"]]
    assert titles == ["Plan of care", "Goals", "Activities, each a proposal"]


@pytest.mark.parametrize(("release", "many"), [("R4", False), ("R4B", False), ("R5", True)])
def test_the_patient_of_the_composition_is_one_or_a_list_as_the_release_has_it(release, many):
    (composition,) = in_bundle("Composition", TargetForm(release=release, rung="document"))
    patient = {
        "type": "Patient",
        "identifier": {"system": "https://ehr.example.org/fhir", "value": "Patient/p1"},
        "display": "Patient on the server that the plan was made from",
    }
    assert composition["subject"] == ([patient] if many else patient)


def test_the_patient_of_a_document_for_another_server_is_the_one_whom_the_source_knows():
    (plan,) = in_bundle("CarePlan", subject="Patient/there", same_server=False)
    assert plan["subject"]["identifier"]["value"] == "Patient/p1"
    body = document(subject="Patient/there", same_server=False).body
    assert body["subject"] == {"reference": "Patient/there"}, "the reference to the document is read where it is"


def test_inside_of_the_document_resources_point_at_one_another_and_outside_they_are_named():
    (plan,) = in_bundle("CarePlan")
    native = render(a_proposal(), a_context(), TargetForm(release="R4"))
    assert plan["goal"] == [{"reference": each.full_url} for each in native if each.type == "Goal"]
    assert plan["addresses"] == [
        {
            "type": "Condition",
            "identifier": {"system": "https://ehr.example.org/fhir", "value": "Condition/c1"},
            "display": "Condition on the server that the plan was made from",
        }
    ]
    assert plan["activity"][0]["detail"]["reasonReference"] == plan["addresses"]
    assert plan["activity"][0]["id"] == "t2dm/activity/metformin"


def test_in_r5_what_an_issue_rests_on_is_named_through_every_level():
    (issue,) = in_bundle("DetectedIssue", TargetForm(release="R5", rung="document"))
    assert issue["evidence"][0]["detail"][0]["identifier"]["value"] == "AllergyIntolerance/a1"
    (plan,) = in_bundle("CarePlan", TargetForm(release="R5", rung="document"))
    assert plan["addresses"][0]["reference"]["identifier"]["value"] == "Condition/c1"
    assert plan["activity"][0]["plannedActivityReference"]["reference"].startswith("urn:uuid:")


def test_a_document_holds_what_its_server_would_not_take_by_itself():
    form = TargetForm(release="R4", rung="document", without=frozenset({"DetectedIssue", "NutritionOrder"}))
    assert [each["status"] for each in in_bundle("DetectedIssue", form)] == ["preliminary"]
    assert document(form=form).identity == document().identity
