"""An activity as a request of its own: a draft and a proposal whatever the status of the plan.

R4: http://hl7.org/fhir/R4/servicerequest.html, http://hl7.org/fhir/R4/nutritionorder.html. R5: the same pages
under R5, and http://hl7.org/fhir/R5/medicationrequest.html.
"""

from collections.abc import Mapping

from careplan_exchange.model.changes import Json, Rendered
from careplan_exchange.model.proposal import ActivityKind, ActivityProposal, RequestKind
from careplan_exchange.model.record import Shape
from careplan_exchange.model.target import TargetForm

from . import wording
from .context import RenderContext
from .datatypes import coded, concept, references
from .shared import goal_links, note

PERTAINS_TO_GOAL = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"

_REASONS: Mapping[str, frozenset[str]] = {
    "ServiceRequest": frozenset(
        {"Condition", "Observation", "DiagnosticReport", "DocumentReference", "DetectedIssue"}
    ),
    "MedicationRequest": frozenset({"Condition", "Observation"}),
}
_SNOMED = "http://snomed.info/sct"
_CATEGORIES: Mapping[ActivityKind, tuple[str, str | None]] = {
    "lifestyle": ("Lifestyle", "409063005"),
    "diet": ("Diet", "409063005"),
    "medication": ("Medication", None),
    "monitoring": ("Monitoring", None),
    "referral": ("Referral", None),
    "education": ("Education", "409073007"),
}
"""ServiceRequest.category, which US Core 5 demands: in words, and where http://hl7.org/fhir/R4/valueset-servicerequest-category.html
has counselling or education, by that code."""
_REASONS_R4 = _REASONS["ServiceRequest"] - {"DetectedIssue"}


def kind_of(proposed: ActivityProposal, form: TargetForm) -> RequestKind:
    """The type that the activity is a request of. A diet is a service where no NutritionOrder is taken."""
    if proposed.resource_kind == "NutritionOrder" and "NutritionOrder" in form.without:
        return "ServiceRequest"
    return proposed.resource_kind


def request(proposed: ActivityProposal, context: RenderContext, form: TargetForm, shape: Shape) -> Rendered:
    """Raises ValueError for a medicine in R4, where it stays a line of the plan."""
    kind = kind_of(proposed, form)
    instruction = wording.instruction(proposed)
    elements: Json = {
        "extension": [
            {"url": PERTAINS_TO_GOAL, "valueReference": link} for link in goal_links(proposed.goals, context)
        ],
        "status": "draft",
        "intent": "proposal",
        "note": [
            note("instruction", instruction),
            note("reason", wording.explanation(
                proposed.reasons, proposed.citations, proposed.missing, proposed.protocol
            )),
        ],
    }  # fmt: skip
    if kind == "NutritionOrder":
        elements |= _diet(proposed, context, shape)
    elif shape == "R5":
        elements |= _r5(proposed, context, kind)
    elif kind == "ServiceRequest":
        elements |= {
            **_asked(proposed, context),
            "category": _category(proposed),
            "code": concept(proposed.codings, proposed.title),
            "occurrenceTiming": proposed.timing,
            "reasonReference": references(proposed.addresses, context, types=_REASONS_R4),
            "patientInstruction": proposed.patient_text,
        }
    else:
        raise ValueError("a medicine is no request of its own in R4")
    return context.rendered(kind, proposed.key, elements)


def _asked(proposed: ActivityProposal, context: RenderContext) -> Json:
    return {
        "instantiatesCanonical": [proposed.protocol.canonical],
        "priority": proposed.priority,
        "subject": {"reference": context.subject},
    }


def _category(proposed: ActivityProposal) -> list[Json]:
    text, code = _CATEGORIES[proposed.kind]
    return [{**(coded(_SNOMED, code) if code else {}), "text": text}]


def _diet(proposed: ActivityProposal, context: RenderContext, shape: Shape) -> Json:
    """`dateTime` is required: the day on which it was first proposed."""
    schedule: Json = {}
    if proposed.timing:
        schedule = {"schedule": [proposed.timing] if shape == "R4" else {"timing": [proposed.timing]}}
    return {
        "instantiatesCanonical": [proposed.protocol.canonical],
        "subject" if shape == "R5" else "patient": {"reference": context.subject},
        "dateTime": context.now.date().isoformat(),
        "oralDiet": {
            "type": [concept(proposed.codings, proposed.title)],
            **schedule,
            "instruction": wording.instruction(proposed),
        },
    }


def _r5(proposed: ActivityProposal, context: RenderContext, kind: RequestKind) -> Json:
    what = {"concept": concept(proposed.codings, proposed.title)}
    elements: Json = {
        "priority": proposed.priority,
        "subject": {"reference": context.subject},
        "reason": [{"reference": link} for link in references(proposed.addresses, context, types=_REASONS[kind])],
    }
    if kind == "MedicationRequest":
        return elements | {"medication": what, "dosageInstruction": _dosages(proposed)}
    return elements | {
        "instantiatesCanonical": [proposed.protocol.canonical],
        "category": _category(proposed),
        "code": what,
        "occurrenceTiming": proposed.timing,
        "patientInstruction": [{"id": "patient", "instructionMarkdown": proposed.patient_text}],
    }


def _dosages(proposed: ActivityProposal) -> list[Json]:
    """With the activity's own timing where a dose has none."""
    timing = {"timing": proposed.timing} if proposed.timing else {}
    return [body for each in proposed.dosage or ({},) if (body := {**timing, **each})]
