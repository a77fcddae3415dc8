"""What a `definitionCanonical` points at, as the template of an activity.

A plan of care here holds service and medication requests and nutrition orders. Every other kind of request
becomes the service that is nearest, with a word about it; what is no request at all leaves the action as its own
text. Nothing is lost.
"""

from collections.abc import Mapping
from typing import Any, cast, get_args

import msgspec

from careplan_exchange.model.proposal import ActivityKind, RequestKind

from . import elements
from .behaviours import participants_of
from .conditions import dynamic_of
from .elements import Element, extension, items, several
from .protocol import ActivityTemplate, Note, Priority
from .timings import when_of

_SERVICES: Mapping[str, ActivityKind] = {
    "Appointment": "referral",
    "AppointmentResponse": "referral",
    "CarePlan": "monitoring",
    "CommunicationRequest": "education",
    "DeviceRequest": "monitoring",
    "ImmunizationRecommendation": "monitoring",
    "NutritionOrder": "diet",
    "ServiceRequest": "monitoring",
    "SupplyRequest": "monitoring",
    "Task": "monitoring",
    "VisionPrescription": "monitoring",
}
"""Kinds (http://hl7.org/fhir/R4/valueset-request-resource-types.html) that stand as a service, and as which kind
of activity where the definition's topic does not say."""

_NOT_CARRIED = (
    *("location", "quantity", "bodySite", "specimenRequirement", "observationRequirement"),
    *("observationResultRequirement", "transform", "profile", "productReference"),
)


class Defined(msgspec.Struct, frozen=True, kw_only=True):
    """The template, or None where there is none; `said` is what a person must know of it; `refused` says why no
    activity may come of it."""

    template: ActivityTemplate | None
    said: tuple[str, ...] = ()
    refused: str | None = None


def defined_by(definition: Element) -> Defined:
    """From an ActivityDefinition, or a Questionnaire that is to be filled in."""
    if definition.get("resourceType") == "Questionnaire":
        return Defined(template=_questionnaire(definition))
    kind = definition.get("kind")
    if definition.get("doNotPerform") is True:
        return Defined(template=None, refused="Its definition says that this is not to be done (doNotPerform).")
    if definition.get("status") == "retired":
        return Defined(template=None, refused="Its definition is retired.")
    if kind != "MedicationRequest" and kind not in _SERVICES:
        return Defined(template=None, said=(f"its definition is of kind {kind}, which no activity can be",))
    said = [f"its {name} is not carried" for name in _NOT_CARRIED if name in definition]
    if kind not in get_args(RequestKind) or (kind == "NutritionOrder" and _is_medicine(definition)):
        as_what = "medicine" if _is_medicine(definition) else "service"
        said.insert(0, f"its definition is of kind {kind}, and it stands as a {as_what} here")
    return Defined(template=_template(definition), said=tuple(said))


def _is_medicine(definition: Element) -> bool:
    """Also a Task or another request for a product with a dosage: the safety gate must see it as what it is."""
    given = "productCodeableConcept" in definition and bool(items(definition, "dosage"))
    return definition.get("kind") == "MedicationRequest" or given


def _template(definition: Element) -> ActivityTemplate:
    medication = _is_medicine(definition)
    concept = definition.get("productCodeableConcept") or definition.get("code")
    title = definition.get("title") or elements.text(concept) or definition.get("name") or "Activity"
    description = definition.get("description") or title
    kinds = [found.code for topic in items(definition, "topic") for found in elements.codings(topic)]
    fallback = "medication" if medication else _SERVICES[definition["kind"]]
    when = when_of(definition)
    return ActivityTemplate(
        title=title,
        description=description,
        patient_text=extension(definition, elements.PATIENT_TEXT) or description,
        patient_texts=elements.translations(definition),
        kind=cast("ActivityKind", next((kind for kind in kinds if kind in get_args(ActivityKind)), fallback)),
        resource_kind="MedicationRequest" if medication else _service(definition["kind"]),
        priority=_priority(definition.get("priority")),
        codings=elements.codings(concept),
        timing=when.timing,
        at_age=when.age,
        dosage=tuple(_dosage(found) for found in items(definition, "dosage")),
        dynamic_values=tuple(dynamic_of(found) for found in items(definition, "dynamicValue")),
        citations=elements.citations(items(definition, "relatedArtifact")),
        avoid=extension(definition, elements.AVOID),
        medicines=tuple(elements.extensions(definition, elements.MEDICINE)),
        involves=tuple(elements.extensions(definition, elements.INVOLVES)),
        url=definition.get("url"),
        notes=(*participants_of(definition), *_as_needed(definition)),
    )


def _service(kind: str) -> RequestKind:
    return "NutritionOrder" if kind == "NutritionOrder" else "ServiceRequest"


def _priority(said: Any) -> Priority:
    return cast("Priority", said) if said in get_args(Priority) else "routine"


def _as_needed(definition: Element) -> tuple[Note, ...]:
    """`asNeeded[x]` of R5."""
    for_what = elements.text(definition.get("asNeededCodeableConcept"))
    if for_what is None and definition.get("asNeededBoolean") is not True:
        return ()
    return (Note(f"To be done as needed{f': {for_what}' if for_what else ''}.", "asNeeded"),)


def _dosage(found: Element) -> Mapping[str, Any]:
    """As R5 has it, which can say all that R4 can: `asNeeded` and `asNeededFor` where R4 has one choice, and
    several `maxDosePerPeriod` (http://hl7.org/fhir/R5/dosage.html)."""
    kept = dict(found)
    if (as_needed := kept.pop("asNeededBoolean", None)) is not None:
        kept["asNeeded"] = as_needed
    if (for_what := kept.pop("asNeededCodeableConcept", None)) is not None:
        kept["asNeededFor"] = [for_what]
    if "maxDosePerPeriod" in kept:
        kept["maxDosePerPeriod"] = several(found, "maxDosePerPeriod")
    return kept


def _questionnaire(found: Element) -> ActivityTemplate:
    title = f"Fill in the questionnaire '{found.get('title') or found.get('name') or found.get('url')}'"
    address = f" ({found['url']})" if found.get("url") else ""
    return ActivityTemplate(
        title=title,
        description=f"{found.get('description') or title}{address}",
        patient_text=title,
        patient_texts={},
        kind="monitoring",
        resource_kind="ServiceRequest",
        priority="routine",
        codings=tuple(
            coding for coded in items(found, "code") for coding in elements.codings({"coding": [coded]})
        ),
        timing=None,
        dosage=(),
        dynamic_values=(),
        citations=(),
        avoid=None,
        medicines=(),
        involves=(),
    )
