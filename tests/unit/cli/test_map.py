"""`map`: facts that can be followed to their source, what was not used, and a file that only its owner reads."""

import json
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from careplan_exchange.cli import facts
from careplan_exchange.model.codec import decode, json_schema
from careplan_exchange.model.snapshot import Coding, Evidence, Fact, FactKind, Snapshot
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


def test_a_derived_fact_names_its_rule_and_each_resource_it_was_worked_out_from(
    careplan: Any, hospital: Any, patient: str
) -> None:
    shown = mapped(careplan, hospital, patient).out
    server = Server(hospital.url)
    derived = [f for f in mapped(careplan, hospital, patient, "--json").json["facts"] if f["rule"]]
    assert {"stage", "measurement"} <= {fact["kind"] for fact in derived}
    for fact in derived:
        assert f"calculated by {fact['rule']} from {len(fact['inputs'])} resource" in shown
        for one in fact["inputs"]:
            address = f"{one['reference']}/_history/{one['versionId']}"
            assert f"{hospital.url}/{address}" in shown
            assert server.get(address)["id"] == one["reference"].partition("/")[2]


def test_what_was_not_used_is_shown_by_key_with_its_source(careplan: Any, hospital: Any) -> None:
    patient = Server(hospital.url).load(synthetic("07-year-of-birth-only-and-odd-values"))
    shown = mapped(careplan, hospital, patient).out
    issues = mapped(careplan, hospital, patient, "--json").json["issues"]
    assert {"mapping.unit.inferred", "mapping.value.negative"} <= {issue["key"] for issue in issues}
    for issue in issues:
        assert issue["key"] in shown
        assert issue["detail"] in shown
        for source in filter(None, (issue.get("source"), *issue.get("sources", ()))):
            assert f"{hospital.url}/{source}" in shown


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


def test_a_reading_is_kept_for_its_owner_alone_and_the_next_one_starts_from_it(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    kept = tmp_path / "reading"
    first = mapped(careplan, hospital, patient, "--since", str(kept), "--json")
    assert (first.code, first.err) == (0, "")
    assert kept.stat().st_mode & 0o777 == 0o600
    record = decode(kept.read_bytes())["record"]
    assert record["patient"]["id"] == patient
    Server(hospital.url).post(
        "Goal",
        {
            "resourceType": "Goal",
            "lifecycleStatus": "active",
            "description": {"text": "walk"},
            "subject": {"reference": f"Patient/{patient}"},
        },
    )
    again = mapped(careplan, hospital, patient, "--since", str(kept), "--json")
    full = mapped(careplan, hospital, patient, "--json")
    assert again.json == full.json
    assert len(decode(kept.read_bytes())["record"]["resources"]) == len(record["resources"]) + 1


def test_a_reading_of_another_patient_or_of_nothing_is_refused_and_kept(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    other = Server(hospital.url).load(synthetic("07-year-of-birth-only-and-odd-values"))
    kept = tmp_path / "reading"
    assert mapped(careplan, hospital, other, "--since", str(kept)).code == 0
    before = kept.read_bytes()
    refused = mapped(careplan, hospital, patient, "--since", str(kept))
    assert (refused.code, kept.read_bytes()) == (2, before)
    kept.write_text("something else")
    assert mapped(careplan, hospital, patient, "--since", str(kept)).code == 2
    assert kept.read_text() == "something else"


def test_a_file_with_a_record_is_always_read_whole(careplan: Any, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    record.write_text("{}")
    refused = careplan("map", "-e", str(record), "-p", "p1", "--since", str(tmp_path / "reading"))
    assert refused.code == 2
    assert "--since" in refused.said


def test_every_kind_of_fact_has_a_group_on_the_terminal() -> None:
    assert set(facts._GROUPS) == set(FactKind.__args__)


def test_a_coded_answer_is_shown_in_words_else_by_its_code() -> None:
    evidence = Evidence(reference="Observation/1")
    fact = Fact(concept="x", kind="stage", evidence=evidence, answer=Coding(code="LA9657-3"))
    assert facts.value_of(fact) == "LA9657-3"
    assert facts.value_of(replace(fact, answer=Coding(code="LA9657-3", display="Poor"))) == "Poor"
    assert facts.value_of(replace(fact, answer=None)) == ""
