"""R4 test patients for an R5 server: the few elements that changed their shape, for the types that we read
(http://hl7.org/fhir/R5/diff.html)."""

import copy
from collections.abc import Callable
from typing import Any

_ENCOUNTER_STATUSES = {
    "arrived": "in-progress",
    "triaged": "in-progress",
    "onleave": "on-hold",
    "finished": "completed",
}


def to_r5(bundle: dict[str, Any]) -> dict[str, Any]:
    """The Bundle for an R5 server, without what is of no type in `_CHANGES`. The one given stays as it is."""
    entries = [
        {**entry, "resource": resource_in_r5(entry["resource"])}
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] in _CHANGES
    ]
    kept = {entry["fullUrl"] for entry in entries}
    return {**bundle, "entry": [_drop_foreign(entry, kept) for entry in entries]}


def resource_in_r5(resource: dict[str, Any]) -> dict[str, Any]:
    """One resource in the shape of R5; one of a type that is not in `_CHANGES` keeps its own."""
    resource = copy.deepcopy({name: value for name, value in resource.items() if name not in {"meta", "text"}})
    _CHANGES.get(resource["resourceType"], _nothing)(resource)
    return resource


def _nothing(_: dict[str, Any]) -> None:
    """The elements in use have the same shape in both."""


def _reasons(resource: dict[str, Any]) -> None:
    found = [{"reference": one} for one in resource.pop("reasonReference", ())]
    found += [{"concept": one} for one in resource.pop("reasonCode", ())]
    if found:
        resource["reason"] = found


def _medication(resource: dict[str, Any]) -> None:
    resource.pop("extension", None)
    if (concept := resource.pop("medicationCodeableConcept", None)) is not None:
        resource["medication"] = {"concept": concept}
    if (reference := resource.pop("medicationReference", None)) is not None:
        resource["medication"] = {"reference": reference}
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


def _encounter(resource: dict[str, Any]) -> None:
    resource["status"] = _ENCOUNTER_STATUSES.get(resource["status"], resource["status"])
    if (kind := resource.pop("class", None)) is not None:
        resource["class"] = [{"coding": [kind]}]
    for old, new in (("period", "actualPeriod"), ("hospitalization", "admission")):
        if (value := resource.pop(old, None)) is not None:
            resource[new] = value
    for participant in resource.get("participant", ()):
        if (person := participant.pop("individual", None)) is not None:
            participant["actor"] = person
    _reasons(resource)
    if "reason" in resource:
        resource["reason"] = [{"value": resource["reason"]}]


def _care_plan(resource: dict[str, Any]) -> None:
    if "addresses" in resource:
        resource["addresses"] = [{"reference": one} for one in resource["addresses"]]
    for activity in resource.get("activity", ()):
        if (planned := activity.pop("reference", None)) is not None:
            activity["plannedActivityReference"] = planned
        # R5 has no `detail`: what was to be done is named, and nothing else of it.
        if (detail := activity.pop("detail", None)) is not None:
            activity["performedActivity"] = [{"concept": detail["code"]}]


_CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "Patient": _nothing,
    "Encounter": _encounter,
    "Condition": _nothing,
    "Observation": _nothing,
    "DiagnosticReport": _nothing,
    "Immunization": _nothing,
    "MedicationRequest": _medication,
    "AllergyIntolerance": _allergy,
    "Procedure": _procedure,
    "Goal": _nothing,
    "CarePlan": _care_plan,
}

CHANGED = frozenset(_CHANGES)
"""The types of which the shape in R5 is known here."""


def _drop_foreign(value: Any, kept: set[str]) -> Any:
    """References to resources that were not taken along would be refused; so would what they leave empty."""
    if isinstance(value, dict):
        left = {
            key: _drop_foreign(one, kept)
            for key, one in value.items()
            if not (
                isinstance(one, dict)
                and str(one.get("reference", "")).startswith("urn:")
                and one["reference"] not in kept
            )
        }
        return {key: one for key, one in left.items() if one not in ({}, [])}
    if isinstance(value, list):
        return [left for one in value if (left := _drop_foreign(one, kept)) != {}]
    return value
