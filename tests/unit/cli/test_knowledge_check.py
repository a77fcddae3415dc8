"""`knowledge check`, `export` and `describe`, with a site's folder laid over ours."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import knowledge
from careplan_exchange.model.codec import decode

# --- knowledge check


def laid_over(site: Path, name: str, old: str, new: str) -> int:
    """Lay a copy of ours with one place changed over it; the line of that place."""
    text = (knowledge.root() / name).read_text()
    assert old in text
    (site / name).parent.mkdir(parents=True)
    (site / name).write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_knowledge_that_holds_together_is_said_to(careplan: Any, site: Path) -> None:
    result = careplan("knowledge", "check")
    assert (result.code, result.err) == (0, "")
    assert "hold together" in result.out


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("protocols/t2dm/plan.yaml", "hba1c < 7", "hba1cc < 7"),
        ("mappings/units.yaml", "systolic_bp", "systolic_pb"),
        ("profiles/concepts/measurements.yaml", "id: hba1c", "idd: hba1c"),
    ],
)
def test_a_site_s_error_is_named_with_file_line_and_mend(
    careplan: Any, site: Path, name: str, right: str, wrong: str
) -> None:
    line = laid_over(site, name, right, wrong)
    result = careplan("knowledge", "check")
    assert (result.code, result.err) == (2, "")
    assert f"{name}:{line}: " in result.out
    findings = careplan("knowledge", "check", "--json").json
    assert result.out.count("  mend: ") == len(findings)
    (there,) = (one for one in findings if (one["file"], one["line"]) == (name, line))
    assert re.split(r"\W", wrong)[0] in there["message"]
    assert there["mend"]


def test_a_site_s_file_that_is_no_yaml_is_named_with_its_line(careplan: Any, site: Path) -> None:
    (site / "protocols" / "new").mkdir(parents=True)
    (site / "protocols" / "new" / "plan.yaml").write_text(
        "resourceType: PlanDefinition\nstatus: draft\nstatus: [\n"
    )
    result = careplan("knowledge", "check")
    assert (result.code, result.err) == (2, "")
    assert "protocols/new/plan.yaml:" in result.out
    assert "mend: " in result.out
    (finding,) = careplan("knowledge", "check", "--json").json
    assert finding["line"] >= 3


def test_a_site_s_folder_that_is_not_there_is_a_matter_of_settings(careplan: Any, site: Path) -> None:
    shutil.rmtree(site)
    result = careplan("knowledge", "check")
    assert (result.code, result.out) == (2, "")
    assert "overlay" in result.said


def test_a_review_that_is_due_is_judged_as_of_the_day_that_is_given(careplan: Any, site: Path) -> None:
    assert careplan("knowledge", "check", "--today", "2028-12-31").code == 0
    result = careplan("knowledge", "check", "--today", "2029-01-01")
    assert (result.code, result.err) == (2, "")
    assert "was to be reviewed by 2028-12-31" in result.out
    assert re.search(r"\d+ finding\(s\) in \d+ file\(s\)\.$", result.out.strip())
    refused = careplan("knowledge", "check", "--today", "tomorrow")
    assert (refused.code, refused.out) == (2, "")
    assert "YYYY-MM-DD" in refused.said


def test_files_that_are_no_yaml_are_all_named_and_nothing_is_said_of_the_rest(careplan: Any, site: Path) -> None:
    for name in ("mappings/units.yaml", "profiles/concepts/conditions.yaml"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("units: [\n")
    findings = careplan("knowledge", "check", "--json").json
    assert [finding["file"] for finding in findings] == [
        "mappings/units.yaml",
        "profiles/concepts/conditions.yaml",
    ]


# --- knowledge export and describe


def test_the_guide_is_written_into_a_new_folder_and_never_over_another(careplan: Any, tmp_path: Path) -> None:
    result = careplan("knowledge", "export", "--to", "made/guide")
    assert (result.code, result.err) == (0, "")
    written = {
        path.relative_to(tmp_path / "made/guide").as_posix() for path in (tmp_path / "made/guide").rglob("*.json")
    }
    assert {
        "load.json",
        "StructureDefinition-careplan-hba1c.json",
        "ValueSet-careplan-hba1c.json",
        "ConceptMap-careplan-conditions.json",
        "CapabilityStatement-careplan-server.json",
        "examples/Observation-careplan-example-hba1c.json",
        "fragments/CodeSystem-loinc.json",
    } <= written
    assert f"Wrote {len(written)} files" in result.out
    profile = decode((tmp_path / "made/guide/StructureDefinition-careplan-hba1c.json").read_bytes())
    assert profile["snapshot"]["element"]
    refused = careplan("knowledge", "export", "--to", "made/guide")
    assert (refused.code, refused.out) == (2, "")
    assert "--force" in refused.said
    assert careplan("knowledge", "export", "--to", "made/guide", "--force").code == 0


def test_the_guide_names_a_place_where_it_cannot_be_written(careplan: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = careplan("knowledge", "export", "--to", "file/guide")
    assert (result.code, result.out) == (2, "")
    assert "cannot be written" in result.said


def test_the_site_s_own_concepts_are_described_too(careplan: Any, site: Path) -> None:
    laid_over(site, "profiles/concepts/measurements.yaml", "title: Potassium", "title: Kalium")
    result = careplan("knowledge", "describe")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("# Internal profiles")
    assert "Kalium" in result.out
