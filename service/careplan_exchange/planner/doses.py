"""A dose in words: those of the protocol, or what its elements say (http://hl7.org/fhir/R5/dosage.html)."""

from collections.abc import Iterable

from . import elements
from .elements import Element


def doses(dosage: Iterable[Element]) -> str:
    """The words of each Dosage of R5; where it has none its amounts, what for and the most of it. Empty where
    nothing is said. How often is in its `timing`."""
    return "; ".join(said for each in dosage if (said := _dose(each)))


def _dose(dosage: Element) -> str:
    words = dosage.get("text") or dosage.get("patientInstruction")
    if words:
        return str(words).rstrip(".")
    amounts = map(_amount, elements.items(dosage, "doseAndRate"))
    most = map(_most, elements.items(dosage, "maxDosePerPeriod"))
    return ", ".join(filter(None, (*amounts, _as_needed(dosage), *most)))


def _as_needed(dosage: Element) -> str:
    reasons = elements.items(dosage, "asNeededFor")
    for_what = " or ".join(filter(None, map(elements.text, reasons)))
    if for_what:
        return f"as needed for {for_what}"
    return "as needed" if dosage.get("asNeeded") or reasons else ""


def _most(ratio: Element) -> str:
    """A Ratio of what is the most, in how long."""
    most, period = _quantity(ratio.get("numerator")), _quantity(ratio.get("denominator"))
    return f"at most {most}{f' in {period}' if period else ''}" if most else ""


def _amount(each: Element) -> str:
    return _range(each.get("doseRange") or {}) or _quantity(each.get("doseQuantity"))


def _range(ends: Element) -> str:
    low, high = _quantity(ends.get("low")), _quantity(ends.get("high"))
    if low and high:
        return low if low == high else f"{low} to {high}"
    return f"at least {low}" if low else f"up to {high}" if high else ""


def _quantity(quantity: Element | None) -> str:
    """Empty where there is a unit alone."""
    return elements.amount(quantity) if quantity and quantity.get("value") is not None else ""
