"""Every fault switch strikes as often as it says the requests that it names; connections that break, and time."""

from typing import get_args

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.sandbox import Fault, Faults
from careplan_exchange.sandbox.faults import MEANING, Kind

from .conftest import FHIR
from .patients import PATIENT, count, create, total

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


def test_every_fault_says_what_it_does():
    assert set(MEANING) == set(get_args(Kind))
