"""R4 test patients for an R5 server: the few elements that changed their shape, for the types that we read."""

from typing import Any

_READ = {"Patient", "Condition", "Observation", "MedicationRequest", "AllergyIntolerance", "Procedure"}


def to_r5(bundle: dict[str, Any]) -> dict[str, Any]:
    entries = [
        {**entry, "resource": _convert(entry["resource"])}
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] in _READ
    ]
    kept = {entry["fullUrl"] for entry in entries}
    return {**bundle, "entry": [_drop_foreign(entry, kept) for entry in entries]}


def _convert(resource: dict[str, Any]) -> dict[str, Any]:
    resource = {name: value for name, value in resource.items() if name not in {"meta", "text"}}
    change = {"MedicationRequest": _medication, "Procedure": _procedure, "AllergyIntolerance": _allergy}
    change.get(resource["resourceType"], lambda _: None)(resource)
    return resource


def _reasons(resource: dict[str, Any]) -> None:
    found = [{"reference": one} for one in resource.pop("reasonReference", ())]
    found += [{"concept": one} for one in resource.pop("reasonCode", ())]
    if found:
        resource["reason"] = found


def _medication(resource: dict[str, Any]) -> None:
    resource.pop("extension", None)
    if (concept := resource.pop("medicationCodeableConcept", None)) is not None:
        resource["medication"] = {"concept": concept}
    for dosage in resource.get("dosageInstruction", ()):
        if (as_needed := dosage.pop("asNeededBoolean", None)) is not None:
            dosage["asNeeded"] = as_needed
    _reasons(resource)


def _procedure(resource: dict[str, Any]) -> None:
    for name in ("Period", "DateTime"):
        if (value := resource.pop(f"performed{name}", None)) is not None:
            resource[f"occurrence{name}"] = value
    _reasons(resource)


def _allergy(resource: dict[str, Any]) -> None:
    if isinstance(resource.get("type"), str):
        system = "http://hl7.org/fhir/allergy-intolerance-type"
        resource["type"] = {"coding": [{"system": system, "code": resource["type"]}]}


def _drop_foreign(value: Any, kept: set[str]) -> Any:
    """References to resources that were not taken along would be refused."""
    if isinstance(value, dict):
        return {
            key: _drop_foreign(one, kept)
            for key, one in value.items()
            if not (
                isinstance(one, dict)
                and str(one.get("reference", "")).startswith("urn:")
                and one["reference"] not in kept
            )
        }
    if isinstance(value, list):
        return [_drop_foreign(one, kept) for one in value]
    return value
