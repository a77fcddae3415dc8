"""Faults of a search: its pages, its links, its total, and what stands among the matches."""

import pytest

from careplan_exchange.model.codec import decode
from careplan_exchange.sandbox import Fault

from .patients import count, create, three_patients


async def test_a_cut_body_is_half_the_json_in_a_whole_answer(http, faults):
    await three_patients(http)
    whole = (await http.get("/Patient")).content
    faults.arm(Fault(kind="cut_body"))
    cut = await http.get("/Patient")
    assert cut.content == whole[: len(whole) // 2]
    assert cut.headers["Content-Length"] == str(len(cut.content))


async def test_a_missing_next_leaves_the_total_and_loses_the_rest(http, faults):
    await three_patients(http)
    faults.arm(Fault(kind="missing_next"))
    page = (await http.get("/Patient?_count=2")).json()
    assert [one["relation"] for one in page["link"]] == ["self"]
    assert (page["total"], len(page["entry"])) == (3, 2)


async def test_a_missing_next_waits_for_a_page_that_has_one(http, faults):
    await three_patients(http)
    faults.arm(Fault(kind="missing_next"))
    assert len((await http.get("/Patient?_count=3")).json()["entry"]) == 3
    assert len(faults.armed()) == 1


async def test_an_expired_page_is_410_and_the_first_page_is_not(http, faults):
    await three_patients(http)
    faults.arm(Fault(kind="expired_page"))
    page = (await http.get("/Patient?_count=2")).json()
    following = next(one["url"] for one in page["link"] if one["relation"] == "next")
    assert (await http.get(following)).status_code == 410
    again = await http.get(following)
    assert len(again.json()["entry"]) == 1


async def test_a_stale_search_does_not_see_the_last_write(http, faults):
    first = await create(http)
    await create(http)
    faults.arm(Fault(kind="stale_search", times=2))
    stale = (await http.get("/Patient")).json()
    assert [one["resource"]["id"] for one in stale["entry"]] == [first["id"]]
    assert (await http.get("/Patient?_summary=count")).json()["total"] == 1
    assert await count(http) == 2


async def test_a_stale_search_finds_what_the_last_write_changed_as_it_was(http, faults):
    created = await create(http)
    await http.put(f"/Patient/{created['id']}", json={**created, "active": False})
    faults.arm(Fault(kind="stale_search"))
    stale = (await http.get("/Patient?active=true")).json()
    assert stale["entry"][0]["resource"]["meta"]["versionId"] == "1"
    assert (await http.get("/Patient?active=true")).json()["total"] == 0


async def test_a_stale_search_strikes_a_search_in_a_batch(http, faults):
    await create(http)
    faults.arm(Fault(kind="stale_search", path="^Patient"))
    entry = {"request": {"method": "GET", "url": "Patient"}}
    answer = await http.post("", json={"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert decode(answer.content)["entry"][0]["resource"]["total"] == 0


async def test_a_fault_of_a_page_sees_the_path_of_its_search_on_every_page(http, faults):
    await three_patients(http)
    faults.arm(Fault(kind="expired_page", path="^Goal"))
    faults.arm(Fault(kind="shrinking_total", path="^Patient"))
    first = (await http.get("/Patient?_count=2")).json()
    second = await http.get(following(first))
    assert (second.status_code, second.json()["total"]) == (200, 2)
    assert [one.kind for one in faults.armed()] == ["expired_page"]


def following(page):
    return next((one["url"] for one in page["link"] if one["relation"] == "next"), None)


async def test_small_pages_are_no_larger_than_it_says_and_lead_on(http, faults):
    await three_patients(http)
    faults.arm(Fault(kind="small_pages", size=2))
    first = (await http.get("/Patient?_count=1000")).json()
    second = (await http.get(following(first))).json()
    assert [len(page["entry"]) for page in (first, second)] == [2, 1]
    assert len((await http.get("/Patient?_count=1000")).json()["entry"]) == 3
    faults.arm(Fault(kind="small_pages", size=2))
    assert len((await http.get("/Patient?_count=1")).json()["entry"]) == 1


async def test_a_foreign_next_leads_to_another_server(http, faults):
    await three_patients(http)
    faults.arm(Fault(kind="foreign_next"))
    assert (await http.get("/Patient")).status_code == 200
    assert following((await http.get("/Patient?_count=2")).json()).startswith("http://elsewhere.invalid/fhir?")
    assert faults.armed() == ()


async def test_a_looping_next_leads_to_the_page_that_it_stands_on(http, faults):
    await three_patients(http)
    faults.arm(Fault(kind="looping_next", skip=1))
    first = (await http.get("/Patient?_count=1")).json()
    second = (await http.get(following(first))).json()
    assert following(second) == following(first)
    faults.arm(Fault(kind="looping_next"))
    alone = (await http.get("/Patient?_count=1")).json()
    assert following(alone) == alone["link"][0]["url"]


async def test_repeated_ids_begin_a_further_page_with_every_version_of_the_last_resource(http, faults):
    created = [await create(http) for _ in range(3)]
    await http.put(f"/Patient/{created[0]['id']}", json={**created[0], "active": False})
    faults.arm(Fault(kind="repeated_ids"))
    first = (await http.get("/Patient?_count=3&_sort=-_lastUpdated")).json()
    assert following(first) is None
    assert len(faults.armed()) == 1
    first = (await http.get("/Patient?_count=1&_sort=-_lastUpdated")).json()
    second = (await http.get(following(first))).json()
    versions = [(one["resource"]["id"], one["resource"]["meta"]["versionId"]) for one in second["entry"]]
    assert versions == [(created[0]["id"], "2"), (created[0]["id"], "1"), (created[2]["id"], "1")]
    assert second["total"] == 3


async def test_a_shrinking_total_is_one_less_on_a_further_page(http, faults):
    await three_patients(http)
    faults.arm(Fault(kind="shrinking_total"))
    first = (await http.get("/Patient?_count=1")).json()
    second = (await http.get(following(first))).json()
    assert (first["total"], second["total"]) == (3, 2)


async def test_a_partial_warning_is_an_outcome_with_the_code_of_epic(http, faults):
    faults.arm(Fault(kind="partial_warning"))
    page = (await http.get("/Patient")).json()
    (entry,) = page["entry"]
    (issue,) = entry["resource"]["issue"]
    assert (page["total"], entry["search"]["mode"], issue["severity"]) == (0, "outcome", "warning")
    assert issue["details"]["coding"][0]["code"] == "4119"


@pytest.mark.parametrize("release", ["R4", "R5"], indirect=True)
async def test_another_patient_is_one_match_more_about_somebody_else(http, faults, release):
    patient = await create(http)
    reference = {"reference": f"Patient/{patient['id']}"}
    goal = {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "description": {"text": "x"},
        "subject": reference,
    }
    faults.arm(Fault(kind="another_patient", times=2))
    assert (await http.get("/Goal")).json()["total"] == 0
    assert (await http.post("/Goal", json=goal)).status_code == 201
    page = (await http.get("/Goal")).json()
    assert page["total"] == 1
    own, other = (one["resource"] for one in page["entry"])
    assert own["subject"] == reference
    assert other == {**own, "id": other["id"], "subject": {"reference": "Patient/somebody-else"}}
    assert [one["resource"]["id"] for one in (await http.get("/Patient")).json()["entry"]][1] == "somebody-else"
    assert len((await http.get("/Goal")).json()["entry"]) == 1


async def test_another_patient_waits_for_a_page_about_a_patient(http, faults):
    await http.post("/Medication", json={"resourceType": "Medication"})
    faults.arm(Fault(kind="another_patient"))
    assert len((await http.get("/Medication")).json()["entry"]) == 1
    assert len(faults.armed()) == 1
