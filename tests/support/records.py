"""The third-party patients of ../shared, as they are loaded onto a server."""

from pathlib import Path
from typing import Any

from careplan_exchange.model.codec import decode
from tests.support.shared import SHARED, require_shared

FIXTURES = sorted((SHARED / "fixtures/patients").glob("*.json"))
"""Every file, none where the folder is absent."""

_LEFT_OUT = {"Claim", "ExplanationOfBenefit", "ImagingStudy", "DocumentReference", "Media"}
"""Claims and their kin are half of a Synthea bundle and no concern of a plan: loading them costs minutes."""


def record_of(path: Path) -> dict[str, Any]:
    """The transaction Bundle in `path`, without what nobody reads."""
    bundle: dict[str, Any] = decode(path.read_bytes())
    return {**bundle, "entry": [e for e in bundle["entry"] if e["resource"]["resourceType"] not in _LEFT_OUT]}


def living(count: int) -> list[dict[str, Any]]:
    """Living patients with diabetes or hypertension first, then others."""
    folder = require_shared("fixtures/patients")
    rows = [row for row in decode(require_shared("fixtures/MANIFEST.json").read_bytes()) if not row["deceased"]]
    rows.sort(key=lambda row: (not {"diabetes", "hypertension"} & set(row["tags"]), row["file"]))
    return [record_of(folder / row["file"]) for row in rows[:count]]


def everybody() -> list[dict[str, Any]]:
    """All fixture patients, each without the element that says that the person has died."""
    folder = require_shared("fixtures/patients")
    return [_as_if_living(record_of(path)) for path in sorted(folder.glob("*.json"))]


def _as_if_living(bundle: dict[str, Any]) -> dict[str, Any]:
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            for element in ("deceasedDateTime", "deceasedBoolean"):
                entry["resource"].pop(element, None)
    return bundle
