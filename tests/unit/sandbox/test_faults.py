"""Every fault switch does what it says, as often as it says, to the requests that it names."""

import gzip
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import get_args

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.model.codec import decode
from careplan_exchange.sandbox import Fault, Faults
from careplan_exchange.sandbox.faults import MEANING, Kind

from .conftest import FHIR

PATIENT = {"resourceType": "Patient", "active": True}


async def create(http, **more):
    answer = await http.post("/Patient", json={**PATIENT, **more})
    assert answer.status_code == 201
    return answer.json()


async def count(http):
    return (await http.get("/Patient?_summary=count")).json()["total"]


# Which requests, and how often


async def test_a_fault_strikes_the_next_so_many_matching_requests_and_is_gone(http, faults):
    faults.arm(Fault(kind="status", status=429, times=2, method="GET", path="^Patient"))
    assert (await http.get("/metadata")).status_code == 200
    assert (await http.post("/Patient", json=PATIENT)).status_code == 201
    assert [(await http.get("/Patient")).status_code for _ in range(3)] == [429, 429, 200]
    assert faults.armed() == ()


async def test_a_fault_lets_the_first_requests_pass_that_it_is_told_to(http, faults):
    faults.arm(Fault(kind="status", skip=2))
    assert [(await http.get("/Patient")).status_code for _ in range(4)] == [200, 200, 503, 200]


async def test_an_empty_path_means_a_posted_bundle_when_it_is_anchored(http, faults):
    faults.arm(Fault(kind="status", path="^$"))
    assert (await http.get("/Patient")).status_code == 200
    assert (await http.post("", json={"resourceType": "Bundle", "type": "batch"})).status_code == 503


@given(skip=st.integers(0, 5), times=st.integers(1, 5), requests=st.integers(0, 15))
def test_a_fault_is_taken_exactly_after_skip_and_times_requests(skip, times, requests):
    faults = Faults([Fault(kind="latency", skip=skip, times=times)])
    struck = [faults.take({"latency"}, "GET", "Patient") is not None for _ in range(requests)]
    assert struck == [skip <= index < skip + times for index in range(requests)]


def test_a_fault_of_another_kind_stays_armed():
    faults = Faults([Fault(kind="latency"), Fault(kind="html")])
    assert faults.take({"html"}, "GET", "x").kind == "html"
    assert [one.kind for one in faults.armed()] == ["latency"]


async def test_the_control_route_arms_lists_and_disarms_and_is_never_struck(http):
    sent = {"kind": "html", "times": 5}
    assert (await http.post("/$faults", json=sent)).status_code == 200
    listed = (await http.get("/$faults")).json()
    assert [(one["kind"], one["times"]) for one in listed] == [("html", 5)]
    assert (await http.delete("/$faults")).status_code == 200
    assert (await http.get("/Patient")).headers["Content-Type"] == "application/fhir+json"


@pytest.mark.parametrize(
    "wrong", [{}, {"kind": "fire"}, {"kind": "html", "tymes": 2}, {"kind": "html", "times": 0}]
)
async def test_the_control_route_refuses_what_is_no_fault(http, faults, wrong):
    answer = await http.post("/$faults", json=wrong)
    assert answer.status_code == 400
    assert faults.armed() == ()


def test_the_control_route_is_not_there_unless_it_is_asked_for(served):
    assert httpx.get(f"{served.url}/$faults").status_code == 404
    httpx.post(f"{served.url}/$faults", json={"kind": "html"}, headers=FHIR)
    assert served.armed() == ()


# Answers in the place of an answer


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_status_answers_so_and_carries_nothing_out(http, faults, status):
    faults.arm(Fault(kind="status", status=status))
    answer = await http.post("/Patient", json=PATIENT)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "Retry-After" not in answer.headers
    assert await count(http) == 0


async def test_retry_after_is_sent_in_seconds(http, faults):
    faults.arm(Fault(kind="status", retry_after=7))
    assert (await http.get("/Patient")).headers["Retry-After"] == "7"


async def test_retry_after_is_sent_as_a_date(http, faults):
    faults.arm(Fault(kind="status", retry_after=3600, retry_after_form="date"))
    moment = parsedate_to_datetime((await http.get("/Patient")).headers["Retry-After"])
    assert timedelta(minutes=59) < moment - datetime.now(UTC) <= timedelta(hours=1)


async def test_status_strikes_one_entry_of_a_batch(http, faults):
    faults.arm(Fault(kind="status", path="^Goal"))
    entries = [{"request": {"method": "GET", "url": url}} for url in ("Patient", "Goal", "Observation")]
    answer = await http.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
    assert [one["response"]["status"][:3] for one in answer.json()["entry"]] == ["200", "503", "200"]


async def test_html_answers_200_with_a_page_and_carries_nothing_out(http, faults):
    faults.arm(Fault(kind="html"))
    answer = await http.post("/Patient", json=PATIENT)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!doctype html>")
    assert await count(http) == 0


async def test_empty_answers_200_with_nothing(http, faults):
    faults.arm(Fault(kind="empty"))
    answer = await http.get("/Patient")
    assert (answer.status_code, answer.content) == (200, b"")


def test_huge_says_its_size_and_sends_as_much(served):
    served.arm(Fault(kind="huge", size=3_000_000))
    answer = httpx.get(f"{served.url}/Patient")
    assert answer.headers["Content-Length"] == "3000000"
    assert len(answer.content) == 3_000_000
    assert answer.content.startswith(b'{"resourceType":"Bundle"')


def test_huge_without_a_size_goes_on_without_an_end(served):
    served.arm(Fault(kind="huge", size=None))
    with httpx.stream("GET", f"{served.url}/Patient") as answer:
        assert "Content-Length" not in answer.headers
        received = 0
        for chunk in answer.iter_bytes():
            received += len(chunk)
            if received > 5_000_000:
                break
    assert httpx.get(f"{served.url}/Patient").status_code == 200


# Connections that break


def test_reset_before_commit_drops_the_connection_and_nothing_is_written(served):
    served.arm(Fault(kind="reset_before_commit", method="POST"))
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{served.url}/Patient", json=PATIENT, headers=FHIR)
    assert total(served) == 0


def test_reset_after_commit_drops_the_connection_and_the_write_stands(served):
    served.arm(Fault(kind="reset_after_commit", method="POST"))
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{served.url}/Patient", json=PATIENT, headers=FHIR)
    assert total(served) == 1


def test_reset_in_the_answer_breaks_off_an_answer_that_has_begun(served):
    served.arm(Fault(kind="reset_in_answer"))
    with httpx.stream("GET", f"{served.url}/metadata") as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.TransportError):
            answer.read()
    assert answer.num_bytes_downloaded < int(answer.headers["Content-Length"])


async def test_a_reset_in_process_reaches_the_caller_as_one(http, faults):
    faults.arm(Fault(kind="reset_after_commit", method="POST"))
    with pytest.raises(ConnectionResetError):
        await http.post("/Patient", json=PATIENT)
    assert await count(http) == 1


def total(sandbox):
    return httpx.get(f"{sandbox.url}/Patient?_summary=count").json()["total"]


# Time


async def test_latency_waits_before_the_request_is_carried_out(http, faults, monkeypatch):
    slept = waits(monkeypatch)
    faults.arm(Fault(kind="latency", seconds=4))
    assert (await http.post("/Patient", json=PATIENT)).status_code == 201
    assert slept == [4]


def test_a_late_answer_comes_after_the_request_was_carried_out(served):
    served.arm(Fault(kind="late_answer", method="POST", seconds=600))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{served.url}/Patient", json=PATIENT, headers=FHIR, timeout=0.5)
    assert total(served) == 1


async def test_a_late_answer_is_the_whole_answer(http, faults):
    faults.arm(Fault(kind="late_answer", seconds=0))
    assert (await create(http))["id"] == "1x"


async def test_latency_and_another_fault_strike_one_request(http, faults, monkeypatch):
    slept = waits(monkeypatch)
    faults.arm(Fault(kind="latency", seconds=4))
    faults.arm(Fault(kind="status"))
    assert (await http.get("/Patient")).status_code == 503
    assert slept == [4]


def waits(monkeypatch):
    """The waits that are asked for."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr("careplan_exchange.sandbox.striking.asyncio.sleep", sleep)
    return slept


# Searches


async def three_patients(http):
    return [(await create(http))["id"] for _ in range(3)]


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


# Bodies


async def test_an_outcome_with_status_200_is_no_search_result_and_nothing_is_carried_out(http, faults):
    faults.arm(Fault(kind="outcome_200"))
    answer = await http.post("/Patient", json=PATIENT)
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "OperationOutcome")
    assert answer.json()["issue"][0]["severity"] == "error"
    assert await count(http) == 0


async def test_an_outcome_with_status_200_strikes_one_entry_of_a_batch(http, faults):
    faults.arm(Fault(kind="outcome_200", path="^Goal"))
    entries = [{"request": {"method": "GET", "url": url}} for url in ("Patient", "Goal")]
    answer = await http.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
    patients, goals = answer.json()["entry"]
    assert patients["resource"]["resourceType"] == "Bundle"
    assert (goals["response"]["status"], goals["response"]["outcome"]["resourceType"]) == (
        "200 OK",
        "OperationOutcome",
    )


async def test_a_wrong_type_is_the_whole_answer_under_another_name(http, faults):
    await three_patients(http)
    whole = await http.get("/Patient")
    faults.arm(Fault(kind="wrong_type"))
    answer = await http.get("/Patient")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content == whole.content


@pytest.mark.parametrize("size", [1, 44, 45, 3_000_000])
def test_a_gzip_bomb_is_small_on_the_wire_and_unpacks_to_its_size(served, size):
    served.arm(Fault(kind="gzip_bomb", size=size))
    with httpx.stream("GET", f"{served.url}/Patient") as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        packed = b"".join(answer.iter_raw())
    assert len(packed) < 100 + size / 100
    assert len(gzip.decompress(packed)) == size


def test_a_gzip_bomb_without_a_size_goes_on_without_an_end(served):
    served.arm(Fault(kind="gzip_bomb", size=None))
    received = 0
    with httpx.stream("GET", f"{served.url}/Patient") as answer:
        for chunk in answer.iter_bytes():
            received += len(chunk)
            if received > 50_000_000:
                break
        assert answer.num_bytes_downloaded < received / 100
    assert httpx.get(f"{served.url}/Patient").status_code == 200


def test_a_slow_drip_comes_byte_by_byte_and_is_whole_in_the_end(served):
    whole = httpx.get(f"{served.url}/Patient")
    served.arm(Fault(kind="slow_drip", seconds=0))
    with httpx.stream("GET", f"{served.url}/Patient") as answer:
        assert answer.headers["Content-Length"] == str(len(whole.content))
        assert b"".join(answer.iter_raw()) == whole.content


def test_a_slow_drip_ends_when_the_client_has_gone(served):
    served.arm(Fault(kind="slow_drip", seconds=600))
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{served.url}/Patient", timeout=0.5)
    assert httpx.get(f"{served.url}/Patient").status_code == 200


def test_every_fault_says_what_it_does():
    assert set(MEANING) == set(get_args(Kind))
