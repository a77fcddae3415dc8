"""Small readers of FHIR elements in plain JSON, and the names of our extensions (docs/apply.md has them all)."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from careplan_exchange.model.proposal import Citation
from careplan_exchange.model.snapshot import Coding

Element = Mapping[str, Any]

UNKNOWN = "urn:careplan-exchange:unknown"
"""On a condition, valueCode: what happens when the record does not decide it (protocol.Unknown)."""
SAFETY = "urn:careplan-exchange:safety"
"""On an applicability condition, valueCode: it is a contraindication, of this severity (protocol.Severity)."""
QUESTION = "urn:careplan-exchange:question"
"""On a condition, valueString: the question to ask when it is unknown."""
PATIENT_TEXT = "urn:careplan-exchange:patient-text"
"""On a goal, an action or an ActivityDefinition, valueString: what a patient reads."""
AVOID = "urn:careplan-exchange:avoid"
"""On an ActivityDefinition, valueString: it is a restriction, and this is what to avoid."""
SUPPORTS = "urn:careplan-exchange:supports"
"""On an action, valueId: the key of a goal that it serves, whichever variant is chosen. It selects none."""
PATIENT_TEXT_ES = "urn:careplan-exchange:patient-text-es"
"""Where PATIENT_TEXT stands, valueString: the same in Spanish."""
MEDICINE = "urn:careplan-exchange:medicine"
"""On an ActivityDefinition, valueCode: a medication concept of `profiles/` that it proposes. The safety gate goes
by it, beside the codes of the product."""
INVOLVES = "urn:careplan-exchange:involves"
"""On an ActivityDefinition, valueCode: what carrying it out takes or brings, a code of `protocols/involves.yaml`:
circumstances and the safety gate go by it."""
BENEFIT = "urn:careplan-exchange:benefit"
"""On an action, valueInteger 1 to 5: how much it is worth to the patient, for the order of a long plan."""
RED_FLAG = "urn:careplan-exchange:red-flag"
"""On an action, valueString: somebody must see the patient today, and this is the banner that says why."""
DISCLAIMER = "urn:careplan-exchange:disclaimer"
"""On a PlanDefinition, valueString: the limits of its use."""
GRADE = "http://hl7.org/fhir/StructureDefinition/cqf-strengthOfRecommendation"
"""On a citation: how strong the guideline says that the recommendation is."""
EXTENSIONS = frozenset(
    {
        UNKNOWN,
        SAFETY,
        QUESTION,
        PATIENT_TEXT,
        PATIENT_TEXT_ES,
        AVOID,
        SUPPORTS,
        MEDICINE,
        INVOLVES,
        BENEFIT,
        RED_FLAG,
        DISCLAIMER,
    }
)
"""Every extension of ours."""

KIND_SYSTEM = "urn:careplan-exchange:activity-kind"
"""System of the `ActivityDefinition.topic` that says which kind of activity it is (proposal.ActivityKind)."""


def items(element: Element, name: str) -> list[Any]:
    """The repetitions of an element, none where it is missing."""
    found = element.get(name)
    return found if isinstance(found, list) else []


def several(element: Element, name: str) -> list[Any]:
    """The same of an element that repeats in one FHIR release and does not in the other (`action.code`)."""
    found = element.get(name)
    return found if isinstance(found, list) else [] if found is None else [found]


def extension(element: Element, url: str) -> Any:
    """The value of this extension, whatever its type, or None."""
    return next(iter(extensions(element, url)), None)


def extensions(element: Element, url: str) -> list[Any]:
    """The values of all extensions with this url."""
    return [
        value
        for found in items(element, "extension")
        if found.get("url") == url
        for name, value in found.items()
        if name.startswith("value")
    ]


def translations(element: Element) -> dict[str, str]:
    """What a patient reads, by language (BCP 47), beside the English text."""
    spanish = extension(element, PATIENT_TEXT_ES)
    return {"es": spanish} if spanish else {}


def codings(concept: Element | None) -> tuple[Coding, ...]:
    return tuple(
        Coding(system=found.get("system"), code=found.get("code"), display=found.get("display"))
        for found in items(concept or {}, "coding")
    )


def code(concept: Element | None, otherwise: str) -> str:
    """The first code of a CodeableConcept."""
    return next((found.code for found in codings(concept) if found.code), otherwise)


def text(concept: Element | None) -> str | None:
    """What a person would read for a CodeableConcept."""
    said: str | None = (concept or {}).get("text")
    return said or next((found.display for found in codings(concept) if found.display), None)


def amount(quantity: Element | None) -> str:
    """What a person would read for a Quantity: comparator, value and unit."""
    if not quantity:
        return ""
    unit = quantity.get("unit") or quantity.get("code") or ""
    return f"{quantity.get('comparator', '')}{quantity.get('value', '')} {unit}".strip()


def citations(artifacts: Iterable[Element]) -> tuple[Citation, ...]:
    """The RelatedArtifacts of type `citation` or `justification`, in their order."""
    return tuple(
        Citation(
            label=found.get("citation") or found.get("display") or found.get("label") or _address(found) or "",
            url=_address(found),
            grade=text(extension(found, GRADE)),
            short=found.get("label") if found.get("citation") else None,
        )
        for found in artifacts
        if found.get("type") in {"citation", "justification"}
    )


def _address(artifact: Element) -> str | None:
    """R4 has `url` beside `document`, R5 `document.url` alone."""
    address: str | None = artifact.get("url") or (artifact.get("document") or {}).get("url")
    return address


def number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))
