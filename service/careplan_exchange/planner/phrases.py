"""Words for values and questions. No sentence here decides anything."""

import re
from collections.abc import Sequence
from decimal import Decimal

from careplan_exchange.model.vocabulary import Concept

from .intervals import Interval

UNKNOWN = "not known"

_COMPARED = {
    ">": ("above", "not above"),
    ">=": ("at or above", "below"),
    "<": ("below", "not below"),
    "<=": ("at or below", "above"),
    "=": ("", "not"),
    "!=": ("not", ""),
}
_ASK = {
    "measurement": "Measure {inline}: no value is recorded.",
    "condition": "Does the patient have {inline}? The record does not say.",
    "medication": "Does the patient take {inline}? The record does not say.",
    "allergy": "Is there {inline}? The record does not say.",
    "procedure": "Was it done: {inline}? The record does not say.",
    "family-history": "Is there {inline}? The record does not say.",
    "status": "{title}: what holds now? The record does not say.",
    "stage": "{title}: which is it? The record does not say.",
    "gene-finding": "Is there {inline}? The record holds no result that counts.",
    "immunization": "Was it given: {inline}? The record does not say.",
    "device": "Does the patient have {inline}? The record does not say.",
    "visit": "When is or was the {inline}? The record does not say.",
    "order": "Is it ordered: {inline}? The record does not say.",
    "circumstance": "{title}: what holds now? The record does not say.",
}


def missing(concept: Concept) -> str:
    return _ASK[concept.kind].format(title=concept.title, inline=inline(concept.title))


def outdated(concept: Concept, on: str) -> str:
    again = "Measure" if concept.kind == "measurement" else "Ask for"
    newest = f"the latest is of {on[:10] or 'an unknown date'} and too old to rely on"
    return f"{again} {inline(concept.title)} again: {newest}."


def undated(concept: Concept) -> str:
    return f"Measure {inline(concept.title)} again: what is recorded has no date."


def imprecise(concept: Concept, on: str) -> str:
    return f"Measure {inline(concept.title)} exactly: what was recorded on {on[:10]} does not decide this."


def contradiction(concept: Concept) -> str:
    return f"{concept.title}: what holds now? The record says both."


def unsure(concept: Concept) -> str:
    return f"{concept.title}: does it hold? What is recorded leaves it open."


def since(on: str) -> str:
    """How the time since a fact is shown: by the fact's own date, which does not change from day to day."""
    return f"since {on[:10]}"


def until(on: str) -> str:
    """How the time until a fact is shown: by the fact's own date."""
    return f"on {on[:10]}"


def when(concept: Concept) -> str:
    return f"When was the latest: {inline(concept.title)}? The record does not say."


def state(*, value: bool, dates: Sequence[str | None], recorded: bool) -> str:
    """How a presence or an absence is shown, with the date it speaks of."""
    word = "present" if value else "absent" if recorded else "not recorded"
    newest = max((day for day in dates if day), default="")
    return dated(word, newest)


def quantity(value: Decimal | Interval, unit: str) -> str:
    """`8.1 %`, `<7 %`, `5.6 to 7 %`."""
    if isinstance(value, Decimal):
        return f"{value:f} {readable(unit)}".rstrip()
    if value.low is None and value.high is None:
        return "any value"
    return f"{_range(value)} {readable(unit)}".rstrip()


def readable(unit: str) -> str:
    """A UCUM code without its brackets: `mm[Hg]` as `mmHg`, `mL/min/{1.73_m2}` as `mL/min/1.73 m2`."""
    return re.sub(r"[\[\]{}]", "", unit).replace("_", " ")


def dated(text: str, on: str, *, calculated: bool = False) -> str:
    """`8.1 % (2026-10-02)`; of a value that no one measured but a rule worked out, also that."""
    notes = [*([on[:10]] if on else []), *(["calculated"] if calculated else [])]
    return f"{text} ({', '.join(notes)})" if notes else text


def comparison(title: str, shown: str, operator: str, limit: str, *, holds: bool) -> str:
    """`HbA1c 8.1 % (2026-10-02) is above 7 %`."""
    word = _COMPARED[operator][0 if holds else 1]
    return " ".join(part for part in (title, shown, "is", word, limit) if part)


def bound(operator: str, limit: str) -> str:
    return f"{_COMPARED[operator][0]} {limit}".strip()


def inline(title: str) -> str:
    """A title inside a sentence: the first letter small, unless the word is an abbreviation."""
    first, _, rest = title.partition(" ")
    lowered = first if any(letter.isupper() or letter.isdigit() for letter in first[1:]) else first.lower()
    return f"{lowered} {rest}".rstrip()


def sentence(parts: Sequence[str]) -> str:
    text = "; ".join(dict.fromkeys(parts))
    return f"{text[:1].upper()}{text[1:]}."


def _range(value: Interval) -> str:
    if value.low is not None and value.high is not None:
        return f"{value.low:f} to {value.high:f}"
    if value.high is not None:
        return f"{'<' if value.high_open else '≤'}{value.high:f}"
    return f"{'>' if value.low_open else '≥'}{value.low:f}"
