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
    resource = dict(resource)
    kind = resource["resourceType"]
    resource.pop("meta", None)
    resource.pop("text", None)
    if kind == "MedicationRequest":
        resource.pop("extension", None)
        if (concept := resource.pop("medicationCodeableConcept", None)) is not None:
            resource["medication"] = {"concept": concept}
        if (reasons := resource.pop("reasonReference", None)) is not None:
            resource["reason"] = [{"reference": reason} for reason in reasons]
        if (reasons := resource.pop("reasonCode", None)) is not None:
            resource["reason"] = [{"concept": reason} for reason in reasons]
        for dosage in resource.get("dosageInstruction", ()):
            if isinstance(dosage.get("asNeededBoolean"), bool):
                dosage["asNeeded"] = dosage.pop("asNeededBoolean")
    if kind == "Procedure":
        for name in ("Period", "DateTime"):
            if (value := resource.pop(f"performed{name}", None)) is not None:
                resource[f"occurrence{name}"] = value
        if (reasons := resource.pop("reasonReference", None)) is not None:
            resource["reason"] = [{"reference": reason} for reason in reasons]
        if (reasons := resource.pop("reasonCode", None)) is not None:
            resource["reason"] = [{"concept": reason} for reason in reasons]
    if kind == "AllergyIntolerance" and isinstance(resource.get("type"), str):
        system = "http://hl7.org/fhir/allergy-intolerance-type"
        resource["type"] = {"coding": [{"system": system, "code": resource["type"]}]}
    return resource


def _drop_foreign(value: Any, kept: set[str]) -> Any:
    """References to resources that were not taken along would be refused."""
    if isinstance(value, dict):
        return {
            key: _drop_foreign(one, kept)
            for key, one in value.items()
            if not (isinstance(one, dict) and str(one.get("reference", "")).startswith("urn:") and one["reference"] not in kept)
        }
    if isinstance(value, list):
        return [_drop_foreign(one, kept) for one in value]
    return value
