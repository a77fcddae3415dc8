"""Bad input as a person meets it: a clear error that names the mend, the right exit code, nothing written, no trace."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.model.codec import encode
from tests.support.oddserver import METADATA, endless_server, odd_server, self_signed
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, careplan

Change = Callable[[dict[str, Any]], None]
BASE = "02-older-adult-si-units"


def person(bundle: dict[str, Any]) -> dict[str, Any]:
    return next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")


def sync(folder: Path, endpoint: str, patient: str, *options: str, env: dict[str, str] | None = None) -> Any:
    arguments = ("sync", "--endpoint", endpoint, "--patient", patient, "--today", SYNTHETIC_TODAY, *options)
    return careplan(folder, *arguments, env=env)


def assert_clear(result: Any, exit_code: int, *words: str) -> None:
    assert result.returncode == exit_code, result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert "Next:" in result.stderr, "an error says what to do next"
    said = " ".join(result.stderr.split())
    for word in words:
        assert word in said, said


def assert_nothing_written(server: Server, patient: str) -> None:
    for kind in ("CarePlan", "Goal", "DetectedIssue"):
        assert server.authored(kind, patient) == []


def deceased(bundle: dict[str, Any]) -> None:
    person(bundle)["deceasedBoolean"] = True


def inactive(bundle: dict[str, Any]) -> None:
    person(bundle)["active"] = False


def merged(bundle: dict[str, Any]) -> None:
    bundle["entry"].append(
        {
            "fullUrl": "urn:uuid:6f1f2d7c-0000-4000-8000-000000000001",
            "resource": {"resourceType": "Patient", "active": True},
            "request": {"method": "POST", "url": "Patient"},
        }
    )
    person(bundle)["link"] = [
        {"other": {"reference": "urn:uuid:6f1f2d7c-0000-4000-8000-000000000001"}, "type": "replaced-by"}
    ]


@pytest.mark.parametrize(
    ("change", "exit_code", "words"),
    [
        (deceased, 6, ("deceased",)),
        (inactive, 6, ("active",)),
        (merged, 3, ("Patient/",)),
    ],
)
def test_a_patient_who_should_get_no_plan_gets_none(
    sandbox: Any, tmp_path: Path, change: Change, exit_code: int, words: tuple[str, ...]
) -> None:
    server = Server(sandbox.url)
    bundle = synthetic(BASE)
    change(bundle)
    patient = server.load(bundle)
    assert_clear(sync(tmp_path, sandbox.url, patient), exit_code, *words)
    assert_nothing_written(server, patient)


def test_an_unknown_patient(sandbox: Any, tmp_path: Path) -> None:
    assert_clear(sync(tmp_path, sandbox.url, "does-not-exist"), 3)


def test_an_id_that_no_server_can_have(sandbox: Any, tmp_path: Path) -> None:
    assert_clear(sync(tmp_path, sandbox.url, "../Patient?name=x"), 2)


def test_two_patients_with_one_identifier(sandbox: Any, tmp_path: Path) -> None:
    server = Server(sandbox.url)
    patients = []
    for _ in range(2):
        bundle = synthetic(BASE)
        person(bundle)["identifier"] = [{"system": "urn:test:ambiguous", "value": "same"}]
        patients.append(server.load(bundle))
    assert_clear(sync(tmp_path, sandbox.url, "urn:test:ambiguous|same"), 3)
    for patient in patients:
        assert_nothing_written(server, patient)


def test_no_birth_date_still_gives_a_plan_that_says_what_is_missing(sandbox: Any, tmp_path: Path) -> None:
    bundle = synthetic(BASE)
    del person(bundle)["birthDate"]
    patient = Server(sandbox.url).load(bundle)
    result = careplan(tmp_path, "plan", "-e", sandbox.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    assert result.returncode == 0, result.stderr
    assert "birth" in result.stdout


def test_a_bundle_file_with_another_patients_data(sandbox: Any, tmp_path: Path) -> None:
    bundle = synthetic(BASE)
    other = synthetic("06-pregnant")
    bundle["entry"] += other["entry"]
    for number, entry in enumerate(bundle["entry"]):
        entry["resource"].setdefault("id", f"r{number}")
    path = tmp_path / "record.json"
    path.write_bytes(encode({**bundle, "type": "collection"}))
    result = careplan(tmp_path, "plan", "-e", str(path), "-p", "r0", "--today", SYNTHETIC_TODAY)
    assert_clear(result, 3, "another patient")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, "text/html", b"<html><body>Please log in</body></html>"), ("FHIR",)),
        ((200, "application/fhir+json", b""), ("FHIR",)),
        ((200, "application/fhir+json", b'{"resourceType":"Bundle","entry":[{"res'), ("FHIR",)),
    ],
    ids=["html", "empty", "cut short"],
)
def test_an_answer_that_is_not_fhir(tmp_path: Path, answer: Any, words: tuple[str, ...]) -> None:
    metadata = (200, "application/fhir+json", METADATA)
    with odd_server(lambda path: metadata if "metadata" in path else answer) as url:
        assert_clear(sync(tmp_path, url, "1"), 3, *words)


def test_two_gigabytes_where_a_bundle_was_due_are_not_taken(tmp_path: Path) -> None:
    sent: list[int] = []
    with endless_server(sent=sent) as url:
        assert_clear(sync(tmp_path, url, "1"), 3)
    assert sent[0] < 400 * 1024**2


def test_a_certificate_nobody_trusts(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with odd_server(lambda _: (200, "application/fhir+json", METADATA), certificate=certificate) as url:
        assert_clear(sync(tmp_path, url, "1"), 5, "ca_bundle")


def test_an_expired_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("expired-token-value")
    refusal = (401, "application/fhir+json", b'{"resourceType":"OperationOutcome","issue":[]}')
    with odd_server(lambda _: refusal) as url:
        (tmp_path / "careplan.toml").write_text(
            f'[endpoints.main]\nurl = "{url}"\nauth = "bearer"\ntoken_file = "token"\n'
        )
        result = sync(tmp_path, "main", "1")
    assert_clear(result, 4, "credentials")
    assert "expired-token-value" not in result.stderr + result.stdout


def test_a_host_that_does_not_exist(tmp_path: Path) -> None:
    assert_clear(sync(tmp_path, "http://does-not-exist.invalid/fhir", "1"), 5)


def test_nobody_listens(tmp_path: Path) -> None:
    assert_clear(sync(tmp_path, "http://127.0.0.1:9/fhir", "1"), 5)


def test_no_capability_statement(tmp_path: Path) -> None:
    with odd_server(
        lambda _: (404, "application/fhir+json", b'{"resourceType":"OperationOutcome","issue":[]}')
    ) as url:
        result = sync(tmp_path, url, "1")
    assert result.returncode in {3, 4}
    assert_clear(result, result.returncode)


def test_a_server_of_another_fhir_version(tmp_path: Path) -> None:
    old = METADATA.replace(b"4.0.1", b"3.0.2")
    with odd_server(lambda _: (200, "application/fhir+json", old)) as url:
        assert_clear(sync(tmp_path, url, "1"), 4, "3.0.2")


def test_a_misspelt_setting_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "careplan.toml").write_text('[knowlege]\noverlay = "site"\n')
    assert_clear(careplan(tmp_path, "audit", "list"), 2, "knowlege", "knowledge")
    (tmp_path / "careplan.toml").write_text('[knowledge]\noverly = "site"\n')
    assert_clear(careplan(tmp_path, "audit", "list"), 2, "overlay")
    (tmp_path / "careplan.toml").write_text('[policy]\nnew_plans = "draft"\n')
    assert_clear(careplan(tmp_path, "audit", "list"), 2, "protocols/review/policy.yaml")


def test_a_misspelt_variable_names_the_nearest_one(tmp_path: Path) -> None:
    result = careplan(tmp_path, "audit", "list", env={"CAREPLAN_STORE__ULR": "sqlite:///x.db"})
    assert_clear(result, 2, "CAREPLAN_STORE__ULR", "url")


def test_an_endpoint_that_is_not_configured(tmp_path: Path) -> None:
    (tmp_path / "careplan.toml").write_text('[endpoints.hospital]\nurl = "http://127.0.0.1:9/fhir"\n')
    assert_clear(sync(tmp_path, "hospitl", "1"), 2, "hospital")


def test_a_protocol_and_a_mapping_with_an_error_name_file_and_line(tmp_path: Path) -> None:
    overlay = tmp_path / "site"
    (overlay / "protocols" / "broken").mkdir(parents=True)
    (overlay / "protocols" / "broken" / "plan.yaml").write_text("resourceType: PlanDefinition\nstatus: [\n")
    (tmp_path / "careplan.toml").write_text('[knowledge]\noverlay = "site"\n')
    result = careplan(tmp_path, "knowledge", "check")
    assert result.returncode == 2
    assert "protocols/broken/plan.yaml:" in result.stdout
    assert "mend" in result.stdout
    assert_clear(sync(tmp_path, "http://127.0.0.1:9/fhir", "1"), 2, "protocols/broken/plan.yaml")


def test_a_database_of_another_version_or_none_at_all(tmp_path: Path) -> None:
    assert careplan(tmp_path, "audit", "list").returncode == 0
    with sqlite3.connect(tmp_path / "careplan.db") as database:
        database.execute("UPDATE careplan_version SET version_num = 'from-the-future'")
    database.close()
    assert_clear(careplan(tmp_path, "audit", "list"), 2, "database")
    (tmp_path / "careplan.db").write_bytes(b"this is no database " * 100)
    result = careplan(tmp_path, "audit", "list")
    assert result.returncode in {2, 5}
    assert_clear(result, result.returncode, "database")


def test_a_locked_database(sandbox: Any, tmp_path: Path) -> None:
    server = Server(sandbox.url)
    patient = server.load(synthetic(BASE))
    assert careplan(tmp_path, "audit", "list").returncode == 0
    holder = sqlite3.connect(tmp_path / "careplan.db", isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        assert_clear(sync(tmp_path, sandbox.url, patient), 5)
    finally:
        holder.close()
    assert_nothing_written(server, patient)
