"""The HTTP service as its users start it: `careplan serve` in a process of its own, over the sandbox."""

import asyncio
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.product import SYNTHETIC_TODAY, careplan, command, environment
from tests.support.servers import SandboxServer, free_port

KEY = "0123456789abcdef0123456789abcdef"
SECONDS_TO_START = 30


@dataclass
class Service:
    """A running service. `log` is what it wrote to standard error."""

    http: httpx.Client
    process: "subprocess.Popen[bytes]"
    log: Path

    def finished(self, location: str) -> dict[str, Any]:
        for _ in range(300):
            row = self.http.get(location).json()
            if row["state"] == "done":
                return row
            time.sleep(0.1)
        pytest.fail(f"the exchange did not finish: {row}")

    def sync(self, patient: str, **fields: Any) -> dict[str, Any]:
        body = {"patient": patient, "today": SYNTHETIC_TODAY, **fields}
        accepted = self.http.post("/api/v1/exchanges", json=body)
        assert accepted.status_code == 202, accepted.text
        return self.finished(accepted.headers["location"])


@pytest.fixture
def folder(tmp_path: Path, sandbox: SandboxServer) -> Path:
    (tmp_path / "careplan.toml").write_text(
        f'log_level = "DEBUG"\n[endpoints.main]\nurl = "{sandbox.url}"\nidentity = "test"\nattempts = 1\n'
    )
    return tmp_path


@contextmanager
def served(folder: Path, env: dict[str, str] | None = None, **headers: str) -> Iterator[Service]:
    port = free_port()
    log = folder / "log"
    with log.open("ab") as sink:
        process = subprocess.Popen(
            command("serve", "--port", str(port)), cwd=folder, env=environment(env), stdout=sink, stderr=sink
        )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as http:
        try:
            _wait_until_ready(http, process, log)
            yield Service(http, process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(http: httpx.Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if http.get("/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"The service did not become ready:\n{log.read_text()[-3000:]}", pytrace=False)


@pytest.fixture
def patient(sandbox: SandboxServer) -> str:
    """A person with type 2 diabetes whose every telling value can be searched for afterwards."""
    with httpx.Client(base_url=sandbox.url, timeout=30) as http:
        person = http.post(
            "/Patient",
            json={
                "resourceType": "Patient",
                "name": [{"family": "Zwetschgenbaum", "given": ["Quirina"]}],
                "birthDate": "1961-07-19",
                "gender": "female",
                "telecom": [{"system": "phone", "value": "+43-555-7194411"}],
                "identifier": [{"system": "urn:test:mrn", "value": "MRN-93177731"}],
            },
        ).json()
        coding = {"system": "http://snomed.info/sct", "code": "44054006"}
        status = "http://terminology.hl7.org/CodeSystem/condition-clinical"
        condition = http.post(
            "/Condition",
            json={
                "resourceType": "Condition",
                "clinicalStatus": {"coding": [{"system": status, "code": "active"}]},
                "code": {"coding": [coding]},
                "subject": {"reference": f"Patient/{person['id']}"},
                "recordedDate": "2019-03-01",
            },
        )
        assert condition.status_code == 201, condition.text
        hba1c = http.post(
            "/Observation",
            json={
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
                "subject": {"reference": f"Patient/{person['id']}"},
                "effectiveDateTime": "2026-11-02",
                "valueQuantity": {"value": 8.94, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
            },
        )
        assert hba1c.status_code == 201, hba1c.text
    return str(person["id"])


TELLING = re.compile(r"Zwetschgenbaum|Quirina|1961-07-19|7194411|93177731|(?<!\d)8\.94")


def test_a_patient_is_planned_written_and_left_unchanged_over_http(folder, patient, sandbox):
    with served(folder) as service:
        proposal = service.http.get(f"/api/v1/patients/{patient}/proposal", params={"today": SYNTHETIC_TODAY})
        assert proposal.status_code == 200, proposal.text
        assert proposal.json()["goals"]

        first = service.sync(patient)
        assert first["receipt"]["outcome"] == "written", first
        second = service.sync(patient)
        assert second["receipt"]["outcome"] == "unchanged", second
        plans = httpx.get(f"{sandbox.url}/CarePlan", params={"subject": f"Patient/{patient}"}).json()
        assert len(plans["entry"]) == 1

        entries = service.http.get("/api/v1/audit", params={"exchange": first["id"]}).json()["links"]
        assert entries
        assert {link["entry"]["exchange"] for link in entries} == {first["id"]}
        metrics = service.http.get("/metrics").text
        assert 'careplan_exchanges_total{outcome="written"} 1.0' in metrics
        assert "careplan_fhir_requests_total" in metrics
        assert re.search(r'careplan_fhir_circuit\{endpoint="\w{12}"\} 0\.0', metrics)
    seen = service.log.read_text() + metrics + json.dumps([first, second, entries])
    assert TELLING.search(seen) is None
    assert service.process.returncode == 0
    assert "Traceback" not in seen
    assert careplan(folder, "audit", "verify").returncode == 0


def test_an_unknown_patient_is_a_problem_for_a_proposal_and_a_failed_receipt_for_an_exchange(folder):
    with served(folder) as service:
        missing = service.http.get("/api/v1/patients/nobody-here/proposal")
        assert missing.status_code == 404, missing.text
        assert missing.headers["content-type"] == "application/problem+json"
        assert missing.json()["mend"]
        failed = service.sync("nobody-here")
        assert failed["receipt"]["outcome"] == "failed"
        assert failed["receipt"]["issues"][0]["key"] == "record.patient-not-found"


def test_the_same_key_sent_many_times_at_once_runs_one_exchange(folder, patient):
    with served(folder) as service:

        async def send() -> set[str]:
            headers = {"Idempotency-Key": "order-1"}
            async with httpx.AsyncClient(base_url=service.http.base_url, headers=headers, timeout=30) as http:
                body = {"patient": patient, "today": SYNTHETIC_TODAY}
                answers = await asyncio.gather(*(http.post("/api/v1/exchanges", json=body) for _ in range(8)))
            assert {answer.status_code for answer in answers} == {202}
            return {answer.headers["location"] for answer in answers}

        (location,) = asyncio.run(send())
        row = service.finished(location)
        assert row["receipt"]["outcome"] == "written", row
        assert 'careplan_exchanges_total{outcome="written"} 1.0' in service.http.get("/metrics").text


def test_an_exchange_cut_off_by_kill_9_is_finished_by_the_next_start(folder, patient, sandbox):
    with served(folder) as service:
        sandbox.fault(kind="latency", seconds=3)
        body = {"patient": patient, "today": SYNTHETIC_TODAY}
        location = service.http.post("/api/v1/exchanges", json=body).headers["location"]
        while service.http.get(location).json()["state"] != "running":
            time.sleep(0.05)
        service.process.kill()
        service.process.wait()
    sandbox.calm()
    with served(folder) as service:
        row = service.finished(location)
        assert row["receipt"]["outcome"] in {"written", "unchanged"}, row
        plans = httpx.get(f"{sandbox.url}/CarePlan", params={"subject": f"Patient/{patient}"}).json()
        assert len(plans["entry"]) == 1
    assert "jobs.resumed" in service.log.read_text()


def test_a_stop_waits_for_the_exchange_under_way(folder, patient, sandbox):
    with served(folder) as service:
        sandbox.fault(kind="latency", seconds=1)
        body = {"patient": patient, "today": SYNTHETIC_TODAY}
        location = service.http.post("/api/v1/exchanges", json=body).headers["location"]
        while service.http.get(location).json()["state"] != "running":
            time.sleep(0.05)
    assert service.process.returncode == 0
    sandbox.calm()
    with served(folder) as service:
        assert service.http.get(location).json()["state"] == "done"


def test_with_a_key_nothing_but_health_answers_without_it(folder):
    with served(folder, {"CAREPLAN_SERVER__API_KEY": KEY}) as service:
        assert service.http.get("/health/live").status_code == 200
        assert service.http.get("/metrics").status_code == 401
        assert service.http.get("/api/v1/audit").status_code == 401
        assert service.http.get("/api/v1/audit", headers={"X-API-Key": KEY}).status_code == 200
    assert KEY not in service.log.read_text()


def test_without_a_key_the_service_refuses_to_listen_beyond_loopback(folder):
    result = careplan(folder, "serve", "--host", "0.0.0.0", "--port", str(free_port()))
    assert result.returncode == 2
    assert "api_key_file" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_that_is_taken_is_named_without_a_stack_trace(folder):
    with served(folder) as service:
        port = re.findall(r":(\d+)", str(service.http.base_url))[0]
        result = careplan(folder, "serve", "--port", port)
        assert result.returncode == 2
        assert port in result.stderr
        assert "Traceback" not in result.stderr


def test_a_database_that_breaks_is_not_ready_and_the_process_stays_alive(folder):
    with served(folder) as service:
        for file in (folder / "careplan.db", folder / "careplan.db-wal", folder / "careplan.db-shm"):
            file.write_bytes(b"not a database " * 4096)
        unready = service.http.get("/health/ready")
        assert unready.status_code == 503, unready.text
        assert [issue["key"] for issue in unready.json()["issues"]] == ["not-ready.database"]
        refused = service.http.post("/api/v1/exchanges", json={"patient": "p1"})
        assert refused.status_code in {500, 503}, refused.text
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["mend"]
        assert service.http.get("/health/live").status_code == 200
    assert "Traceback" not in service.log.read_text()
