"""FamilyMemberHistory to family history: the disease, the relative, and the age at which it began."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Fact, FactState

from .coding import note_conflict, note_no_concept, note_text_used, overlap, texts_of
from .conditions import note_entered_in_error
from .context import Context
from .rows import Degree, FamilyHistory
from .tables import FamilyCodes, Key, plain, undotted
from .wire import CodeableConcept, FamilyCondition, FamilyMemberHistory, Quantity

_DECODER = msgspec.json.Decoder(FamilyMemberHistory)

Sex = Literal["male", "female"]


class _Relative(NamedTuple):
    """`role` is the coding that names the relationship, None where it is none that counts; `died` an age."""

    role: Coding | None
    degree: Degree
    sex: Sex | None
    died: Decimal | None


def read_family_history(context: Context, resource: Resource) -> Iterator[Fact]:
    """The facts of one relative. No condition recorded is not a negative history; neither is `health-unknown`."""
    history = context.decode(resource, _DECODER)
    if history is None or not context.is_about_patient(resource, history.patient):
        return
    if history.status == "entered-in-error":
        note_entered_in_error(context, resource)
        return
    told, _ = context.dated(resource, "date", history.date)
    relative = _relative(context, history)
    if not history.condition:
        context.note(
            resource,
            "family.nothing",
            "A FamilyMemberHistory names no condition, which is not the same as none.",
            severity="information",
            code="informational",
            expression="FamilyMemberHistory.condition",
        )
    for condition in history.condition:
        code = condition.code or CodeableConcept()
        rules = [
            (rule, coding)
            for rule in context.mappings.family
            for coding in _matches(context, resource, rule, code)
        ]
        if not rules:
            if code.coding or code.text:
                note_no_concept(context, resource, code)
            else:
                _note(context, resource, "code.missing", "A condition of a relative has no code.")
            continue
        counting = [
            (rule, coding)
            for rule, coding in rules
            if relative.role is not None and relative.degree in rule.degrees
        ]
        if not counting:
            _note(
                context,
                resource,
                "family.relative",
                "The relative is not one of mappings/family-history.yaml, so the condition does not count.",
            )
        agree = len(counting) < 2 or _agree(context, resource, counting, code)
        for rule, coding in counting:
            state = _state(context, resource, rule, condition, relative)
            if state is not None:
                state = state if agree else "unknown"
                fact = context.fact(resource, context.concepts[rule.concept], coding, told, state=state)
                onset = _age(context, condition.onset_age)
                yield msgspec.structs.replace(
                    fact, answer=relative.role, value=onset, unit=None if onset is None else "a"
                )


def _relative(context: Context, history: FamilyMemberHistory) -> _Relative:
    relatives = context.mappings.relatives
    codings = (history.relationship or CodeableConcept()).coding
    role = next((coding for coding in codings if (coding.code or "") in relatives), None)
    known = relatives[role.code or ""] if role is not None else None
    sex = known.sex if known is not None else None
    if sex is None:
        recorded = {coding.code for coding in (history.sex or CodeableConcept()).coding}
        sex = "male" if "male" in recorded else "female" if "female" in recorded else None
    died = _age(context, history.deceased_age)
    return _Relative(role, known.degree if known is not None else "first", sex, died)


def _agree(
    context: Context, resource: Resource, rules: list[tuple[FamilyHistory, Coding | None]], code: CodeableConcept
) -> bool:
    """Whether no two codings of the condition name different diseases; notes an issue where they do."""
    if len(rules) < 2:
        return True
    named = [
        {
            rule.concept
            for rule, _ in rules
            if names(context.mappings.family_codes[rule.concept], context.key(one))
        }
        for one in code.coding
    ]
    agree = overlap([concepts for concepts in named if concepts])
    if not agree:
        note_conflict(context, resource, code, "FamilyMemberHistory.condition")
    return agree


def names(told: FamilyCodes, key: Key) -> bool:
    """Whether the code is one of these."""
    return key in told.codes or any(
        key[0] == system and undotted(key[1]).startswith(prefix) for system, prefix in told.prefixes
    )


def _matches(
    context: Context, resource: Resource, rule: FamilyHistory, code: CodeableConcept
) -> Iterator[Coding | None]:
    """The coding by which the rule speaks of this condition, if it does."""
    told = context.mappings.family_codes[rule.concept]
    for coding in code.coding:
        if names(told, context.key(coding)):
            yield coding
            return
    for text, by_display in texts_of(code):
        if plain(text) in told.texts:
            note_text_used(context, resource, plain(text), by_display)
            yield by_display
            return


def _state(
    context: Context, resource: Resource, rule: FamilyHistory, condition: FamilyCondition, relative: _Relative
) -> FactState | None:
    """Present, unknown where the age is not told, or None where the relative was too old for it to count. Who
    died younger than the limit had it younger than the limit."""
    sex = relative.sex
    if rule.onset_below is None:
        return "present"
    limits = (rule.onset_below.male, rule.onset_below.female)
    limit = min(limits) if sex is None else limits[sex == "female"]
    oldest = _onset(context, condition)
    if any(age is not None and age < limit for age in (oldest, relative.died)):
        return "present"
    if oldest is None or (sex is None and oldest < max(limits)):
        _note(
            context,
            resource,
            "family.onset",
            f"'{rule.concept}' depends on the age or sex of the relative, which is not told: it is unknown.",
        )
        return "unknown"
    _note(
        context,
        resource,
        "family.late",
        f"The relative was too old at the onset for '{rule.concept}' to count.",
    )
    return None


def _onset(context: Context, condition: FamilyCondition) -> Decimal | None:
    """The highest age in years at which it can have begun; None where that cannot be told."""
    quantity: Quantity | None = condition.onset_age
    if quantity is None and condition.onset_range is not None:
        quantity = condition.onset_range.high
    return _age(context, quantity)


def _age(context: Context, quantity: Quantity | None) -> Decimal | None:
    """The age in years, or the highest that it allows; None where it has no upper end or no unit of time."""
    if quantity is None or quantity.value is None or not quantity.value.is_finite():
        return None
    if quantity.comparator not in (None, "<", "<="):
        return None
    per_year = context.mappings.onset_units.get((quantity.code or quantity.unit or "").strip())
    return None if per_year is None else quantity.value / per_year


def _note(context: Context, resource: Resource, key: str, detail: str) -> None:
    context.note(
        resource,
        key,
        detail,
        severity="information",
        code="informational",
        expression="FamilyMemberHistory.condition",
    )
