"""`coverage`: counts over patients or files, a skeleton that can be filled, and nothing of a patient in either."""

import re
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.model.codec import encode
from tests.support.patients import NAMES, synthetic
from tests.support.product import SYNTHETIC_TODAY, Server
from tests.support.shared import ROOT, require_shared

ODD = "07-year-of-birth-only-and-odd-values"


def write(folder: Path, bundle: dict[str, Any], name: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(encode({**bundle, "type": "collection"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        write(tmp_path / "export", synthetic(name), f"{name}.json")
    return tmp_path / "export"


def test_a_folder_is_counted_and_a_server_with_the_same_patient_gives_the_same(
    careplan: Any, hospital: Any, folder: Path, tmp_path: Path
) -> None:
    counted = careplan("coverage", "--bundles", str(folder), "--today", SYNTHETIC_TODAY, "--json").json
    held = sum(len(synthetic(name)["entry"]) for name in NAMES)
    total = counted["total"]
    assert counted["patients"] == len(NAMES)
    assert total["used"] + total["notNeeded"] + total["notUnderstood"] == held
    write(tmp_path / "one", synthetic(ODD), "a.json")
    patient = Server(hospital.url).load(synthetic(ODD))
    of_file = careplan("coverage", "--bundles", "one", "--today", SYNTHETIC_TODAY, "--json").json
    of_server = careplan("coverage", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY, "--json").json
    assert of_file == of_server
    assert {"GLYC-7"} == {one["code"] for one in of_file["codes"] if one["state"] == "unmapped"}


def test_a_sample_takes_as_many_patients_as_asked_for(careplan: Any, hospital: Any) -> None:
    for _ in range(3):
        Server(hospital.url).load(synthetic(ODD))
    assert careplan("coverage", "-e", hospital.url, "--sample", "2", "--json").json["patients"] == 2


def test_a_filled_skeleton_is_accepted_and_an_unfilled_one_is_not(
    careplan: Any, folder: Path, tmp_path: Path
) -> None:
    bundle = synthetic(ODD)
    for entry in bundle["entry"]:
        value = entry["resource"].get("valueQuantity", {})
        if value.get("unit") == "%":
            value |= {"unit": "parts per ten", "code": "parts per ten"}
    write(folder, bundle, "odd-unit.json")
    write(folder, {**bundle, "entry": [*bundle["entry"], {"resource": {"resourceType": "Basic"}}]}, "type.json")
    result = careplan("coverage", "--bundles", str(folder), "--skeleton", "overlay.yaml")
    assert "knowledge check" in result.out
    overlay = tmp_path / "site/mappings"
    overlay.mkdir(parents=True)
    texts = {name: Path(name).read_text() for name in ("overlay.yaml", "overlay-other.yaml")}
    assert "parts per ten" in texts["overlay-other.yaml"]
    assert "Basic" in texts["overlay-other.yaml"]
    (tmp_path / "careplan.toml").write_text('[knowledge]\noverlay = "site"\n')
    for name, text in texts.items():
        (overlay / name).write_text(text)
    refused = careplan("knowledge", "check")
    assert refused.code == 2
    assert "mappings/overlay.yaml:" in refused.out
    for name, text in texts.items():
        filled = re.sub(r'(comment|reason|source): ""', r'\1: "Judged."', text).replace("factor:", "factor: 10")
        (overlay / name).write_text(filled)
    assert "Mappings, profiles and protocols hold together" in careplan("knowledge", "check").out
    after = careplan("coverage", "--bundles", str(folder), "--json").json
    assert not [one for one in after["codes"] if one["code"] == "GLYC-7" and one["state"] == "unmapped"]
    assert careplan("coverage", "--bundles", str(folder), "--skeleton", "overlay.yaml").code == 2


def test_no_name_and_no_free_text_is_in_a_report_or_skeleton(careplan: Any, tmp_path: Path) -> None:
    bundle = synthetic(ODD)
    texts = [{"text": "Hildegard told me"}, {"coding": [{"system": "urn:x", "code": "Hildegard of B."}]}]
    for entry, code in zip(
        [one for one in bundle["entry"] if one["resource"]["resourceType"] == "Observation"], texts, strict=False
    ):
        entry["resource"]["code"] = code
    write(tmp_path / "one", bundle, "Hildegard.json")
    (tmp_path / "one/Hildegard-2.json").write_text("{}")
    command = ("coverage", "--bundles", "one", "--skeleton", "s.yaml", "--markdown", "m.md")
    shown = careplan(*command)
    assert shown.code == 3
    assert "Number 1 was not read" in shown.out
    told = shown.out + shown.err + "".join(path.read_text() for path in tmp_path.glob("*.[ym]*"))
    assert "Hildegard" not in told
    assert "Observation.code" in told


@pytest.mark.parametrize(
    "arguments",
    [(), ("-e", "http://x"), ("--bundles", "nowhere"), ("--bundles", "."), ("--bundles", ".", "--sample", "2")],
)
def test_records_that_are_not_named_clearly_are_a_matter_of_usage(
    careplan: Any, arguments: tuple[str, ...]
) -> None:
    result = careplan("coverage", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "Next:" in result.said


def test_the_page_in_docs_is_what_the_command_writes_over_the_fixtures(careplan: Any, tmp_path: Path) -> None:
    folder = require_shared("fixtures/patients")
    written = careplan("coverage", "--bundles", str(folder), "--today", "2021-04-01", "--markdown", "page.md")
    assert written.code == 0
    page = (tmp_path / "page.md").read_text()
    assert page == (ROOT / "docs/coverage.md").read_text()
