"""Required bindings of the resources we write, as data: which codes each element may hold, per release.

fhir.resources checks structure and types but takes any string for a code. The lists are the expansions of the
value sets that the elements are bound to in http://hl7.org/fhir/R4 and http://hl7.org/fhir/R5, complete, because
an update carries elements that somebody else wrote. A path is `Type.element.element` without indexes.
"""

from collections.abc import Mapping

from careplan_exchange.model.record import FhirRelease

_REQUEST_STATUS = frozenset({"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"})
_REQUEST_INTENT = frozenset(
    {
        "proposal", "plan", "directive", "order", "original-order", "reflex-order", "filler-order",
        "instance-order", "option",
    }
)  # fmt: skip
_MEDICATION_INTENT = _REQUEST_INTENT - {"directive"}
_PRIORITY = frozenset({"routine", "urgent", "asap", "stat"})
_OBSERVATION_STATUS = frozenset(
    {"registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"}
)
_MEDICATION_STATUS = frozenset(
    {"active", "on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown"}
)
_NARRATIVE_STATUS = frozenset({"generated", "extensions", "additional", "empty"})

_BOTH: Mapping[str, frozenset[str]] = {
    **{
        f"{name}.text.status": _NARRATIVE_STATUS
        for name in (
            "CarePlan", "Goal", "DetectedIssue", "ServiceRequest", "MedicationRequest", "Provenance",
            "AuditEvent", "NutritionOrder", "DocumentReference",
        )
    },
    "CarePlan.status": _REQUEST_STATUS,
    "Goal.lifecycleStatus": frozenset(
        {
            "proposed", "planned", "accepted", "active", "on-hold", "completed", "cancelled", "entered-in-error",
            "rejected",
        }
    ),
    "Goal.target.detailQuantity.comparator": frozenset({"<", "<=", ">=", ">", "ad"}),
    "DetectedIssue.severity": frozenset({"high", "moderate", "low"}),
    "ServiceRequest.status": _REQUEST_STATUS,
    "ServiceRequest.intent": _REQUEST_INTENT,
    "ServiceRequest.priority": _PRIORITY,
    "NutritionOrder.status": _REQUEST_STATUS,
    "NutritionOrder.intent": _REQUEST_INTENT,
    "DocumentReference.status": frozenset({"current", "superseded", "entered-in-error"}),
    "MedicationRequest.intent": _MEDICATION_INTENT,
    "MedicationRequest.priority": _PRIORITY,
    "AuditEvent.action": frozenset({"C", "R", "U", "D", "E"}),
}  # fmt: skip

_R4: Mapping[str, frozenset[str]] = {
    **_BOTH,
    "CarePlan.intent": frozenset({"proposal", "plan", "order", "option"}),
    "CarePlan.activity.detail.kind": frozenset(
        {
            "Appointment", "CommunicationRequest", "DeviceRequest", "MedicationRequest", "NutritionOrder",
            "Task", "ServiceRequest", "VisionPrescription",
        }
    ),
    "CarePlan.activity.detail.status": frozenset(
        {
            "not-started", "scheduled", "in-progress", "on-hold", "completed", "cancelled", "stopped",
            "unknown", "entered-in-error",
        }
    ),
    "Goal.target.detailQuantity.comparator": frozenset({"<", "<=", ">=", ">"}),
    "DetectedIssue.status": _OBSERVATION_STATUS,
    "DocumentReference.docStatus": frozenset({"preliminary", "final", "amended", "entered-in-error"}),
    "DocumentReference.relatesTo.code": frozenset({"replaces", "transforms", "signs", "appends"}),
    "MedicationRequest.status": _MEDICATION_STATUS,
    "Provenance.entity.role": frozenset({"derivation", "revision", "quotation", "source", "removal"}),
    "AuditEvent.outcome": frozenset({"0", "4", "8", "12"}),
    "AuditEvent.agent.network.type": frozenset({"1", "2", "3", "4", "5"}),
}  # fmt: skip

REQUIRED: Mapping[FhirRelease, Mapping[str, frozenset[str]]] = {
    "R4": _R4,
    "R4B": _R4,
    "R5": {
        **_BOTH,
        "CarePlan.intent": frozenset({"proposal", "plan", "order", "option", "directive"}),
        "DocumentReference.docStatus": frozenset(
            {
                "registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled",
                "entered-in-error", "deprecated", "unknown",
            }
        ),
        "DetectedIssue.status": frozenset({"preliminary", "final", "entered-in-error", "mitigated"}),
        "MedicationRequest.status": _MEDICATION_STATUS | {"ended"},
        "Provenance.entity.role": frozenset({"revision", "quotation", "source", "instantiates", "removal"}),
        "AuditEvent.severity": frozenset(
            {"emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"}
        ),
    },
}  # fmt: skip
