"""PlanDefinition/$apply of a server (http://hl7.org/fhir/R4/plandefinition-operation-apply.html).

Another engine's answer: it is handed on as it is. It writes nothing, so it may be sent again.
"""

import msgspec

from careplan_exchange.errors import NotFhirError, UnsupportedServerError, WrongPatientError
from careplan_exchange.model import codec
from careplan_exchange.model.changes import Json

from .ask import Ask, require_json
from .bundle import NOT_FHIR_MEND, refuse_outcome
from .capabilities import Capabilities
from .failures import refused
from .session import Session

_WHAT = "PlanDefinition/$apply"
_ANSWERS = frozenset({"CarePlan", "RequestGroup", "RequestOrchestration", "Bundle", "Parameters"})


async def apply_plan(session: Session, capabilities: Capabilities, plan: Json, patient: str) -> Json:
    """The server's CarePlan or Bundle for `plan`, a PlanDefinition, and the patient with that id there.

    Raises UnsupportedServerError where its CapabilityStatement does not list the operation, RefusedError where it
    refuses, NotFhirError for an answer that is none, WrongPatientError for one about somebody else.
    """
    if "apply" not in capabilities.operations.get("PlanDefinition", frozenset()):
        raise UnsupportedServerError(
            "The server's CapabilityStatement does not list the operation $apply on PlanDefinition.",
            mend="Name a server that offers it, or write the conditions of the plan in FHIRPath.",
        )
    subject = f"Patient/{patient}"
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "planDefinition", "resource": plan},
            {"name": "subject", "valueString": subject},
        ],
    }
    answer = await session.send(
        Ask(
            method="POST",
            url=f"{session.base_url}/PlanDefinition/$apply",
            what=_WHAT,
            label="PlanDefinition",
            body=codec.encode(body),
        )
    )
    if not answer.ok:
        raise refused(answer.status, answer.body, _WHAT)
    require_json(answer, f"{_WHAT}: the answer")
    found = _answer(answer.body)
    if any(about not in {None, subject} for about in _subjects(found)):
        raise WrongPatientError(
            f"{_WHAT}: the answer is about another patient than was asked for.",
            mend="Report it to those who run the server; nothing of the answer is shown.",
        )
    return found


def _answer(body: bytes) -> Json:
    """The resource, out of the Parameters that some servers wrap it in."""
    try:
        found = codec.decode(body)
    except msgspec.DecodeError:
        found = None
    kind = found.get("resourceType") if isinstance(found, dict) else None
    if isinstance(kind, str):
        refuse_outcome(kind, body, f"{_WHAT}: the answer")
    if not isinstance(found, dict) or kind not in _ANSWERS:
        raise NotFhirError(f"{_WHAT}: the answer is no plan.", mend=NOT_FHIR_MEND)
    if kind == "Parameters":
        inner = [part["resource"] for part in found.get("parameter", []) if "resource" in part]
        if len(inner) != 1:
            raise NotFhirError(f"{_WHAT}: the answer does not hold one plan.", mend=NOT_FHIR_MEND)
        return dict(inner[0])
    return dict(found)


def _subjects(found: Json) -> list[str | None]:
    """Whom the answer and all that it holds are about, as `Patient/<id>`; None where it does not say."""
    held = [entry.get("resource", {}) for entry in found.get("entry", [])]
    resources = [found, *held, *(inner for one in (found, *held) for inner in one.get("contained", []))]
    references = [
        (resource.get(name) or {}).get("reference")
        for resource in resources
        for name in ("subject", "patient", "for")
    ]
    return ["/".join(str(one).split("/_history")[0].split("/")[-2:]) if one else None for one in references]
