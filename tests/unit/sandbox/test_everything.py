"""`Patient/[id]/$everything`: all of one patient, what it refers to, and nothing of anybody else."""

import pytest

pytestmark = pytest.mark.parametrize("release", ["R4", "R5"], indirect=True)


async def post(http, body):
    answer = await http.post(f"/{body['resourceType']}", json=body)
    assert answer.status_code == 201, answer.text
    return f"{body['resourceType']}/{answer.json()['id']}"


async def record(http, release):
    """A patient with a mother, a drug by a maker, and a goal; and a stranger with one. Gives what is whose."""
    stranger = await post(http, {"resourceType": "Patient"})
    link = {"other": {"reference": stranger}, "type": "seealso"}
    maker = await post(http, {"resourceType": "Organization", "name": "A maker"})
    patient = await post(
        http, {"resourceType": "Patient", "link": [link], "managingOrganization": {"reference": maker}}
    )
    by = {"manufacturer" if release == "R4" else "marketingAuthorizationHolder": {"reference": maker}}
    drug = await post(http, {"resourceType": "Medication", "code": {"text": "a drug"}, **by})
    unused = await post(http, {"resourceType": "Medication", "code": {"text": "another"}})
    named = {"reference": drug}
    order = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        **({"medicationReference": named} if release == "R4" else {"medication": {"reference": named}}),
    }
    goal = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "walk"}}
    own = [await post(http, {**one, "subject": {"reference": patient}}) for one in (order, goal)]
    other = await post(http, {**goal, "subject": {"reference": stranger}})
    return patient, {patient, drug, maker, *own}, {stranger, unused, other}


async def everything(http, patient, query="", status=200):
    answer = await http.get(f"/{patient}/$everything{query}")
    assert answer.status_code == status, answer.text
    return answer.json()


def references(bundle):
    return [f"{one['resource']['resourceType']}/{one['resource']['id']}" for one in bundle.get("entry", ())]


async def test_it_holds_the_patient_their_resources_and_what_those_refer_to(http, release):
    patient, own, others = await record(http, release)
    bundle = await everything(http, patient)
    assert sorted(references(bundle)) == sorted(own)
    assert others.isdisjoint(references(bundle))
    assert bundle["total"] == len(own)
    assert (bundle["type"], bundle["entry"][0]["search"]["mode"]) == ("searchset", "match")


async def test_its_pages_hold_each_resource_once(http, release):
    patient, own, _ = await record(http, release)
    bundle = await everything(http, patient, "?_count=2")
    found = references(bundle)
    while following := next((one["url"] for one in bundle["link"] if one["relation"] == "next"), None):
        bundle = (await http.get(following)).json()
        found += references(bundle)
    assert sorted(found) == sorted(own)


async def test_only_the_types_that_are_asked_for_come(http, release):
    patient, own, _ = await record(http, release)
    bundle = await everything(http, patient, "?_type=Patient,Medication&_type=Goal")
    assert sorted(references(bundle)) == sorted(
        one for one in own if one.startswith(("Patient", "Medication/", "Goal"))
    )


async def test_only_what_was_changed_since_then_comes(http, release):
    patient, own, _ = await record(http, release)
    (goal,) = (one for one in own if one.startswith("Goal"))
    body = (await http.get(f"/{goal}")).json()
    changed = (await http.put(f"/{goal}", json={**body, "lifecycleStatus": "completed"})).json()
    since = f"?_since={changed['meta']['lastUpdated']}"
    assert references(await everything(http, patient, since)) == [goal]
    assert references(await everything(http, patient, "?_since=2030-01-01T00:00:00Z")) == []


async def test_who_is_not_there_or_no_longer_there_has_nothing(http, release):
    patient = await post(http, {"resourceType": "Patient"})
    assert len((await everything(http, patient))["entry"]) == 1
    await http.delete(f"/{patient}")
    await everything(http, patient, status=410)
    await everything(http, "Patient/nobody", status=404)
    await everything(http, "Goal/nobody", status=405)


async def test_a_lenient_client_is_told_what_was_passed_over(http, release):
    patient = await post(http, {"resourceType": "Patient"})
    answer = await http.get(f"/{patient}/$everything?start=2026", headers={"Prefer": "handling=lenient"})
    assert answer.json()["entry"][1]["search"]["mode"] == "outcome"


async def test_it_comes_in_a_batch_too(http, release):
    patient, own, _ = await record(http, release)
    entry = {"request": {"method": "GET", "url": f"{patient}/$everything"}}
    answer = await http.post("", json={"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    (done,) = answer.json()["entry"]
    assert (done["response"]["status"], done["resource"]["total"]) == ("200 OK", len(own))


async def test_the_capability_statement_offers_it_and_every_include(http, release):
    statement = (await http.get("/metadata")).json()
    by_type = {one["type"]: one for one in statement["rest"][0]["resource"]}
    assert [one["name"] for one in by_type["Patient"]["operation"]] == ["everything"]
    assert {"MedicationRequest:*", "MedicationRequest:medication"} <= set(
        by_type["MedicationRequest"]["searchInclude"]
    )
    for name, one in by_type.items():
        for include in one.get("searchInclude", ()):
            assert (await http.get(f"/{name}?_include={include}")).status_code == 200, include
