"""Every fault switch does what it says, as often as it says, to the requests that it names."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.model.codec import decode
from careplan_exchange.sandbox import Fault, Faults

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
