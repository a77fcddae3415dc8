"""`careplan history` and `careplan audit send`, as a person runs them."""

from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.sandbox import Fault
from tests.support.product import SYNTHETIC_TODAY, Server

EGFR = "62238-1"


def history(careplan: Any, hospital: Any, patient: str, *more: str) -> list[dict[str, Any]]:
    return list(careplan("history", "-e", hospital.url, "-p", patient, "--json", *more).json["happenings"])


def sync(careplan: Any, hospital: Any, patient: str, today: str = SYNTHETIC_TODAY) -> Any:
    return careplan("sync", "-e", hospital.url, "-p", patient, "--today", today, "--json")


def test_where_nothing_was_done_it_says_so(careplan: Any, hospital: Any, patient: str) -> None:
    result = careplan("history", "-e", hospital.url, "-p", patient)
    assert (result.code, result.out) == (0, "Nothing is known of a plan for this patient there.\n")


def test_without_a_server_it_says_what_to_name(careplan: Any) -> None:
    result = careplan("history", "-p", "1")
    assert result.code == 2
    assert "--endpoint" in result.said


def test_the_life_of_a_plan_reads_in_order(careplan: Any, hospital: Any, patient: str) -> None:
    server = Server(hospital.url)
    assert sync(careplan, hospital, patient).code == 0
    (plan,) = server.authored("CarePlan", patient)
    assert server.put({**plan, "status": "active", "title": "Agreed"}).status_code == 200
    (kidneys,) = (
        one
        for one in server.search(f"Observation?patient=Patient/{patient}")
        if one["code"]["coding"][0]["code"] == EGFR
    )
    kidneys["valueQuantity"]["value"] = 25
    assert server.put(kidneys).status_code == 200
    waiting = sync(careplan, hospital, patient)
    assert waiting.code == 6
    review = waiting.json["exchange"]
    assert careplan("review", "approve", review, "--by", "Dr Who").code == 0

    told = history(careplan, hospital, patient)
    kinds = [each["kind"] for each in told]
    assert kinds[:3] == ["written", "proposed", "edited"]
    assert set(kinds[3:]) == {"superseded", "proposed", "changed", "approved"}
    by_kind = {each["kind"]: each for each in told}
    assert by_kind["written"]["text"].startswith("Written as draft: Plan of care: ")
    assert "status: draft → active" in by_kind["edited"]["text"]
    assert by_kind["edited"]["who"] == "somebody else on the server"
    assert by_kind["proposed"]["exchange"] == review
    assert f"Observation/{kidneys['id']}/_history/2" in by_kind["proposed"]["evidence"]
    assert by_kind["approved"]["who"] == "Dr Who"
    assert any(line.startswith("Why: ") for part in by_kind["written"]["parts"] for line in part["why"])

    shown = careplan("history", "-e", hospital.url, "-p", patient)
    assert shown.code == 0
    for sentence in ("Written as draft: Plan of care", "was changed by somebody else", "Approved by Dr Who"):
        assert sentence in shown.out
    assert f"Observation/{kidneys['id']} version 2" in shown.out


def test_without_the_server_the_rest_is_told(careplan: Any, hospital: Any, patient: str) -> None:
    sync(careplan, hospital, patient)
    (plan,) = Server(hospital.url).authored("CarePlan", patient)
    Server(hospital.url).put({**plan, "title": "Agreed"})
    assert [each["kind"] for each in history(careplan, hospital, patient, "--offline")] == ["written", "proposed"]
    assert len(history(careplan, hospital, patient)) == 3


def test_sending_where_nothing_is_to_be_sent_is_a_matter_of_usage(careplan: Any) -> None:
    result = careplan("audit", "send")
    assert result.code == 2
    assert "audit.repository" in result.said


@pytest.fixture
def repository(hospital: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    Path("careplan.toml").write_text(
        f'[endpoints.main]\nurl = "{hospital.url}"\n[audit]\nevents = "repository"\nrepository = "main"\n'
    )
    return str(hospital.url)


def test_what_was_asked_is_sent_and_seen_on_the_repository(
    careplan: Any, repository: str, hospital: Any, patient: str
) -> None:
    assert careplan("plan", "-e", "main", "-p", patient, "--today", SYNTHETIC_TODAY).code == 0
    result = careplan("audit", "send", "--json")
    assert result.code == 0
    assert result.json["depth"]["waiting"] == 0
    assert Server(hospital.url).search(f"AuditEvent?patient=Patient/{patient}&_count=200")
    (check,) = (one for one in careplan("doctor", "--json").json if one["what"] == "audit events")
    assert check["ok"]
    assert "0 parcel(s) wait" in check["found"]


def test_what_cannot_be_sent_stays_and_the_exit_code_says_so(
    careplan: Any, repository: str, patient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    careplan("plan", "-e", "main", "-p", patient, "--today", SYNTHETIC_TODAY)
    careplan("audit", "send")
    monkeypatch.setenv("CAREPLAN_AUDIT__EVENTS", "kept")  # or the command itself might have time to send
    careplan("plan", "-e", "main", "-p", patient, "--today", SYNTHETIC_TODAY)
    monkeypatch.setenv("CAREPLAN_AUDIT__EVENTS", "repository")
    monkeypatch.setenv("CAREPLAN_AUDIT__REPOSITORY", "http://127.0.0.1:9/fhir")
    result = careplan("audit", "send", "--json")
    waiting = result.json["depth"]["waiting"]
    assert (result.code, result.json["sent"]) == (5, 0)
    assert waiting == result.json["failed"] == 1


def test_a_refusal_of_the_server_is_in_the_ledger_without_what_was_asked(
    careplan: Any, hospital: Any, patient: str
) -> None:
    hospital.arm(Fault(kind="status", status=403, times=50, path="^Patient"))
    try:
        result = sync(careplan, hospital, patient)
    finally:
        hospital.calm()
    assert result.code == 4
    entries = [link["entry"] for link in careplan("audit", "show", result.json["exchange"], "--json").json]
    refused = [entry["data"] for entry in entries if entry["event"] == "exchange.refused"]
    assert refused
    assert {data["status"] for data in refused} == {403}
    assert all(patient not in str(data) for data in refused)
