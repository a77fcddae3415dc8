"""Which resources are the plan itself, and how it stands."""

from careplan_exchange.model.changes import Json

_PLANS = frozenset({"CarePlan", "DocumentReference"})
_NOT_IN_USE = frozenset({"draft", "revoked", "completed", "entered-in-error"})
"""CarePlan.status of a plan that nobody works from (http://hl7.org/fhir/R4/valueset-request-status.html)."""


def is_plan(resource_type: str) -> bool:
    """Also a plan that stands as a document, where the target takes nothing else."""
    return resource_type in _PLANS


def is_draft(resource_type: str, body: Json) -> bool:
    """Whether it is a plan that nobody has adopted yet."""
    if resource_type == "DocumentReference":
        return body.get("status") == "current" and body.get("docStatus") == "preliminary"
    return body.get("status") == "draft"


def is_in_use(resource_type: str, body: Json) -> bool:
    """Whether somebody may work from this plan: also in a status that we do not know."""
    if resource_type == "DocumentReference":
        return body.get("status") == "current" and not is_draft(resource_type, body)
    return body.get("status") not in _NOT_IN_USE
