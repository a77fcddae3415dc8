"""Faults of an answer: another in its place, and a body that is not what it should be."""

import gzip
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from careplan_exchange.sandbox import Fault

from .patients import PATIENT, count, three_patients

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
