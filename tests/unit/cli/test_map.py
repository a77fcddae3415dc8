"""`map`: facts that can be followed to their source, what was not used, and a file that only its owner reads."""

import json
from pathlib import Path
from typing import Any

from careplan_exchange.model.codec import decode, json_schema
from careplan_exchange.model.snapshot import Snapshot
from tests.support.json_schema import complaints
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server
from tests.support.shared import ROOT

SCHEMA = ROOT / "docs/snapshot.schema.json"


def mapped(careplan: Any, hospital: Any, patient: str, *more: str) -> Any:
    return careplan("map", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY, *more)


def test_each_fact_is_shown_with_an_address_that_leads_to_its_resource(
    careplan: Any, hospital: Any, patient: str
) -> None:
    shown = mapped(careplan, hospital, patient)
    assert (shown.code, shown.err) == (0, "")
    addresses = [word for word in shown.out.split() if word.startswith(f"{hospital.url}/Observation/")]
    assert addresses
    server = Server(hospital.url)
    for address in addresses:
        assert server.get(address.removeprefix(f"{hospital.url}/"))["resourceType"] == "Observation"
    for fact in mapped(careplan, hospital, patient, "--json").json["facts"]:
        assert fact["concept"] in shown.out
        assert fact["evidence"]["reference"] in shown.out


def test_what_was_not_used_is_shown_by_key_with_its_source(careplan: Any, hospital: Any) -> None:
    patient = Server(hospital.url).load(synthetic("07-year-of-birth-only-and-odd-values"))
    shown = mapped(careplan, hospital, patient).out
    issues = mapped(careplan, hospital, patient, "--json").json["issues"]
    assert {"mapping.unit.missing", "mapping.value.negative"} <= {issue["key"] for issue in issues}
    for issue in issues:
        assert issue["key"] in shown
        assert issue["detail"] in shown
        assert f"{hospital.url}/{issue['source']}" in shown


def test_the_json_is_as_the_schema_says_and_the_schema_is_current(
    careplan: Any, hospital: Any, patient: str
) -> None:
    schema = json.loads(SCHEMA.read_text())
    assert schema == json_schema(Snapshot), "careplan map --schema > docs/snapshot.schema.json"
    assert json.loads(careplan("map", "--schema").out) == schema
    snapshot = json.loads(mapped(careplan, hospital, patient, "--json").out)
    assert complaints(snapshot, schema, schema["$defs"]) == []


def test_a_saved_snapshot_is_for_its_owner_alone_and_is_not_replaced_unasked(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    saved = tmp_path / "snapshot.json"
    printed = mapped(careplan, hospital, patient, "--json", "--save", "snapshot.json")
    assert saved.stat().st_mode & 0o777 == 0o600
    assert saved.read_text() == printed.out
    saved.write_text("mine")
    refused = mapped(careplan, hospital, patient, "--save", "snapshot.json")
    assert (refused.code, refused.out, saved.read_text()) == (2, "", "mine")
    assert "--force" in refused.said
    assert mapped(careplan, hospital, patient, "--save", "snapshot.json", "--force").code == 0
    assert decode(saved.read_bytes())["asOf"] == SYNTHETIC_TODAY
    assert saved.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob(".careplan-*"))


def test_nothing_is_written_to_the_server_or_the_ledger(careplan: Any, hospital: Any, patient: str) -> None:
    before = Server(hospital.url).search(f"CarePlan?patient=Patient/{patient}")
    assert mapped(careplan, hospital, patient).code == 0
    assert Server(hospital.url).search(f"CarePlan?patient=Patient/{patient}") == before == []
    assert careplan("audit", "list", "--json").json == []


def test_a_patient_who_is_not_there_is_an_error_of_reading(careplan: Any, hospital: Any) -> None:
    result = mapped(careplan, hospital, "nobody")
    assert (result.code, result.out) == (3, "")
