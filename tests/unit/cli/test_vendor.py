"""What `doctor` says of the query plan, and the setting that chooses it."""

from pathlib import Path
from typing import Any


def settings(folder: Path, url: str, **lines: str) -> None:
    rows = "\n".join(f"{name} = {value}" for name, value in lines.items())
    (folder / "careplan.toml").write_text(f'[endpoints.main]\nurl = "{url}"\n{rows}\n')


def endpoint(result: Any) -> dict[str, Any]:
    (check,) = [check for check in result.json if check["what"] == "endpoint main"]
    return check


def test_the_doctor_names_the_plan_and_the_headers_that_it_wants(
    careplan: Any, hospital: Any, tmp_path: Path
) -> None:
    settings(tmp_path, hospital.url)
    assert "query plan 'generic'" in endpoint(careplan("doctor", "--json"))["found"]
    settings(tmp_path, hospital.url, vendor='"epic"')
    check = endpoint(careplan("doctor", "--json"))
    assert "query plan 'epic'" in check["found"]
    assert "Epic-Client-ID" in check["mend"]
    settings(tmp_path, hospital.url, vendor='"epic"', headers='{ "epic-client-id" = "x" }')
    assert endpoint(careplan("doctor", "--json"))["mend"] == ""


def test_a_vendor_that_has_no_plan_is_named_with_the_nearest_one(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    settings(tmp_path, hospital.url, vendor='"medplumb"')
    result = careplan("map", "-e", "main", "-p", patient)
    assert result.code == 2
    assert "Did you mean 'medplum'?" in result.said
