"""A plan as a document, for a target that takes no plan: one DocumentReference with two attachments.

The first is the whole plan as a page (XHTML, stands alone, no script), the second the same plan as a FHIR
document (http://hl7.org/fhir/R4/documents.html): a Composition, then the resources that would have been written
natively. The DocumentReference follows US Core
(http://hl7.org/fhir/us/core/StructureDefinition/us-core-documentreference).

A document is not edited: a revision is a document of its own. Its identity is derived from what the plan says,
but for its days, so the same plan on another day is the same document.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from careplan_exchange.model.changes import Json, Rendered
from careplan_exchange.model.codec import canonical, encode
from careplan_exchange.model.identity import IDENTITY_SYSTEM, PLAN_KEY, full_url_of
from careplan_exchange.model.target import TargetForm
from careplan_exchange.reconcile import without_days

from .context import RenderContext, compact
from .xhtml import escaped

LOINC = "http://loinc.org"
PLAN_OF_CARE_NOTE = "18776-5"
CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
PLAN_SYSTEM = "urn:careplan-exchange:plan"
"""`Identifier.system` by which all revisions of one plan are found."""
SOFTWARE_SYSTEM = "urn:careplan-exchange:software"
XHTML = "application/xhtml+xml"
FHIR_JSON = "application/fhir+json"

_SECTIONS = (
    ("Goals", ("Goal",)),
    ("Activities, each a proposal", ("ServiceRequest", "NutritionOrder", "MedicationRequest")),
    ("Hazards found", ("DetectedIssue",)),
)
_STYLE = (
    "body{font-family:sans-serif;max-width:50em;margin:2em auto;padding:0 1em;line-height:1.4}"
    "h3{border-bottom:1px solid #999}li{margin-bottom:.6em}"
)


def document(rendered: Sequence[Rendered], context: RenderContext, form: TargetForm) -> Rendered:
    """`rendered` is the plan as the release has it natively, the CarePlan last."""
    plan = rendered[-1]
    said = canonical([without_days(each.type, each.body) for each in rendered])
    key = f"{PLAN_KEY}/{hashlib.sha256(said).hexdigest()}"
    identity = context.identity("DocumentReference", key)
    elements = {
        "status": "current",
        "docStatus": _standing(context),
        "type": _kind(),
        "category": [{"coding": [{"system": CATEGORY, "code": "clinical-note", "display": "Clinical Note"}]}],
        "subject": {"reference": context.subject},
        "date": _instant(context),
        "author": [_author(context)],
        "description": plan.body["title"],
        "content": [
            _attached(XHTML, _page(plan.body), plan.body["title"]),
            _attached(FHIR_JSON, encode(_bundle(rendered, identity, context, form)), plan.body["title"]),
        ],
    }
    body = {
        "resourceType": "DocumentReference",
        "identifier": [
            {"system": IDENTITY_SYSTEM, "value": identity},
            {"system": PLAN_SYSTEM, "value": plan.identity},
        ],
        **elements,
    }
    return Rendered(identity=identity, type="DocumentReference", full_url=full_url_of(identity), body=body)


def _kind() -> Json:
    return {"coding": [{"system": LOINC, "code": PLAN_OF_CARE_NOTE, "display": "Plan of care note"}]}


def _standing(context: RenderContext) -> str:
    return "final" if context.status == "active" else "preliminary"


def _instant(context: RenderContext) -> str:
    return context.now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _author(context: RenderContext) -> Json:
    """No target holds a Device for this software: it is named, not referenced."""
    return {
        "type": "Device",
        "identifier": {"system": SOFTWARE_SYSTEM, "value": f"careplan-exchange/{context.version}"},
        "display": f"careplan-exchange {context.version}",
    }


def _attached(content_type: str, data: bytes, title: str) -> Json:
    attachment = {"contentType": content_type, "data": base64.b64encode(data).decode("ascii"), "title": title}
    return {"attachment": attachment}


def _page(plan: Json) -> bytes:
    """The narrative is escaped already, and well-formed."""
    head = f'<meta charset="utf-8"/><title>{escaped(plan["title"])}</title><style>{_STYLE}</style>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
        f'<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head>{head}</head>'
        f"<body>{plan['text']['div']}</body></html>\n"
    ).encode()


def _bundle(rendered: Sequence[Rendered], identity: str, context: RenderContext, form: TargetForm) -> Json:
    entries = [
        {"fullUrl": full_url_of(f"{identity}/composition"), "resource": _composition(rendered, context, form)},
        # The plan first: a reader that shows one resource shows this one.
        *(
            {"fullUrl": each.full_url, "resource": _apart(each.body, context)}
            for each in (rendered[-1], *rendered[:-1])
        ),
    ]
    return {
        "resourceType": "Bundle",
        "identifier": {"system": IDENTITY_SYSTEM, "value": identity},
        "type": "document",
        "timestamp": _instant(context),
        "entry": entries,
    }


def _composition(rendered: Sequence[Rendered], context: RenderContext, form: TargetForm) -> Json:
    plan = rendered[-1]
    subject = _apart({"reference": context.subject}, context)
    sections = [
        {"title": "Plan of care", "text": plan.body["text"], "entry": [{"reference": plan.full_url}]},
        *(
            compact({"title": title, "entry": [{"reference": r.full_url} for r in rendered if r.type in types]})
            for title, types in _SECTIONS
        ),
    ]
    return {
        "resourceType": "Composition",
        "status": _standing(context),
        "type": _kind(),
        "subject": [subject] if form.release == "R5" else subject,
        "date": _instant(context),
        "author": [_author(context)],
        "title": plan.body["title"],
        "section": [section for section in sections if "entry" in section],
    }


def _apart(value: Any, context: RenderContext) -> Any:
    """`value` with every reference out of the document by identifier: a document is read where the server is
    not."""
    if isinstance(value, list):
        return [_apart(each, context) for each in value]
    if not isinstance(value, dict):
        return value
    literal = value.get("reference")
    if not isinstance(literal, str) or literal.startswith("urn:"):
        return {name: _apart(each, context) for name, each in value.items()}
    source = context.source_patient if literal == context.subject else literal
    return {
        "type": source.split("/", 1)[0],
        "identifier": {"system": context.source_endpoint, "value": source},
        "display": f"{source.split('/', 1)[0]} on the server that the plan was made from",
    }
