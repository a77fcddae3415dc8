"""Rules over several elements, as data: those of severity error that fhir.resources does not check.

Keys and conditions are those of the StructureDefinitions at http://hl7.org/fhir/R4 and http://hl7.org/fhir/R5.
"""

from collections.abc import Callable
from typing import NamedTuple

from careplan_exchange.model.record import FhirRelease

from .outcomes import Json
from .values import span_of

_BOTH: tuple[FhirRelease, ...] = ("R4", "R5")
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_CONDITION_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_ALLERGY_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"


class Invariant(NamedTuple):
    """`holds` is asked of every node at `path`."""

    key: str
    path: str
    human: str
    holds: Callable[[Json], bool]
    releases: tuple[FhirRelease, ...] = _BOTH


def _any_of(node: Json, *names: str) -> bool:
    return any(name in node for name in names)


def _choice(node: Json, stem: str) -> bool:
    return any(name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper() for name in node)


def _coded(node: Json, element: str, system: str, *codes: str) -> bool:
    codings = node.get(element, {}).get("coding", ())
    return any(coding.get("system") == system and coding.get("code") in codes for coding in codings)


def _component_repeats_code(node: Json) -> bool:
    own = [(one.get("system"), one.get("code")) for one in node.get("code", {}).get("coding", ())]
    return any(
        (one.get("system"), one.get("code")) in own
        for component in node.get("component", ())
        for one in component.get("code", {}).get("coding", ())
    )


INVARIANTS = (
    Invariant(
        "cpl-3", "CarePlan.activity", "an activity has a reference or a detail, not both",
        lambda node: not ("reference" in node and "detail" in node), ("R4",),
    ),
    Invariant(
        "gol-1", "Goal.target", "a target with a detail has a measure",
        lambda node: not _choice(node, "detail") or "measure" in node,
    ),
    Invariant(
        "obs-3", "Observation.referenceRange", "a reference range has a low, a high or a text",
        lambda node: _any_of(node, "low", "high", "text"),
    ),
    Invariant(
        "obs-6", "Observation", "a reason why data are absent stands only without a value",
        lambda node: not ("dataAbsentReason" in node and _choice(node, "value")),
    ),
    Invariant(
        "obs-7", "Observation", "a component with the Observation's own code excludes a value",
        lambda node: not (_choice(node, "value") and _component_repeats_code(node)),
    ),
    Invariant(
        "con-4", "Condition", "an abated condition is inactive, in remission or resolved",
        lambda node: not _choice(node, "abatement")
        or _coded(node, "clinicalStatus", _CLINICAL, "inactive", "resolved", "remission"), ("R4",),
    ),
    Invariant(
        "con-3", "Condition", "an abated condition is inactive, in remission or resolved",
        lambda node: not _choice(node, "abatement")
        or _coded(node, "clinicalStatus", _CLINICAL, "inactive", "resolved", "remission"), ("R5",),
    ),
    Invariant(
        "con-5", "Condition", "a condition entered in error has no clinical status",
        lambda node: not _coded(node, "verificationStatus", _CONDITION_VERIFICATION, "entered-in-error")
        or "clinicalStatus" not in node,
        ("R4",),
    ),
    Invariant(
        "con-1", "Condition.stage", "a stage has a summary or an assessment",
        lambda node: _any_of(node, "summary", "assessment"),
    ),
    Invariant(
        "ait-1", "AllergyIntolerance", "an allergy has a clinical status unless it was entered in error",
        lambda node: "clinicalStatus" in node
        or _coded(node, "verificationStatus", _ALLERGY_VERIFICATION, "entered-in-error"),
        ("R4",),
    ),
    Invariant(
        "ait-2", "AllergyIntolerance", "an allergy entered in error has no clinical status",
        lambda node: "clinicalStatus" not in node
        or not _coded(node, "verificationStatus", _ALLERGY_VERIFICATION, "entered-in-error"),
        ("R4",),
    ),
    Invariant(
        "fhs-1", "FamilyMemberHistory", "an age or a birth, not both",
        lambda node: not (_choice(node, "age") and _choice(node, "born")),
    ),
    Invariant(
        "fhs-2", "FamilyMemberHistory", "only an age can be estimated",
        lambda node: "estimatedAge" not in node or _choice(node, "age"),
    ),
    Invariant(
        "pat-1", "Patient.contact", "a contact has a name, a way to reach it or an organization",
        lambda node: _any_of(node, "name", "telecom", "address", "organization"),
    ),
    Invariant(
        "prr-1", "ServiceRequest", "details of an order need its code",
        lambda node: "orderDetail" not in node or "code" in node,
    ),
    Invariant(
        "ppc-1", "Consent", "a consent has a policy or a policy rule",
        lambda node: _any_of(node, "policy", "policyRule"), ("R4",),
    ),
    Invariant(
        "mdd-1", "MedicationDispense", "nothing is handed over before it was prepared",
        lambda node: not _any_of(node, "whenHandedOver") or not _any_of(node, "whenPrepared")
        or span_of(node["whenPrepared"]).low < span_of(node["whenHandedOver"]).high,
    ),
    Invariant(
        "sev-1", "AuditEvent.entity", "an entity has a name or a query, not both",
        lambda node: not ("name" in node and "query" in node), ("R4",),
    ),
)  # fmt: skip
