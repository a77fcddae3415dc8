"""Suppositions (`egfr=28`, `pregnancy=present`) to facts that stand in place of what the record says."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, cast, get_args

import msgspec

from careplan_exchange.errors import UsageError
from careplan_exchange.model.assumption import Assumed
from careplan_exchange.model.snapshot import Coding, Evidence, Fact, FactState, PatientProfile
from careplan_exchange.model.vocabulary import Concept, Vocabulary
from careplan_exchange.spelling import did_you_mean

_PREFIX = "urn:careplan-exchange:assumption:"
_OLDEST = 130
_COMPARATORS = ("<=", ">=", "<", ">")
_GENDERS = ("male", "female", "other", "unknown")
Comparator = Literal["<", "<=", ">=", ">"]


def assumed(texts: Iterable[str], vocabulary: Vocabulary, *, today: date) -> Assumed:
    """`variable=value`: a number in the concept's own UCUM unit for a measurement, the answer's code for a stage,
    otherwise `present`, `absent` or `unknown`; `age` in whole years; `sex`. Raises UsageError."""
    found = Assumed(texts=tuple(texts))
    for text in found.texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not value:
            raise UsageError(
                "An assumption is a variable, an equals sign and a value.",
                mend="For example --assume egfr=28 or --assume pregnancy=present.",
            )
        found = _with(found, name.lstrip("%"), value, vocabulary, today)
    return found


def _with(found: Assumed, name: str, value: str, vocabulary: Vocabulary, today: date) -> Assumed:
    if name == "age":
        return msgspec.structs.replace(found, birth_date=_born(value, today))
    if name == "sex":
        if value not in _GENDERS:
            raise UsageError("That is not a value of Patient.gender.", mend=f"Give one of {', '.join(_GENDERS)}.")
        return msgspec.structs.replace(found, gender=value)
    concept = vocabulary.concepts.get(name)
    if concept is None:
        raise UsageError(
            f"There is no concept '{name}'.",
            mend=f"docs/profiles.md lists them.{did_you_mean(name, (*vocabulary.concepts, 'age', 'sex'))}",
        )
    if any(fact.concept == name for fact in found.facts):
        raise UsageError(f"'{name}' is assumed twice.", mend="Give it one value.")
    return msgspec.structs.replace(found, facts=(*found.facts, _fact(concept, value, today)))


def _born(value: str, today: date) -> str:
    if not value.isdecimal() or int(value) > min(_OLDEST, today.year - 1):
        raise UsageError(
            "That is not an age in whole years.", mend=f"Give a number from 0 to {_OLDEST}, for example age=70."
        )
    day = today.replace(day=28) if (today.month, today.day) == (2, 29) else today
    return day.replace(year=day.year - int(value)).isoformat()


def _fact(concept: Concept, value: str, today: date) -> Fact:
    fields: dict[str, Any] = {
        "concept": concept.id,
        "kind": concept.kind,
        "evidence": Evidence(reference=f"{_PREFIX}{concept.id}", date=today.isoformat()),
        "effective": today.isoformat(),
    }
    if value == "unknown":
        return Fact(**fields, state="unknown")
    if concept.kind == "measurement":
        comparator = next((sign for sign in _COMPARATORS if value.startswith(sign)), "")
        number = _number(value.removeprefix(comparator).strip(), concept)
        return Fact(
            **fields, value=number, unit=concept.unit, comparator=cast("Comparator | None", comparator or None)
        )
    if concept.kind == "stage":
        return Fact(**fields, answer=Coding(code=value))
    if value not in get_args(FactState):
        raise UsageError(
            f"'{concept.id}' cannot be that.", mend=f"Give {concept.id}=present, =absent or =unknown."
        )
    return Fact(**fields, state=cast("FactState", value))


def _number(text: str, concept: Concept) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    low, high = concept.plausible or (Decimal("-Infinity"), Decimal("Infinity"))
    if not number.is_finite() or not low <= number <= high:
        bounds = f" from {low:f} to {high:f}" if concept.plausible else ""
        raise UsageError(
            f"'{concept.id}' cannot be that.", mend=f"Give a number{bounds} in {concept.unit}, without the unit."
        )
    return number


def supposed_patient(profile: PatientProfile, given: Assumed) -> PatientProfile:
    return msgspec.structs.replace(
        profile,
        birth_date=given.birth_date or profile.birth_date,
        gender=given.gender or profile.gender,
    )


def supposed_facts(facts: Iterable[Fact], given: Assumed) -> list[Fact]:
    """The facts with everything of an assumed concept replaced by the assumption."""
    return [*without(facts, given), *given.facts]


def without(facts: Iterable[Fact], given: Assumed) -> list[Fact]:
    gone = {fact.concept for fact in given.facts}
    return [fact for fact in facts if fact.concept not in gone]
