"""Words for values and questions. No sentence here decides anything."""

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from careplan_exchange.model.vocabulary import Concept

from .intervals import Interval

UNKNOWN = "not known"
_LONGEST = 3
_SHOWN = 2
"""Decimals: the most that are shown as recorded, and how many of what has more."""

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
    return f"({on[:10]})"


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
    """`8.1 %`, `<7 %`, `5.6 to 7 %`. What has more than three decimals is shown with two: `about 169.28 mmHg`."""
    if isinstance(value, Interval) and value.low is None and value.high is None:
        return "any value"
    shown = number(value) if isinstance(value, Decimal) else _range(value)
    bounds = (value,) if isinstance(value, Decimal) else (value.low, value.high)
    about = "about " if any(bound is not None and _is_long(bound) for bound in bounds) else ""
    return f"{about}{shown} {readable(unit)}".rstrip()


def number(value: Decimal) -> str:
    """As recorded, or rounded where that is longer than anybody reads; of a small one two digits stay."""
    if not _is_long(value):
        return f"{value:f}"
    places = max(_SHOWN, _SHOWN - 1 - value.adjusted())
    return f"{value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):f}"


def _is_long(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and -exponent > _LONGEST and value != round(value, _LONGEST)


@lru_cache(maxsize=1024)
def readable(unit: str) -> str:
    """A UCUM code without its brackets: `mm[Hg]` as `mmHg`, `mL/min/{1.73_m2}` as `mL/min/1.73 m2`; of a plain
    number, whose unit is `1`, nothing."""
    return "" if unit == "1" else re.sub(r"[\[\]{}]", "", unit).replace("_", " ")


def dated(text: str, on: str, *, calculated: bool = False) -> str:
    """`8.1 % (2026-10-02)`; of a value that no one measured but a rule worked out, also that."""
    notes = [*([on[:10]] if on else []), *(["calculated"] if calculated else [])]
    return f"{text} ({', '.join(notes)})" if notes else text


def comparison(title: str, shown: str, operator: str, limit: str, *, holds: bool) -> str:
    """`HbA1c 8.1 % (2026-10-02) is above 7 %`."""
    if operator == "=" and shown == limit:
        return f"{title} is {limit}"
    word = _COMPARED[operator][0 if holds else 1]
    return " ".join(part for part in (title, shown, "is", word, limit) if part)


def bound(operator: str, limit: str, *, holds: bool = True) -> str:
    """`above 7 %`, and where it does not hold `not above 7 %`."""
    return f"{_COMPARED[operator][0 if holds else 1]} {limit}".strip()


@lru_cache(maxsize=4096)
def inline(title: str) -> str:
    """A title inside a sentence: the first letter small, unless the word is an abbreviation."""
    first, _, rest = title.partition(" ")
    lowered = first if any(letter.isupper() or letter.isdigit() for letter in first[1:]) else first.lower()
    return f"{lowered} {rest}".rstrip()


def sentence(parts: Sequence[str]) -> str:
    text = "; ".join(dict.fromkeys(parts))
    return f"{text[:1].upper()}{text[1:]}."


def _range(value: Interval) -> str:
    low, high = (None if bound is None else number(bound) for bound in (value.low, value.high))
    if low is not None and high is not None:
        return f"{low} to {high}"
    if high is not None:
        return f"{'<' if value.high_open else '≤'}{high}"
    return f"{'>' if value.low_open else '≥'}{low}"
