"""Small wire resources around the clinical findings."""

from typing import Any

from tests.unit.mapping.builders import LOINC, ME, concept, without_none

CVX = "http://hl7.org/fhir/sid/cvx"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
HGNC = "http://www.genenames.org"
REPORTING = "http://hl7.org/fhir/uv/genomics-reporting/CodeSystem/tbd-codes-cs"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"


def of(type_: str, **more: Any) -> dict[str, Any]:
    return without_none({"resourceType": type_, "status": "active", "subject": ME} | more)


def statement(*codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    body = {"medicationCodeableConcept": concept(*codings), "effectivePeriod": {"start": "2026-02-01"}}
    return of("MedicationStatement", **(body | more))


def dispense(*codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    body = {
        "status": "completed",
        "medicationCodeableConcept": concept(*codings),
        "whenHandedOver": "2026-11-01",
        "daysSupply": {"value": 30},
    }
    return of("MedicationDispense", **(body | more))


def vaccine(code: str, **more: Any) -> dict[str, Any]:
    body = {
        "status": "completed",
        "subject": None,
        "patient": ME,
        "vaccineCode": concept((CVX, code)),
        "occurrenceDateTime": "2026-10-01",
    }
    return of("Immunization", **(body | more))


def encounter(class_: Any = "AMB", **more: Any) -> dict[str, Any]:
    body = {
        "status": "finished",
        "class": {"system": ACT, "code": class_} if isinstance(class_, str) else class_,
        "period": {"start": "2026-09-01T08:00:00Z", "end": "2026-09-01T09:00:00Z"},
    }
    return of("Encounter", **(body | more))


def service(*codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    return of(
        "ServiceRequest", **({"intent": "order", "code": concept(*codings), "authoredOn": "2026-09-01"} | more)
    )


def _answer(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"valueCoding": {"system": LOINC, "code": value}}
    return {"valueInteger": value} if isinstance(value, int) else value


def answered(**answers: Any) -> dict[str, Any]:
    """A QuestionnaireResponse; `_44250_9="LA6568-5"` is a coded answer, a number an integer, a dict itself."""
    items = [
        {"linkId": "/" + name[1:].replace("_", "-"), "answer": [_answer(value)]}
        for name, value in answers.items()
        if name.startswith("_")
    ]
    more = {name: value for name, value in answers.items() if not name.startswith("_")}
    return of(
        "QuestionnaireResponse", **({"status": "completed", "authored": "2026-11-01", "item": items} | more)
    )


def part(code: str, *codings: tuple[str, str], display: str | None = None, system: str = LOINC) -> dict[str, Any]:
    return {"code": concept((system, code)), "valueCodeableConcept": concept(*codings, display=display)}


def variant(
    gene: str = "HGNC:1100", symbol: str | None = "BRCA1", *, source: str | None = "LA6683-2", **more: Any
) -> dict[str, Any]:
    parts = [part("48018-6", (HGNC, gene), display=symbol)]
    if source is not None:
        parts.append(part("48002-0", (LOINC, source)))
    parts += more.pop("parts", [])
    body = {
        "id": "v",
        "status": "final",
        "code": concept((LOINC, "69548-6")),
        "effectiveDateTime": "2026-01-05",
        "valueCodeableConcept": concept((LOINC, "LA9633-4")),
        "component": parts,
    }
    return of("Observation", **(body | more))


def implication(significance: str = "LA6668-3", *, of_: str = "Observation/v", **more: Any) -> dict[str, Any]:
    body = {
        "id": "i",
        "status": "final",
        "code": concept((REPORTING, "diagnostic-implication")),
        "effectiveDateTime": "2026-01-06",
        "component": [part("53037-8", (LOINC, significance))],
        "derivedFrom": [{"reference": of_}],
    }
    return of("Observation", **(body | more))
