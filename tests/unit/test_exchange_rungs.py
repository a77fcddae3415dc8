"""The whole path on every rung of the write ladder, and what a plan does when the target changes its mind."""

import base64

import pytest

from careplan_exchange.model.codec import decode
from careplan_exchange.model.review import ReviewPolicy, ReviewRule
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import TODAY, URL, Hospital

AUTO = ReviewPolicy(rules=(ReviewRule(change=("new", "changed", "retired", "status"), needs="auto"),))


def hospital_on(rung, release="R4", **more):
    return Hospital(writer=MemoryPlanWriter(URL, rung=rung, release=release), **more)


def forget(hospital):
    """The store was lost."""
    hospital.plans = type(hospital.plans)()


def documents(hospital, status=None):
    found = hospital.writer.resources("DocumentReference")
    return [body for body in found if status in {None, body["status"]}]


def bundle_in(body):
    attachment = body["content"][1]["attachment"]
    assert attachment["contentType"] == "application/fhir+json"
    return decode(base64.b64decode(attachment["data"]))


def forms_of(plan):
    kinds = {
        "reference" if "reference" in one else one["detail"]["kind"].replace("ServiceRequest", "detail")
        for one in plan["activity"]
    }
    return kinds - {"MedicationRequest"}


@pytest.mark.parametrize(
    ("rung", "types"),
    [
        ("references", {"CarePlan", "Goal", "ServiceRequest"}),
        ("detail", {"CarePlan", "Goal"}),
        ("document", {"DocumentReference"}),
    ],
)
async def test_a_plan_stands_in_the_form_of_its_rung_once_and_another_day_changes_nothing(rung, types):
    hospital = hospital_on(rung)
    assert (await hospital.sync()).outcome == "written"
    before = hospital.everything()
    assert {reference.split("/")[0] for reference in before} - {"DetectedIssue"} == types
    assert (await hospital.sync(today=TODAY.replace(day=25))).outcome == "unchanged"
    assert hospital.everything() == before


@pytest.mark.parametrize(("first", "then"), [("detail", "references"), ("references", "detail")])
@pytest.mark.parametrize("lost", [False, True])
async def test_a_plan_keeps_its_rung_when_the_target_takes_more_or_less_and_nothing_is_doubled(first, then, lost):
    hospital = hospital_on(first)
    await hospital.sync()
    before, form = hospital.everything(), forms_of(hospital.plan())
    hospital.writer.rung = then
    if lost:
        forget(hospital)
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.everything() == before
    assert forms_of(hospital.plan()) == form


@pytest.mark.parametrize(("first", "then"), [("document", "references"), ("references", "document")])
async def test_a_plan_does_not_change_between_document_and_resources(first, then):
    hospital = hospital_on(first)
    await hospital.sync()
    before = hospital.everything()
    hospital.writer.rung = then
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.everything() == before


async def test_a_document_holds_the_plan_as_a_page_and_as_a_fhir_document():
    hospital = hospital_on("document")
    await hospital.sync()
    (body,) = documents(hospital)
    assert (body["status"], body["docStatus"]) == ("current", "preliminary")
    page = base64.b64decode(body["content"][0]["attachment"]["data"]).decode()
    bundle = bundle_in(body)
    plan = bundle["entry"][1]["resource"]
    assert plan["text"]["div"] in page
    assert bundle["entry"][0]["resource"]["resourceType"] == "Composition"
    assert plan["resourceType"] == "CarePlan"
    full_urls = {entry["fullUrl"] for entry in bundle["entry"]}
    assert {goal["reference"] for goal in plan["goal"]} <= full_urls
    assert not [url for url in full_urls if not url.startswith("urn:uuid:")]


async def test_an_approval_replaces_the_draft_by_a_final_document_and_it_stays_final():
    hospital = hospital_on("document")
    await hospital.sync()
    (draft,) = documents(hospital)
    assert (await hospital.sync(approve=True)).outcome == "written"
    (final,) = documents(hospital, "current")
    (old,) = documents(hospital, "superseded")
    assert old["id"] == draft["id"]
    assert final["docStatus"] == "final"
    assert final["relatesTo"] == [
        {"code": "replaces", "target": {"reference": f"DocumentReference/{draft['id']}"}}
    ]
    assert bundle_in(final)["entry"][1]["resource"]["status"] == "active"
    assert (await hospital.sync()).outcome == "unchanged"
    assert len(documents(hospital)) == 2


async def test_a_revision_of_a_final_document_waits_for_a_person_and_then_replaces_it():
    hospital = hospital_on("document")
    await hospital.sync(approve=True)
    hospital.source.remove("Observation")
    assert (await hospital.sync()).outcome == "review"
    assert len(documents(hospital)) == 1
    (pending,) = await hospital.plans.pendings()
    assert (await hospital.sync(accepting=pending)).outcome == "written"
    (current,) = documents(hospital, "current")
    assert current["docStatus"] == "final"
    assert len(documents(hospital, "superseded")) == 1
    assert (await hospital.sync()).outcome == "unchanged"


async def test_a_revision_of_a_draft_replaces_it_at_once():
    hospital = hospital_on("document", release="R5")
    await hospital.sync()
    hospital.source.remove("Observation")
    assert (await hospital.sync()).outcome == "written"
    (current,) = documents(hospital, "current")
    assert current["docStatus"] == "preliminary"
    assert current["relatesTo"][0]["code"]["coding"][0]["code"] == "replaces"
    assert len(documents(hospital, "superseded")) == 1


def edited(hospital, body):
    hospital.edit(body, description="A clinician's own words")


def replaced(hospital, body):
    hospital.edit(body, status="superseded")


def deleted(hospital, body):
    hospital.writer.delete("DocumentReference", body["id"])


@pytest.mark.parametrize("touch", [edited, replaced, deleted])
async def test_a_document_that_a_person_has_touched_is_left_alone_and_said_and_a_new_one_only_on_approval(touch):
    hospital = hospital_on("document", policy=AUTO)
    await hospital.sync()
    (body,) = documents(hospital)
    touch(hospital, body)
    before = hospital.everything()
    hospital.source.remove("Observation")
    receipt = await hospital.sync()
    assert receipt.outcome == "review"
    assert "reconcile.document-changed" in {issue.key for issue in receipt.issues}
    assert hospital.everything() == before
    (pending,) = await hospital.plans.pendings()
    assert (await hospital.sync(accepting=pending)).outcome == "written"
    assert len(documents(hospital, "current")) == 1


async def test_a_document_whose_answer_was_lost_is_settled_and_stands_once():
    hospital = hospital_on("document")
    hospital.writer.fault = "lose-answer"
    assert (await hospital.sync()).outcome == "written"
    assert (await hospital.sync()).outcome == "unchanged"
    assert len(documents(hospital)) == 1


async def test_a_document_is_found_again_by_its_identity_where_the_store_was_lost():
    hospital = hospital_on("document")
    await hospital.sync()
    forget(hospital)
    assert (await hospital.sync()).outcome == "unchanged"
    assert len(documents(hospital)) == 1
